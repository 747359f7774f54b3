import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures.dependence import (
    absorption_ratio,
    cluster,
    constant_correlation_shrinkage,
    correlation,
    ledoit_wolf,
    nearest_psd,
)
from risk_management.tests.measures.bad_inputs import NOT_A_SERIES

METHODS = ["sample", "ewma", "ledoit_wolf", "constant_correlation"]
SEEDS = st.integers(0, 10_000)


def returns(seed=0, n=120, columns=6):
    rng = np.random.default_rng(seed)
    loadings = rng.uniform(0.2, 1.5, columns)
    scale = rng.uniform(0.005, 0.03, columns)
    return scale * (rng.standard_normal((n, 1)) * loadings + rng.standard_t(5, (n, columns)))


def loop_ledoit_wolf(values):
    """Ledoit and Wolf (2004), section 3, row by row: m, d^2, b^2 with outer products."""
    T, N = values.shape
    x = values - values.mean(axis=0)
    S = sum(np.outer(row, row) for row in x) / T
    m = np.trace(S) / N
    d2 = np.linalg.norm(S - m * np.eye(N)) ** 2 / N
    bbar2 = sum(np.linalg.norm(np.outer(row, row) - S) ** 2 for row in x) / N / T**2
    b2 = min(bbar2, d2)
    return b2 / d2 * m * np.eye(N) + (1 - b2 / d2) * S, b2 / d2


def loop_constant_correlation(values):
    """Ledoit and Wolf (2004), Honey, appendices A and B, sum by sum."""
    T, N = values.shape
    y = values - values.mean(axis=0)
    s = y.T @ y / T
    sd = np.sqrt(np.diag(s))
    rbar = 2 / (N * (N - 1)) * sum(s[i, j] / sd[i] / sd[j] for i in range(N) for j in range(i + 1, N))
    f = np.array([[s[i, i] if i == j else rbar * sd[i] * sd[j] for j in range(N)] for i in range(N)])
    pi = sum(np.mean((y[:, i] * y[:, j] - s[i, j]) ** 2) for i in range(N) for j in range(N))

    def theta(i, j, k):
        return np.mean((y[:, k] ** 2 - s[k, k]) * (y[:, i] * y[:, j] - s[i, j]))

    rho = sum(np.mean((y[:, i] ** 2 - s[i, i]) ** 2) for i in range(N))
    for i in range(N):
        for j in range(N):
            if i != j:
                rho += rbar / 2 * (sd[j] / sd[i] * theta(i, j, i) + sd[i] / sd[j] * theta(i, j, j))
    gamma = ((f - s) ** 2).sum()
    delta = max(0.0, min((pi - rho) / gamma / T, 1.0))
    return delta * f + (1 - delta) * s, delta


class TestShrinkage:
    @pytest.mark.parametrize("shape", [(120, 6), (20, 40), (5, 3), (250, 1), (2, 2)])
    @pytest.mark.parametrize("seed", [0, 1])
    def test_ledoit_wolf_is_the_loop(self, shape, seed):
        values = returns(seed, *shape)
        result = ledoit_wolf(values)
        if shape[1] == 1:  # its own target
            np.testing.assert_allclose(result.covariance, [[values.var()]])
            return
        expected, intensity = loop_ledoit_wolf(values)
        np.testing.assert_allclose(result.covariance, expected, rtol=1e-8, atol=1e-16)
        assert result.intensity == pytest.approx(intensity, rel=1e-7)
        assert 0.0 <= result.intensity <= 1.0

    @pytest.mark.parametrize("shape", [(120, 6), (15, 8), (60, 2)])
    def test_constant_correlation_is_the_loop(self, shape):
        values = returns(3, *shape)
        result = constant_correlation_shrinkage(values)
        expected, intensity = loop_constant_correlation(values)
        np.testing.assert_allclose(result.covariance, expected, rtol=1e-9, atol=1e-18)
        assert result.intensity == pytest.approx(intensity, rel=1e-8, abs=1e-12)
        np.testing.assert_allclose(np.diag(result.covariance), values.var(axis=0), rtol=1e-12)

    def test_constant_correlation_needs_two(self):
        with pytest.raises(UndefinedMeasure, match="single"):
            constant_correlation_shrinkage(returns(0, 50, 1))

    def test_constant_correlation_refuses_a_constant_column(self):
        values = returns()
        values[:, 2] = 0.1
        with pytest.raises(UndefinedMeasure, match="column 2"):
            constant_correlation_shrinkage(values)

    def test_ledoit_wolf_of_nothing_is_nothing(self):
        result = ledoit_wolf(np.zeros((5, 3)))
        np.testing.assert_array_equal(result.covariance, np.zeros((3, 3)))
        assert result.intensity == 0.0


