"""Where a shock comes from, that none is a silent zero, and what it does to a book."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.calculators.scenarios import (
    BasisKind,
    Scenario,
    ScenarioKind,
    ScenarioRule,
    ScenarioUse,
    load_scenarios,
    resolve_shocks,
    scenario_pnl,
    shock_matrix,
    stress_pnl,
)
from risk_management.calculators.scenarios.betas import estimate_beta, estimate_volatility
from risk_management.calculators.scenarios.scenario import Source
from risk_management.calculators.scenarios.shocks import STABLECOIN_STAND_IN
from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.market_data.sample import sample_history
from risk_management.model.market import Coverage, HistoryKind, PriceHistory, ReturnMatrix, frozen_columns

SCENARIOS = load_scenarios()
CLASSES = {
    "X": "equity",
    "BTC": "crypto",
    "USDT": "crypto",
    "F": "index_fund",
    "B": "bond_fund",
    "O": "other",
}
DAYS = 400


def own(**changes: object) -> Scenario:
    """A scenario of the test's own."""
    base = Scenario(
        id="own",
        name="Own",
        kind=ScenarioKind.HYPOTHETICAL,
        use=ScenarioUse.GATE,
        description="-",
        horizon_days=1,
        sources=(Source("-", "-"),),
        market=-0.2,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def returns(seed: int = 7, **coverage: Coverage) -> ReturnMatrix:
    """SPY; X = 1.5 SPY + noise; N pure noise; C constant."""
    rng = np.random.default_rng(seed)
    market = rng.normal(0, 0.01, DAYS)
    columns = {
        "SPY": market,
        "X": 1.5 * market + rng.normal(0, 0.005, DAYS),
        "N": rng.normal(0, 0.01, DAYS),
        "C": np.zeros(DAYS),
    }
    symbols = tuple(columns)
    return ReturnMatrix(
        symbols=symbols,
        columns=frozen_columns(symbols),
        dates=np.datetime64("2020-01-01") + np.arange(DAYS),
        values=np.asfortranarray(np.column_stack(list(columns.values()))),
        coverage=coverage,
        asset_classes={},
        as_of=datetime(2021, 2, 4, tzinfo=UTC),
        source="test",
    )


def one(scenario: Scenario, symbol: str, **more: object) -> tuple[float, BasisKind]:
    facts: dict[str, object] = {"asset_classes": CLASSES, "sectors": {}} | more
    shocks = resolve_shocks(scenario, (symbol,), **facts)  # type: ignore[arg-type]
    return float(shocks.values[0]), shocks.basis[0].kind


def test_the_nearest_figure_wins():
    window = {"start": date(2020, 1, 1), "end": date(2020, 1, 2)}
    closes = PriceHistory(
        np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
        ("X",),
        np.array([[100.0], [60.0]]),
        {},
        "test",
    )
    full = own(symbols={"X": -0.1}, sectors={"Energy": -0.5}, classes={"equity": -0.6}, **window)
    facts = {"sectors": {"X": "Energy"}, "closes": closes, "betas": {"X": 2.0}}
    assert one(full, "X", **facts) == (-0.1, BasisKind.SYMBOL)
    assert one(replace(full, symbols={}), "X", **facts) == (pytest.approx(-0.4), BasisKind.REPLAY)
    facts["closes"] = None
    assert one(replace(full, symbols={}), "X", **facts) == (-0.5, BasisKind.SECTOR)
    facts["sectors"] = {}
    assert one(replace(full, symbols={}), "X", **facts) == (-0.6, BasisKind.CLASS)
    assert one(replace(full, symbols={}, classes={}), "X", **facts) == (-0.4, BasisKind.BETA)
    assert one(replace(full, symbols={}, classes={}), "X") == (pytest.approx(-0.3), BasisKind.STAND_IN)


def test_an_estimated_beta_says_what_it_rests_on():
    matrix = returns()
    shocks = resolve_shocks(own(), ("X",), asset_classes=CLASSES, sectors={}, matrix=matrix)
    x, y = matrix.values[:, 0], matrix.values[:, 1]
    slope, _ = np.polyfit(x, y, 1)
    basis = shocks.basis[0]
    assert basis.kind is BasisKind.BETA
    assert basis.beta == pytest.approx(slope)
    assert basis.r_squared == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)
    assert basis.observations == DAYS
    assert shocks.values[0] == pytest.approx(-0.2 * slope)


@pytest.mark.parametrize("symbol", ["N", "C", "ABSENT"])
def test_a_beta_that_says_nothing_gives_way_to_the_stand_in(symbol: str):
    matrix = returns()
    assert estimate_beta(matrix, symbol) is None
    assert one(own(), symbol, matrix=matrix) == (pytest.approx(-0.3), BasisKind.STAND_IN)


