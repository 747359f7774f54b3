"""The cells of one line of a positions file on their way to one position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from risk_management.core.entry import checked_name, checked_symbol
from risk_management.errors import InvalidRequest, shown
from risk_management.market_data._written_number import written_number

__all__ = ["Cells", "Holding"]

SIDES: Final = {"": 1.0, "long": 1.0, "buy": 1.0, "short": -1.0, "sell": -1.0}
AGREE: Final = 0.01
"""Share by which size and quantity x price may differ."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the numbers of a line say: signed money, the price of a unit where known, money at the stop."""

    size: float
    price: float | None
    risk: float | None


@dataclass
class Cells:
    """Reads the cells of one line and keeps what is wrong with each.

    Parameters
    ----------
    texts : Mapping of str to str
        By the name of the column, without blanks around them.
    comma_is_thousands : bool
    mistakes : list of str
        Column, value and remedy of each.
    """

    texts: Mapping[str, str]
    comma_is_thousands: bool = True
    mistakes: list[str] = field(default_factory=list)

    def symbol(self) -> str:
        """The symbol; what it holds is of no use where a mistake was kept."""
        text = self.texts["symbol"]
        if not text:
            self._wrong("symbol", "is empty; write a symbol such as AAPL")
            return ""
        try:
            return checked_symbol(text)
        except InvalidRequest as problem:
            self.mistakes.append(f"column 'symbol': {problem.message}")
            return ""

    def name(self, column: str) -> str:
        """A strategy, bot or account; empty where none is given."""
        try:
            return checked_name(self.texts.get(column, ""), column, empty=True)
        except InvalidRequest as problem:
            self.mistakes.append(f"column {column!r}: {problem.message}")
            return ""

    def holding(self) -> Holding | None:
        """Size, price and risk; None where they are missing or contradict each other."""
        side = self._side()
        size, quantity = self._number("size", signed=True), self._number("quantity", signed=True)
        price = self._number("price")
        stop, risk = self._number("stop"), self._number("risk_amount", zero=True)
        if self.mistakes or not self._complete(size, quantity, price, side):
            return None
        if quantity is not None and size is not None:
            price = size / quantity if price is None else price
        money = quantity * price if quantity is not None and price is not None else size
        assert money is not None  # noqa: S101 - `_complete` says so
        if side < 0.0:
            money = -abs(money)
        if stop is not None:
            risk = self._stop_risk(money, price, stop, risk)
        return None if self.mistakes else Holding(money, price, risk)

    def _side(self) -> float:
        text = self.texts.get("side", "")
        if text.lower() not in SIDES:
            self._wrong("side", "is no side; write long or short")
            return 1.0
        return SIDES[text.lower()]

    def _number(self, column: str, *, signed: bool = False, zero: bool = False) -> float | None:
        text = self.texts.get(column, "")
        if not text:
            return None
        try:
            number = written_number(text, comma_is_thousands=self.comma_is_thousands)
        except ValueError as problem:
            self._wrong(column, str(problem))
            return None
        if number == 0.0 and not zero:
            self._wrong(column, "is zero; leave out what is not held" if signed else "must be above 0")
        elif number < 0.0 and not signed:
            self._wrong(column, "must be above 0")
        return number

    def _complete(self, size: float | None, quantity: float | None, price: float | None, side: float) -> bool:
        """Whether there is a size, and all that is given agrees."""
        written = size if quantity is None else quantity
        if written is None:
            what = "size" if "size" in self.texts else "quantity"
            self._wrong(what, "is empty; write the money held, or a quantity and a price")
        elif self.texts.get("side", "") and side > 0.0 > written:
            self._wrong("side", f"is long, the amount {written:g} is negative; drop one of the two")
        elif quantity is not None and size is not None:
            self._agree(size, quantity, price)
        elif quantity is not None and price is None:
            self._wrong("price", "is empty; a quantity needs a price, or give the size in money")
        return not self.mistakes

    def _agree(self, size: float, quantity: float, price: float | None) -> None:
        if size * quantity < 0.0:
            self._wrong("size", f"and the quantity {quantity:g} have different signs; drop one of the two")
        elif price is not None and abs(size - quantity * price) > AGREE * abs(size):
            told = f"{quantity:g} x {price:g} = {quantity * price:g}"
            self._wrong("size", f"is not quantity x price ({told}); drop one of the three")

    def _stop_risk(self, money: float, price: float | None, stop: float, risk: float | None) -> float | None:
        """Money lost at the stop."""
        if risk is not None:
            self._wrong("stop", "stands beside a risk_amount; give one of the two")
        elif price is None:
            self._wrong("stop", "needs the price of a unit; add it, or give risk_amount in money")
        elif (price - stop) * money <= 0.0:
            where = "below" if money > 0.0 else "above"
            held = "long" if money > 0.0 else "short"
            self._wrong("stop", f"must lie {where} the price {price:g} of a {held}; give risk_amount instead")
        else:
            return abs(money) * abs(price - stop) / price
        return None

    def _wrong(self, column: str, said: str) -> None:
        self.mistakes.append(f"column {column!r}: {shown(self.texts.get(column, ''))} {said}")