class TestCorrelation:
    def test_sample_is_pearsons(self):
        values = returns()
        np.testing.assert_allclose(correlation(values), np.corrcoef(values.T), atol=1e-13)

    def test_ewma_is_the_weighted_loop(self):
        values = returns()
        cov = np.zeros((6, 6))
        for row in values:
            cov = 0.9 * cov + 0.1 * np.outer(row, row)
        sd = np.sqrt(np.diag(cov))
        np.testing.assert_allclose(correlation(values, "ewma", 0.9), cov / sd / sd[:, None], atol=1e-12)

    @pytest.mark.parametrize(
        ("method", "loop"),
        [("ledoit_wolf", loop_ledoit_wolf), ("constant_correlation", loop_constant_correlation)],
    )
    def test_shrunken_ones_come_from_the_raw_covariance(self, method, loop):
        values = returns()
        cov, _ = loop(values)
        sd = np.sqrt(np.diag(cov))
        np.testing.assert_allclose(correlation(values, method), cov / np.outer(sd, sd), atol=1e-10)

    @pytest.mark.parametrize("method", METHODS)
    @given(seed=SEEDS, order=st.permutations(range(6)))
    def test_is_a_correlation_matrix_that_follows_its_columns(self, method, seed, order):
        values = returns(seed, 40)
        rho = correlation(values, method)
        np.testing.assert_array_equal(rho, rho.T)
        np.testing.assert_array_equal(np.diag(rho), np.ones(6))
        assert np.abs(rho).max() <= 1.0
        assert np.linalg.eigvalsh(rho)[0] > -1e-12
        np.testing.assert_allclose(
            correlation(values[:, order], method), rho[np.ix_(order, order)], atol=1e-12
        )

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("level", [0.0, 0.1, -1e6])
    def test_a_constant_series_is_undefined_not_zero(self, method, level):
        values = returns()
        values[:, 3] = level
        with pytest.raises(UndefinedMeasure, match="column 3"):
            correlation(values, method)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_refuses_what_is_no_matrix(self, method, bad):
        with pytest.raises(InvalidReturns):
            correlation(bad, method)

    def test_refuses_a_single_series(self):
        with pytest.raises(InvalidReturns, match="matrix"):
            correlation([0.1, 0.2, -0.1, 0.3])

    def test_refuses_two_rows_and_other_methods(self):
        with pytest.raises(InsufficientData, match="3"):
            correlation([[0.1, 0.2], [0.2, 0.1]])
        with pytest.raises(UndefinedMeasure, match="'ewma'"):
            correlation(returns(), "kendall")
        with pytest.raises(MeasureError, match="decay"):
            correlation(returns(), "ewma", 1.0)


