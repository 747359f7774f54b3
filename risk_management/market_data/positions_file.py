"""A person's own positions, from a CSV file written by hand or saved by a broker's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from risk_management.market_data._position_cells import Cells
from risk_management.market_data._sheet import Line, Sheet, Words

__all__ = ["COLUMNS", "PositionRow", "read_positions"]

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "symbol": ("ticker", "instrument"),
    "size": ("value", "notional", "market_value", "amount", "exposure"),
    "quantity": ("qty", "shares", "units"),
    "price": ("entry_price", "avg_price", "average_price", "cost_price"),
    "side": ("direction",),
    "strategy": (),
    "stop": ("stop_price", "stop_loss"),
    "risk_amount": ("risk",),
    "bot": ("bot_name",),
    "account": ("account_id",),
    "currency": ("ccy",),
}
"""The columns that are read, each with its other names; case and order do not matter."""

WORDS: Final = Words("positions", "position", "symbol,size,price")


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One position as the file has it.

    Parameters
    ----------
    symbol : str
    size : float
        Money, negative for a short.
    price : float or None
        Money paid for a unit; None where the file gives the size alone.
    strategy : str
    risk_amount : float or None
        Money lost if the stop is hit.
    bot, account_id : str or None
    line : int
        Line of the file.
    """

    symbol: str
    size: float
    price: float | None = None
    strategy: str = ""
    risk_amount: float | None = None
    bot: str | None = None
    account_id: str | None = None
    line: int = 0

    @property
    def unit_cost(self) -> float:
        """The price, or 1 where it is not known: the position then counts units of money.

        Such a position is worth its size until somebody feeds quotes of the instrument, which would be
        taken for prices of those units. Give a price wherever quotes will come.
        """
        return 1.0 if self.price is None else self.price


def read_positions(path: Path | str) -> list[PositionRow]:
    """The positions in a CSV file.

    Parameters
    ----------
    path : Path or str
        UTF-8 text with a header, cells separated by commas, semicolons or tabs: ``symbol`` and ``size``
        (money, negative for a short), or ``quantity`` and ``price``; beside them, if there is something
        to say, ``strategy``, ``stop`` (a price) or ``risk_amount`` (money), ``side``, ``bot``,
        ``account``. Further columns are left alone; blank lines and lines that begin with ``#`` too.

    Raises
    ------
    MarketDataError
        The first 20 mistakes at once, each with file, line, column, value and remedy.
    """
    sheet = Sheet(Path(path).expanduser(), COLUMNS, _missing, WORDS)
    rows = [row for line in sheet.lines() for row in _row(line, sheet)]
    _no_twins(rows, sheet)
    sheet.close(is_empty=not rows)
    return rows


def _row(line: Line, sheet: Sheet) -> list[PositionRow]:
    """The position of a line, in a list that is empty where the line makes no sense."""
    cells = Cells(line.texts, comma_is_thousands=line.comma_is_thousands)
    sheet.one_currency(line.number, line.texts.get("currency", ""))
    symbol, holding = cells.symbol(), cells.holding()
    strategy, bot, account = (cells.name(column) for column in ("strategy", "bot", "account"))
    for said in cells.mistakes:
        sheet.wrong(line.number, said)
    if cells.mistakes or holding is None:
        return []
    return [
        PositionRow(
            symbol,
            holding.size,
            holding.price,
            strategy,
            holding.risk,
            bot or None,
            account or None,
            line.number,
        )
    ]


def _no_twins(rows: Sequence[PositionRow], sheet: Sheet) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for row in rows:
        key = (row.symbol, row.size, row.price, row.strategy, row.risk_amount, row.bot, row.account_id)
        first = seen.setdefault(key, row.line)
        if first != row.line:
            sheet.wrong(
                row.line,
                f"{row.symbol} stands with the same values on line {first}; remove one, or write "
                "their sum in one line",
            )


def _missing(columns: Mapping[str, int]) -> str:
    """What the header lacks, with the remedy; empty where it lacks nothing."""
    if "symbol" not in columns:
        return "no column 'symbol'; the first line names the columns, such as: symbol,size,price,strategy"
    if "size" not in columns and "quantity" not in columns:
        return "no column 'size' (money) or 'quantity' (units); add one"
    if "size" not in columns and "price" not in columns:
        return "no column 'price'; a quantity needs one, or give 'size' in money"
    return ""
