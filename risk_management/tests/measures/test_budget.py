"""Splits of a risk budget against closed forms, a published example, other solvers and plain loops."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures import budget
from risk_management.tests.measures.bad_inputs import NOT_A_SERIES

MAILLARD = np.outer([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]) * np.array(
    [[1.0, 0.8, 0.0, 0.0], [0.8, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -0.5], [0.0, 0.0, -0.5, 1.0]]
)
"""The four assets of Maillard, Roncalli and Teiletche (2010), section 3."""


def random_covariance(seed, size):
    rng = np.random.default_rng(seed)
    loads = rng.normal(size=(size, size + 2))
    return np.outer(*[10.0 ** rng.uniform(-3, 0, size)] * 2) * np.corrcoef(loads)


class TestEqualRiskContribution:
    def test_published_example(self):
        weights = budget.equal_risk_contribution(MAILLARD)
        np.testing.assert_allclose(weights, [0.384, 0.192, 0.243, 0.182], atol=6e-4)

    @given(first=st.floats(0.001, 1.0), second=st.floats(0.001, 1.0), rho=st.floats(-0.99, 0.99))
    def test_of_two_is_by_inverse_volatility_whatever_the_correlation(self, first, second, rho):
        covariance = [[first**2, rho * first * second], [rho * first * second, second**2]]
        weights = budget.equal_risk_contribution(covariance)
        np.testing.assert_allclose(weights, [second / (first + second), first / (first + second)], rtol=1e-9)

    def test_under_one_correlation_is_by_inverse_volatility(self):
        deviations = np.array([0.1, 0.2, 0.3, 0.05])
        covariance = np.outer(deviations, deviations) * (0.4 + 0.6 * np.eye(4))
        weights = budget.equal_risk_contribution(covariance)
        np.testing.assert_allclose(weights, budget.inverse_volatility(deviations), rtol=1e-9)

    @given(seed=st.integers(0, 1000), size=st.integers(1, 12))
    def test_every_contribution_is_the_same_by_a_plain_loop(self, seed, size):
        covariance = random_covariance(seed, size)
        weights = budget.equal_risk_contribution(covariance)
        assert weights.min() > 0.0
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        total = sum(weights[i] * weights[j] * covariance[i, j] for i in range(size) for j in range(size))
        for i in range(size):
            part = weights[i] * sum(covariance[i, j] * weights[j] for j in range(size))
            assert part / total == pytest.approx(1.0 / size, rel=1e-6)

    @pytest.mark.parametrize("seed", range(3))
    def test_other_solvers_find_the_same(self, seed):
        covariance = random_covariance(seed, 6)
        wanted = np.arange(1.0, 7.0) / 21.0
        ours = budget.equal_risk_contribution(covariance, wanted)
        scale = np.sqrt(covariance.diagonal())
        x = cp.Variable(6)
        risk = 0.5 * cp.quad_form(x, cp.psd_wrap(covariance / np.outer(scale, scale)))
        cp.Problem(cp.Minimize(risk - wanted @ cp.log(x))).solve(solver=cp.CLARABEL)
        np.testing.assert_allclose(ours, (x.value / scale) / (x.value / scale).sum(), rtol=1e-3)

        def program(logs):
            values = np.exp(logs)
            return 0.5 * values @ (covariance / np.outer(scale, scale)) @ values - wanted @ logs

        found = np.exp(minimize(program, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x) / scale
        np.testing.assert_allclose(ours, found / found.sum(), rtol=1e-4)

    def test_many_strategies(self):
        covariance = random_covariance(1, 300)
        parts = budget.risk_contributions(covariance, budget.equal_risk_contribution(covariance))
        np.testing.assert_allclose(parts, 1 / 300, rtol=1e-5)

    def test_shares_of_risk_from_correlations(self):
        """Stand-alone volatilities in the proportions of the correlations' weights contribute equally."""
        deviations = np.sqrt(MAILLARD.diagonal())
        shares = budget.equal_risk_contribution(MAILLARD / np.outer(deviations, deviations))
        parts = budget.risk_contributions(MAILLARD, shares / deviations)
        np.testing.assert_allclose(parts, 0.25, rtol=1e-9)

    @pytest.mark.parametrize(
        "covariance",
        [
            [[1.0, -1.0], [-1.0, 1.0]],
            [[1.0, 0.0], [0.0, 0.0]],
            [[1.0, 2.0], [2.0, 1.0]],
        ],
        ids=["hedged", "no variance", "negative variance"],
    )
    def test_undefined(self, covariance):
        with pytest.raises(UndefinedMeasure):
            budget.equal_risk_contribution(covariance)

    def test_a_share_of_nothing_is_refused(self):
        with pytest.raises(UndefinedMeasure, match="above 0"):
            budget.equal_risk_contribution(MAILLARD, [1.0, 1.0, 1.0, 0.0])


class TestInverseVolatility:
    def test_of_two(self):
        np.testing.assert_allclose(budget.inverse_volatility([0.1, 0.3]), [0.75, 0.25], rtol=1e-15)

    @pytest.mark.parametrize("value", [0.0, -0.1])
    def test_what_does_not_move_is_refused(self, value):
        with pytest.raises(UndefinedMeasure):
            budget.inverse_volatility([0.1, value])

    def test_minute_ones(self):
        np.testing.assert_allclose(budget.inverse_volatility([1e-300, 3e-300]), [0.75, 0.25])


