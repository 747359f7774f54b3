"""Alignment against naive pandas, look-ahead, and stand-ins that never lower the risk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_management.errors import MarketDataError
from risk_management.market_data.frame import history_from_frame
from risk_management.market_data.instruments import load_instrument_facts
from risk_management.market_data.returns import (
    STAND_IN_VOLATILITY,
    build_returns,
    coverage_report,
    extend_returns,
    rows_until,
)
from risk_management.market_data.sample import sample_history
from risk_management.model.market import HistoryKind, PriceHistory, ReturnMatrix

CLASSES = {symbol: facts.asset_class for symbol, facts in load_instrument_facts().items()}


def column(matrix: ReturnMatrix, symbol: str) -> np.ndarray:
    return matrix.values[:, matrix.columns[symbol]]


def volatility(matrix: ReturnMatrix, symbol: str, periods: int = 252) -> float:
    return float(column(matrix, symbol).std(ddof=1) * periods**0.5)


def prices(days: pd.DatetimeIndex, seed: int = 1, spread: float = 0.01) -> pd.Series:
    moves = np.random.default_rng(seed).normal(0, spread, len(days))
    return pd.Series(100 * np.cumprod(1 + moves), days)


BUSINESS = pd.bdate_range("2023-01-02", periods=300)
DAILY = pd.date_range("2023-01-02", BUSINESS[-1])


@pytest.fixture(scope="module")
def sample() -> ReturnMatrix:
    return build_returns(sample_history(), asset_classes=CLASSES)


def test_full_histories_equal_pandas(sample: ReturnMatrix) -> None:
    history = sample_history()
    frame = pd.DataFrame(history.closes, pd.DatetimeIndex(history.dates), list(history.symbols))
    frame = frame.loc[:"2022-12-28"].dropna(subset=["SPY"])
    naive = frame.pct_change(fill_method=None).iloc[-1250:]
    np.testing.assert_array_equal(sample.dates, naive.index.to_numpy().astype("datetime64[D]"))
    for symbol in naive:
        if sample.coverage[symbol].kind in (HistoryKind.OWN, HistoryKind.PROXY):
            np.testing.assert_allclose(column(sample, symbol), naive[symbol], rtol=1e-12)


def test_shape_of_the_sample_matrix(sample: ReturnMatrix) -> None:
    assert sample.values.shape == (1250, 30)
    assert sample.values.flags.f_contiguous
    assert not sample.values.flags.writeable
    assert not sample.dates.flags.writeable
    assert np.isfinite(sample.values).all()
    assert sample.as_of == datetime(2022, 12, 28, 21, tzinfo=UTC)
    assert sample.leans_on(("SPY", "AAPL")) == (
        "sample data, for demonstration",
        "SPY leans on S&P 500 index returns (proxy, without dividends).",
    )


def test_series_that_end_early_are_stale_and_listed(sample: ReturnMatrix) -> None:
    assert {s for s, one in sample.coverage.items() if one.stale} == {"BTC", "ETH", "BCH"}
    assert "stale: its last price is of 2021-09-05" in sample.coverage["BTC"].note
    assert sample.coverage["BTC"].kind is HistoryKind.STAND_IN
    later = build_returns(
        sample_history(),
        asset_classes=CLASSES,
        as_of=datetime(2023, 1, 9, tzinfo=UTC),
        symbols=["AAPL", "META"],
    )
    assert {s for s, one in later.coverage.items() if one.stale} == {"AAPL"}


@settings(max_examples=15, deadline=None)
@given(at=st.integers(300, 6200), seed=st.integers(0, 2**32 - 1))
def test_nothing_after_as_of_is_read(at: int, seed: int) -> None:
    history = sample_history()
    day = history.dates[at].astype(object)
    moment = datetime(day.year, day.month, day.day, 21, tzinfo=UTC)
    closes = history.closes.copy()
    noise = np.random.default_rng(seed)
    closes[at + 1 :] = noise.uniform(1, 1e4, closes[at + 1 :].shape)
    closes[at + 1 :][noise.random(closes[at + 1 :].shape) < 0.3] = np.nan
    scrambled = replace(history, closes=closes)
    wanted = ("SPY", "AAPL", "META", "BTC", "NOPE")
    one, other = (
        build_returns(h, symbols=wanted, asset_classes=CLASSES, as_of=moment) for h in (history, scrambled)
    )
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.dates, other.dates)
    assert one.coverage == other.coverage
    assert one.dates[-1] <= history.dates[at]


@pytest.mark.parametrize(("hour", "last"), [(20, "2022-03-09"), (21, "2022-03-10"), (23, "2022-03-10")])
def test_a_bar_that_is_still_forming_is_left_out(hour: int, last: str) -> None:
    matrix = build_returns(
        sample_history(), symbols=["SPY"], as_of=datetime(2022, 3, 10, hour, tzinfo=UTC), window=20
    )
    assert str(matrix.dates[-1]) == last


def test_weekend_moves_of_a_coin_land_on_monday() -> None:
    coin = prices(DAILY, 2, 0.03)
    frame = pd.DataFrame({"AAPL": prices(BUSINESS), "MSFT": prices(BUSINESS, 3), "BTC": coin})
    matrix = build_returns(history_from_frame(frame), asset_classes=CLASSES)
    np.testing.assert_array_equal(matrix.dates, BUSINESS[1:].to_numpy().astype("datetime64[D]"))
    np.testing.assert_allclose(column(matrix, "BTC"), coin.reindex(BUSINESS).pct_change().iloc[1:])
    assert (column(matrix, "AAPL") != 0).all(), "no weekends of zeros"
    assert matrix.coverage["BTC"].kind is HistoryKind.OWN


def test_one_stock_and_one_unnamed_coin_still_meet_on_trading_days() -> None:
    frame = pd.DataFrame({"AAPL": prices(BUSINESS), "COIN24": prices(DAILY, 2)})
    assert len(build_returns(history_from_frame(frame)).dates) == len(BUSINESS) - 1


def test_coins_alone_keep_their_365_days() -> None:
    frame = pd.DataFrame({"AAPL": prices(BUSINESS), "BTC": prices(DAILY, 2), "ETH": prices(DAILY, 3)})
    matrix = build_returns(
        history_from_frame(frame),
        symbols=["BTC", "ETH", "NEWCOIN"],
        asset_classes={**CLASSES, "NEWCOIN": "crypto"},
    )
    assert len(matrix.dates) == len(DAILY) - 1
    np.testing.assert_allclose(column(matrix, "BTC"), frame["BTC"].pct_change().iloc[1:])
    assert volatility(matrix, "NEWCOIN", 365) == pytest.approx(1.2)
    widened = extend_returns(matrix, ["AAPL"], history_from_frame(frame), asset_classes={"AAPL": "equity"})
    assert widened.coverage["AAPL"].kind is HistoryKind.STAND_IN
    assert (column(widened, "AAPL") != 0).all(), "no weekends of zeros"


def test_holidays_of_one_market_move_into_the_next_return() -> None:
    frame = pd.DataFrame({name: prices(BUSINESS, seed) for seed, name in enumerate("ABC")})
    frame.iloc[[100, 101], 2] = np.nan
    matrix = build_returns(history_from_frame(frame))
    got = column(matrix, "C")
    assert got[99] == got[100] == 0.0
    assert got[101] == pytest.approx(frame["C"].iloc[102] / frame["C"].iloc[99] - 1)
    assert matrix.coverage["C"].gaps == 2
    assert matrix.coverage["C"].observations == 297
    assert matrix.coverage["C"].kind is HistoryKind.OWN
    wealth = np.prod(1 + got)
    assert wealth == pytest.approx(frame["C"].iloc[-1] / frame["C"].iloc[0])


@pytest.mark.parametrize(("days", "kind"), [(5, HistoryKind.OWN), (6, HistoryKind.BACKFILLED)])
def test_a_longer_gap_is_not_spanned(days: int, kind: HistoryKind) -> None:
    frame = pd.DataFrame({name: prices(BUSINESS, seed) for seed, name in enumerate("ABC")})
    frame.iloc[100 : 100 + days, 2] = np.nan
    matrix = build_returns(history_from_frame(frame), max_gap=5)
    assert matrix.coverage["C"].kind is kind
    assert matrix.coverage["C"].gaps == days


def test_a_day_on_which_only_a_minority_trades_is_none() -> None:
    frame = pd.DataFrame({name: prices(BUSINESS, seed) for seed, name in enumerate("ABC")})
    frame.iloc[50, [0, 1]] = np.nan
    dates = build_returns(history_from_frame(frame)).dates
    assert BUSINESS[50].to_datetime64().astype("datetime64[D]") not in dates
    assert len(dates) == 298


def test_late_listing_and_early_end_have_no_vote_and_are_backfilled() -> None:
    frame = pd.DataFrame({name: prices(BUSINESS, seed) for seed, name in enumerate("ABCDE")})
    frame.iloc[:150, 1:4] = np.nan
    frame.iloc[280:, 4] = np.nan
    matrix = build_returns(history_from_frame(frame))
    assert len(matrix.dates) == 299
    late, ended = matrix.coverage["B"], matrix.coverage["E"]
    assert (late.kind, late.observations, late.stale) == (HistoryKind.BACKFILLED, 149, False)
    assert (ended.kind, ended.observations, ended.stale) == (HistoryKind.BACKFILLED, 279, True)
    np.testing.assert_allclose(column(matrix, "B")[150:], frame["B"].pct_change().iloc[151:])
    own = column(matrix, "B")[150:].std()
    assert column(matrix, "B")[:150].std() > 0
    market = matrix.values[:150, [0, 4]].mean(axis=1)
    assert np.corrcoef(column(matrix, "B")[:150], market)[0, 1] == pytest.approx(1.0)
    assert column(matrix, "B")[:150].std() >= market.std()
    assert "has returns on 149 of 299 days" in late.note
    assert own > 0


def test_a_backfill_is_never_calmer_than_the_market() -> None:
    days = BUSINESS
    calm = prices(days, 5, 0.001)
    frame = pd.DataFrame({"SPY": prices(days, 1, 0.02), "A": prices(days, 2), "B": calm})
    frame.iloc[:100, 2] = np.nan
    matrix = build_returns(history_from_frame(frame), asset_classes=CLASSES)
    assert column(matrix, "B")[:100].std() >= 0.999 * column(matrix, "SPY")[:100].std()


@pytest.mark.parametrize("group", ["equity", "crypto", "other", "index_fund", "no such class"])
def test_a_stand_in_is_at_least_as_wild_as_every_name_of_its_class(group: str) -> None:
    classes = {**CLASSES, "NEW": group}
    symbols = (*sample_history().symbols, "NEW")
    for floors in (STAND_IN_VOLATILITY, {"equity": 0.01}):
        matrix = build_returns(
            sample_history(), symbols=symbols, asset_classes=classes, stand_in_volatility=floors
        )
        new = volatility(matrix, "NEW")
        assert matrix.coverage["NEW"].kind is HistoryKind.STAND_IN
        assert new >= floors.get(group, 0.0) - 1e-9
        for symbol in matrix.symbols:
            own = matrix.coverage[symbol].kind is not HistoryKind.STAND_IN
            if own and (group == "other" or classes[symbol] == group):
                assert new >= volatility(matrix, symbol) - 1e-9, symbol
    assert column(matrix, "NEW").min() >= -0.99


def test_dropping_an_unknown_name_would_lower_the_risk(sample: ReturnMatrix) -> None:
    weights = np.full(3, 1 / 3)
    matrix = build_returns(sample_history(), symbols=["SPY", "AAPL", "NOPE"], asset_classes=CLASSES)
    var = -np.quantile(matrix.values @ weights, 0.05)
    dropped = -np.quantile(matrix.values[:, :2] @ weights[:2], 0.05)
    best_case = -np.quantile(matrix.values[:, [0, 1, 1]] @ weights, 0.05)
    assert var > best_case > dropped


def test_a_declared_proxy_serves_before_the_stand_in(sample: ReturnMatrix) -> None:
    matrix = build_returns(
        sample_history(),
        symbols=["TQQQ", "BTC", "AAPL", "LOST"],
        asset_classes=CLASSES,
        proxies={"TQQQ": "QQQ", "BTC": "AMD", "AAPL": "SPY", "LOST": "NOWHERE"},
    )
    np.testing.assert_array_equal(column(matrix, "TQQQ"), column(sample, "QQQ"))
    np.testing.assert_array_equal(column(matrix, "BTC"), column(sample, "AMD"))
    np.testing.assert_array_equal(column(matrix, "AAPL"), column(sample, "AAPL"))
    kinds = {symbol: matrix.coverage[symbol].kind.value for symbol in matrix.symbols}
    assert kinds == {"TQQQ": "proxy", "BTC": "proxy", "AAPL": "own", "LOST": "stand_in"}
    assert matrix.coverage["TQQQ"].note.startswith(
        "TQQQ leans on the returns of QQQ (declared proxy). QQQ leans"
    )


def test_nothing_asked_for_is_dropped() -> None:
    matrix = build_returns(sample_history(), symbols=["X", "Y", "X"], asset_classes=CLASSES)
    assert matrix.symbols == ("X", "Y")
    assert matrix.values.shape == (1250, 2)
    assert volatility(matrix, "X") == pytest.approx(0.8)
    assert not matrix.coverage["X"].observations


def test_extension_adds_and_changes_nothing_old(sample: ReturnMatrix) -> None:
    small = build_returns(sample_history(), symbols=["SPY", "QQQ", "AAPL", "BTC"], asset_classes=CLASSES)
    wide = extend_returns(
        small,
        ["AAPL", "META", "TQQQ", "NOPE"],
        sample_history(),
        asset_classes=CLASSES,
        proxies={"TQQQ": "QQQ"},
    )
    assert wide.symbols == ("SPY", "QQQ", "AAPL", "BTC", "META", "TQQQ", "NOPE")
    np.testing.assert_array_equal(wide.values[:, :4], small.values)
    np.testing.assert_array_equal(column(wide, "META"), column(sample, "META"))
    np.testing.assert_array_equal(column(wide, "TQQQ"), column(sample, "QQQ"))
    assert volatility(wide, "NOPE") >= max(volatility(wide, s) for s in ("SPY", "QQQ", "AAPL", "META"))
    assert not wide.values.flags.writeable
    assert wide.as_of == small.as_of
    assert wide.coverage["AAPL"] == small.coverage["AAPL"]
    assert extend_returns(small, ["AAPL"], sample_history()) is small
    with pytest.raises(MarketDataError, match="lacks days of the matrix"):
        extend_returns(small, ["NEW"], history_from_frame(pd.DataFrame({"A": prices(BUSINESS)})))


def test_the_report_puts_the_weakest_first(sample: ReturnMatrix) -> None:
    rows = coverage_report(sample)
    assert [row["kind"] for row in rows[:6]] == ["stand_in"] * 3 + ["proxy"] * 2 + ["own"]
    assert len(rows) == 30
    assert rows[-1] == {
        "symbol": "XOM",
        "kind": "own",
        "observations": 1250,
        "of": 1250,
        "first": "1999-01-04",
        "last": "2022-12-28",
        "gaps": 0,
        "stale": False,
        "note": "",
    }


def test_rows_until_is_the_matrix_of_an_earlier_day(sample: ReturnMatrix) -> None:
    part = rows_until(sample, 1000, 250)
    np.testing.assert_array_equal(part.values, sample.values[750:1000])
    assert part.as_of.date() == sample.dates[999].astype(date)
    assert len(rows_until(sample, 100, 250).dates) == 100
    for end in (0, 1251):
        with pytest.raises(MarketDataError, match="rows"):
            rows_until(sample, end, 250)


def test_a_short_calendar_lowers_the_demand() -> None:
    frame = pd.DataFrame({"A": prices(BUSINESS[:30]), "B": prices(BUSINESS[:30], 2)})
    matrix = build_returns(history_from_frame(frame))
    assert {one.kind for one in matrix.coverage.values()} == {HistoryKind.OWN}
    assert matrix.coverage["A"].observations == 29


def _frame(rows: int, value: float | None = None) -> PriceHistory:
    series = prices(BUSINESS[:rows])
    return history_from_frame(pd.DataFrame({"A": series if value is None else series * 0 + value}))


@pytest.mark.parametrize(
    ("history", "symbols", "said"),
    [
        (_frame(1), ["A"], "no two days up to 2023-01-02"),
        (_frame(50, 7.0), ["A", "NEW"], "needs a stand-in, but no price in the history moves"),
    ],
)
def test_what_can_not_be_aligned(history: PriceHistory, symbols: list[str], said: str) -> None:
    with pytest.raises(MarketDataError, match=said):
        build_returns(history, symbols=symbols)


def test_as_of_must_be_aware_and_after_the_first_days() -> None:
    with pytest.raises(MarketDataError, match="aware"):
        build_returns(sample_history(), as_of=datetime(2020, 1, 1))  # noqa: DTZ001
    with pytest.raises(MarketDataError, match="no two days up to 1990-01-01"):
        build_returns(sample_history(), as_of=datetime(1990, 1, 1, 22, tzinfo=UTC))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), holes=st.floats(0, 0.6), names=st.integers(1, 5))
def test_finite_and_complete_whatever_is_missing(seed: int, holes: float, names: int) -> None:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({f"S{n}": prices(BUSINESS, seed % 1000 + n) for n in range(names)})
    frame = frame.mask(random.random(frame.shape) < holes)
    symbols = [*frame, "NEW"]
    matrix = build_returns(history_from_frame(frame), symbols=symbols, window=200)
    assert np.isfinite(matrix.values).all()
    assert matrix.symbols == tuple(symbols)
    assert len(matrix.dates) <= 200
    assert matrix.as_of - timedelta(days=2) < datetime(2024, 3, 1, tzinfo=UTC)
    for one in matrix.coverage.values():
        assert 0 <= one.observations <= len(matrix.dates)
