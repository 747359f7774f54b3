"""The broker: it fills what it is sent at true prices, and tells of it late, twice, out of order, or never.

Its units and its cash are the truth that the engine is held against.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.reduction import CloseIntent
from risk_management.errors import InvalidRequest, UnknownRequest
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import EXTERNAL
from risk_management.simulate.faults import LONGEST_OUTAGE, Faults
from risk_management.simulate.machine import Agenda
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.process import NoAnswer, Process

__all__ = ["Broker", "Order"]

AWAY: Final = LONGEST_OUTAGE + 60.0
"""Seconds after which what was decided in an outage is written, and judged, at the latest."""
FEE: Final = 0.01
"""Money for each fill."""
SPREAD: Final = 0.0002
"""Standard deviation of a fill's price around the true one."""


@dataclass(slots=True)
class Order:
    """An order at the broker; `units` are ledger integers, `sent_at` a second of the machine."""

    request_id: str
    bot: str
    strategy: str
    symbol: str
    side: int
    units: int
    sent_at: float
    filled: int = 0
    is_open: bool = True


class Broker:
    """Keeps one account.

    Parameters
    ----------
    seed : str
    cash : float
        Money at the start.
    market : Market
    machine : ManualClock
    agenda : Agenda
    faults : Faults
    tally : Tally
    """

    def __init__(
        self,
        seed: str,
        cash: float,
        market: Market,
        machine: ManualClock,
        agenda: Agenda,
        faults: Faults,
        tally: Tally,
    ) -> None:
        self._random = random.Random(seed)
        self._market, self._machine, self._agenda = market, machine, agenda
        self._faults, self._tally = faults, tally
        self.process: Process | None = None
        self.cash = to_ledger(cash)
        self.units: dict[str, int] = {}
        self.orders: dict[str, Order] = {}
        """Orders at work."""
        self.fills: dict[str, tuple[int, int]] = {}
        """Every execution: signed units and signed money, ledger integers."""
        self.split_at: dict[str, float] = {}
        self._unfilled: dict[str, int] = {}
        """How often in a row each bot was told, last, that an order did not fill."""
        self._unfilled_before: dict[str, list[tuple[float, int]]] = {}
        """When such rows ended lately, and how long each was."""
        self._old_units: dict[str, float] = {}
        self._on_the_way: dict[str, int] = {}
        self._closed: set[str] = set()

    # -- orders -------------------------------------------------------------------------------------

    def send(self, order: Order) -> None:
        """Take an order."""
        rnd, faults = self._random, self._faults
        is_old = self._is_of_before_a_split(order)
        if order.symbol in self._closed or is_old or faults.happens("broker.reject"):
            self._tally.did["orders rejected"] += 1
            self._report(order, FillReport(order.request_id, 0.0, 0.0, success=False))
            return
        self.orders[order.request_id] = order
        self._tally.did["orders"] += 1
        if faults.happens("broker.over_fill"):
            order.units = round(order.units * 1.2)
        part = 0.6 if faults.happens("broker.cancelled_part_filled") else 1.0
        wait = rnd.uniform(320.0, 600.0) if faults.happens("broker.slow") else rnd.uniform(0.1, 3.0)
        slices = rnd.choice((1, 1, 1, 1, 1, 1, 2, 4))
        target = round(order.units * part)
        cuts = [*sorted(rnd.randint(1, max(1, target - 1)) for _ in range(slices - 1)), target]
        for place, upto in enumerate(cuts):
            is_last = place == slices - 1
            self._agenda.after(wait, lambda upto=upto, is_last=is_last: self._fill(order, upto, is_last))  # type: ignore[misc]
            wait += rnd.uniform(0.2, 8.0)

    def cancel(self, request_id: str) -> None:
        """Work no longer on an order; what was filled stays."""
        order = self.orders.pop(request_id, None)
        if order is not None:
            order.is_open = False

    def _fill(self, order: Order, upto: int, is_last: bool) -> None:
        if not order.is_open:
            return
        units = upto - order.filled
        if is_last:
            order.is_open = False
            self.orders.pop(order.request_id, None)
        if units <= 0:
            return
        order.filled = upto
        name, price, cost = self.trade(order.symbol, order.side * units)
        final = True if is_last and upto < order.units else None
        report = FillReport(
            order.request_id,
            abs(cost) / SCALE,
            price,
            execution_id=name,
            final=final,
            quantity=units / SCALE,
            fee=FEE,
        )
        if self._faults.happens("broker.lost_report"):
            return
        self._report(order, report)
        if self._faults.happens("broker.duplicate_report"):
            self._agenda.after(
                self._random.choice((1.0, 30.0, 600.0)), lambda: self._deliver(order, report, is_first=False)
            )

    def trade(self, symbol: str, units: int) -> tuple[str, float, int]:
        """Exchange units against cash; id, price and signed money of the fill."""
        price = self._market.prices[symbol] * (1.0 + self._random.gauss(0.0, SPREAD))
        cost = round(units * price)
        self.units[symbol] = self.units.get(symbol, 0) + units
        self.cash -= cost + to_ledger(FEE)
        name = f"x{len(self.fills) + 1}"
        self.fills[name] = (units, cost)
        self._tally.did["fills"] += 1
        return name, price, cost

    def unfilled_in_a_row(self, bot: str) -> int:
        """How many orders of a bot did not fill, one after the other, now or while the store was last away.

        What the engine decides during an outage is written, and judged, at its end.
        """
        return max([self._unfilled.get(bot, 0), *(count for _, count in self._lately(bot))])

    def _lately(self, bot: str) -> list[tuple[float, int]]:
        begin = self._machine.monotonic() - AWAY
        return [row for row in self._unfilled_before.get(bot, ()) if row[0] > begin]

    # -- reports ------------------------------------------------------------------------------------

    def _report(self, order: Order, report: FillReport) -> None:
        late = self._faults.happens("broker.late_report")
        wait = self._random.uniform(5.0, 400.0) if late else self._random.uniform(0.05, 1.0)
        self._on_the_way[order.symbol] = self._on_the_way.get(order.symbol, 0) + 1
        self._agenda.after(wait, lambda: self._deliver(order, report, is_first=True))

    def _deliver(self, order: Order, report: FillReport, *, is_first: bool) -> None:
        """Tell the engine until it has answered."""
        assert self.process is not None  # noqa: S101 - the world sets it
        if self._is_of_before_a_split(order):
            self._old_units[order.symbol] = self._machine.monotonic()
        try:
            told = self.process.call(lambda engine: engine.execute_trade(report))
        except NoAnswer:
            self._agenda.after(
                self._random.uniform(1.0, 5.0), lambda: self._deliver(order, report, is_first=is_first)
            )
            return
        except UnknownRequest:
            self._tally.did["reports of requests that only memory knew"] += 1
            self._tell_unapproved(order, report, is_first=is_first)
            return
        except InvalidRequest as problem:
            self._tally.did[f"reports refused: {problem.code}"] += 1
            if problem.code != "PRICE_OUTLIER":
                raise BrokenInvariant("fills are facts", f"{report} was refused: {problem}") from problem
            if not is_first and self._is_of_before_a_split(order):
                return  # told twice, and only a memory that died knew it: nobody insists on the old units
            self._agenda.after(
                self._random.uniform(3.0, 8.0), lambda: self._deliver(order, report, is_first=is_first)
            )
            return
        if not report.success:
            self._unfilled[order.bot] = self._unfilled.get(order.bot, 0) + 1
        elif not told.duplicate and order.bot in self._unfilled:
            ended = self._machine.monotonic(), self._unfilled.pop(order.bot)
            self._unfilled_before[order.bot] = [*self._lately(order.bot), ended]
        self._arrived(order.symbol, is_first)

    def _is_of_before_a_split(self, order: Order) -> bool:
        return self.split_at.get(order.symbol, -1.0) >= order.sent_at

    def _tell_unapproved(self, order: Order, report: FillReport, *, is_first: bool) -> None:
        """A fill whose approval died with the memory of a process without a store: a person tells it."""
        assert self.process is not None  # noqa: S101
        side = "buy" if order.side > 0 else "sell"
        if not report.quantity or report.execution_id is None:
            self._arrived(order.symbol, is_first)
            return
        quantity, name = report.quantity, report.execution_id
        try:
            self.process.call(
                lambda engine: engine.record_fill(
                    order.symbol,
                    side,
                    quantity,
                    report.price,
                    execution_id=name,
                    bot_name=order.bot,
                    strategy=order.strategy,
                    fee=report.fee,
                )
            )
        except NoAnswer:
            self._agenda.after(2.0, lambda: self._tell_unapproved(order, report, is_first=is_first))
            return
        self._arrived(order.symbol, is_first)

    def _arrived(self, symbol: str, is_first: bool) -> None:
        self._on_the_way[symbol] -= is_first

    # -- what nobody asked for ----------------------------------------------------------------------

    def trade_unasked(self, rnd: random.Random) -> bool:
        """A fill without an order; it is told, or only the account shows it."""
        symbol = rnd.choice(self._market.symbols)
        if symbol in self._closed:
            return False
        units = rnd.choice((-1, 1)) * to_ledger(rnd.uniform(500.0, 3_000.0) / self._market.prices[symbol])
        name, price, cost = self.trade(symbol, units)
        if rnd.random() < 0.5:
            order = Order("", EXTERNAL, "", symbol, 1 if units > 0 else -1, abs(units), 0.0)
            report = FillReport(
                "", abs(cost) / SCALE, price, execution_id=name, quantity=abs(units) / SCALE, fee=FEE
            )
            self._on_the_way[symbol] = self._on_the_way.get(symbol, 0) + 1
            self._agenda.after(
                rnd.uniform(1.0, 60.0), lambda: self._tell_unapproved(order, report, is_first=True)
            )
        return True

    def close(self, intents: Sequence[CloseIntent]) -> None:
        """Trade at once what the protocols close, and book it."""
        assert self.process is not None  # noqa: S101
        engine = self.process.engine
        if engine is None:
            return
        for intent in intents:
            price = self._market.prices[intent.key.symbol]
            self.units[intent.key.symbol] = self.units.get(intent.key.symbol, 0) + intent.quantity
            self.cash -= round(intent.quantity * price)
            self._tally.did["closed by the protocols"] += 1
            engine.protocol.book_close(intent, price)

    def split(self, symbol: str, ratio: float) -> None:
        """Every unit becomes `ratio` units."""
        self.units[symbol] = round(self.units.get(symbol, 0) * ratio)
        self.split_at[symbol] = self._machine.monotonic()

    def told_old_units(self, symbol: str) -> bool:
        """Whether a report from before a split was told after it, now or while the store was last away."""
        return self._machine.monotonic() < self._old_units.get(symbol, -AWAY) + AWAY

    def close_for_trading(self, symbol: str) -> bool:
        """Work no longer in a symbol; whether nothing of it is on its way any more."""
        self._closed.add(symbol)
        for order in [order for order in self.orders.values() if order.symbol == symbol]:
            self.cancel(order.request_id)
            self._report(order, FillReport(order.request_id, 0.0, 0.0, success=False))
        return self._on_the_way.get(symbol, 0) == 0

    def open_for_trading(self, symbol: str) -> None:
        """Work in a symbol again."""
        self._closed.discard(symbol)

    @property
    def is_quiet(self) -> bool:
        """Whether no order works and no report is on its way."""
        return not self.orders and not any(self._on_the_way.values())
