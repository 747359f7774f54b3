"""Kelly: published figures, grids, limits that hold, and zero where there is no edge."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from risk_management.calculators.kelly_optimizer import KellyOptimizer
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fills import _kelly_bound, _with_profit
from risk_management.errors import InvalidRequest, InvalidReturns, MarketDataError
from risk_management.model.portfolio import BotRecord
from risk_management.tests.calculators.frames import normal_returns, prices_of
from risk_management.tests.monitors.fronts import front


@pytest.fixture
def kelly(foundation) -> KellyOptimizer:
    return front(KellyOptimizer, foundation)


@pytest.fixture
def tuned(foundation):
    def make(**changes) -> KellyOptimizer:
        return front(KellyOptimizer, foundation, foundation.config.update(**changes))

    return make


def growth(returns, fraction):
    return np.log1p(fraction * returns).mean()


# -- the specification ----------------------------------------------------------------------------------


def test_the_snippets_of_the_specification():
    kelly = KellyOptimizer(RiskManagementConfig())
    result = kelly.calculate_kelly_single_asset("SPY")
    assert f"Recommended Kelly: {result.recommended_kelly_fraction:.1%}".endswith("%")
    assert 0.0 < result.recommended_kelly_fraction <= 0.60
    portfolio_result = kelly.optimize_portfolio_kelly(["SPY", "QQQ", "AAPL"])
    assert set(portfolio_result.optimal_weights) == {"SPY", "QQQ", "AAPL"}
    assert {type(w) for w in portfolio_result.optimal_weights.values()} == {float}
    assert portfolio_result.status == "optimal"


# -- one asset ------------------------------------------------------------------------------------------


def test_exact_kelly_beats_its_neighbours_and_the_approximation(kelly):
    result = kelly.calculate_kelly_single_asset("AAPL")
    matrix = kelly.state.model.matrix
    returns = matrix.values[:, matrix.columns["AAPL"]]
    grid = np.linspace(0.0, 5.0, 501)
    best = grid[np.argmax([growth(returns, f) for f in grid])]
    assert result.exact == pytest.approx(best, abs=0.01)
    assert result.full_kelly_fraction == result.exact
    assert result.continuous == pytest.approx(returns.mean() / returns.var(ddof=1))


def test_the_moments_are_of_a_year_with_their_errors(kelly):
    """The policy names AAPL's five-year mean: 28 % with a standard error of 15."""
    result = kelly.calculate_kelly_single_asset("AAPL")
    assert result.mean == pytest.approx(0.28, abs=0.01)
    assert result.mean_error == pytest.approx(0.15, abs=0.01)
    assert result.mean_error == pytest.approx(result.sigma / math.sqrt(1_250 / 252))
    assert result.sigma_error > result.sigma / math.sqrt(2 * 1_250)  # fatter tails than the normal's
    assert "advice only" in result.note
    assert result.unit == "exposure"


def test_band_stands_around_the_estimate(kelly):
    result = kelly.calculate_kelly_single_asset("SPY")
    low, high = result.band
    assert 0.0 <= low < result.exact < high


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_mean_is_drawn_to_the_markets(tuned, weight):
    kelly = tuned(kelly_config={"mean_shrinkage": weight})
    result = kelly.calculate_kelly_single_asset("AAPL")
    values, columns = kelly.state.model.matrix.values, kelly.state.model.matrix.columns
    market = 252 * np.mean([values[:, columns[s]].mean() for s in ("SPY", "QQQ")])
    assert result.shrunken_mean == pytest.approx(result.mean + weight * (market - result.mean))
    assert result.shrunken_kelly <= result.exact + 1e-9


