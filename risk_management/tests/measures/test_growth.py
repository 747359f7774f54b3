import math

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from risk_management.errors import InsufficientData, InvalidReturns, MeasureError, UndefinedMeasure
from risk_management.measures.growth import (
    KellyConstraints,
    growth_rate,
    kelly_bounds,
    kelly_continuous,
    kelly_discrete,
    kelly_empirical,
    kelly_portfolio,
    kelly_risk_constrained,
)
from risk_management.tests.measures.bad_inputs import NOT_A_SERIES


def returns(n=250, columns=3, seed=0, mean=0.001):
    return mean + 0.01 * np.random.default_rng(seed).standard_t(4, (n, columns))


class TestDiscrete:
    def test_the_known_bet_in_both_units(self):
        bet = kelly_discrete(0.6, 0.02, 0.01)
        assert bet.stake_fraction == pytest.approx(0.40)
        assert bet.exposure == pytest.approx(40.0)
        assert bet.growth == pytest.approx(0.6 * math.log(1.8) + 0.4 * math.log(0.6))

    def test_even_money(self):
        assert kelly_discrete(0.55, 1.0, 1.0).stake_fraction == pytest.approx(0.10)  # p - q

    @pytest.mark.parametrize("p", [0.0, 0.2, 1 / 3])
    def test_no_edge_no_bet(self, p):
        bet = kelly_discrete(p, 0.02, 0.01)
        assert (bet.stake_fraction, bet.exposure, bet.growth) == pytest.approx((0, 0, 0), abs=1e-12)

    def test_a_sure_win_stakes_everything(self):
        bet = kelly_discrete(1.0, 0.5, 0.25)
        assert (bet.stake_fraction, bet.exposure) == (1.0, 4.0)
        assert bet.growth == pytest.approx(math.log(3.0))

    @given(st.floats(0.05, 0.95), st.floats(0.01, 2.0), st.floats(0.01, 1.0))
    def test_no_other_exposure_grows_faster(self, p, win, loss):
        bet = kelly_discrete(p, win, loss)
        for x in np.linspace(0.0, 0.999 / loss, 50):
            assert p * math.log1p(x * win) + (1 - p) * math.log1p(-x * loss) <= bet.growth + 1e-12

    @pytest.mark.parametrize(
        "bet",
        [
            (-0.1, 1, 1),
            (1.1, 1, 1),
            (0.5, 0, 1),
            (0.5, 1, -0.01),
            (float("nan"), 1, 1),
            ("p", 1, 1),
            (0.6, 0.02, 1e-320),
        ],
    )
    def test_refuses(self, bet):
        with pytest.raises(MeasureError):
            kelly_discrete(*bet)


class TestContinuous:
    def test_thorps_example(self):
        # Thorp (2006), section 7.2: S&P with mu 0.11, sigma 0.15, r 0.06 gives 2.22
        assert kelly_continuous(0.11, 0.15, 0.06) == pytest.approx(2.2222, abs=1e-4)

    def test_no_edge(self):
        assert kelly_continuous(0.01, 0.2, 0.02) == 0.0

    @pytest.mark.parametrize("sigma", [0.0, -0.1, float("nan"), 1e-160, 1e-200, None])
    def test_refuses(self, sigma):
        with pytest.raises(MeasureError, match="sigma"):
            kelly_continuous(0.1, sigma)

    def test_refuses_what_no_number_can_hold(self):
        with pytest.raises(UndefinedMeasure, match="too small"):
            kelly_continuous(1e300, 1e-100)
        assert kelly_continuous(-0.1, 1e-100) == 0.0


class TestBounds:
    def test_is_the_quartile_of_the_mean_over_the_variance(self):
        values = returns(80, 1)[:, 0]
        low, high = kelly_bounds(values, 0.25)
        around = stats.norm(values.mean(), stats.sem(values))
        assert low == pytest.approx(max(0.0, around.ppf(0.25)) / values.var(ddof=1))
        assert high == pytest.approx(around.ppf(0.75) / values.var(ddof=1))
        middle = values.mean() / values.var(ddof=1)
        assert kelly_bounds(values, 0.5) == pytest.approx((middle, middle))

    @pytest.mark.parametrize("alike", [[0.01] * 50, [0.02] * 60, [-0.3] * 7, [0.0, 0.0]])
    def test_without_spread_there_is_none(self, alike):
        with pytest.raises(UndefinedMeasure, match="no spread"):
            kelly_bounds(alike, 0.25)

    @pytest.mark.parametrize("tail", [0.0, 1.0, math.nan, True])
    def test_refuses(self, tail):
        with pytest.raises(MeasureError, match="tail"):
            kelly_bounds([0.01, -0.01], tail)


