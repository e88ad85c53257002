"""An examination in which nothing is missing and nothing is wrong, to make one thing wrong in."""

from datetime import UTC, datetime

from ratchet.evaluation import (
    BehaviourTest,
    Blessing,
    Disturbance,
    Examination,
    Fold,
    Group,
    Quality,
    Rate,
    Refusals,
    Slices,
)
from ratchet.evaluation.evidence import DISTURBANCES, column_name, required_of
from ratchet.spec import Spec
from ratchet.spec.types import Behaviour
from ratchet.statistics import Calibration, SliceDifference, SliceMean

BLESSED = Blessing(
    model_sha256="def",
    model_bytes=60_000,
    failure=None,
    other_versions={},
    max_difference=0.0,
    is_repeatable=True,
    ignores_unknown=True,
    refuses=Refusals(missing_column=True, wrong_type=True, no_rows=True),
    row_p50_ms=8.0,
    row_p95_ms=12.0,
    batch_rows=12_000,
    batch_p50_ms=30.0,
    batch_p95_ms=40.0,
    peak_memory_mb=300.0,
)
CALIBRATED = Calibration(
    rows=12_000,
    clusters=14,
    error=0.03,
    error_by_chance=0.03,
    bias=0.0,
    bias_standard_error=0.01,
    slope=1.0,
    intercept=0.0,
    p_value=0.5,
)
QUALITY = Quality(rows=9000, cost_per_unit=23.0, metrics={"roc_auc": 0.75})


def slice_difference(column: str, margin: float, level: str = "any") -> SliceDifference:
    """Return a slice in which the candidate is half a point cheaper."""
    return SliceDifference(
        column=column,
        level=level,
        rows=4000,
        clusters=14,
        estimate=-0.5,
        standard_error=0.2,
        low=-0.93,
        high=-0.07,
        shrunken=-0.5,
        margin=margin,
        adjusted_p_value=1.0,
    )


def slice_mean(column: str, shrunken: float = 0.7) -> SliceMean:
    """Return a slice with a ROC-AUC of .7, or as given."""
    return SliceMean(
        column=column,
        level="any",
        rows=4000,
        clusters=14,
        estimate=0.69,
        standard_error=0.02,
        low=0.65,
        high=0.73,
        shrunken=shrunken,
    )


def _within(test: Behaviour) -> float | str:
    """Return what a test requires least."""
    required = required_of(test)
    return required["among"][0] if required["among"] else required["least"]


def examined(spec: Spec, blessing: Blessing = BLESSED) -> Examination:
    """Return all that a spec declares, measured."""
    declared = spec.evaluation
    groups = {
        f"{name}=any": Group(
            rates={"cost_per_unit": Rate(value=23.0, difference=0.0, low=-0.1, high=0.1)},
            against_baseline=slice_difference(name, declared.fairness.max_regret_per_unit),
        )
        for name in map(column_name, declared.fairness.columns if declared.fairness else ())
    }
    fold = Fold(
        start=datetime(2013, 2, 8, tzinfo=UTC),
        end=datetime(2013, 2, 22, tzinfo=UTC),
        train_rows=20_000,
        quality=QUALITY,
        saving=1.0,
    )
    return Examination(
        calibration=CALIBRATED if spec.costs.has_probabilities else None,
        slices=Slices(
            rival="champion 3",
            declared=tuple(
                slice_difference(column_name(columns), declared.slices.max_regret_per_unit)
                for columns in declared.slices.columns
            ),
            found=(),
            searched=0,
            metrics=tuple(slice_mean(column_name(columns)) for columns in declared.slices.columns),
        ),
        fairness=groups,
        robustness=tuple(
            Disturbance(feature=name, how=how, outcome="answered", cost_increase=0.1)
            for name in spec.gold.features
            for how in DISTURBANCES
        ),
        behaviour={
            name: BehaviourTest(rows=1000, observed=_within(test), **required_of(test))
            for name, test in declared.behaviour.items()
        },
        folds=(fold,) * declared.folds,
        blessing=blessing,
    )