def test_only_own_history_counts():
    short = Coverage("X", HistoryKind.BACKFILLED, 39, date(2020, 12, 26), date(2021, 2, 3))
    late = Coverage("X", HistoryKind.BACKFILLED, 99, date(2020, 10, 27), date(2021, 2, 3))
    stand_in = Coverage("X", HistoryKind.STAND_IN, 0, None, None)
    assert estimate_beta(returns(X=short), "X") is None
    assert estimate_beta(returns(X=stand_in), "X") is None
    assert estimate_beta(returns(X=late), "X").observations == 99
    assert estimate_volatility(returns(X=stand_in), "X") is None
    assert estimate_volatility(returns(), "X")[0] == pytest.approx(returns().values[:, 1].std(ddof=1))


def test_stand_ins_by_class():
    assert one(own(), "UNKNOWN") == (pytest.approx(-0.3), BasisKind.STAND_IN)
    assert one(own(), "UNKNOWN", unknown_beta=2.0) == (pytest.approx(-0.4), BasisKind.STAND_IN)
    assert one(own(), "BTC") == (pytest.approx(-0.4), BasisKind.STAND_IN)
    assert one(own(), "B") == (pytest.approx(-0.1), BasisKind.STAND_IN)
    assert one(own(), "USDT") == (STABLECOIN_STAND_IN, BasisKind.STAND_IN)


def test_coins_go_by_their_name_in_a_pair():
    scenario = own(symbols={"BTC": -0.25}, classes={"crypto": -0.4, "stablecoin": -0.1})
    classes = {"BTC/USDT": "crypto", "BTC-USD": "crypto", "ETH/USDT": "crypto", "USDC/USDT": "crypto"}
    shocks = resolve_shocks(scenario, tuple(classes), asset_classes=classes, sectors={})
    assert shocks.values.tolist() == [-0.25, -0.25, -0.4, -0.1]
    assert (
        one(own(symbols={"BRK": -0.5}), "BRK-B", asset_classes={"BRK-B": "equity"})[1] is BasisKind.STAND_IN
    )


def test_a_declared_rest_holds_for_known_classes_only():
    scenario = own(market=None, rest=0.0, classes={"crypto": -0.5})
    assert one(scenario, "X") == (0.0, BasisKind.REST)
    assert one(scenario, "UNKNOWN") == (-0.5, BasisKind.STAND_IN)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("closes", [None, sample_history()], ids=["bare", "sample"])
def test_an_unknown_symbol_never_gets_zero(scenario: Scenario, closes: PriceHistory | None):
    assert one(scenario, "UNKNOWN", closes=closes)[0] < 0
    value, kind = one(scenario, "X", closes=closes)
    assert value < 0 or (kind is BasisKind.REST and scenario.rest == 0.0)


def test_no_fall_is_deeper_than_all():
    assert one(own(market=-0.6), "X", betas={"X": 3.0}) == (-1.0, BasisKind.BETA)
    assert one(own(market=-0.6), "X", betas={"X": -3.0})[0] == pytest.approx(1.8)


def test_shocks_are_read_only_and_can_be_asked_for_stand_ins():
    shocks = resolve_shocks(own(), ("X", "Q"), asset_classes={}, sectors={}, betas={"X": 1.0})
    assert shocks.of_kind(BasisKind.STAND_IN) == ("Q",)
    with pytest.raises(ValueError, match="read-only"):
        shocks.values[0] = 0.0


def test_the_matrix_is_the_shocks_row_by_row():
    symbols = ("SPY", "AAPL", "PG", "BTC", "UNKNOWN")
    facts = {
        "asset_classes": {"SPY": "index_fund", "AAPL": "equity", "PG": "equity", "BTC": "crypto"},
        "sectors": {"AAPL": "Information Technology", "PG": "Consumer Staples"},
        "closes": sample_history(),
        "matrix": returns(),
    }
    linear = [s for s in SCENARIOS.values() if s.is_linear]
    table = shock_matrix(linear, symbols, **facts)  # type: ignore[arg-type]
    assert table.shape == (len(linear), len(symbols))
    assert table.flags.f_contiguous
    assert not table.flags.writeable
    for row, scenario in zip(table, linear, strict=True):
        assert row.tolist() == resolve_shocks(scenario, symbols, **facts).values.tolist()  # type: ignore[arg-type]


def test_an_empty_matrix_and_a_rule():
    assert shock_matrix([], ("A", "B"), asset_classes={}, sectors={}).shape == (0, 2)
    assert shock_matrix([own()], (), asset_classes={}, sectors={}).shape == (1, 0)
    with pytest.raises(UndefinedMeasure, match="venue_lost"):
        shock_matrix([SCENARIOS["venue_lost"]], ("A",), asset_classes={}, sectors={})


@given(st.data())
def test_pnl_is_the_naive_sum(data: st.DataObject):
    n = data.draw(st.integers(0, 6))
    money = st.floats(-1e6, 1e6)
    shock = st.floats(-1, 3)
    table = data.draw(st.lists(st.lists(shock, min_size=n, max_size=n), min_size=1, max_size=5))
    exposures = data.draw(st.lists(money, min_size=n, max_size=n))
    expected = [sum(s * e for s, e in zip(row, exposures, strict=True)) for row in table]
    np.testing.assert_allclose(stress_pnl(np.array(table), exposures), expected, rtol=1e-9, atol=1e-6)


