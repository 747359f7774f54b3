"""Prices from CSV and Parquet files of the user."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from risk_management.errors import MarketDataError
from risk_management.market_data._series import (
    Days,
    Floats,
    Place,
    checked_closes,
    checked_dates,
    join,
    newest,
    select,
)
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["FilesSource", "history_from_files"]

_DATE_NAMES = ("date", "day", "datetime", "timestamp", "time", "__index_level_0__")
_CLOSE_NAMES = ("adj close", "adj_close", "adjclose", "adjusted", "adjusted close", "close", "price")
_BAR_NAMES = frozenset({"open", "high", "low", "close", "adj close", "adj_close", "adjusted", "volume"})
_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class _Table:
    """A file as columns of cells.

    Parameters
    ----------
    path : Path
    columns : dict of str to sequence of object
    lines : sequence of int
        Line of the file, or row of the Parquet table, of each row of cells.
    """

    path: Path
    columns: dict[str, Sequence[object]]
    lines: Sequence[int]

    def place(self, row: int) -> str:
        """Where row `row` stands."""
        word = "line" if self.path.suffix.lower() == ".csv" else "row"
        return f"{self.path}, {word} {self.lines[row]}" if row < len(self.lines) else str(self.path)

    def named(self, names: Sequence[str]) -> str | None:
        """The first column whose name is one of `names`, in their order, whatever the case."""
        by_name = {name.strip().lower(): name for name in reversed(self.columns)}
        return next((by_name[name] for name in names if name in by_name), None)


def history_from_files(path: Path | str) -> PriceHistory:
    """The closes in one wide file, or in a folder with one file a symbol.

    Parameters
    ----------
    path : Path or str
        A CSV or Parquet file with a column of dates and one column of closes a symbol; or a folder of
        such files, each with a column of dates and of closes, named after its symbol. An adjusted close
        goes before a plain one. Dates are ISO, a time behind them is cut off and a zone is not
        converted: ``2024-03-08T00:00:00-05:00`` is the 8th of March.

    Raises
    ------
    MarketDataError
        The files are not of that shape; the text names file, line, column, value and remedy.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        paths = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES)
        if not paths:
            raise MarketDataError(f"{path}: no .csv or .parquet file lies here; put one a symbol there")
    elif path.is_file():
        paths = [path]
    else:
        raise MarketDataError(f"{path}: no such file or folder; correct market_data_config.path")
    series: dict[str, tuple[Days, Floats]] = {}
    info: dict[str, SeriesInfo] = {}
    for one in paths:
        for symbol, days, closes in _series_of(one, wide=not path.is_dir()):
            if symbol in series:
                raise MarketDataError(f"{one}: the symbol {symbol!r} stands in two files; remove one")
            series[symbol] = days, closes
            info[symbol] = SeriesInfo(symbol, "files", f"{symbol} closes from {one.name}")
    return join(series, info, "files")


def _series_of(path: Path, *, wide: bool) -> Iterator[tuple[str, Days, Floats]]:
    table = _read(path)
    dates = table.named(_DATE_NAMES)
    if dates is None:
        raise MarketDataError(f"{path}: no column of dates; name one 'date' (found: {_listed(table)})")
    days = checked_dates(_days(table.columns[dates], dates, table.place), table.place)
    names = {name.strip().lower() for name in table.columns}
    if wide and len(names & _BAR_NAMES) < 2:
        symbols = {name: name.strip() for name in table.columns if name != dates}
    else:
        close = table.named(_CLOSE_NAMES)
        if close is None:
            raise MarketDataError(f"{path}: no column of closes; name one 'close' (found: {_listed(table)})")
        symbols = {close: path.stem}
    for name, symbol in symbols.items():
        yield symbol, days, checked_closes(table.columns[name], name, table.place)


def _listed(table: _Table) -> str:
    return ", ".join(repr(name) for name in table.columns)


def _read(path: Path) -> _Table:
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return _read_csv(path)
        if suffix == ".parquet":
            return _read_parquet(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as problem:
        raise MarketDataError(f"{path}: can't be read ({problem}); check the file") from problem
    raise MarketDataError(f"{path}: the suffix {suffix!r} is not known; use .csv or .parquet")


def _read_csv(path: Path) -> _Table:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        rows, lines = [], []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise MarketDataError(
                    f"{path}, line {reader.line_num}: {len(row)} cells where the header has {len(header)}; "
                    "write one cell a column, separated by commas"
                )
            rows.append(row)
            lines.append(reader.line_num)
    _no_twins(path, header)
    cells: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return _Table(path, dict(zip(header, cells, strict=True)), lines)


def _read_parquet(path: Path) -> _Table:
    table = pq.ParquetFile(path).read(use_threads=False)
    _no_twins(path, table.column_names)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return _Table(path, columns, range(1, table.num_rows + 1))


def _no_twins(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise MarketDataError(f"{path}: the column {twice[0]!r} stands twice; keep one")
    if "" in (name.strip() for name in names[1:]):
        raise MarketDataError(f"{path}: a column has no name; name it after its symbol")


def _days(cells: Sequence[object], column: str, place: Place) -> Days:
    days = np.empty(len(cells), "datetime64[D]")
    for row, cell in enumerate(cells):
        try:
            days[row] = _day(cell)
        except ValueError:
            raise MarketDataError(
                f"{place(row)}, column {column!r}: {cell!r} is not a date; write YYYY-MM-DD"
            ) from None
    return days


def _day(cell: object) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    if not isinstance(cell, str):
        raise ValueError(cell)
    text = cell.strip()
    return datetime.fromisoformat(text).date() if len(text) > 10 else date.fromisoformat(text)


class FilesSource:
    """Serves the closes of the user's files, read once at the first question.

    Parameters
    ----------
    path : Path or str
        See `history_from_files`.
    """

    name = "files"
    is_sample = False

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._history: PriceHistory | None = None

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Closes of the files; unknown symbols are left out."""
        if self._history is None:
            self._history = history_from_files(self.path)
        return select(self._history, symbols, start, end)

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Last close and its moment, of the symbols in the files."""
        return newest(self.history(), symbols)