def test_what_bound_it_is_named(tuned):
    assert tuned().calculate_kelly_single_asset("AAPL").bound_by == "single_name"
    assert tuned().calculate_kelly_single_asset("QQQ").bound_by == "index_fund"
    small = tuned(kelly_config={"default_kelly_fraction": 0.01})
    result = small.calculate_kelly_single_asset("AAPL")
    assert result.bound_by == "kelly_fraction"
    assert result.recommended_kelly_fraction == pytest.approx(0.01 * result.shrunken_kelly)
    capped = tuned(kelly_config={"max_exposure": 0.05}).calculate_kelly_single_asset("SPY")
    assert (capped.recommended_kelly_fraction, capped.bound_by) == (0.05, "max_exposure")
    denied = tuned(portfolio_limits={"deny_symbols": ("AAPL",)}).calculate_kelly_single_asset("AAPL")
    assert (denied.recommended_kelly_fraction, denied.bound_by) == (0.0, "symbol_lists")


def test_a_better_market_never_makes_advice_bolder(kelly):
    result = kelly.calculate_kelly_single_asset("SPY")
    matrix = kelly.state.model.matrix
    values = matrix.values[:, matrix.columns["SPY"]]
    assert matrix.values[:, matrix.columns["QQQ"]].mean() > values.mean()  # so is that of both together
    assert result.shrunken_mean == pytest.approx(252 * values.mean())
    assert result.shrunken_kelly == pytest.approx(result.exact)
    assert result.recommended_kelly_fraction == pytest.approx(0.25 * result.exact)
    together = kelly.optimize_portfolio_kelly(["SPY"]).optimal_weights["SPY"]
    assert together == pytest.approx(result.recommended_kelly_fraction, abs=1e-5)


def test_the_fraction_of_the_call_goes_before_that_of_the_config(kelly):
    whole = kelly.calculate_kelly_single_asset("SPY")
    tenth = kelly.calculate_kelly_single_asset("SPY", kelly_fraction=0.1)
    assert tenth.recommended_kelly_fraction == pytest.approx(0.1 * whole.shrunken_kelly)
    none = kelly.calculate_kelly_single_asset("SPY", kelly_fraction=0.0)
    assert (none.recommended_kelly_fraction, none.bound_by) == (0.0, "kelly_fraction")
    with pytest.raises(InvalidRequest):
        kelly.calculate_kelly_single_asset("SPY", kelly_fraction=1.5)


def test_returns_that_are_all_alike_have_no_ratio_of_mean_and_variance(kelly):
    result = kelly.calculate_kelly_single_asset("MINE", np.full(300, 0.001))
    assert math.isnan(result.continuous)  # numpy's standard deviation of them is 2e-19, not 0
    assert np.isnan(result.band).all()


def test_growth_is_that_of_the_recommendation(kelly):
    result = kelly.calculate_kelly_single_asset("SPY")
    matrix = kelly.state.model.matrix
    returns = matrix.values[:, matrix.columns["SPY"]]
    moved = returns - returns.mean() + result.shrunken_mean / 252
    assert result.growth_rate == pytest.approx(252 * growth(moved, result.recommended_kelly_fraction))


def test_returns_handed_in_shrink_toward_nothing(kelly):
    returns = normal_returns(500, [0.003], [[1e-4]])[:, 0]
    result = kelly.calculate_kelly_single_asset("MINE", returns)
    assert result.shrunken_mean == pytest.approx(0.5 * result.mean)
    assert result.status == "ok"
    assert result.leans_on == ("returns handed in by the caller",)


def test_coins_count_their_own_year(kelly):
    returns = normal_returns(500, [0.001], [[1e-4]])[:, 0]
    assert kelly.calculate_kelly_single_asset("BTC", returns).periods_per_year == 365


def test_no_edge_is_zero(kelly):
    losing = normal_returns(500, [-0.001], [[1e-4]])[:, 0]
    result = kelly.calculate_kelly_single_asset("SPY", losing)
    assert result.full_kelly_fraction == 0.0
    assert (result.recommended_kelly_fraction, result.bound_by) == (0.0, "no_edge")
    assert result.growth_rate == 0.0


@pytest.mark.parametrize(
    "returns",
    [np.full(300, 0.001), np.abs(np.random.default_rng(1).normal(0, 0.01, 300)), [0.01, -0.02, 0.03]],
)
def test_too_little_to_go_by_recommends_nothing(kelly, returns):
    result = kelly.calculate_kelly_single_asset("SPY", returns)
    assert (result.status, result.bound_by) == ("insufficient", "insufficient")
    assert result.recommended_kelly_fraction == 0.0


