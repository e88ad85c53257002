"""Statistics that decide: pure functions on arrays, each with the source of its formula.

Nothing here knows of specs, files or models. A loss is better when lower. What is compared is
paired: both models answered the same rows. What is summed up by cluster holds for any metric that
is a mean of rows, and for the area under the ROC curve by `roc_auc_contributions`. Laws are those
of scipy.special: scipy.stats takes 75 MB, and is imported where there is no other.
"""

from ratchet.statistics.calendar import near_holidays
from ratchet.statistics.calibration import Calibration, measure_calibration, spiegelhalter
from ratchet.statistics.clusters import ClusterSums, Means, clustered_means, sum_by_cluster
from ratchet.statistics.comparison import (
    MIN_DAYS,
    Comparison,
    block_length,
    compare_by_blocks,
    compare_by_cluster,
)
from ratchet.statistics.divergence import (
    LEAST_EXPECTED,
    MIN_BLOCKS,
    TRANSPORT_LEVELS,
    UNUSUAL,
    Chance,
    Divergence,
    design_effect_of_cumulative,
    design_effect_of_mean,
    design_effect_of_shares,
    jensen_shannon,
    kolmogorov_smirnov,
    mean_shift,
    population_stability,
    share_change,
    transport_law,
    wasserstein,
)
from ratchet.statistics.estimation import (
    Dispersion,
    Expected,
    Gap,
    Level,
    compare_levels,
    design_effect,
    error_of,
    expect_class_mean,
    expect_mean,
    expect_roc_auc,
    measure_dispersion,
    measure_gap,
    measure_level,
    reach_of,
    roc_auc_surprises,
)
from ratchet.statistics.intervals import Interval, wilson_interval
from ratchet.statistics.multiplicity import (
    benjamini_hochberg,
    chance_of_any,
    holm,
    level_per_look,
)
from ratchet.statistics.power import clusters_needed, detectable_difference, power_of
from ratchet.statistics.recalibration import recalibrate, recalibration
from ratchet.statistics.roc import Areas, compare_by_delong, delong, roc_auc_contributions
from ratchet.statistics.sampling import Sampled, allocate, stratified_mean
from ratchet.statistics.seasons import LAW_DAYS, DayForecast, forecast_days
from ratchet.statistics.slices import (
    Levels,
    SliceDifference,
    SliceMean,
    compare_slices,
    estimate_slices,
    shrink,
    variance_between,
)
from ratchet.statistics.spread import robust_spread, t_limit

__all__ = [
    "LAW_DAYS",
    "LEAST_EXPECTED",
    "MIN_BLOCKS",
    "MIN_DAYS",
    "TRANSPORT_LEVELS",
    "UNUSUAL",
    "Areas",
    "Calibration",
    "Chance",
    "ClusterSums",
    "Comparison",
    "DayForecast",
    "Dispersion",
    "Divergence",
    "Expected",
    "Gap",
    "Interval",
    "Level",
    "Levels",
    "Means",
    "Sampled",
    "SliceDifference",
    "SliceMean",
    "allocate",
    "benjamini_hochberg",
    "block_length",
    "chance_of_any",
    "clustered_means",
    "clusters_needed",
    "compare_by_blocks",
    "compare_by_cluster",
    "compare_by_delong",
    "compare_levels",
    "compare_slices",
    "delong",
    "design_effect",
    "design_effect_of_cumulative",
    "design_effect_of_mean",
    "design_effect_of_shares",
    "detectable_difference",
    "error_of",
    "estimate_slices",
    "expect_class_mean",
    "expect_mean",
    "expect_roc_auc",
    "forecast_days",
    "holm",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "level_per_look",
    "mean_shift",
    "measure_calibration",
    "measure_dispersion",
    "measure_gap",
    "measure_level",
    "near_holidays",
    "population_stability",
    "power_of",
    "reach_of",
    "recalibrate",
    "recalibration",
    "robust_spread",
    "roc_auc_contributions",
    "roc_auc_surprises",
    "share_change",
    "shrink",
    "spiegelhalter",
    "stratified_mean",
    "sum_by_cluster",
    "t_limit",
    "transport_law",
    "variance_between",
    "wasserstein",
    "wilson_interval",
]
