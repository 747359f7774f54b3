"""The cells of one line of a file of fills on their way to one fill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from risk_management.core.entry import checked_bot
from risk_management.errors import InvalidRequest
from risk_management.market_data._position_cells import AGREE, Cells
from risk_management.market_data._series import DAILY_CLOSE

__all__ = ["FillCells", "Traded"]

SIDES: Final = {
    "buy": 1,
    "b": 1,
    "bought": 1,
    "bot": 1,
    "long": 1,
    "sell": -1,
    "s": -1,
    "sold": -1,
    "sld": -1,
    "short": -1,
}
DAY: Final = len("2022-03-01")
FIRST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class Traded(NamedTuple):
    """What the numbers of a line say: +1 or -1, units and the price of one, both above 0."""

    side: int
    quantity: float
    price: float


@dataclass
class FillCells(Cells):
    """Reads the cells of one fill and keeps what is wrong with each."""

    def time(self) -> tuple[datetime, bool]:
        """Aware UTC time, and whether only the day was given; a day alone is its close, 21:00 UTC."""
        text = self.texts["time"]
        wanted = "write 2022-03-01, or 2022-03-01 14:30 in UTC, or with its offset: 2022-03-01T09:30-05:00"
        if not text:
            self._wrong("time", f"is empty; {wanted}")
            return FIRST, False
        try:
            if len(text) == DAY:
                return datetime.combine(date.fromisoformat(text), DAILY_CLOSE), True
            written = datetime.fromisoformat(text)
            moment = written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
        except (ValueError, OverflowError):
            self._wrong("time", f"is no time; {wanted}")
            return FIRST, False
        if not FIRST < moment < LAST:
            self._wrong("time", "is no year that was traded in; correct it")
        return moment, False

    def traded(self) -> Traded | None:
        """Side, units and price; None where they are missing or contradict each other."""
        side = self._direction()
        size, quantity = self._number("size", signed=True), self._number("quantity", signed=True)
        price = self._number("price")
        if not self.texts.get("price", ""):
            self._wrong("price", "is empty; write the price of the fill")
        amount = size if quantity is None else quantity
        if not self.texts.get("size", "") and not self.texts.get("quantity", ""):
            what = "quantity" if "quantity" in self.texts else "size"
            self._wrong(what, "is empty; write the units that were traded, or the size in money")
        if self.mistakes or amount is None or price is None:
            return None
        self._one_direction(side, amount)
        if size is not None and quantity is not None:
            self._agree_on(size, quantity, price)
        if self.mistakes:
            return None
        units = abs(amount) if quantity is not None else abs(amount) / price
        return Traded(side or (1 if amount > 0.0 else -1), units, price)

    def fee(self) -> float:
        """Money, 0 or more."""
        return self._number("fee", zero=True) or 0.0

    def bot(self) -> str:
        """A bot's name; empty where none is given."""
        try:
            return checked_bot(self.texts["bot"]) if self.texts.get("bot", "") else ""
        except InvalidRequest as problem:
            self.mistakes.append(f"column 'bot': {problem.message}")
            return ""

    def _direction(self) -> int:
        """+1 or -1, 0 where no side is given."""
        text = self.texts.get("side", "")
        if text and text.lower() not in SIDES:
            self._wrong("side", "is no side; write buy or sell")
        return SIDES.get(text.lower(), 0)

    def _one_direction(self, side: int, amount: float) -> None:
        if side == 0 and "side" in self.texts and amount > 0.0:
            self._wrong("side", "is empty; write buy or sell")
        elif side > 0 and amount < 0.0:
            self._wrong("side", f"buys, the amount {amount:g} is negative; drop one of the two")

    def _agree_on(self, size: float, quantity: float, price: float) -> None:
        if abs(abs(size) - abs(quantity) * price) > AGREE * abs(size):
            told = f"{abs(quantity):g} x {price:g} = {abs(quantity) * price:g}"
            self._wrong("size", f"is not quantity x price ({told}); drop one of the three")