class TestNearestPsd:
    def test_highams_example(self):
        # Higham (2002), section 4
        given_matrix = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
        expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
        np.testing.assert_allclose(nearest_psd(given_matrix), expected, atol=5e-5)

    @given(SEEDS)
    def test_repairs_and_keeps_the_diagonal(self, seed):
        rng = np.random.default_rng(seed)
        rho = rng.uniform(-1, 1, (5, 5))
        rho = (rho + rho.T) / 2
        np.fill_diagonal(rho, 1.0)
        sd = rng.uniform(0.1, 3.0, 5)
        repaired = nearest_psd(rho * np.outer(sd, sd))
        assert np.linalg.eigvalsh(repaired)[0] > -1e-10
        np.testing.assert_allclose(np.diag(repaired), sd**2, rtol=1e-12)
        # no correlation matrix on the way back to the valid identity is nearer
        found = repaired / np.outer(sd, sd)
        for other in (np.eye(5), 0.99 * found + 0.01 * np.eye(5)):
            assert np.linalg.norm(found - rho) <= np.linalg.norm(other - rho) + 1e-9

    def test_leaves_a_valid_matrix(self):
        rho = correlation(returns())
        np.testing.assert_array_equal(nearest_psd(rho), rho)

    @pytest.mark.parametrize(
        "bad", [[[1.0, 2.0]], [[1.0, 0.5], [0.1, 1.0]], [[1.0, np.nan], [np.nan, 1.0]], "x", None]
    )
    def test_refuses_what_is_not_symmetric(self, bad):
        with pytest.raises(InvalidReturns):
            nearest_psd(bad)

    def test_refuses_a_variance_that_is_not_positive(self):
        with pytest.raises(UndefinedMeasure, match="column 1"):
            nearest_psd([[1.0, 0.5], [0.5, 0.0]])


def loop_average_linkage(rho, threshold):
    """Join the two groups with the least mean distance, until it is beyond the cut."""
    distance = np.sqrt(0.5 * (1 - np.abs(rho)))
    groups = [[i] for i in range(len(rho))]
    while len(groups) > 1:
        pairs = [(i, j) for i in range(len(groups)) for j in range(i)]
        means = [np.mean(distance[np.ix_(groups[i], groups[j])]) for i, j in pairs]
        if min(means) > np.sqrt(0.5 * (1 - threshold)):
            break
        i, j = pairs[int(np.argmin(means))]
        groups[j] += groups.pop(i)
    labels = np.empty(len(rho), int)
    for label, group in enumerate(sorted(groups, key=min)):
        labels[group] = label
    return labels


class TestCluster:
    BLOCKS = np.array(
        [
            [1.0, 0.1, 0.9, -0.1, -0.8],
            [0.1, 1.0, 0.0, -0.9, 0.1],
            [0.9, 0.0, 1.0, 0.1, -0.85],
            [-0.1, -0.9, 0.1, 1.0, 0.0],
            [-0.8, 0.1, -0.85, 0.0, 1.0],
        ]
    )

    def test_hedges_join_with_the_opposite_sign(self):
        result = cluster(self.BLOCKS)
        np.testing.assert_array_equal(result.labels, [0, 1, 0, 1, 0])
        np.testing.assert_array_equal(result.signs, [1, 1, 1, -1, -1])

    @given(SEEDS, st.floats(0.05, 0.95))
    def test_is_the_loop_of_average_linkage(self, seed, threshold):
        rho = correlation(returns(seed, 30, 7))
        np.testing.assert_array_equal(
            cluster(rho, threshold=threshold).labels, loop_average_linkage(rho, threshold)
        )

    @given(SEEDS, st.integers(1, 7), st.sampled_from(["average", "single", "complete"]))
    def test_gives_the_number_asked_for(self, seed, n, linkage):
        result = cluster(correlation(returns(seed, 30, 7)), n_clusters=n, linkage=linkage)
        assert sorted(set(result.labels.tolist())) == list(range(n))
        firsts = [result.labels.tolist().index(label) for label in range(n)]
        assert firsts == sorted(firsts)
        assert all(result.signs[first] == 1 for first in firsts)

    def test_gives_it_among_ties_too(self):
        for n in (1, 2, 3, 4):
            assert len(set(cluster(np.eye(4), n_clusters=n).labels.tolist())) == n
            assert len(set(cluster(np.ones((4, 4)), n_clusters=n).labels.tolist())) == n

    @given(SEEDS, st.permutations(range(6)))
    def test_partition_does_not_depend_on_the_order(self, seed, order):
        rho = correlation(returns(seed, 50))
        plain, moved = cluster(rho, 0.4), cluster(rho[np.ix_(order, order)], 0.4)
        together = plain.labels[:, None] == plain.labels
        np.testing.assert_array_equal(moved.labels[:, None] == moved.labels, together[np.ix_(order, order)])

    def test_turning_a_series_over_turns_its_sign_only(self):
        values = returns(1, 200)
        rho = correlation(values)
        flipped = correlation(values * np.array([1, 1, -1, 1, 1, 1]))
        plain, turned = cluster(rho, 0.05), cluster(flipped, 0.05)
        np.testing.assert_array_equal(plain.labels, turned.labels)
        assert plain.labels[2] == plain.labels[0]
        np.testing.assert_array_equal(turned.signs, plain.signs * [1, 1, -1, 1, 1, 1])

    def test_one_series_is_one_cluster(self):
        result = cluster([[1.0]])
        assert (result.labels.tolist(), result.signs.tolist()) == ([0], [1])

    @pytest.mark.parametrize(
        "options",
        [
            {"threshold": 0.0},
            {"threshold": 1.0},
            {"threshold": "high"},
            {"n_clusters": 0},
            {"n_clusters": 6},
            {"n_clusters": 2.5},
            {"threshold": 0.5, "n_clusters": 2},
            {"linkage": "ward"},
        ],
        ids=str,
    )
    def test_refuses_other_options(self, options):
        with pytest.raises(MeasureError):
            cluster(self.BLOCKS, **options)

    @pytest.mark.parametrize(
        "bad",
        [np.eye(3) * 2, [[1.0, 1.5], [1.5, 1.0]], [[1.0, np.nan], [np.nan, 1.0]], np.ones((2, 3)), None, []],
    )
    def test_refuses_what_is_no_correlation(self, bad):
        with pytest.raises(MeasureError):
            cluster(bad)