@settings(max_examples=25, deadline=None)
@given(mean=st.floats(-0.002, 0.004), spread=st.floats(0.003, 0.04), seed=st.integers(0, 100))
def test_advice_is_never_bolder_than_history_or_limits(foundation, mean, spread, seed):
    kelly = front(KellyOptimizer, foundation)
    returns = np.random.default_rng(seed).normal(mean, spread, 200)
    result = kelly.calculate_kelly_single_asset("AAPL", returns)
    assert 0.0 <= result.recommended_kelly_fraction <= 0.15
    assert result.recommended_kelly_fraction <= 0.25 * result.full_kelly_fraction + 1e-12
    assert (result.recommended_kelly_fraction > 0.0) == (returns.mean() > 0.0)


@pytest.mark.parametrize("bad", [[0.1, math.nan], [[0.1, 0.2], [0.0, 0.1]], ["a", "b"], [math.inf, 0.0]])
def test_returns_that_are_none_are_refused(kelly, bad):
    with pytest.raises(InvalidReturns):
        kelly.calculate_kelly_single_asset("SPY", bad)
    with pytest.raises(InvalidReturns):
        kelly.calculate_kelly_from_trades(bad)


def test_a_symbol_without_history_is_named(kelly):
    with pytest.raises(MarketDataError, match="NOPE"):
        kelly.calculate_kelly_single_asset("NOPE")
    with pytest.raises(MarketDataError, match="NOPE"):
        kelly.optimize_portfolio_kelly(["SPY", "NOPE"])
    with pytest.raises(MarketDataError, match="BTC"):  # a stand-in knows nothing of growth
        kelly.calculate_kelly_single_asset("BTC")
    with pytest.raises(InvalidRequest):
        kelly.calculate_kelly_single_asset("")


# -- a portfolio ----------------------------------------------------------------------------------------


def test_every_limit_holds_and_those_reached_are_named(tuned):
    kelly = tuned(
        kelly_config={"default_kelly_fraction": 1.0, "mean_shrinkage": 0.0},
        portfolio_limits={"max_sector_exposure": 0.2, "max_cluster_exposure": 0.5},
    )
    symbols = ["SPY", "QQQ", "AAPL", "AMD", "MSFT", "LLY", "KO", "PEP", "XOM"]
    result = kelly.optimize_portfolio_kelly(symbols)
    w = result.optimal_weights
    assert all(0.0 <= w[s] <= 0.15 + 1e-6 for s in symbols[2:])
    assert w["AAPL"] + w["AMD"] + w["MSFT"] <= 0.2 + 1e-5
    model = kelly.state.model
    for label in {model.cluster[model.columns[s]] for s in symbols}:
        assert sum(w[s] for s in symbols if model.cluster[model.columns[s]] == label) <= 0.5 + 1e-5
    assert sum(w.values()) <= 0.95 + 1e-5  # the cash floor
    assert "sector:Information Technology" in result.bound_by
    assert result.constraints["sector:Information Technology"] == 0.2
    assert result.constraints["cash"] == pytest.approx(0.95)


def test_weights_beat_a_grid(tuned):
    """Two assets, full Kelly within the limits, against brute force on the same shrunken returns."""
    kelly = tuned(kelly_config={"default_kelly_fraction": 1.0})
    result = kelly.optimize_portfolio_kelly(["SPY", "KO"])
    matrix = kelly.state.model.matrix
    pair = matrix.values[:, [matrix.columns["SPY"], matrix.columns["KO"]]]
    means = np.array([result.shrunken_means["SPY"], result.shrunken_means["KO"]]) / 252
    moved = pair - pair.mean(axis=0) + means
    best = max(
        np.log1p(moved @ np.array([a, b])).mean()
        for a in np.linspace(0.0, 0.6, 61)
        for b in np.linspace(0.0, 0.15, 16)
        if a + b <= 0.95
    )
    assert result.growth_rate / 252 >= best - 1e-9