def test_a_short_gains_from_a_fall():
    shocks = resolve_shocks(
        SCENARIOS["ten_days_2008"], ("SPY",), asset_classes={"SPY": "index_fund"}, sectors={}
    )
    assert scenario_pnl(shocks, [1000.0]) == pytest.approx(-258.8)
    assert scenario_pnl(shocks, [-1000.0]) == pytest.approx(258.8)
    assert stress_pnl(shocks.values[None, :], [-1000.0]).tolist() == pytest.approx([258.8])


@pytest.mark.parametrize("exposures", [[1.0], [1.0, np.nan], [np.inf, 1.0], [[1.0, 2.0]]])
def test_wrong_exposures(exposures: list[float]):
    shocks = resolve_shocks(own(), ("X", "Y"), asset_classes={}, sectors={})
    with pytest.raises(InvalidReturns, match="2 finite amounts"):
        scenario_pnl(shocks, exposures)
    with pytest.raises(InvalidReturns, match="2 finite amounts"):
        stress_pnl(np.zeros((3, 2)), exposures)


def test_correlation_to_one_hits_longs_and_shorts():
    matrix = returns()
    shocks = resolve_shocks(
        SCENARIOS["correlation_to_one"],
        ("X", "SPY", "BTC", "Q"),
        asset_classes=CLASSES | {"SPY": "index_fund"},
        sectors={},
        matrix=matrix,
    )
    sigma = matrix.values[:, 1].std(ddof=1)
    assert shocks.values.tolist() == pytest.approx([min(-3 * sigma, -0.05), -0.05, -0.10, -0.10])
    kinds = [basis.kind for basis in shocks.basis]
    assert kinds == [BasisKind.VOLATILITY, BasisKind.VOLATILITY, BasisKind.CLASS, BasisKind.STAND_IN]
    hedged = scenario_pnl(shocks, [100.0, -100.0, 0.0, 0.0])
    assert hedged == pytest.approx(100 * (shocks.values[0] + shocks.values[1]))
    assert hedged < 0


def test_a_horizon_scales_the_volatility():
    scenario = own(rule=ScenarioRule.AGAINST_EXPOSURE, volatility_multiple=3.0, horizon_days=4, market=-0.001)
    sigma = returns().values[:, 1].std(ddof=1)
    assert one(scenario, "X", matrix=returns())[0] == pytest.approx(-6 * sigma)


def test_the_gap_is_that_of_the_position_that_loses_most():
    gap = SCENARIOS["single_name_gap"]
    classes = {"SPY": "index_fund", "AAPL": "equity", "PG": "equity", "Z": "equity"}
    sectors = {"PG": "Consumer Staples", "Z": "Energy"}
    shocks = resolve_shocks(gap, tuple(classes), asset_classes=classes, sectors=sectors)
    assert shocks.values.tolist() == [-0.2047, -0.5189, -0.302, -0.52]
    assert scenario_pnl(shocks, [6000, 1500, 1500, 0]) == pytest.approx(-6000 * 0.2047)
    assert scenario_pnl(shocks, [1000, 1500, 1500, 0]) == pytest.approx(-1500 * 0.5189)
    assert scenario_pnl(shocks, [1000, 0, 0, -2000]) == pytest.approx(-2000 * 0.52)
    assert scenario_pnl(shocks, [0, 0, 0, 0]) == 0.0


def test_a_lost_venue_takes_what_lies_there():
    lost = SCENARIOS["venue_lost"]
    classes = {"BTC": "crypto", "ETH": "crypto", "USDT": "crypto", "AAPL": "equity"}
    shocks = resolve_shocks(lost, tuple(classes), asset_classes=classes, sectors={})
    book = [100.0, -40.0, 30.0, 500.0]
    assert scenario_pnl(shocks, book) == -130.0
    assert scenario_pnl(shocks, book, venues=["a", "a", "b", "c"]) == -100.0
    assert scenario_pnl(shocks, [10.0, 20.0, 30.0, 0.0], venues=["a", "b", "b", "c"]) == -50.0
    with pytest.raises(InvalidReturns, match="3 venues for 4 exposures"):
        scenario_pnl(shocks, book, venues=["a", "a", "b"])


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), st.sampled_from(list(ScenarioRule)))
def test_only_a_linear_scenario_can_gain(exposures: list[float], rule: ScenarioRule):
    shocks = resolve_shocks(own(rule=rule), ("A", "B", "C"), asset_classes={}, sectors={})
    pnl = scenario_pnl(shocks, exposures)
    assert rule is ScenarioRule.LINEAR or pnl <= 0
    assert pnl >= -float(np.abs(exposures).sum())


def test_the_policys_example_stands_near_a_fifth():
    """SPY 5,000 and QQQ 3,000 of 10,000: the worst ten days cost about 20 %."""
    symbols = ("SPY", "QQQ")
    gates = [s for s in SCENARIOS.values() if s.is_gate and s.is_linear]
    table = shock_matrix(
        gates,
        symbols,
        asset_classes=dict.fromkeys(symbols, "index_fund"),
        sectors=dict.fromkeys(symbols, "Broad index"),
        closes=sample_history(),
    )
    assert stress_pnl(table, [5000.0, 3000.0]).min() == pytest.approx(-2028, abs=10)
