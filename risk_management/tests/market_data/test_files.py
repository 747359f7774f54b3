"""Files of a user: what is taken, and what is said of what can't be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk_management.errors import MarketDataError
from risk_management.market_data.files import FilesSource, history_from_files

WIDE = "date,AAPL,BTC-USD\n2024-01-02,185.64,44957\n2024-01-03,184.25,\n2024-01-04,181.91,44179\n"


def test_one_wide_csv(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(WIDE)
    source = FilesSource(path)
    history = source.history()
    assert history.symbols == ("AAPL", "BTC-USD")
    np.testing.assert_array_equal(history.closes, [[185.64, 44957.0], [184.25, np.nan], [181.91, 44179.0]])
    assert source.latest(["AAPL"]) == {"AAPL": (181.91, datetime(2024, 1, 4, 21, tzinfo=UTC))}
    assert history.info["AAPL"].series == "AAPL closes from prices.csv"


def test_a_folder_with_one_file_a_symbol(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,3,1,2,1.9,7\n2024-01-03,2,4,2,3,2.9,8\n"
    )
    pd.DataFrame({"timestamp": pd.to_datetime(["2024-01-03"]), "close": [5.0]}).to_parquet(
        tmp_path / "MSFT.parquet"
    )
    (tmp_path / "readme.txt").write_text("not a price")
    history = history_from_files(tmp_path)
    assert history.symbols == ("AAPL", "MSFT")
    np.testing.assert_array_equal(history.closes, [[1.9, np.nan], [2.9, 5.0]])


def test_a_single_file_of_bars_is_one_symbol(tmp_path: Path) -> None:
    path = tmp_path / "KO.csv"
    path.write_text("date,open,high,low,close,volume\n2024-01-02,1,3,1,2,7\n")
    assert history_from_files(path).symbols == ("KO",)


@pytest.mark.parametrize("zone", [None, "America/New_York", "Asia/Tokyo"])
def test_parquet_as_pandas_writes_it(tmp_path: Path, zone: str | None) -> None:
    days = pd.date_range("2024-03-07", periods=3, freq="D", tz=zone)
    frame = pd.DataFrame({"A": [1.0, 2, 3], "B": [4.0, np.nan, 6]}, index=days)
    frame.to_parquet(tmp_path / "wide.parquet")
    history = history_from_files(tmp_path / "wide.parquet")
    np.testing.assert_array_equal(history.closes, frame.to_numpy())
    assert str(history.dates[0]) == "2024-03-07"


@pytest.mark.parametrize(
    "text", ["2024-03-08T00:00:00-05:00", "2024-03-08 16:00:00", "2024-03-08", " 2024-03-08"]
)
def test_a_zone_does_not_move_the_day(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"date,A\n{text},1\n")
    assert str(history_from_files(path).dates[0]) == "2024-03-08"


BAD = {
    "text": (
        "date,A\n2024-01-02,1\n2024-01-03,abc\n",
        r"prices.csv, line 3, column 'A': 'abc' is not a price",
    ),
    "zero": (
        "date,A,B\n2024-01-02,1,1\n2024-01-03,2,0\n",
        r"line 3, column 'B': the price 0 .*leave the cell",
    ),
    "negative": ("date,A\n2024-01-02,-1\n", r"line 2, column 'A': the price -1"),
    "euro": ("date,A\n2024-01-02,€5\n", r"line 2, column 'A': '€5'.*without signs of currency"),
    "infinite": ("date,A\n2024-01-02,inf\n", r"line 2, column 'A': the price inf"),
    "order": ("date,A\n2024-01-03,1\n\n2024-01-02,1\n", r"line 4: the date 2024-01-02 comes after a later"),
    "twice": ("date,A\n2024-01-03,1\n2024-01-03,1\n", r"line 3: the date 2024-01-03 stands twice"),
    "american": ("date,A\n01/02/2024,1\n", r"line 2, column 'date': '01/02/2024' is not a date; write YYYY"),
    "no day": ("date,A\n2024-02-30,1\n", r"line 2, column 'date': '2024-02-30' is not a date"),
    "no date column": ("A,B\n1,2\n", r"no column of dates; name one 'date' \(found: 'A', 'B'\)"),
    "short row": ("date,A,B\n2024-01-02,1\n", r"line 2: 2 cells where the header has 3"),
    "decimal comma": ("date,A\n2024-01-02,1,5\n", r"line 2: 3 cells where the header has 2"),
    "no rows": ("date,A\n", r"no rows of prices"),
    "no symbols": ("date\n2024-01-02\n", r"no symbols"),
    "empty": ("", r"no column of dates"),
    "same column": ("date,A,A\n2024-01-02,1,2\n", r"column 'A' stands twice"),
    "nameless": ("date,A,\n2024-01-02,1,2\n", r"a column has no name"),
    "bars without close": ("date,open,high\n2024-01-02,1,2\n", r"no column of closes; name one 'close'"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_bad_files_name_line_column_value_and_remedy(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MarketDataError, match=said):
        history_from_files(path)


def test_bad_parquet_names_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pd.DataFrame({"date": pd.to_datetime(["2024-01-02", "2024-01-03"]), "A": [1.0, -2]}).to_parquet(path)
    with pytest.raises(MarketDataError, match=r"p.parquet, row 2, column 'A': the price -2"):
        history_from_files(path)


def test_what_is_no_file_of_prices(tmp_path: Path) -> None:
    with pytest.raises(MarketDataError, match="no such file or folder"):
        history_from_files(tmp_path / "absent.csv")
    with pytest.raises(MarketDataError, match=r"no .csv or .parquet file lies here"):
        history_from_files(tmp_path)
    (tmp_path / "x.xlsx").write_text("?")
    with pytest.raises(MarketDataError, match=r"suffix '.xlsx' is not known"):
        history_from_files(tmp_path / "x.xlsx")
    (tmp_path / "x.parquet").write_text("?")
    with pytest.raises(MarketDataError, match=r"x.parquet: can't be read"):
        history_from_files(tmp_path / "x.parquet")
    (tmp_path / "AAPL.csv").write_text("date,close\n2024-01-02,1\n")
    (tmp_path / "x.parquet").unlink()
    pd.DataFrame({"date": ["2024-01-02"], "close": [1.0]}).to_parquet(tmp_path / "AAPL.parquet")
    with pytest.raises(MarketDataError, match="'AAPL' stands in two files"):
        history_from_files(tmp_path)