class TestEmpirical:
    def test_equals_the_discrete_bet(self):
        assert kelly_empirical([0.02] * 6 + [-0.01] * 4) == pytest.approx(40.0, rel=1e-12)

    @given(st.integers(0, 10_000))
    def test_is_the_greatest_growth_of_a_grid(self, seed):
        series = returns(60, 1, seed, 0.002)[:, 0]
        best = kelly_empirical(series)
        top = growth_rate(series, best)
        for exposure in np.linspace(0.0, 0.999 / -series.min(), 200):
            assert growth_rate(series, exposure) <= top + 1e-12

    def test_mean_over_variance_overstates_fat_tails(self):
        series = np.array([0.03] * 95 + [-0.25] * 5)
        assert kelly_empirical(series) < 0.8 * kelly_continuous(series.mean(), series.std())

    def test_caps(self):
        series = [0.02] * 6 + [-0.01] * 4
        assert kelly_empirical(series, 3.0) == 3.0
        assert kelly_empirical(series, 50.0) == pytest.approx(40.0)
        assert kelly_empirical(series, 1000.0) == pytest.approx(40.0)
        assert kelly_empirical([0.01, 0.02], 5.0) == 5.0

    def test_no_edge_no_exposure(self):
        assert kelly_empirical([0.01, -0.02]) == 0.0
        assert kelly_empirical([0.0, 0.0]) == 0.0

    def test_total_losses_stay_below_one(self):
        assert 0.0 < kelly_empirical([1.0] * 8 + [-1.0] * 2) == pytest.approx(0.6)

    def test_refuses(self):
        with pytest.raises(UndefinedMeasure, match="no return is a loss"):
            kelly_empirical([0.01, 0.02])
        for cap in (0.0, -1.0, float("inf"), "big"):
            with pytest.raises(MeasureError, match="max_exposure"):
                kelly_empirical([0.01, -0.005], cap)


class TestGrowthRate:
    def test_is_the_log_of_the_final_wealth(self):
        wealth = 1.0
        for r in (0.1, -0.05, 0.2):
            wealth *= 1 + 0.5 * r
        assert growth_rate([0.1, -0.05, 0.2], 0.5) == pytest.approx(math.log(wealth) / 3)
        matrix = [[0.1, 0.0], [0.0, 0.2]]
        assert growth_rate(matrix, [1.0, 2.0]) == pytest.approx((math.log(1.1) + math.log(1.4)) / 2)

    @pytest.mark.parametrize("fraction", [2.0, 3.0, -10.0])
    def test_ruin_is_minus_infinity(self, fraction):
        assert growth_rate([0.1, -0.5], fraction) == -math.inf

    @pytest.mark.parametrize("fraction", [float("nan"), "1", None, [1.0]])
    def test_refuses(self, fraction):
        with pytest.raises(MeasureError, match="fraction"):
            growth_rate([0.1, 0.2], fraction)

    def test_refuses_an_exposure_that_overflows(self):
        with pytest.raises(MeasureError, match="fraction"):
            growth_rate([1e20, -0.05], 1e300)


