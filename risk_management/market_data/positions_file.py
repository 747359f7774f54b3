"""A person's own positions, from a CSV file written by hand or saved by a broker's page."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from risk_management.errors import MarketDataError, shown
from risk_management.market_data._position_cells import Cells

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

LARGEST: Final = 32 * 2**20
"""Bytes of a file."""
SHOWN: Final = 20
"""Mistakes that are told at once."""


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
    sheet = _Sheet(Path(path).expanduser())
    rows = sheet.rows()
    if sheet.mistakes:
        more = len(sheet.mistakes) - SHOWN
        said = sheet.mistakes[:SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise MarketDataError("\n".join(said))
    if not rows:
        raise MarketDataError(f"{sheet.path}: no positions below the header; write one a line")
    return rows


@dataclass
class _Sheet:
    """One file while it is read, and all that is wrong with it."""

    path: Path
    mistakes: list[str] = field(default_factory=list)
    width: int = 0
    currency: str = ""

    def rows(self) -> list[PositionRow]:
        """The lines that make sense; of the others `mistakes` tells."""
        lines = self._lines()
        head = next((line for line in lines if line.strip()), "")
        delimiter = max(",;\t", key=head.count)
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        found: list[PositionRow] = []
        columns: dict[str, int] = {}
        try:
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if not columns:
                    columns = self._columns(row, reader.line_num)
                    if self.mistakes:
                        break
                    continue
                found += self._row(row, columns, reader.line_num, delimiter)
        except csv.Error as problem:
            self._wrong(reader.line_num, f"can't be read ({problem}); close every quotation mark in its line")
        if not head:
            self._wrong(
                1, "the file is empty; write a header such as symbol,size,price and one line a position"
            )
        self._no_twins(found)
        return found

    def _lines(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                raw = file.read(LARGEST + 1)
            if len(raw) > LARGEST:
                raise MarketDataError(f"{self.path}: larger than {LARGEST // 2**20} MB; give positions only")
            text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            raise MarketDataError(f"{self.path}: not UTF-8 text; save it as 'CSV UTF-8'") from None
        except OSError as problem:
            raise MarketDataError(
                f"{self.path}: can't be read ({problem.strerror}); check the path"
            ) from None
        except ValueError as problem:
            raise MarketDataError(f"{str(self.path)!r}: not a path ({problem})") from None
        # comments become blank lines, so that the others keep their numbers
        return ["" if line.lstrip().startswith("#") else line for line in text.split("\n")]

    def _columns(self, header: Sequence[str], line: int) -> dict[str, int]:
        """Place of each column that is read, by its first name."""
        known = {other: name for name, others in COLUMNS.items() for other in (name, *others)}
        columns: dict[str, int] = {}
        self.width = len(header)
        for place, cell in enumerate(header):
            written = "_".join(cell.lower().replace("-", " ").replace("_", " ").split())
            name = known.get(written)
            if name is None:
                near = get_close_matches(written, known, n=1, cutoff=0.85)
                if near:
                    self._wrong(line, f"column {cell.strip()!r} is not known; did you mean {near[0]!r}?")
            elif name in columns:
                self._wrong(line, f"column {cell.strip()!r} means {name!r}, which stands twice; keep one")
            else:
                columns[name] = place
        missing = _missing(columns)
        if missing and not self.mistakes:
            found = ", ".join(repr(cell.strip()) for cell in header)
            self._wrong(line, f"{missing} (the header has {found})")
        return columns

    def _row(
        self, row: Sequence[str], columns: Mapping[str, int], line: int, delimiter: str
    ) -> list[PositionRow]:
        """The position of a line, in a list that is empty where the line makes no sense."""
        if any(cell.strip() for cell in row[self.width :]):
            self._wrong(
                line,
                f"{len(row)} cells where the header has {self.width}; "
                'write 1000 or, in quotation marks, "1,000"',
            )
            return []
        texts = {name: row[place].strip() if place < len(row) else "" for name, place in columns.items()}
        cells = Cells(texts, comma_is_thousands=delimiter == ",")
        self._one_currency(line, texts.get("currency", ""))
        symbol, holding = cells.symbol(), cells.holding()
        strategy, bot, account = (cells.name(column) for column in ("strategy", "bot", "account"))
        for said in cells.mistakes:
            self._wrong(line, said)
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
                line,
            )
        ]

    def _one_currency(self, line: int, currency: str) -> None:
        if currency and self.currency and currency != self.currency:
            self._wrong(
                line,
                f"column 'currency': {shown(currency)} after {shown(self.currency)}; "
                "convert all amounts to the currency of the account",
            )
        self.currency = self.currency or currency

    def _no_twins(self, rows: Sequence[PositionRow]) -> None:
        seen: dict[tuple[object, ...], int] = {}
        for row in rows:
            key = (row.symbol, row.size, row.price, row.strategy, row.risk_amount, row.bot, row.account_id)
            first = seen.setdefault(key, row.line)
            if first != row.line:
                self._wrong(
                    row.line,
                    f"{row.symbol} stands with the same values on line {first}; remove one, or write "
                    "their sum in one line",
                )

    def _wrong(self, line: int, said: str) -> None:
        comma = "," if said.startswith("column") else ":"
        self.mistakes.append(f"{self.path}, line {line}{comma} {said}")


def _missing(columns: Mapping[str, int]) -> str:
    """What the header lacks, with the remedy; empty where it lacks nothing."""
    if "symbol" not in columns:
        return "no column 'symbol'; the first line names the columns, such as: symbol,size,price,strategy"
    if "size" not in columns and "quantity" not in columns:
        return "no column 'size' (money) or 'quantity' (units); add one"
    if "size" not in columns and "price" not in columns:
        return "no column 'price'; a quantity needs one, or give 'size' in money"
    return ""