def test_one_asset_is_its_own_kelly(tuned):
    kelly = tuned(kelly_config={"default_kelly_fraction": 0.05})
    alone = kelly.calculate_kelly_single_asset("AAPL")
    result = kelly.optimize_portfolio_kelly(["AAPL"])
    assert result.optimal_weights["AAPL"] == pytest.approx(0.05 * alone.shrunken_kelly, abs=1e-5)
    assert result.bound_by == ("kelly_fraction",)


def test_the_safety_margin_is_a_share_of_the_whole(tuned):
    """With limits out of the way, a quarter of Kelly is a quarter of every weight."""
    wide = {"max_single_position": 1.0, "max_sector_exposure": 20.0, "max_cluster_exposure": 20.0}
    wide |= {"max_gross_exposure": 20.0, "max_leverage": 20.0, "max_net_exposure": 20.0, "min_cash": 0.0}
    kelly = tuned(kelly_config={"max_leverage": 20.0}, portfolio_limits=wide)
    names = ["KO", "XOM"]
    small = kelly.optimize_portfolio_kelly(names, 0.10).optimal_weights
    large = kelly.optimize_portfolio_kelly(names, 0.20).optimal_weights
    for name in names:
        assert large[name] == pytest.approx(2.0 * small[name], rel=1e-3)


def test_order_of_symbols_changes_nothing(kelly):
    first = kelly.optimize_portfolio_kelly(["SPY", "AAPL", "KO"]).optimal_weights
    second = kelly.optimize_portfolio_kelly(["KO", "SPY", "AAPL"]).optimal_weights
    for symbol, weight in first.items():
        assert second[symbol] == pytest.approx(weight, abs=1e-5)


def test_no_edge_anywhere_is_all_cash():
    returns = normal_returns(300, [-0.001, -0.002], np.diag([1e-4, 1e-4]))
    kelly = KellyOptimizer(prices=prices_of(returns))
    result = kelly.optimize_portfolio_kelly(["A", "B"])
    assert dict(result.optimal_weights) == {"A": 0.0, "B": 0.0}
    assert result.status == "no_edge"
    assert result.growth_rate == 0.0


def test_only_days_of_its_own_count():
    """A name listed later is backfilled for risk; growth is told from its own days alone."""
    prices = prices_of(normal_returns(600, [0.001, 0.001], np.diag([1e-4, 1e-4])))
    prices.loc[prices.index[:200], "B"] = np.nan
    kelly = KellyOptimizer(prices=prices)
    own = prices["B"].dropna().pct_change().dropna()
    result = kelly.calculate_kelly_single_asset("B")
    assert result.observations == len(own) == 400
    assert result.mean == pytest.approx(252 * own.mean())
    assert kelly.optimize_portfolio_kelly(["A", "B"]).observations == 400


def test_in_a_drawdown_its_multiplier_cuts_the_advice(kelly, monkeypatch):
    calm = kelly.calculate_kelly_single_asset("SPY"), kelly.optimize_portfolio_kelly(["SPY"])
    state = kelly.state
    cut = replace(state, drawdown=replace(state.drawdown, multiplier=0.5))
    monkeypatch.setattr(KellyOptimizer, "state", property(lambda _: cut))
    one, book = kelly.calculate_kelly_single_asset("SPY"), kelly.optimize_portfolio_kelly(["SPY"])
    assert one.recommended_kelly_fraction == pytest.approx(0.5 * calm[0].recommended_kelly_fraction)
    assert one.bound_by == "drawdown"
    assert book.optimal_weights["SPY"] == pytest.approx(0.5 * calm[1].optimal_weights["SPY"])
    assert "drawdown" in book.bound_by


def test_a_fraction_of_nothing_holds_cash(kelly):
    result = kelly.optimize_portfolio_kelly(["SPY"], 0.0)
    assert set(result.optimal_weights.values()) == {0.0}
    assert result.bound_by == ("kelly_fraction",)