class TestPortfolio:
    def test_one_asset_is_the_root(self):
        values = returns(columns=1)
        best = kelly_portfolio(values, KellyConstraints(upper=50.0, gross=50.0))
        assert best.weights[0] == pytest.approx(kelly_empirical(values[:, 0]), rel=1e-3)
        assert best.growth == pytest.approx(
            growth_rate(values[:, 0], kelly_empirical(values[:, 0])), rel=1e-6
        )

    def test_is_as_good_as_a_general_optimiser(self):
        values = returns()
        oracle = optimize.minimize(
            lambda w: -1000 * growth_rate(values, w),
            np.full(3, 0.5),
            bounds=[(0, 1.5)] * 3,
            constraints={"type": "ineq", "fun": lambda w: 2.0 - w.sum()},
            method="SLSQP",
            options={"ftol": 1e-12},
        )
        best = kelly_portfolio(values, KellyConstraints(upper=1.5, gross=2.0))
        assert best.growth >= -oracle.fun / 1000 - 1e-9
        assert best.growth == pytest.approx(growth_rate(values, best.weights))

    def test_long_only_without_credit_by_default(self):
        best = kelly_portfolio(returns())
        assert best.weights.min() >= 0.0
        assert best.weights.sum() <= 1.0 + 1e-8

    def test_no_edge_is_all_cash(self):
        best = kelly_portfolio(returns(mean=-0.01))
        np.testing.assert_allclose(best.weights, 0.0, atol=1e-6)
        assert best.growth == pytest.approx(0.0, abs=1e-8)

    def test_constraints_hold(self):
        wanted = KellyConstraints(
            lower=(-1.0, 0.0, -0.5), upper=2.0, gross=2.5, budget=0.8, groups=(((0, 1), 0.9), ((2,), 0.3))
        )
        values = returns() + np.array([-0.004, 0.002, 0.003])
        w = kelly_portfolio(values, wanted).weights
        assert (w >= np.array([-1.0, 0.0, -0.5])).all()
        assert w.sum() <= 0.8 + 1e-7
        assert np.abs(w[:2]).sum() <= 0.9 + 1e-7
        assert np.abs(w[2]) <= 0.3 + 1e-7
        assert w[0] < 0.0 < w[2]

    @pytest.mark.parametrize(
        "wanted",
        [
            KellyConstraints(lower=0.5, upper=0.2),
            KellyConstraints(lower=0.6, gross=1.0),
            KellyConstraints(upper=math.inf),
            KellyConstraints(upper=(1.0, 1.0)),
            KellyConstraints(gross=-1.0),
            KellyConstraints(gross=math.nan),
            KellyConstraints(groups=(((0, 7), 0.5),)),
            KellyConstraints(groups=(((), 0.5),)),
            KellyConstraints(groups=(((0,), -0.5),)),
            KellyConstraints(budget=math.inf),
            KellyConstraints(net=-0.1),
            KellyConstraints(groups=[((0.0,), 0.1)]),
            KellyConstraints(groups=[((True,), 0.1)]),
            KellyConstraints(groups=[((0.0, 1.0), 0.5)]),
            KellyConstraints(groups=[(0, 0.5)]),
            KellyConstraints(groups=[0.5]),
            KellyConstraints(groups=None),
            {"gross": 1},
        ],
        ids=str,
    )
    def test_refuses_what_contradicts_itself(self, wanted):
        with pytest.raises(MeasureError):
            kelly_portfolio(returns(60), wanted)

    @pytest.mark.parametrize("fall", [0.7, (0.7,), "ab", (0.7, 0.1, 0.2), {0.7: 0.1}])
    def test_refuses_what_is_no_fall(self, fall):
        with pytest.raises(MeasureError):
            kelly_portfolio(returns(60), fall=fall)

    def test_columns_of_a_group_may_be_an_array(self):
        groups = [[np.array([0, 2]), 0.3]]
        w = kelly_portfolio(returns(), KellyConstraints(groups=groups)).weights
        np.testing.assert_allclose(
            w, kelly_portfolio(returns(), KellyConstraints(groups=[((0, 2), 0.3)])).weights
        )
        assert w[0] + w[2] <= 0.3 + 1e-7

    def test_what_never_moves_is_not_held(self):
        best = kelly_portfolio(np.zeros((5, 2)))
        assert (best.weights.tolist(), best.growth) == ([0.0, 0.0], 0.0)
        some = kelly_portfolio(np.column_stack((np.zeros(250), returns(columns=1))))
        assert some.weights[0] == 0.0
        assert some.weights[1] > 0.5

    def test_the_size_of_returns_does_not_matter(self):
        """Returns a ten-thousandth as large are held ten thousand times as much, as a root finder says."""
        values = 1e-4 * returns()
        best = kelly_portfolio(values, KellyConstraints(upper=1e9, gross=1e9))

        def steepest(w):
            return values.T @ (1.0 / (1.0 + values @ w)) / len(values)

        oracle = optimize.root(lambda u: 1e6 * steepest(1e4 * u), np.full(3, 5.0), tol=1e-12)
        assert oracle.success
        assert oracle.x.min() > 0.0
        assert best.growth == pytest.approx(growth_rate(values, 1e4 * oracle.x), rel=1e-7)

    def test_the_net_of_longs_and_shorts(self):
        values = returns(mean=-0.004)
        w = kelly_portfolio(values, KellyConstraints(lower=-1.0, gross=3.0, net=0.3)).weights
        assert w.sum() == pytest.approx(-0.3, abs=1e-6)

    def test_says_whether_the_fall_held_it_back(self):
        values = np.random.default_rng(3).normal(0.002, 0.02, (120, 3))
        careful = kelly_portfolio(values, fall=(0.9, 0.05))
        assert careful.fall_bound
        aversion = math.log(0.05) / math.log(0.9)
        assert np.mean((1.0 + values @ careful.weights) ** -aversion) == pytest.approx(1.0, abs=1e-6)
        lax = kelly_portfolio(values, fall=(0.01, 0.99))
        assert not lax.fall_bound
        np.testing.assert_array_equal(lax.weights, kelly_portfolio(values).weights)

    @pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
    def test_refuses_what_is_no_matrix(self, bad):
        with pytest.raises(InvalidReturns):
            kelly_portfolio(bad)

    @pytest.mark.parametrize("status", ["infeasible", "infeasible_inaccurate", "unbounded"])
    def test_believes_an_optimum_only(self, monkeypatch, status):
        monkeypatch.setattr(cp.Problem, "status", status)
        with pytest.raises(UndefinedMeasure, match=status):
            kelly_portfolio(returns(30))

    def test_a_solver_that_fails_is_a_typed_error(self, monkeypatch):
        def fail(*args, **kwargs):
            raise cp.error.SolverError("numbers ran out")

        monkeypatch.setattr(cp.Problem, "solve", fail)
        with pytest.raises(UndefinedMeasure, match="numbers ran out"):
            kelly_portfolio(returns(30))


