import numpy as np
import pytest
from simulated import chance

from ratchet.errors import EvidenceError
from ratchet.statistics import ClusterSums, clustered_means, sum_by_cluster


def draw(seed, clusters=12):
    generator = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), generator.integers(1, 9, clusters))
    return generator.normal(size=len(cluster)) + generator.normal(size=clusters)[cluster], cluster


def cr2_by_matrices(x, cluster):
    """Bell and McCaffrey (2002), equation 7, for a regression on a constant, written out."""
    ones = np.ones((len(x), 1))
    hat = ones @ ones.T / len(x)
    residuals, meat = x - x.mean(), 0.0
    for name in np.unique(cluster):
        own = cluster == name
        values, vectors = np.linalg.eigh(np.eye(own.sum()) - hat[np.ix_(own, own)])
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T @ residuals[own]
        meat += float(ones[own, 0] @ adjusted) ** 2
    return np.sqrt(meat) / len(x)


def degrees_by_matrices(cluster):
    """Bell and McCaffrey (2002), section 4: rows of G for each cluster, independent rows."""
    n = len(cluster)
    rest, rows = np.eye(n) - np.full((n, n), 1 / n), []
    for name in np.unique(cluster):
        own = cluster == name
        values, vectors = np.linalg.eigh(rest[np.ix_(own, own)])
        rows.append(rest[:, own] @ vectors @ np.diag(values**-0.5) @ vectors.T @ np.ones(own.sum()))
    eigenvalues = np.linalg.eigvalsh(np.array(rows) @ np.array(rows).T)
    return eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


@pytest.mark.parametrize("seed", range(5))
def test_clustered_means_error_is_cr2_by_matrices(seed):
    x, cluster = draw(seed)
    found = clustered_means(sum_by_cluster(x, cluster), 0.9)
    assert found.estimate == pytest.approx(x.mean())
    assert found.standard_error == pytest.approx(cr2_by_matrices(x, cluster))


@pytest.mark.parametrize("seed", range(5))
def test_clustered_means_degrees_of_freedom_are_those_of_bell_and_mccaffrey_by_matrices(seed):
    x, cluster = draw(seed)
    found = clustered_means(sum_by_cluster(x, cluster), 0.9)
    assert found.degrees_of_freedom == pytest.approx(degrees_by_matrices(cluster))


@pytest.mark.parametrize(
    ("rows", "expected"), [([1, 1], 1), ([9, 1], 1), ([5] * 14, 13), ([999, 1], 1), ([0, 4, 4], 1)]
)
def test_clustered_means_degrees_of_freedom_of_two_clusters_and_of_equal_ones(rows, expected):
    cluster = np.repeat(np.arange(len(rows)), rows)
    found = clustered_means(sum_by_cluster(np.arange(len(cluster)), cluster), 0.9)
    assert found.degrees_of_freedom == pytest.approx(expected)
    assert found.degrees_of_freedom >= 1


# One cluster among 14 holds this share of the rows, and rows of a cluster share this part of their
# variance. With 13 degrees of freedom the last case misses on 63 % of draws instead of 10 %.
GIANTS = [
    (0.2, 0.0, 0.085, 0.115),
    (0.2, 0.5, 0.09, 0.125),
    (0.5, 0.0, 0.055, 0.085),
    (0.5, 0.5, 0.09, 0.135),
    (0.8, 0.0, 0.025, 0.05),
    (0.8, 0.5, 0.09, 0.14),
]


@pytest.mark.parametrize(("share", "common", "low", "high"), GIANTS)
def test_clustered_means_one_cluster_with_most_of_the_rows_misses_as_stated(
    share, common, low, high
):
    draws, rows, generator = 4000, 2000, np.random.default_rng(8)
    counts = np.array([share * rows, *[(1 - share) * rows / 13] * 13])
    spread = np.sqrt(counts * (1 - common) + counts**2 * common)
    sums = ClusterSums(
        generator.normal(size=(14, draws)) * spread[:, None], np.repeat(counts[:, None], draws, 1)
    )
    found = clustered_means(sums, 0.9)
    missed = int(((found.low > 0) | (found.high < 0)).sum())
    assert chance(missed, draws, low, high)


def test_clustered_means_of_single_rows_are_the_usual_mean_and_interval():
    # Student (1908), The Probable Error of a Mean: the extra sleep of ten patients, as differences.
    # R's t.test(extra ~ group, data = sleep, paired = TRUE) prints -1.58 and (-2.4598858,
    # -0.7001142).
    sleep = [-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4]
    found = clustered_means(sum_by_cluster(sleep, np.arange(10)), 0.95)
    assert found.estimate == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142))


def test_clustered_means_three_days_worked_out_by_hand():
    # Mean -5; residual totals of the days 0, -5 and 5, with 2, 1 and 1 of 4 rows:
    # (0 / .5 + 25 / .75 + 25 / .75) / 16 = 25 / 6
    found = clustered_means(sum_by_cluster([0, -10, -10, 0], ["a", "a", "b", "c"]), 0.9)
    assert found.estimate == -5
    assert found.standard_error == pytest.approx(np.sqrt(25 / 6))
    # shares 1/2, 1/4, 1/4; share^2 / (1 - share) 1/2, 1/12, 1/12: 1 / (3/8 + 4/9 - 19/72)
    assert found.degrees_of_freedom == pytest.approx(9 / 5)


def test_clustered_means_of_cells_are_those_of_each_cell_alone():
    x, cluster = draw(3)
    cell = np.random.default_rng(4).integers(0, 3, len(x))
    found = clustered_means(sum_by_cluster(x, cluster, cell), 0.9)
    for i in range(3):
        alone = clustered_means(sum_by_cluster(x[cell == i], cluster[cell == i]), 0.9)
        assert [value[i] for value in found] == pytest.approx([float(value) for value in alone])


def test_clustered_means_cell_of_one_cluster_has_no_error():
    found = clustered_means(sum_by_cluster([1, 2, 3, 4], [0, 0, 0, 1], [0, 1, 1, 1]), 0.9)
    assert found.estimate.tolist() == [1, 3]
    assert np.isnan([found.standard_error[0], found.low[0], found.high[0]]).all()
    assert found.standard_error[1] > 0
    assert found.degrees_of_freedom == pytest.approx([0, 1])


def test_clustered_means_order_of_rows_does_not_matter():
    x, cluster = draw(5)
    order = np.random.default_rng(6).permutation(len(x))
    found, shuffled = (
        clustered_means(sum_by_cluster(x[rows], cluster[rows]), 0.9)
        for rows in (np.arange(len(x)), order)
    )
    assert [float(v) for v in found] == pytest.approx([float(v) for v in shuffled], rel=1e-12)


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([], [], "no rows"),
        ([1.0, np.nan], [1, 2], "missing or not finite"),
        ([1.0, np.inf], [1, 2], "missing or not finite"),
        ([1.0, 2.0], [1], "do not belong together"),
    ],
)
def test_sum_by_cluster_bad_rows_raise(values, clusters, message):
    with pytest.raises(EvidenceError, match=message):
        sum_by_cluster(values, clusters)