def test_shorts_only_where_allowed():
    returns = normal_returns(600, [0.0005, -0.003], np.diag([1e-4, 1e-4]))
    prices = prices_of(returns)
    long = KellyOptimizer(prices=prices).optimize_portfolio_kelly(["A", "B"])
    assert long.optimal_weights["B"] == 0.0
    config = RiskManagementConfig(kelly_config={"allow_shorts": True})
    both = KellyOptimizer(config, prices=prices).optimize_portfolio_kelly(["A", "B"])
    assert both.optimal_weights["B"] == pytest.approx(-0.15, abs=1e-4)


def test_the_net_of_shorts_keeps_to_its_limit():
    names = 8
    returns = normal_returns(600, [-0.004] * names, 1e-4 * np.eye(names))
    config = RiskManagementConfig(
        kelly_config={"allow_shorts": True}, portfolio_limits={"max_net_exposure": 0.3}
    )
    result = KellyOptimizer(config, prices=prices_of(returns)).optimize_portfolio_kelly(list("ABCDEFGH"))
    assert sum(result.optimal_weights.values()) == pytest.approx(-0.3, abs=1e-4)
    assert "net" in result.bound_by
    assert result.unit == "exposure"


@pytest.mark.parametrize("symbols", [[], ["SPY", "SPY"], "SPY", [""], [1]])
def test_lists_without_meaning_are_refused(kelly, symbols):
    with pytest.raises(InvalidRequest):
        kelly.optimize_portfolio_kelly(symbols)


# -- a bot's own trades ---------------------------------------------------------------------------------


def test_the_published_bet(kelly):
    """p = 0.6, +2 %, -1 %: stake 0.40, exposure 40 times."""
    result = kelly.calculate_kelly_from_trades([0.02] * 60 + [-0.01] * 40)
    assert result.win_rate == pytest.approx(0.6)
    assert result.payoff == pytest.approx(2.0)
    assert result.stake_fraction == pytest.approx(0.40)
    assert result.discrete == pytest.approx(40.0)
    assert result.exact == pytest.approx(40.0)


def test_from_fifty_trades_on_the_lower_bound_binds(kelly):
    trades = np.random.default_rng(6).normal(0.008, 0.03, 120)
    result = kelly.calculate_kelly_from_trades(trades)
    assert result.status == "ok"
    assert result.lower < result.continuous < result.upper
    most = kelly.config.kelly_config.max_exposure
    assert result.recommended_kelly_fraction == pytest.approx(min(0.25 * result.lower, most))
    quartile = stats.norm.ppf(0.25, trades.mean(), stats.sem(trades))
    assert result.lower == pytest.approx(quartile / trades.var(ddof=1))
    assert result.upper == pytest.approx((2.0 * trades.mean() - quartile) / trades.var(ddof=1))
    assert kelly.calculate_kelly_from_trades(trades) == result


def test_the_report_and_the_gate_say_the_same_bound(kelly):
    """A bot's trades booked one by one, and the same returns handed in."""
    trades = tuple(np.random.default_rng(6).normal(0.008, 0.03, 60))
    record, config = BotRecord(), kelly.config.kelly_config
    for trade in trades:
        record = _with_profit(record, round(trade * 1e12), (round(trade * 1e12), 10**12), config)
    result = kelly.calculate_kelly_from_trades(record.returns)
    assert record.kelly_bound == result.lower
    # resamples of the trades agree with the closed form to the noise of 2,000 draws
    drawn = np.random.default_rng(0).choice(trades, (2_000, 60))
    assert record.kelly_bound == pytest.approx(
        np.quantile(np.maximum(drawn.mean(axis=1), 0.0) / drawn.var(axis=1, ddof=1), 0.25), rel=0.1
    )


@pytest.mark.parametrize(
    ("trades", "bound_by"),
    [
        ([0.01] * 50, "no_spread"),
        ([0.02] * 60, "no_spread"),
        ([0.0] * 60, "no_edge"),
        ([-0.01] * 60, "no_edge"),
    ],
)
def test_trades_that_are_all_alike_size_no_bet(kelly, trades, bound_by):
    result = kelly.calculate_kelly_from_trades(trades)
    assert (result.status, result.bound_by, result.recommended_kelly_fraction) == ("ok", bound_by, 0.0)
    assert math.isnan(result.continuous)
    assert math.isnan(result.lower)
    assert ("no spread" in result.note) == (bound_by == "no_spread")
    assert _kelly_bound(tuple(trades), kelly.config.kelly_config) == 0.0