class TestRiskConstrained:
    def two_outcomes(self, p, win, alpha, beta):
        """Busseti, Ryu and Boyd, section 6.1: the bet where E(wealth ** -lambda) comes back to 1."""
        aversion = math.log(beta) / math.log(alpha)
        kelly = p - (1 - p) / win

        def excess(b):
            return p * (1 + b * win) ** -aversion + (1 - p) * (1 - b) ** -aversion - 1

        return kelly if excess(kelly) <= 0 else optimize.brentq(excess, 1e-6, kelly, xtol=1e-14)

    @pytest.mark.parametrize(
        ("p", "win", "alpha", "beta"),
        [(0.6, 1.0, 0.7, 0.1), (0.6, 1.0, 0.7, 0.01), (0.55, 1.0, 0.5, 0.2), (0.3, 4.0, 0.7, 0.1)],
    )
    def test_two_outcomes(self, p, win, alpha, beta):
        expected = self.two_outcomes(p, win, alpha, beta)
        best = kelly_risk_constrained([[win], [-1.0]], [p, 1 - p], alpha, beta)
        assert best.weights[0] == pytest.approx(expected, rel=1e-4)
        assert best.growth == pytest.approx(
            p * math.log1p(win * expected) + (1 - p) * math.log1p(-expected), rel=1e-4
        )

    def test_many_bets_as_in_the_paper(self):
        """Section 6.2: 100 outcomes of 20 bets, one of them riskless; the constraint costs some growth.

        There Kelly falls below 0.7 with a chance of 0.40, and the constrained bet with 0.07.
        """
        rng = np.random.default_rng(2)
        chances = rng.random(100)
        chances /= chances.sum()
        outcomes = rng.uniform(-0.3, 0.3, (100, 19))
        places = rng.permutation(100 * 19)
        outcomes.flat[places[:30]] = -0.8
        outcomes.flat[places[30:60]] = 1.0
        kelly = kelly_risk_constrained(outcomes, chances, 0.01, 0.999)
        careful = kelly_risk_constrained(outcomes, chances, 0.7, 0.1)

        def chance_of_fall(weights):
            drawn = rng.choice(100, size=(20_000, 100), p=chances)
            wealth = np.cumsum(np.log1p(outcomes @ weights)[drawn], axis=1)
            return np.mean(wealth.min(axis=1) < math.log(0.7))

        assert chance_of_fall(kelly.weights) > 0.2
        assert 0.02 < chance_of_fall(careful.weights) < 0.1
        assert 0.5 < careful.growth / kelly.growth < 0.9

    def test_a_portfolio_of_returns_keeps_the_same_promise(self):
        """Equal chances of the days: the portfolio program and the paper's are one."""
        values = np.random.default_rng(3).normal(0.002, 0.02, (120, 3))
        theirs = kelly_risk_constrained(values, np.full(120, 1.0 / 120.0), 0.7, 0.1)
        ours = kelly_portfolio(values, KellyConstraints(upper=1.0, gross=1.0), (0.7, 0.1))
        np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-4)
        free = kelly_portfolio(values, KellyConstraints(upper=1.0, gross=1.0))
        assert ours.growth <= free.growth + 1e-9
        with pytest.raises(UndefinedMeasure):
            kelly_portfolio(values, fall=(1.5, 0.1))

    def test_a_lax_limit_is_kelly(self):
        best = kelly_risk_constrained([[1.0], [-1.0]], [0.6, 0.4], 0.05, 0.95)
        assert best.weights[0] == pytest.approx(0.2, rel=1e-3)

    def test_the_chance_of_the_fall_keeps_to_beta(self):
        outcomes, chances = np.array([[1.0], [-1.0]]), np.array([0.6, 0.4])
        rng = np.random.default_rng(0)
        wins = rng.random((20_000, 400)) < 0.6

        def chance_of_fall(w):
            wealth = np.cumsum(np.where(wins, math.log1p(w), math.log1p(-w)), axis=1)
            return np.mean(wealth.min(axis=1) < math.log(0.7))

        best = kelly_risk_constrained(outcomes, chances, 0.7, 0.1)
        assert 0.02 < chance_of_fall(best.weights[0]) < 0.1
        assert chance_of_fall(0.2) > 0.3  # plain Kelly

    @settings(max_examples=10)
    @given(st.integers(0, 1000))
    def test_the_constraint_holds_for_many_bets(self, seed):
        rng = np.random.default_rng(seed)
        outcomes = rng.uniform(-1.0, 1.2, (30, 4))
        chances = rng.dirichlet(np.ones(30))
        tight, loose = (kelly_risk_constrained(outcomes, chances, 0.7, beta) for beta in (0.05, 0.3))
        aversion = math.log(0.05) / math.log(0.7)
        assert chances @ (1 + outcomes @ tight.weights) ** -aversion <= 1 + 1e-5
        assert tight.weights.sum() <= 1 + 1e-7
        assert -1e-7 <= tight.growth <= loose.growth + 1e-7

    def test_impossible_states_do_not_count(self):
        plain = kelly_risk_constrained([[1.0], [-1.0]], [0.6, 0.4], 0.7, 0.1)
        more = kelly_risk_constrained([[1.0], [-1.0], [9.0]], [0.6, 0.4, 0.0], 0.7, 0.1)
        assert more.weights[0] == pytest.approx(plain.weights[0], rel=1e-6)

    @pytest.mark.parametrize(
        "call",
        [
            ([[1.0], [-1.5]], [0.5, 0.5], 0.7, 0.1),
            ([[1.0], [-1.0]], [0.5, 0.6], 0.7, 0.1),
            ([[1.0], [-1.0]], [1.5, -0.5], 0.7, 0.1),
            ([[1.0], [-1.0]], [1.0], 0.7, 0.1),
            ([[1.0], [-1.0]], [0.2, 0.3, 0.5], 0.7, 0.1),
            ([[1.0], [-1.0]], [0.5, 0.5], 1.0, 0.1),
            ([[1.0], [-1.0]], [0.5, 0.5], 0.7, 0.0),
            ([[1.0], [np.nan]], [0.5, 0.5], 0.7, 0.1),
            ("x", [0.5, 0.5], 0.7, 0.1),
        ],
    )
    def test_refuses(self, call):
        with pytest.raises(MeasureError):
            kelly_risk_constrained(*call)


@pytest.mark.parametrize("bad", NOT_A_SERIES.values(), ids=NOT_A_SERIES)
def test_refuses_what_is_no_series(bad):
    for measure in (kelly_empirical, lambda r: growth_rate(r, 1.0)):
        with pytest.raises(InvalidReturns):
            measure(bad)
        with pytest.raises(InsufficientData):
            measure([])


def test_losses_too_small_to_be_losses_have_no_best_exposure():
    with pytest.raises(UndefinedMeasure, match="too small"):
        kelly_empirical(np.array([2e-310, -1e-310, 3e-310]))
