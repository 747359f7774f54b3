"""A person's past fills, from a CSV file written by hand or saved by a broker's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from risk_management.market_data._fill_cells import FillCells
from risk_management.market_data._sheet import Line, Sheet, Words

__all__ = ["FILL_COLUMNS", "FillRow", "read_fills"]

FILL_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("date", "datetime", "date/time", "timestamp", "executed_at", "trade_date", "execution_time"),
    "symbol": ("ticker", "instrument"),
    "side": ("direction", "action", "buy/sell"),
    "quantity": ("qty", "shares", "units", "filled_qty"),
    "size": ("value", "notional", "amount"),
    "price": ("fill_price", "avg_price", "average_price", "trade_price", "executed_price"),
    "fee": ("fees", "commission"),
    "bot": ("bot_name",),
    "strategy": (),
    "id": ("execution_id", "trade_id", "exec_id", "fill_id"),
    "currency": ("ccy",),
}
"""The columns that are read, each with its other names; case and order do not matter."""
WORDS: Final = Words("fills", "fill", "time,symbol,side,quantity,price")


@dataclass(frozen=True, slots=True)
class FillRow:
    """One fill as the file has it.

    Parameters
    ----------
    time : datetime
        Aware UTC.
    symbol : str
    side : int
        +1 for a purchase, -1 for a sale.
    quantity, price : float
        Units, and money for one.
    fee : float
        Money, 0 or more.
    bot, strategy : str
        Empty where none is given.
    execution_id : str
        Empty where none is given.
    line : int
        Line of the file.
    is_day : bool
        Only the day was given; the time is its close.
    """

    time: datetime
    symbol: str
    side: int
    quantity: float
    price: float
    fee: float = 0.0
    bot: str = ""
    strategy: str = ""
    execution_id: str = ""
    line: int = 0
    is_day: bool = False

    @property
    def money(self) -> float:
        """Money that was traded, without the fee."""
        return self.quantity * self.price


def read_fills(path: Path | str) -> list[FillRow]:
    """The fills in a CSV file, oldest first.

    Parameters
    ----------
    path : Path or str
        UTF-8 text with a header, cells separated by commas, semicolons or tabs: ``time`` (ISO 8601, UTC
        without an offset; a day alone is its close), ``symbol``, ``side`` (or a negative amount for a
        sale), ``quantity`` or ``size`` in money, ``price``; beside them, if there is something to say,
        ``fee``, ``bot``, ``strategy``, ``id``. Further columns are left alone; blank lines and lines that
        begin with ``#`` too.

    Raises
    ------
    MarketDataError
        The first 20 mistakes at once, each with file, line, column, value and remedy.

    Notes
    -----
    Lines may stand in any order of time. Fills of one moment keep the order of the file; in a file that
    runs from the newest to the oldest they are turned round with it.
    """
    sheet = Sheet(Path(path).expanduser(), FILL_COLUMNS, _missing, WORDS)
    rows = [row for line in sheet.lines() for row in _row(line, sheet)]
    _no_second_id(rows, sheet)
    sheet.close(is_empty=not rows)
    times = [row.time for row in rows]
    if times == sorted(times, reverse=True):
        rows.reverse()
    return sorted(rows, key=lambda row: row.time)


def _row(line: Line, sheet: Sheet) -> list[FillRow]:
    """The fill of a line, in a list that is empty where the line makes no sense."""
    cells = FillCells(line.texts, comma_is_thousands=line.comma_is_thousands)
    sheet.one_currency(line.number, line.texts.get("currency", ""))
    (time, is_day), symbol, traded, fee = cells.time(), cells.symbol(), cells.traded(), cells.fee()
    bot, strategy, execution_id = cells.bot(), cells.name("strategy"), cells.name("id")
    for said in cells.mistakes:
        sheet.wrong(line.number, said)
    if cells.mistakes or traded is None:
        return []
    return [
        FillRow(
            time,
            symbol,
            traded.side,
            traded.quantity,
            traded.price,
            fee,
            bot,
            strategy,
            execution_id,
            line.number,
            is_day,
        )
    ]


def _no_second_id(rows: Sequence[FillRow], sheet: Sheet) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.execution_id, row.line) if row.execution_id else row.line
        if first != row.line:
            sheet.wrong(row.line, f"column 'id': {row.execution_id!r} stands on line {first} too; keep one")


def _missing(columns: Mapping[str, int]) -> str:
    """What the header lacks, with the remedy; empty where it lacks nothing."""
    example = "the first line names the columns, such as: time,symbol,side,quantity,price"
    for name in ("time", "symbol"):
        if name not in columns:
            return f"no column {name!r}; {example}"
    if "size" not in columns and "quantity" not in columns:
        return "no column 'quantity' (units) or 'size' (money); add one"
    if "price" not in columns:
        return "no column 'price'; every fill needs the price that it was made at"
    return ""