def naive_shrinkage(returns):
    """The same from the definition, with loops."""
    rows, columns = len(returns), len(returns[0])
    ratios, variances = [], []
    for i in range(columns):
        column = [row[i] for row in returns]
        mean = sum(column) / rows
        deviation = (sum((x - mean) ** 2 for x in column) / (rows - 1)) ** 0.5
        ratios.append(mean / deviation)
        variances.append((1.0 + 0.5 * ratios[-1] ** 2) / rows)
    middle = sum(ratios) / columns
    spread = sum((r - middle) ** 2 for r in ratios)
    weight = min(1.0, (columns - 1) * sum(variances) / columns / spread)
    return [middle + (1.0 - weight) * (r - middle) for r in ratios], weight


class TestShrunkenSharpe:
    @pytest.mark.parametrize("seed", range(5))
    def test_against_the_definition(self, seed):
        rng = np.random.default_rng(seed)
        returns = rng.normal([0.0, 0.1, 0.2, 0.4], 1.0, (120, 4))
        ratios, intensity = budget.shrunken_sharpe(returns)
        expected, weight = naive_shrinkage(returns.tolist())
        np.testing.assert_allclose(ratios, expected, rtol=1e-12)
        assert intensity == pytest.approx(weight, rel=1e-12)

    def test_lowers_the_error_of_known_ratios(self):
        """1,000 worlds with true ratios near each other: the shrunken ones lie closer to the truth."""
        rng = np.random.default_rng(7)
        raw = shrunken = 0.0
        for _ in range(1000):
            truth = rng.normal(0.05, 0.03, 6)
            returns = rng.normal(truth, 1.0, (250, 6))
            plain = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
            raw += ((plain - truth) ** 2).sum()
            shrunken += ((budget.shrunken_sharpe(returns)[0] - truth) ** 2).sum()
        assert shrunken < 0.6 * raw

    def test_a_long_clear_record_keeps_its_ratio(self):
        rng = np.random.default_rng(1)
        _, intensity = budget.shrunken_sharpe(rng.normal([0.0, 1.0], 1.0, (5000, 2)))
        assert intensity < 0.01

    def test_scale_changes_nothing(self):
        returns = np.random.default_rng(2).normal(0.1, 1.0, (60, 3))
        first, second = budget.shrunken_sharpe(returns), budget.shrunken_sharpe(returns * [1.0, 1e-4, 1e6])
        np.testing.assert_allclose(first[0], second[0], rtol=1e-10)

    def test_one_column_stays(self):
        returns = np.random.default_rng(3).normal(0.1, 1.0, (60, 1))
        ratios, intensity = budget.shrunken_sharpe(returns)
        assert ratios[0] == pytest.approx(returns.mean() / returns.std(ddof=1))
        assert intensity == 0.0

    def test_refusals(self):
        with pytest.raises(UndefinedMeasure):
            budget.shrunken_sharpe(np.ones((20, 2)))
        with pytest.raises(InsufficientData):
            budget.shrunken_sharpe(np.ones((2, 2)))


class TestSharpeShares:
    def test_in_proportion(self):
        np.testing.assert_allclose(budget.sharpe_shares([1.0, 3.0, -5.0]), [0.25, 0.75, 0.0])

    def test_a_floor_keeps_each_in_the_game(self):
        shares = budget.sharpe_shares([1.0, 3.0, -5.0], 0.3)
        np.testing.assert_allclose(shares, [0.225, 0.675, 0.1])

    @given(
        ratios=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=8).filter(lambda r: max(r) > 1e-6),
        least=st.floats(0.0, 1.0),
    )
    def test_sum_and_floor(self, ratios, least):
        shares = budget.sharpe_shares(ratios, least)
        assert shares.sum() == pytest.approx(1.0)
        assert shares.min() >= least / len(ratios) - 1e-12
        order = np.argsort(ratios)
        assert (np.diff(shares[order]) >= -1e-12).all()

    def test_no_edge_at_all(self):
        with pytest.raises(UndefinedMeasure):
            budget.sharpe_shares([-1.0, 0.0])


def test_contributions_add_up():
    parts = budget.risk_contributions(MAILLARD, [0.4, 0.3, 0.2, -0.1])
    assert parts.sum() == pytest.approx(1.0)
    with pytest.raises(UndefinedMeasure):
        budget.risk_contributions(MAILLARD, np.zeros(4))


@pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
@pytest.mark.parametrize(
    "function",
    [
        budget.inverse_volatility,
        budget.equal_risk_contribution,
        budget.shrunken_sharpe,
        budget.sharpe_shares,
        lambda bad: budget.risk_contributions(bad, [1.0, 1.0, 1.0]),
    ],
    ids=["inverse", "parity", "sharpe", "shares", "contributions"],
)
def test_what_is_no_number_is_refused(function, bad):
    with pytest.raises((InvalidReturns, MeasureError)):
        function(bad)
