"""Real prices against the published figures, and the replay against a naive loop."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest

from risk_management.calculators.scenarios import (
    BasisKind,
    Scenario,
    ScenarioKind,
    load_scenarios,
    resolve_shocks,
)
from risk_management.calculators.scenarios.replay import TOLERANCE_DAYS, window_returns
from risk_management.market_data.sample import sample_history
from risk_management.model.market import PriceHistory

CLOSES = sample_history()
LONG = sample_history("sp500_long")
HISTORICAL = [s for s in load_scenarios().values() if s.kind is ScenarioKind.HISTORICAL]
EVERY = pytest.mark.parametrize("scenario", HISTORICAL, ids=[s.id for s in HISTORICAL])
ONE_POINT = 0.01


def naive_return(closes: PriceHistory, symbol: str, start: date, end: date) -> float:
    """Close to close by plain Python: the last price at most five days old at each edge."""
    column = closes.symbols.index(symbol)
    prices = {
        day.item(): float(price)
        for day, price in zip(closes.dates, closes.closes[:, column], strict=True)
        if not math.isnan(price)
    }

    def at(edge: date) -> float:
        for back in range(TOLERANCE_DAYS + 1):
            if edge - timedelta(days=back) in prices:
                return prices[edge - timedelta(days=back)]
        return math.nan

    return at(end) / at(start) - 1


@EVERY
def test_replay_is_close_to_close(scenario: Scenario):
    found = window_returns(CLOSES, scenario.start, scenario.end)
    expected = [naive_return(CLOSES, symbol, scenario.start, scenario.end) for symbol in CLOSES.symbols]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def covered(scenario: Scenario) -> dict[str, float]:
    """What real data says of the window, by symbol; the long index reaches back to 1987."""
    found = {}
    for closes in (LONG, CLOSES):
        returns = window_returns(closes, scenario.start, scenario.end)
        found |= {s: r for s, r in zip(closes.symbols, returns, strict=True) if np.isfinite(r)}
    return found


@EVERY
def test_published_figures_stand_within_a_point_of_the_replay(scenario: Scenario):
    real = covered(scenario)
    if "SPY" in real:
        assert abs(scenario.market - real["SPY"]) < ONE_POINT
    for symbol in scenario.symbols.keys() & real.keys():
        assert abs(scenario.symbols[symbol] - real[symbol]) < ONE_POINT, symbol


def test_the_cross_check_is_not_empty():
    checked = {s.id for s in HISTORICAL if "SPY" in covered(s)}
    assert checked == {s.id for s in HISTORICAL} - {"regional_banks_2023", "yen_carry_2024", "tariffs_2025"}
    assert "BTC" in covered(load_scenarios()["crypto_crash_2021"])
    assert "QQQ" in covered(load_scenarios()["nasdaq_ten_days_2000"])


@pytest.mark.parametrize(
    ("name", "days"), [(s.id, s.horizon_days) for s in HISTORICAL if s.id != "crypto_crash_2021"]
)
def test_horizons_are_trading_days(name: str, days: int):
    scenario = load_scenarios()[name]
    for closes in (LONG, CLOSES):
        traded = np.isfinite(closes.closes[:, closes.symbols.index("SPY")])
        dates = closes.dates[traded]
        if dates[0] <= np.datetime64(scenario.start) and np.datetime64(scenario.end) <= dates[-1]:
            inside = (dates > np.datetime64(scenario.start)) & (dates <= np.datetime64(scenario.end))
            assert int(inside.sum()) == days


@pytest.mark.parametrize(("name", "days"), [("ten_days_2008", 10), ("covid_monday_2020", 1)])
def test_the_gates_are_the_worst_windows_of_the_sample(name: str, days: int):
    index = CLOSES.closes[:, CLOSES.symbols.index("SPY")]
    index = index[np.isfinite(index)]
    worst = (index[days:] / index[:-days] - 1).min()
    assert abs(load_scenarios()[name].market - worst) < 5e-4


def test_the_gaps_are_the_worst_days_of_the_sample():
    gap = load_scenarios()["single_name_gap"]
    for symbol in ("AAPL", "PG"):
        prices = CLOSES.closes[:, CLOSES.symbols.index(symbol)]
        prices = prices[np.isfinite(prices)]
        assert abs(gap.symbols[symbol] - (prices[1:] / prices[:-1] - 1).min()) < ONE_POINT


def history(symbols: dict[str, list[float]], first: date) -> PriceHistory:
    rows = len(next(iter(symbols.values())))
    dates = np.datetime64(first, "D") + np.arange(rows)
    return PriceHistory(dates, tuple(symbols), np.array(list(symbols.values())).T, {}, "test")


@pytest.mark.parametrize(
    ("prices", "start", "end", "expected"),
    [
        ([100, 90, 80, 70, 60, 50, 40, 30], 2, 4, -0.25),  # both edges on a price
        ([100, 90, np.nan, 60, np.nan, np.nan, np.nan, np.nan], 2, 4, 60 / 90 - 1),  # the last before
        ([np.nan, np.nan, np.nan, 60, 50, 50, 50, 50], 2, 4, np.nan),  # not listed yet
        ([100, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan], 0, 7, np.nan),  # ended long before
        ([np.nan] * 8, 2, 4, np.nan),
    ],
)
def test_edges(prices: list[float], start: int, end: int, expected: float):
    first = date(2020, 1, 1)
    closes = history({"A": prices}, first)
    found = window_returns(closes, first + timedelta(days=start), first + timedelta(days=end))
    np.testing.assert_allclose(found, [expected])


def test_a_window_outside_the_data_is_not_covered():
    closes = history({"A": [1.0, 2.0]}, date(2020, 1, 1))
    assert np.isnan(window_returns(closes, date(1990, 1, 1), date(1990, 2, 1))).all()
    assert np.isnan(window_returns(closes, date(2020, 1, 1), date(2021, 2, 1))).all()


def test_proxies_are_said():
    shocks = resolve_shocks(
        load_scenarios()["market_crash_2008"],
        ("SPY", "AAPL", "META"),
        asset_classes={"SPY": "index_fund", "AAPL": "equity", "META": "equity"},
        sectors={"META": "Communication Services"},
        closes=CLOSES,
    )
    kinds = [basis.kind for basis in shocks.basis]
    assert kinds == [BasisKind.PROXY_REPLAY, BasisKind.REPLAY, BasisKind.SECTOR]  # META came in 2012
    assert shocks.values[0] == pytest.approx(-0.5678, abs=1e-4)
    assert "S&P 500" in shocks.basis[0].note
