"""Reverse and conditional stress: closed forms, numerical optimisation, and the limits they speak of."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from risk_management.calculators._breaking import BREAKABLE
from risk_management.calculators.reverse_stress import reverse_stress
from risk_management.calculators.stress_tester import StressTester
from risk_management.config.risk_config import RiskLevel, RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.risk_model import present_covariance
from risk_management.errors import InvalidRequest, InvalidReturns, UndefinedMeasure
from risk_management.measures.conditional import conditional_mean, most_plausible_loss
from risk_management.model.instrument import ContractKind, Instrument


def covariance(seed, size=4):
    root = np.random.default_rng(seed).normal(0.0, 0.01, (size, size + 3))
    return root @ root.T


@pytest.fixture
def tester(foundation):
    made = StressTester(foundation.config)
    made.update_portfolio({"SPY": 4_000.0, "AAPL": 2_000.0, "XOM": -500.0}, 10_000.0)
    return made


# -- measures -------------------------------------------------------------------------------------------


def test_the_likeliest_move_is_that_of_a_numerical_search():
    sigma, x, loss = covariance(1), np.array([3.0, -1.0, 2.0, 0.5]), 0.2
    inverse = np.linalg.inv(sigma)
    found = optimize.minimize(
        lambda r: r @ inverse @ r,
        np.full(4, -0.01),
        constraints={"type": "eq", "fun": lambda r: x @ r + loss},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    ours = most_plausible_loss(x, sigma, loss)
    np.testing.assert_allclose(ours.returns, found.x, atol=2e-5)
    assert ours.distance == pytest.approx(math.sqrt(found.fun), rel=1e-4)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.01, 100.0))
def test_it_costs_what_was_asked_and_scales(seed, loss):
    rng = np.random.default_rng(seed)
    sigma, x = covariance(seed), rng.normal(0.0, 5.0, 4)
    move = most_plausible_loss(x, sigma, loss)
    assert x @ move.returns == pytest.approx(-loss, rel=1e-9)
    assert move.contributions.sum() == pytest.approx(loss, rel=1e-9)
    twice = most_plausible_loss(x, sigma, 2.0 * loss)
    assert twice.distance == pytest.approx(2.0 * move.distance, rel=1e-9)
    order = [2, 0, 3, 1]
    turned = most_plausible_loss(x[order], sigma[np.ix_(order, order)], loss)
    np.testing.assert_allclose(turned.returns, move.returns[order], rtol=1e-7)


def test_one_given_name_is_a_beta():
    sigma = covariance(2)
    expected = conditional_mean({1: -0.1}, sigma)
    np.testing.assert_allclose(expected, -0.1 * sigma[:, 1] / sigma[1, 1])
    assert expected[1] == -0.1


def test_two_given_names_are_a_regression_on_both():
    rng = np.random.default_rng(5)
    returns = rng.normal(0.0, 0.01, (4_000, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]])
    third = 0.7 * returns[:, 0] - 0.3 * returns[:, 1] + rng.normal(0.0, 0.002, 4_000)
    data = np.column_stack((returns, third))
    data -= data.mean(axis=0)
    fit, *_ = np.linalg.lstsq(data[:, :2], data[:, 2], rcond=None)
    expected = conditional_mean({0: -0.05, 1: 0.02}, np.cov(data, rowvar=False))
    assert expected[2] == pytest.approx(fit @ [-0.05, 0.02], rel=1e-9)


@pytest.mark.parametrize("wrong", [{1.0: 0.1}, {True: 0.1}, {"a": 1}, {-1: 0.1}, [0], None])
def test_a_given_column_is_a_whole_number(wrong):
    with pytest.raises(InvalidReturns):
        conditional_mean(wrong, covariance(3))


def test_a_covariance_that_gives_a_book_negative_variance_is_refused():
    impossible = [[1.0, 1.5], [1.5, 1.0]]  # a correlation of 1.5: eigenvalues 2.5 and -0.5
    with pytest.raises(UndefinedMeasure, match="nearest_psd"):
        conditional_mean({0: -0.1}, impossible)
    with pytest.raises(UndefinedMeasure, match="nearest_psd"):
        most_plausible_loss([1.0, 1.0], impossible, 1.0)


def test_what_cannot_be_conditioned_on_is_refused():
    sigma = covariance(3)
    twin = np.block([[sigma, sigma[:, :1]], [sigma[:1, :], sigma[:1, :1]]])
    with pytest.raises(UndefinedMeasure):
        conditional_mean({0: -0.1, 4: -0.1}, twin)
    with pytest.raises(UndefinedMeasure):
        conditional_mean({0: -0.1}, np.zeros((2, 2)))
    for wrong in ({}, {9: 0.1}, {0: math.nan}):
        with pytest.raises(InvalidReturns):
            conditional_mean(wrong, sigma)
    with pytest.raises(UndefinedMeasure):
        most_plausible_loss([1.0, -1.0], np.ones((2, 2)), 1.0)
    with pytest.raises(UndefinedMeasure):
        most_plausible_loss([1.0, 1.0], np.eye(2), 0.0)


# -- on the book ----------------------------------------------------------------------------------------


def test_the_move_breaks_the_drawdown_exactly(tester):
    result = tester.run_reverse_stress("drawdown")
    exposures = {"SPY": 4_000.0, "AAPL": 2_000.0, "XOM": -500.0}
    assert result.loss == pytest.approx(1_500.0)
    assert sum(exposures[s] * move for s, move in result.moves.items()) == pytest.approx(-1_500.0)
    assert sum(result.contributions.values()) == pytest.approx(1_500.0)
    columns = [tester.state.model.columns[s] for s in result.moves]
    x = np.array([exposures[s] for s in result.moves])
    sigma = present_covariance(tester.state.model, columns, tester.config)
    assert result.distance == pytest.approx(1_500.0 / math.sqrt(x @ sigma @ x))
    assert result.probability == pytest.approx(stats.norm.sf(result.distance))
    assert result.fat_probability == pytest.approx(stats.t.sf(result.distance * math.sqrt(2.0), 4))
    assert result.worst_days == int((tester.state.totals.pnl <= -1_500.0).sum())
    assert "drawdown" in result.explain()
    assert any("sample data" in said for said in result.leans_on)


def test_ten_days_are_nearer_by_the_root_of_ten(tester):
    one, ten = (tester.run_reverse_stress("drawdown", days) for days in (1, 10))
    assert ten.distance == pytest.approx(one.distance / math.sqrt(10.0))
    assert ten.worst_days is None


def test_each_limit_is_broken_by_its_loss(tester):
    config, equity = tester.config, 10_000.0
    expected = {
        "drawdown": equity * config.drawdown_config.max_portfolio_drawdown,
        "liquidation": equity * config.emergency_config.liquidation_drawdown,
        "daily_loss": equity * config.drawdown_config.daily_loss_limit,
    }
    for limit, loss in expected.items():
        assert tester.run_reverse_stress(limit).loss == pytest.approx(loss), limit
    assert set(BREAKABLE) == {*expected, "var", "leverage", "margin"}


def two_name_book(foundation, exposures, level=RiskLevel.AGGRESSIVE, **changes):
    config = RiskManagementConfig(risk_level=level).update(**changes)
    made = StressTester(config)
    made.update_portfolio(exposures, 10_000.0)
    return made


def revalued(tester, move):
    """Exposures, equity and gross after a move, by a naive loop."""
    net = {s: n.sides.net / 1e8 for s, n in tester.state.totals.names.items()}
    after = {s: x * (1.0 + move[s]) for s, x in net.items()}
    equity = tester.state.totals.equity + sum(x * move[s] for s, x in net.items())
    return after, equity, sum(abs(x) for x in after.values())


def use_of(tester, limit, move):
    """What the revalued book uses of a limit, above 1 where it is broken."""
    after, equity, gross = revalued(tester, move)
    if limit == "leverage":
        return gross / equity / tester.config.portfolio_limits.max_leverage
    model = tester.state.model
    pnl = sum(x * model.scenarios[:, model.columns[s]] for s, x in after.items())
    return -np.quantile(pnl, 0.05) / equity / tester.config.var_config.daily_var_limit


BOOKS = (
    {"SPY": 12_000.0, "QQQ": 3_000.0},
    {"SPY": 5_000.0, "XOM": -4_000.0},
    {"AAPL": -4_000.0, "XOM": -3_000.0},
)


@pytest.mark.parametrize("limit", ["leverage", "var"])
@pytest.mark.parametrize("book", BOOKS, ids=str)
def test_the_revalued_book_breaks_there_and_no_nearer_move_does(foundation, book, limit):
    tester = two_name_book(foundation, book)
    result = tester.run_reverse_stress(limit)
    assert result.status == "ok"
    assert use_of(tester, limit, result.moves) == pytest.approx(1.0, abs=1e-6)
    further = {s: 1.0001 * r for s, r in result.moves.items()}
    assert use_of(tester, limit, further) > 1.0
    # every direction of the plane, in units in which all moves of one distance are as plausible
    symbols = list(result.moves)
    columns = [tester.state.model.columns[s] for s in symbols]
    root = np.linalg.cholesky(present_covariance(tester.state.model, columns, tester.config))
    nearest = math.inf
    for angle in np.linspace(0.0, 2.0 * math.pi, 361):
        way = root @ [math.cos(angle), math.sin(angle)]
        for distance in np.linspace(0.0, result.distance * 1.2, 121)[1:]:
            move = distance * way
            if move.min() < -1.0 or distance >= nearest:
                break
            if use_of(tester, limit, dict(zip(symbols, move, strict=True))) > 1.0:
                nearest = distance
    assert result.distance == pytest.approx(nearest, rel=0.03)


def test_without_credit_a_rise_breaks_the_var_of_longs(foundation):
    tester = two_name_book(foundation, {"SPY": 5_000.0, "AAPL": 2_000.0}, RiskLevel.MODERATE)
    result = tester.run_reverse_stress("var")
    now = use_of(tester, "var", dict.fromkeys(result.moves, 0.0))
    assert now < 1.0
    assert use_of(tester, "var", dict.fromkeys(result.moves, -0.2)) < now  # a fall takes VaR along
    assert use_of(tester, "var", result.moves) == pytest.approx(1.0, abs=1e-6)
    assert result.loss < 0.0
    assert "gain" in result.explain()


def test_leverage_of_longs_breaks_where_the_moved_book_does(foundation):
    limits = {"portfolio_limits": {"max_leverage": 3.0}}
    tester = two_name_book(foundation, {"SPY": 12_000.0, "AAPL": 8_000.0}, **limits)
    result = tester.run_reverse_stress("leverage")
    # (20,000 - L) / (10,000 - L) = 3 at L = 5,000; of shorts (S + L) / (E - L) = 2 at L = (2 E - S) / 3
    assert result.loss == pytest.approx(5_000.0)
    shorts = two_name_book(foundation, {"AAPL": -8_000.0, "XOM": -4_000.0})
    assert shorts.run_reverse_stress("leverage").loss == pytest.approx(8_000.0 / 3.0)


def test_exactly_at_the_leverage_limit_is_not_broken(foundation):
    tester = StressTester(foundation.config)
    tester.update_portfolio({"SPY": 6_000.0, "AAPL": 4_000.0}, 10_000.0)
    longs = tester.run_reverse_stress("leverage")
    assert longs.status == "unreachable"  # without credit a fall takes as much off gross as off equity
    tester = StressTester(foundation.config)
    tester.update_portfolio({"SPY": 6_000.0, "AAPL": -4_000.0}, 10_000.0)
    hedged = tester.run_reverse_stress("leverage")
    assert (hedged.status, hedged.loss, hedged.distance) == ("ok", 0.0, 0.0)
    assert "exactly at the limit" in hedged.explain()


def test_the_margin_of_contracts(foundation):
    manager = AdvancedRiskManager.on(foundation)
    future = Instrument("ES", "equity", multiplier=50.0, kind=ContractKind.LINEAR, maintenance_margin=0.1)
    manager.define_instrument(future)
    manager.add_position("ES", 20_000.0, 100.0)
    # 10,000 + 20,000 r = 0.1 * 20,000 (1 + r) at r = -4/9
    result = manager.stress_tester.run_reverse_stress("margin")
    assert result.moves["ES"] == pytest.approx(-4.0 / 9.0)
    assert result.loss == pytest.approx(80_000.0 / 9.0)


def test_no_name_falls_by_more_than_all(foundation):
    sigma = np.array([[1e-4, 2e-5], [2e-5, 4e-4]])
    x, loss = np.array([1.0, 4.0]), 4.4
    ours = most_plausible_loss(x, sigma, loss, -1.0)
    inverse = np.linalg.inv(sigma)
    found = optimize.minimize(
        lambda r: r @ inverse @ r / 1e4,
        np.full(2, -0.9),
        constraints={"type": "eq", "fun": lambda r: x @ r + loss},
        bounds=[(-1.0, None)] * 2,
        method="SLSQP",
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(ours.returns, found.x, atol=1e-5)
    assert ours.distance == pytest.approx(math.sqrt(found.fun * 1e4), rel=1e-5)
    assert most_plausible_loss(x, sigma, loss).returns.min() < -1.0
    with pytest.raises(UndefinedMeasure):
        most_plausible_loss(x, sigma, 5.1, -1.0)


def test_what_a_book_can_not_lose_is_no_move(foundation):
    tester = StressTester(foundation.config)
    tester.update_portfolio({"ZZZQ": 5_000.0}, 100_000.0)
    result = tester.run_reverse_stress("drawdown")
    assert (result.status, dict(result.moves), result.probability) == ("unreachable", {}, 0.0)
    assert result.loss == pytest.approx(15_000.0)
    assert "can't break drawdown" in result.explain()
    assert "5,000.00 of 15,000.00" in result.explain()
    assert "standard deviations" not in result.explain()


def test_a_perfect_hedge_hardly_varies(foundation):
    manager = AdvancedRiskManager.on(foundation)
    model = manager.state.model
    twin = manager.state.model.columns["QQQ"]
    scenarios = np.array(model.scenarios)
    scenarios[:, model.columns["SPY"]] = scenarios[:, twin]
    tester = StressTester(foundation.config)
    tester.update_portfolio({"SPY": 20_000.0, "QQQ": -20_000.0}, 10_000.0)
    state = tester.state
    shrunken = replace(state, model=replace(state.model, scenarios=scenarios))
    result = reverse_stress(shrunken, tester.config, "drawdown")
    assert result.status == "unreachable"
    assert "hardly varies" in result.notes[0]
    assert reverse_stress(state, tester.config, "drawdown").status == "ok"


def test_a_limit_that_is_broken_already_says_so(foundation):
    tester = StressTester(foundation.config)
    tester.update_portfolio({"SPY": 50_000.0}, 10_000.0)
    result = tester.run_reverse_stress("leverage")
    assert (result.status, result.loss, result.distance) == ("broken", 0.0, 0.0)
    assert "already" in result.explain()


def test_a_small_long_book_can_not_lose_so_much(foundation):
    tester = StressTester(foundation.config)
    tester.update_portfolio({"SPY": 100.0}, 10_000.0)
    result = tester.run_reverse_stress("drawdown")
    assert result.status == "unreachable"
    assert result.notes


def test_one_shock_moves_the_rest_by_its_covariance(tester):
    result = tester.run_conditional_stress({"SPY": -0.1})
    model = tester.state.model
    columns = [model.columns[s] for s in ("SPY", "AAPL", "XOM")]
    sigma, spy, apple = present_covariance(model, columns, tester.config), 0, 1
    assert result.by_symbol["SPY"] == pytest.approx(-400.0)
    assert result.by_symbol["AAPL"] == pytest.approx(-0.1 * sigma[apple, spy] / sigma[spy, spy] * 2_000.0)
    assert result.basis["SPY"].note == "given"
    assert "R2" in result.basis["AAPL"].note
    assert sum(result.by_symbol.values()) == pytest.approx(result.portfolio_pnl)


def test_a_shock_moves_the_rest_by_about_its_regression(foundation):
    """The oracle is ordinary least squares over the year, brought to present volatilities."""
    tester = StressTester(foundation.config)
    tester.update_portfolio({"QQQ": 1_000.0, "NEWCO": 10.0}, 10_000.0)
    model = foundation.model
    spy, qqq = (model.matrix.values[-250:, model.columns[s]] for s in ("SPY", "QQQ"))
    slope = np.polyfit(spy, qqq, 1)[0] * np.std(spy) / np.std(qqq)
    slope *= model.volatility[model.columns["QQQ"]] / model.volatility[model.columns["SPY"]]
    moved = tester.run_conditional_stress({"SPY": -0.1}).by_symbol["QQQ"]
    assert moved == pytest.approx(-100.0 * slope, rel=0.03)
    assert moved < -110.0


def test_names_that_share_a_stand_in_move_as_one(foundation):
    tester = StressTester(foundation.config)
    tester.update_portfolio({"NEWCO": 2_000.0, "OTHERCO": 1_000.0}, 10_000.0)
    result = tester.run_reverse_stress("drawdown")
    one = StressTester(foundation.config)
    one.update_portfolio({"NEWCO": 3_000.0}, 10_000.0)
    assert result.distance == pytest.approx(one.run_reverse_stress("drawdown").distance, rel=1e-9)
    assert result.moves["NEWCO"] == pytest.approx(result.moves["OTHERCO"])


def test_a_shock_of_what_is_not_held_counts_too(tester):
    assert tester.run_conditional_stress({"QQQ": -0.1}).portfolio_pnl < 0.0
    both = tester.run_conditional_stress({"QQQ": -0.1, "XOM": 0.2})
    assert both.by_symbol["XOM"] == pytest.approx(-100.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.run_reverse_stress("astrology"),
        lambda t: t.run_reverse_stress(["drawdown"]),
        lambda t: t.run_conditional_stress(["SPY"]),
        lambda t: t.run_reverse_stress("drawdown", 0),
        lambda t: t.run_reverse_stress("drawdown", 1.5),
        lambda t: t.run_reverse_stress("margin"),
        lambda t: t.run_conditional_stress({}),
        lambda t: t.run_conditional_stress({"NOPE": -0.1}),
        lambda t: t.run_conditional_stress({"SPY": -1.5}),
        lambda t: t.run_conditional_stress({"SPY": math.nan}),
    ],
)
def test_what_means_nothing_is_refused(tester, call):
    with pytest.raises(InvalidRequest):
        call(tester)


def test_an_empty_book_has_nothing_to_break(foundation):
    with pytest.raises(InvalidRequest, match="nothing is held"):
        StressTester(foundation.config).run_reverse_stress()
