"""Frames of a user: what is taken, and what is said of what can't be."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from risk_management.errors import MarketDataError
from risk_management.market_data.frame import FrameSource, history_from_frame

DAYS = pd.date_range("2024-01-01", periods=4, freq="B")


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns or {"AAPL": [1.0, 2.0, np.nan, 4.0]}, index=DAYS)


def test_closes_are_copied_and_never_changed() -> None:
    given = frame()
    before = given.copy(deep=True)
    history = history_from_frame(given)
    given.iloc[0, 0] = 99.0
    np.testing.assert_array_equal(history.closes[:, 0], before["AAPL"])
    with pytest.raises(ValueError, match="read-only"):
        history.closes[0, 0] = 5.0
    history_from_frame(before)
    pd.testing.assert_frame_equal(before, frame())


def test_its_last_day_is_its_now() -> None:
    assert history_from_frame(frame()).as_of == datetime(2024, 1, 4, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.tz_localize("America/New_York"),
        DAYS.tz_localize("Asia/Tokyo"),
        DAYS.tz_localize("UTC"),
        DAYS.date,
        [str(day.date()) for day in DAYS],
        DAYS + pd.Timedelta(hours=16),
    ],
    ids=["naive", "new-york", "tokyo", "utc", "dates", "texts", "times"],
)
def test_a_day_is_the_day_that_its_own_zone_shows(index: object) -> None:
    history = history_from_frame(pd.DataFrame({"X": [1.0, 2, 3, 4]}, index=index))
    assert list(history.dates.astype(str)) == [str(day.date()) for day in DAYS]


@pytest.mark.parametrize("values", [[1, 2, 3, 4], ["1", "2.5", "", "4"], [1.0, None, 3, 4]])
def test_numbers_in_any_dress(values: list[object]) -> None:
    assert np.nansum(history_from_frame(frame(X=values)).closes) > 7


BAD = {
    "zero": (frame(AAPL=[1.0, 0.0, 2, 3]), r"row 1 \(2024-01-02.*'AAPL'.*price 0.*correct it"),
    "negative": (frame(AAPL=[1.0, 2, -5.5, 3]), r"row 2 .*'AAPL'.*-5.5"),
    "infinite": (frame(AAPL=[1.0, 2, 3, np.inf]), r"row 3 .*inf"),
    "text": (frame(AAPL=[1.0, "n. m.", 2, 3]), r"row 1 .*'n. m.' is not a price"),
    "thousands": (frame(AAPL=["1,200.5", "1", "2", "3"]), r"row 0 .*'1,200.5'.*thousands"),
    "truth": (frame(AAPL=pd.Series([True, 1.0, 2, 3], DAYS, dtype=object)), r"row 0 .*True is not a price"),
    "order": (frame().iloc[[0, 2, 1, 3]], r"row 2 .*2024-01-02 comes after a later date; sort"),
    "twice": (frame().iloc[[0, 1, 1, 3]], r"row 2 .*2024-01-02 stands twice"),
    "intraday": (
        pd.DataFrame({"X": [1.0, 2]}, pd.DatetimeIndex(["2024-01-02 10:00", "2024-01-02 11:00"])),
        r"2024-01-02 stands twice; keep one close a day",
    ),
    "no dates": (pd.DataFrame({"X": [1.0, 2]}), r"index holds int64, not dates; set dates as index"),
    "words": (pd.DataFrame({"X": [1.0]}, ["soon"]), r"index does not hold dates"),
    "ambiguous": (pd.DataFrame({"X": [1.0]}, ["03/04/2024"]), r"index does not hold dates"),
    "missing date": (
        pd.DataFrame({"X": [1.0, 2]}, pd.DatetimeIndex(["2024-01-02", None])),
        r"row 1 .*missing",
    ),
    "levels": (
        pd.DataFrame([[1.0]], DAYS[:1], pd.MultiIndex.from_tuples([("Close", "X")])),
        r"several levels; choose the closes",
    ),
    "number as symbol": (pd.DataFrame({1: [1.0, 2, 3, 4]}, DAYS), r"column 1 is no symbol"),
    "symbol twice": (pd.DataFrame([[1.0, 2.0]], DAYS[:1], ["A", "A"]), r"'A' stands twice"),
    "no rows": (frame().iloc[:0], r"no rows of prices"),
    "no columns": (pd.DataFrame(index=DAYS), r"no symbols"),
    "series": (frame()["AAPL"], r"to_frame"),
}


@pytest.mark.parametrize(("given", "said"), BAD.values(), ids=BAD)
def test_bad_frames_name_row_column_value_and_remedy(given: pd.DataFrame, said: str) -> None:
    with pytest.raises(MarketDataError, match=said):
        history_from_frame(given)


def test_source_serves_parts() -> None:
    source = FrameSource(frame(A=[1.0, 2, 3, 4], B=[5.0, 6, np.nan, np.nan]), name="mine")
    part = source.history(["B", "NOPE"], start=date(2024, 1, 2), end=date(2024, 1, 3))
    assert part.symbols == ("B",)
    assert part.closes.shape == (2, 1)
    assert source.latest(["A", "B", "NOPE"]) == {
        "A": (4.0, datetime(2024, 1, 4, 21, tzinfo=UTC)),
        "B": (6.0, datetime(2024, 1, 2, 21, tzinfo=UTC)),
    }
