"""Stress results against sums over real prices; shorts, unknown names, and what counts as passed."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from risk_management.calculators.scenarios import BasisKind, ScenarioRule, ScenarioUse, load_scenarios
from risk_management.calculators.stress_tester import StressScenario, StressTester
from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.errors import InvalidRequest, SharedBookError
from risk_management.market_data.sample import sample_history
from risk_management.tests.monitors.fronts import front

CLOSES = sample_history()
LINEAR = [s.id for s in load_scenarios().values() if s.rule is ScenarioRule.LINEAR]
BOOK = {"SPY": 5000.0, "QQQ": 3000.0}
NOW = datetime(2022, 12, 29, tzinfo=UTC)


def book_of(foundation, sizes, config=None, start=NOW) -> StressTester:
    made = front(StressTester, foundation, config, start)
    made.update_portfolio(sizes, 10_000.0)
    return made


def replayed(symbol: str, start: str, end: str) -> float:
    """Close to close on days that have a close."""
    prices = CLOSES.closes[:, CLOSES.symbols.index(symbol)]
    at = {str(day): price for day, price in zip(CLOSES.dates, prices, strict=True)}
    return at[end] / at[start] - 1.0


def test_the_policy_holds(foundation):
    """SPY 5,000 and QQQ 3,000 of 10,000: the worst ten days cost about 20 %."""
    suite = book_of(foundation, BOOK).run_full_stress_suite()
    gates = {i: r for i, r in suite.results.items() if r.use is ScenarioUse.GATE}
    worst = min(gates.values(), key=lambda r: r.portfolio_pnl)
    assert worst.scenario_id == "ten_days_2008"
    assert worst.horizon_days == 10
    assert worst.portfolio_pnl_pct == pytest.approx(-0.20, abs=0.01)
    assert worst.passed
    whole = suite.results["market_crash_2008"]
    assert whole.use is ScenarioUse.REPORT
    assert whole.portfolio_pnl_pct < -0.40


@pytest.mark.parametrize(
    ("scenario", "start", "end"),
    [
        ("market_crash_2008", "2007-10-09", "2009-03-09"),
        ("ten_days_2008", "2008-09-26", "2008-10-10"),
        ("covid_crash_2020", "2020-02-19", "2020-03-23"),
    ],
)
def test_a_replay_is_the_sum_over_real_prices(foundation, scenario, start, end):
    sizes = {"SPY": 5000.0, "AAPL": 1000.0, "JPM": -700.0}
    result = book_of(foundation, sizes).run_scenario_test(scenario)
    expected = {s: size * replayed(s, start, end) for s, size in sizes.items()}
    assert dict(result.by_symbol) == pytest.approx(expected)
    assert result.portfolio_pnl == pytest.approx(sum(expected.values()))
    assert result.portfolio_pnl_pct == pytest.approx(sum(expected.values()) / 10_000)
    assert result.basis["SPY"].kind is BasisKind.PROXY_REPLAY
    assert result.basis["AAPL"].kind is BasisKind.REPLAY
    assert result.sources


@pytest.mark.parametrize("scenario", list(StressScenario))
def test_the_parts_add_up_under_every_rule(foundation, scenario):
    sizes = {"SPY": 3000.0, "AAPL": -1000.0, "BTC": 500.0, "ETH": -200.0, "ZZZZ": 300.0}
    result = book_of(foundation, sizes).run_scenario_test(scenario)
    assert set(result.by_symbol) == set(sizes) == set(result.basis)
    assert sum(result.by_symbol.values()) == pytest.approx(result.portfolio_pnl, abs=1e-9)


@pytest.mark.parametrize("scenario", LINEAR)
def test_a_short_gains_what_a_long_loses(foundation, scenario):
    sizes = {"SPY": 3000.0, "AAPL": 1000.0, "BTC": 500.0}
    long = book_of(foundation, sizes).run_scenario_test(scenario)
    short = book_of(foundation, {s: -size for s, size in sizes.items()}).run_scenario_test(scenario)
    assert short.portfolio_pnl == pytest.approx(-long.portfolio_pnl)


@pytest.mark.parametrize("scenario", list(StressScenario))
def test_an_unknown_name_is_never_silently_zero(foundation, scenario):
    result = book_of(foundation, {"ZZZZ": 1000.0}).run_scenario_test(scenario)
    assert result.portfolio_pnl < 0.0
    assert result.basis["ZZZZ"].note
    if result.basis["ZZZZ"].kind is BasisKind.STAND_IN:
        assert any("ZZZZ" in said for said in result.leans_on)


def test_a_rise_credits_nothing_to_what_is_unknown(foundation):
    tester = book_of(foundation, {"ZZZQ": 1_000.0, "ZZZR": -1_000.0})
    result = tester.run_custom_scenario("melt-up", {"AAPL": 0.3})
    assert result.portfolio_pnl == 0.0
    assert {b.kind for b in result.basis.values()} == {BasisKind.STAND_IN}
    assert "no fall" in result.basis["ZZZQ"].note
    assert any("long in ZZZQ loses nothing by a stand-in" in note for note in result.notes)
    by_beta = tester.run_custom_scenario("rally", {}, market=0.1)
    assert any("long in ZZZQ gains by a stand-in" in note for note in by_beta.notes)
    assert not any("ZZZR" in note for note in by_beta.notes)


def test_a_short_that_leans_on_a_stand_in_is_told(foundation):
    result = book_of(foundation, {"ZZZZ": -1000.0}).run_scenario_test("covid_monday_2020")
    assert any("ZZZZ" in note for note in result.notes)


def test_report_and_gate_say_the_same(foundation):
    sizes = {"SPY": 3000.0, "AAPL": -1000.0, "JPM": 500.0, "BTC": 500.0}
    made = book_of(foundation, sizes)
    results = made.run_full_stress_suite().results
    carried = dict(zip(made.state.model.scenario_ids, made.state.totals.stress, strict=True))
    assert len(carried) >= 8
    for scenario, pnl in carried.items():
        assert results[scenario].portfolio_pnl == pytest.approx(pnl, abs=1e-6)


def test_the_suite_counts(foundation):
    suite = book_of(foundation, BOOK).run_full_stress_suite()
    assert set(suite.scenarios_tested) == set(StressScenario)
    worst = min(suite.results.values(), key=lambda r: r.portfolio_pnl)
    assert suite.worst_case_scenario == worst.scenario_id
    assert suite.worst_case_loss == -worst.portfolio_pnl
    assert suite.scenarios_passed == sum(r.passed for r in suite.results.values())
    assert suite.critical_failures == []
    assert suite.passed


def test_critical_failures_are_ids_at_or_above_half_of_equity(foundation):
    suite = book_of(foundation, {"QQQ": 10_000.0}).run_full_stress_suite()
    lost = {i for i, r in suite.results.items() if r.portfolio_pnl_pct <= -0.50}
    assert set(suite.critical_failures) == lost
    assert "dotcom_bust_2000" in lost
    assert not suite.passed
    assert suite.scenarios_passed < len(suite.scenarios_tested)


def test_exactly_at_the_limit_passes(foundation):
    """A share gaps by 52 %: the limit of 25 % is met by 2,500 / 0.52."""
    size = 2500.0 / 0.52
    gap = book_of(foundation, {"JPM": size}).run_scenario_test("single_name_gap")
    assert gap.portfolio_pnl == pytest.approx(-2500.0)
    assert gap.limit == 0.25
    assert gap.passed
    assert not book_of(foundation, {"JPM": size + 1.0}).run_scenario_test("single_name_gap").passed


@pytest.mark.parametrize(("shock", "critical"), [(-0.4999, False), (-0.5, True), (-0.51, True)])
def test_half_of_equity_is_critical(foundation, shock, critical):
    result = book_of(foundation, {"ZZZZ": 10_000.0}).run_custom_scenario("own", {"ZZZZ": shock})
    assert result.critical is critical
    assert result.passed is not critical


def test_a_short_book_has_a_worst_case_too(foundation):
    suite = book_of(foundation, {"SPY": -1000.0}).run_full_stress_suite()
    assert suite.worst_case_scenario == "single_name_gap"
    assert suite.worst_case_loss == pytest.approx(204.7)


def test_an_empty_book_loses_nothing_and_says_so(foundation):
    made = book_of(foundation, {})
    result = made.run_scenario_test("market_crash_2008")
    assert result.portfolio_pnl == 0.0
    assert result.portfolio_pnl_pct == 0.0
    assert result.passed
    assert "empty" in result.notes[0]
    suite = made.run_full_stress_suite()
    assert suite.worst_case_scenario == ""
    assert suite.worst_case_loss == 0.0
    assert suite.passed


@pytest.mark.parametrize("unknown", ["market_crash_2009", "MARKET_CRASH_2008", "", None, 7])
def test_an_unknown_scenario_is_an_error(foundation, unknown):
    with pytest.raises(InvalidRequest) as raised:
        book_of(foundation, BOOK).run_scenario_test(unknown)
    assert raised.value.code == "UNKNOWN_SCENARIO"
    if unknown == "market_crash_2009":
        assert "did you mean market_crash_2008" in str(raised.value)


def test_a_scenario_of_ones_own(foundation):
    made = book_of(foundation, {"SPY": 3000.0, "AAPL": -1000.0, "JPM": 500.0, "BTC": 200.0})
    result = made.run_custom_scenario("Banks & tech", {"AAPL": -0.3, "Financials": -0.2, "crypto": -0.4})
    assert dict(result.by_symbol) == pytest.approx({"SPY": 0.0, "AAPL": 300.0, "JPM": -100.0, "BTC": -80.0})
    assert result.basis["SPY"].kind is BasisKind.REST
    assert result.scenario_id == "custom_banks_tech"
    assert "Banks & tech" in result.explain()


def test_a_market_shock_spreads_by_beta(foundation):
    result = book_of(foundation, {"SPY": 3000.0, "MSFT": 1000.0}).run_custom_scenario("fall", {}, market=-0.1)
    matrix = foundation.model.matrix
    market, own = (matrix.values[:, matrix.columns[s]] for s in ("SPY", "MSFT"))
    beta = np.cov(market, own)[0, 1] / np.var(market, ddof=1)
    assert result.by_symbol["SPY"] == pytest.approx(-300.0)
    assert result.by_symbol["MSFT"] == pytest.approx(-100.0 * beta)
    assert result.basis["MSFT"].r_squared == pytest.approx(np.corrcoef(market, own)[0, 1] ** 2)


@pytest.mark.parametrize(
    "shocks",
    [{}, {"NOPE": -0.1}, {"AAPL": -1.1}, {"AAPL": math.nan}, {"AAPL": "-0.1"}, {7: -0.1}, [("AAPL", -0.1)]],
)
def test_shocks_that_mean_nothing_are_errors(foundation, shocks):
    made = book_of(foundation, {"AAPL": 1000.0})
    with pytest.raises(InvalidRequest):
        made.run_custom_scenario("own", shocks)


def test_custom_scenarios_join_the_suite_once(foundation):
    made = book_of(foundation, BOOK)
    own = made.custom_scenario("Black swan", {"index_fund": -0.9})
    suite = made.run_full_stress_suite([own])
    assert suite.worst_case_scenario == own.id == "custom_black_swan"
    assert suite.critical_failures == [own.id]
    with pytest.raises(InvalidRequest):
        made.run_full_stress_suite([own, own])


def test_a_replay_knows_no_crisis_before_it_came(foundation):
    config = RiskManagementConfig(environment="replay")
    made = book_of(foundation, BOOK, config=config, start=datetime(2009, 6, 1, tzinfo=UTC))
    tested = made.run_full_stress_suite().scenarios_tested
    assert "market_crash_2008" in tested
    assert "equity_crash" in tested
    assert "covid_crash_2020" not in tested


def test_a_shared_front_refuses(foundation):
    shared = StressTester.on(foundation, foundation.new_book())
    with pytest.raises(SharedBookError):
        shared.update_portfolio(BOOK, 10_000)


def test_the_specified_snippet():
    config = load_risk_config()
    stress_tester = StressTester(config)
    stress_tester.update_portfolio({"SPY": 5000, "QQQ": 3000}, 10000)
    result = stress_tester.run_scenario_test(StressScenario.MARKET_CRASH_2008)
    assert f"2008 Crisis Loss: ${result.portfolio_pnl:,.2f}" == "2008 Crisis Loss: $-4,481.41"
    suite = stress_tester.run_full_stress_suite()
    assert f"Worst Case: {suite.worst_case_scenario}" == "Worst Case: dotcom_bust_2000"
    assert f"{suite.scenarios_passed}/{len(suite.scenarios_tested)}" == "31/31"