def test_below_fifty_it_does_not_bind(kelly):
    result = kelly.calculate_kelly_from_trades([0.02, -0.01] * 24)
    assert (result.status, result.recommended_kelly_fraction) == ("insufficient", None)
    empty = kelly.calculate_kelly_from_trades([])
    assert (empty.trades, empty.status, empty.recommended_kelly_fraction) == (0, "insufficient", None)


def test_a_losing_record_gets_nothing(kelly):
    result = kelly.calculate_kelly_from_trades([-0.01] * 60)
    assert (result.discrete, result.exact) == (0.0, 0.0)
    losing = kelly.calculate_kelly_from_trades([0.01, -0.012] * 40)
    assert losing.recommended_kelly_fraction == 0.0
    assert losing.exact == 0.0


def test_the_band_of_independent_returns_is_near_the_normal_one(kelly):
    """Without anything in common between days blocks must do as the normal approximation of the mean."""
    values = np.random.default_rng(8).normal(0.0008, 0.01, 1_000)
    result = kelly.calculate_kelly_single_asset("SPY", values)
    error = values.std(ddof=1) / math.sqrt(len(values))
    reach = 0.674 * error  # the quartile of the normal law
    variance = values.var(ddof=1)
    low, high = result.band
    assert low == pytest.approx(max(0.0, (values.mean() - reach) / variance), rel=0.35, abs=0.5)
    assert high == pytest.approx((values.mean() + reach) / variance, rel=0.35)
    assert kelly.calculate_kelly_single_asset("SPY", values).band == result.band  # seeded


def test_days_that_hang_together_widen_the_band(kelly):
    rng = np.random.default_rng(9)
    alone = rng.normal(0.001, 0.01, 600)
    together = np.repeat(rng.normal(0.001, 0.01, 60), 10)
    one, other = (kelly.calculate_kelly_single_asset("SPY", values) for values in (alone, together))
    assert other.band[1] - other.band[0] > 1.5 * (one.band[1] - one.band[0])


def test_a_record_too_good_is_capped_and_says_so(kelly):
    result = kelly.calculate_kelly_from_trades([0.02] * 60 + [-0.01] * 40)
    assert result.recommended_kelly_fraction == kelly.config.kelly_config.max_exposure
    assert (result.bound_by, result.unit) == ("max_exposure", "exposure")
    assert kelly.calculate_kelly_from_trades([-0.01] * 60).bound_by == "no_edge"


def test_a_portfolio_that_may_rarely_fall_is_smaller(kelly):
    symbols = ["SPY", "AAPL", "XOM"]
    free = kelly.optimize_portfolio_kelly(symbols, 1.0)
    careful = kelly.optimize_portfolio_kelly(symbols, 1.0, worst_wealth=0.9, worst_chance=0.05)
    assert careful.status == "optimal"
    assert careful.growth_rate < free.growth_rate
    assert sum(careful.optimal_weights.values()) < sum(free.optimal_weights.values())
    assert "worst_chance" in careful.bound_by
    assert careful.constraints["worst_chance"] == 0.05
    assert "falling to 90% of the start stays under 5%" in careful.note
    lax = kelly.optimize_portfolio_kelly(symbols, 1.0, worst_wealth=0.01, worst_chance=0.99)
    assert lax.optimal_weights == free.optimal_weights
    assert "worst_chance" not in lax.bound_by
    assert "worst_chance" not in free.constraints
    with pytest.raises(InvalidRequest, match="belong together"):
        kelly.optimize_portfolio_kelly(symbols, worst_wealth=0.9)
    with pytest.raises(InvalidRequest):
        kelly.optimize_portfolio_kelly(symbols, worst_wealth=1.5, worst_chance=0.1)