class TestAbsorption:
    def test_known_spectrum(self):
        rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((10, 10)))
        power = np.array([10.0, 5, 1, 1, 1, 1, 0.5, 0.25, 0.25, 0.0])
        sigma = (rotation * power) @ rotation.T
        sigma = (sigma + sigma.T) / 2
        assert absorption_ratio(sigma) == pytest.approx(15 / 20)
        assert absorption_ratio(sigma, 0.1) == pytest.approx(0.5)
        assert absorption_ratio(sigma, 0.01) == pytest.approx(0.5)  # at least one component
        assert absorption_ratio(sigma, 1.0) == pytest.approx(1.0)

    def test_returns_and_their_covariance_agree(self):
        values = returns()
        assert absorption_ratio(values) == pytest.approx(absorption_ratio(np.cov(values.T)))

    def test_extremes(self):
        assert absorption_ratio(np.eye(5)) == pytest.approx(0.2)
        assert absorption_ratio(np.ones((5, 5))) == pytest.approx(1.0)

    def test_refuses(self):
        with pytest.raises(UndefinedMeasure, match="nothing varies"):
            absorption_ratio(np.zeros((10, 3)))
        for fraction in (0.0, 1.1, None):
            with pytest.raises(MeasureError, match="fraction"):
                absorption_ratio(np.eye(3), fraction)
        with pytest.raises(UndefinedMeasure, match="negative variance"):
            absorption_ratio(np.diag([1.0, -1.0]))
        with pytest.raises(UndefinedMeasure, match="nearest_psd"):
            absorption_ratio([[1.0, 1.5], [1.5, 1.0]])

    def test_rounding_makes_no_returns_of_a_covariance(self):
        sigma = np.diag([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
        sigma[0, 5] = 5e-16  # what a product of matrices leaves
        assert absorption_ratio(sigma) == pytest.approx(6 / 21)


def test_a_column_that_only_moved_long_ago_has_no_weighted_correlation():
    values = np.random.default_rng(1).standard_normal((12_000, 3))
    values[1:, 1] = 0.0
    with pytest.raises(UndefinedMeasure, match="column 1"):
        correlation(values, "ewma")
