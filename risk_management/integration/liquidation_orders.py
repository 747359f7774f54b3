"""The orders of a liquidation at its broker: written, sent, asked about, cancelled, booked, each once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from risk_management.alerts.records import AlertSeverity, AlertType
from risk_management.brokers.broker import Broker
from risk_management.core.liquidation.fills import Seen, fill_events, seen_fills, told_events
from risk_management.core.liquidation.life import order_id
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import BrokerUnavailable, OrderRejected
from risk_management.model.broker import BrokerFill, BrokerOrder, OrderIntent, OrderKind
from risk_management.model.events import Filled, LiquidationStepDone, LiquidationStepSent
from risk_management.model.liquidation import Liquidation, LiquidationPlan, PlannedOrder, SentOrder
from risk_management.model.money import SCALE
from risk_management.model.portfolio import SYSTEM

__all__ = ["LiquidationOrders"]

logger = logging.getLogger(__name__)

BEFORE: Final = timedelta(minutes=5)
"""The broker's clock may be behind ours by this; executions of others are left out by their ids."""


class LiquidationOrders:
    """Writes orders into the journal, sends them, and books what the broker says of them.

    Parameters
    ----------
    manager : AdvancedRiskManager
    broker : Broker
    """

    def __init__(self, manager: AdvancedRiskManager, broker: Broker) -> None:
        self._manager, self._broker = manager, broker

    def book(self, known: Liquidation) -> Sequence[BrokerFill]:
        """Book the executions that are not booked yet; returns all of them."""
        manager = self._manager
        fills = self._broker.fills(known.started_at - BEFORE)
        with manager.book.lock:
            known = manager.state.liquidations.get(known.liquidation_id, known)
            for event in fill_events(manager.state, known, fills, self._is_booked):
                manager.book.apply(event)
        return fills

    def settle(self, known: Liquidation) -> Liquidation:
        """Book executions and ask about every order that may still fill.

        What never arrived is sent, what waits too long is cancelled; of a liquidation that a person wants to
        end nothing is sent, and all is cancelled at once.
        """
        seen = seen_fills(known, self.book(known))
        for order in known.working:
            told = self._broker.order(order.client_order_id)
            if told is None:  # it was written and never sent: by a crash, or an answer that never came
                self._never_arrived(known, order)
                continue
            if told.status.is_open and (known.stopped_by or self._is_overdue(order)):
                told = self._broker.cancel(order.client_order_id) or told
            if told.status.is_open:
                if self._is_overdue(order):
                    self.tell(known, f"{said(order)} neither fills nor is cancelled; look at it", "stuck")
                continue
            self._over(known, order, told, seen[order.client_order_id])
        return self._now(known)

    def send(self, known: Liquidation, plan: LiquidationPlan, held: Mapping[str, int]) -> None:
        """The first step of a plan: written, then sent; `held` is what the broker holds."""
        step, manager = plan.steps[0], self._manager
        with manager.book.lock:
            if self._now(known).stopped_by or manager.book.may_be_taken:
                return  # a person ended it, or another engine took it over, while its plan was made
            for order in step.orders:
                if order.quantity == 0:
                    manager.protocol.closing.cross(order.parts, known.cause)
            traded = [order for order in step.orders if order.quantity]
            first = len(known.orders)
            orders = tuple(
                self._sent(known, number, order, held.get(order.symbol, 0))
                for number, order in enumerate(traded, first)
            )
            if orders:
                now = manager.clock.now()
                manager.book.apply(LiquidationStepSent(now, SYSTEM, known.liquidation_id, orders))
        for sent in orders:
            self._submit(known, sent)

    def _sent(self, known: Liquidation, number: int, order: PlannedOrder, net: int) -> SentOrder:
        """An order as it is sent; where another owner's other side is netted with it, it does not reduce."""
        is_limit = known.failed(order.symbol) < self._manager.config.liquidation_config.limit_tries
        return SentOrder(
            order_id(known, number),
            order.symbol,
            order.quantity,
            order.parts,
            order.limit_price if is_limit else None,
            order.reduce_only and -order.side * net >= abs(order.quantity),
            self._manager.clock.now(),
            is_hedge=order.is_hedge,
        )

    def _submit(self, known: Liquidation, order: SentOrder) -> None:
        if self._manager.book.may_be_taken:
            return  # another engine may send it by now; if none does, the next look sends it
        intent = OrderIntent(
            order.client_order_id,
            order.symbol,
            1 if order.quantity > 0 else -1,
            abs(order.quantity),
            OrderKind.MARKET if order.limit_price is None else OrderKind.LIMIT,
            limit_price=order.limit_price,
            reduce_only=order.reduce_only,
        )
        try:
            self._broker.submit(intent)
        except OrderRejected as problem:
            self.tell(known, f"{said(order)} was refused ({problem.code}): {problem}", "refused")
            self._done(known, order, "rejected", 0)
            if known.failed(order.symbol):
                self._clear_the_way(order)
        except BrokerUnavailable as problem:
            # it may have arrived: the next look asks for it by its id
            self.tell(known, f"no answer to {said(order)}: {problem}", "broker")

    def _clear_the_way(self, order: SentOrder) -> None:
        """Cancel what may keep a close from being taken: orders that hold its units, entries against it."""
        self._cancel_others(lambda one: one.symbol == order.symbol and one.side * order.quantity > 0)
        self.cancel_stops(lambda stop: stop.symbol == order.symbol)
        self._manager.desk.cancel_openings(
            f"{order.symbol} is closed, and the broker refuses the close beside this entry",
            lambda r: r.key.symbol == order.symbol and r.side * order.quantity < 0,
        )

    def cancel_stops(self, which: Callable[[BrokerOrder], bool]) -> None:
        """Cancel the stops that are chosen."""
        self._cancel_others(lambda order: order.is_protective and which(order))

    def _cancel_others(self, which: Callable[[BrokerOrder], bool]) -> None:
        """Cancel orders of bots at the broker, and the approval of each that filled nothing."""
        for order in self._broker.open_orders():
            if order.is_ours or not which(order):
                continue
            name = order.client_order_id
            logger.warning("cancelling the order %s in %s", name, order.symbol)
            told = self._broker.cancel(name)
            is_gone = told is not None and not (told.status.is_open or told.filled)
            if is_gone and name in self._manager.state.reservations:
                self._manager.desk.cancel(name, f"{order.symbol} is closed by a liquidation", SYSTEM)

    # -- what became of one -------------------------------------------------------------------------

    def _never_arrived(self, known: Liquidation, order: SentOrder) -> None:
        if not known.stopped_by:
            self._submit(known, order)
        elif self._is_overdue(order):  # else it may still be under way
            self._done(known, order, "cancelled", 0)

    def _over(self, known: Liquidation, order: SentOrder, told: BrokerOrder, seen: Seen) -> None:
        """It can't fill any more: executions that are on their way are awaited, then its own word counts."""
        status = str(told.status.value)
        if abs(seen.units) >= told.filled:
            self._done(known, order, status, seen.units)
        elif self._is_overdue(order, times=2.0):
            manager = self._manager
            events, units, cost = told_events(manager.state, order, told, seen, manager.clock.now())
            self._done(known, order, status, seen.units + units, events, units, cost)

    def _done(
        self,
        known: Liquidation,
        order: SentOrder,
        status: str,
        filled: int,
        events: Sequence[Filled] = (),
        units: int = 0,
        cost: int = 0,
    ) -> None:
        manager, name = self._manager, order.client_order_id
        with manager.book.lock:
            for event in events:
                manager.book.apply(event)
            manager.book.apply(
                LiquidationStepDone(
                    manager.clock.now(),
                    SYSTEM,
                    known.liquidation_id,
                    ((name, status, filled),),
                    ((name, units, cost),) if units else (),
                )
            )

    def _is_overdue(self, order: SentOrder, times: float = 1.0) -> bool:
        patience = times * self._manager.config.liquidation_config.order_patience
        return self._manager.clock.now() - order.sent_at >= timedelta(seconds=patience)

    def _is_booked(self, execution_id: str) -> bool:
        return self._manager.desk.executed(execution_id) is not None

    def _now(self, known: Liquidation) -> Liquidation:
        return self._manager.state.liquidations[known.liquidation_id]

    def tell(self, known: Liquidation, text: str, word: str) -> None:
        """Call people about a liquidation, once for each word."""
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR,
            AlertSeverity.CRITICAL,
            text,
            self._manager.clock.now(),
            key=f"liquidation:{known.liquidation_id}:{word}",
        )


def said(order: SentOrder) -> str:
    """An order in a few words."""
    side = "buy" if order.quantity > 0 else "sell"
    return f"order {order.client_order_id} ({side} {abs(order.quantity) / SCALE:,.12g} {order.symbol})"
