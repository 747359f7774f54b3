"""Liquidations at a broker: one look after the other, until its own positions say flat.

Nothing lives here alone: what is begun and sent stands in the journal first. After a crash another process
goes on, asks the broker about each order by its id, and sends none twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from risk_management.alerts.records import AlertSeverity, AlertType
from risk_management.brokers.broker import Broker
from risk_management.core.liquidation.fills import booked_units, fill_events
from risk_management.core.liquidation.life import cuts_left, order_id
from risk_management.core.liquidation.plan import plan_cuts
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import BrokerError, BrokerUnavailable, OrderRejected
from risk_management.model.broker import BrokerFill, BrokerOrder, MarketState, OrderIntent, OrderKind
from risk_management.model.events import LiquidationStepDone, LiquidationStepSent
from risk_management.model.liquidation import (
    EVERYTHING,
    Liquidation,
    LiquidationPlan,
    LiquidationScope,
    PlannedOrder,
    SentOrder,
)
from risk_management.model.money import SCALE
from risk_management.model.portfolio import SYSTEM, ReservationStatus, TradingMode

__all__ = ["LiquidationRunner"]

logger = logging.getLogger(__name__)

SAME: Final = 100
"""Ledger units (a millionth) by which book and broker may differ."""
LATE: Final = timedelta(hours=1)
"""How long fills of a liquidation that has ended are still looked for."""
MOST: Final = 100
"""Steps in one round: a market that fills at once is not left to the next one."""
BEFORE: Final = timedelta(seconds=5)
"""The broker's clock may be behind ours by this."""


class LiquidationRunner:
    """Carries out what the emergency protocols and people want closed at a broker.

    Parameters
    ----------
    manager : AdvancedRiskManager
        Its protocols hand their closes over from now on, in place of booking them at the marks.
    broker : Broker
        Holds the account that the manager's settings name.
    """

    def __init__(self, manager: AdvancedRiskManager, broker: Broker) -> None:
        self._manager, self._broker = manager, broker
        self._began = manager.clock.now()
        manager.protocol.closing.has_broker = True
        manager.tell_markets = self.markets

    @property
    def _account(self) -> str:
        """The account of ours that the broker holds."""
        config = self._manager.config
        return config.broker_config.account_id or config.account_id

    def round(self) -> None:
        """One look at every liquidation that goes on; what a broker doesn't answer waits for the next."""
        self._began = now = self._manager.clock.now()
        self._cancel_at_the_broker()
        for known in tuple(self._manager.state.liquidations.values()):
            if known.is_open:
                self._guarded(known)
            elif known.ended_at is not None and now - known.ended_at < LATE:
                self._book(known, self._fills(known))
        self._arm()

    def _arm(self) -> None:
        """Set the broker's own timer anew: if nobody goes on, it cancels everything by itself."""
        seconds = self._manager.config.heartbeat_config.cancel_timer
        if seconds <= 0.0 or not self._broker.abilities.cancel_timer:
            return
        try:
            self._broker.arm_cancel_all(seconds)
        except BrokerError as problem:
            logger.warning("the broker's own cancel-all timer was not set anew: %s", problem)

    def markets(self, symbols: Iterable[str]) -> dict[str, MarketState]:
        """What the broker says of each market."""
        return {symbol: self._broker.market(symbol) for symbol in sorted(set(symbols))}

    def _guarded(self, known: Liquidation) -> None:
        try:
            for _ in range(MOST):
                if not self._look(known):
                    break
                known = self._manager.state.liquidations[known.liquidation_id]
        except BrokerUnavailable as problem:
            self._tell(known, f"the broker {self._broker.name} does not answer: {problem}", "broker")
        else:
            key = f"liquidation:{known.liquidation_id}:broker"
            self._manager.alert_manager.resolve(key, self._manager.clock.now())

    def _look(self, known: Liquidation) -> bool:
        """Settle what was sent and send what is next; whether something moved, so that a next look pays."""
        fills = self._fills(known)
        self._book(known, fills)
        known = self._settle(known, booked_units(known, fills))
        if known.working:
            return False
        held = self._broker.positions()
        self._manager.reconcile(
            {symbol: units / SCALE for symbol, units in held.items()},
            actor=SYSTEM,
            prices=self._marks(held),
            account_id=self._account,
        )
        plan = self._plan(known, held)
        self._drop_stops(known, held)
        if plan.steps:
            self._send(known, plan)
            return True
        if not plan.waiting and self._agrees(known, held):
            self._end(known, plan)
        elif plan.waiting:
            texts = "; ".join(one.text for one in plan.waiting)
            self._tell(known, f"liquidation of {known.scope} waits: {texts}", "waits")
        return False

    # -- what became of it --------------------------------------------------------------------------

    def _fills(self, known: Liquidation) -> Sequence[BrokerFill]:
        return self._broker.fills(known.started_at - BEFORE)

    def _book(self, known: Liquidation, fills: Sequence[BrokerFill]) -> None:
        manager = self._manager
        with manager.book.lock:
            for event in fill_events(manager.state, known, fills):
                if manager.desk.executed(event.execution_id) is None:
                    manager.book.apply(event)

    def _settle(self, known: Liquidation, filled: Mapping[str, int]) -> Liquidation:
        """Ask about every order that may still fill; send what never arrived, cancel what waits too long."""
        results = []
        for order in known.working:
            told = self._broker.order(order.client_order_id)
            if told is None:  # it was written and never sent: by a crash, or an answer that never came
                self._submit(known, order)
                continue
            if told.status.is_open and self._is_overdue(order):
                told = self._broker.cancel(order.client_order_id) or told
            if told.status.is_open:
                if self._is_overdue(order):
                    self._tell(known, f"{_said(order)} neither fills nor is cancelled; look at it", "stuck")
                continue
            units = filled.get(order.client_order_id, 0)
            if abs(units) >= told.filled or self._is_overdue(order):  # else its fills are on their way
                results.append((order.client_order_id, str(told.status.value), units))
        return self._done(known, results)

    def _is_overdue(self, order: SentOrder) -> bool:
        patience = timedelta(seconds=self._manager.config.liquidation_config.order_patience)
        return self._manager.clock.now() - order.sent_at >= patience

    def _done(self, known: Liquidation, results: Sequence[tuple[str, str, int]]) -> Liquidation:
        manager, name = self._manager, known.liquidation_id
        if results:
            manager.book.apply(
                LiquidationStepDone(manager.clock.now(), SYSTEM, name, tuple(results)),
            )
        return manager.state.liquidations[name]

    # -- what goes next -----------------------------------------------------------------------------

    def _plan(self, known: Liquidation, held: Mapping[str, int]) -> LiquidationPlan:
        state, config = self._manager.state, self._manager.config
        mine = [c for c in cuts_left(state, known) if c[0].account_id == self._account]
        symbols = {key.symbol for key, _ in mine}
        paused = {s: why for s in symbols if (why := self._pause(known, s, held))}
        hedge = config.liquidation_config.hedge_symbol
        markets = self.markets(symbols | ({hedge} if hedge else set()))
        scope, now = LiquidationScope.of(known.scope), self._manager.clock.now()
        return plan_cuts(state, config, scope, mine, markets, now, paused=paused)

    def _pause(self, known: Liquidation, symbol: str, held: Mapping[str, int]) -> str:
        """Why a symbol is left alone for now; empty where it is not."""
        other = self._works_elsewhere(known, symbol)
        if other:
            return f"{symbol} waits: an order of the liquidation {other} works on it"
        ours = self._units(symbol)
        if abs(ours - held.get(symbol, 0)) > SAME:
            there = held.get(symbol, 0) / SCALE
            return f"{symbol} waits: the book holds {ours / SCALE:g}, the broker {there:g}"
        tries = known.failed(symbol)
        if tries == 0:
            return ""
        now, settings = self._manager.clock.now(), self._manager.config.liquidation_config
        last = max(order.sent_at for order in known.orders if order.symbol == symbol)
        if tries >= settings.max_tries:
            text = f"{symbol}: {tries} orders in a row filled nothing; look at it, or close it by hand"
            self._tell(known, text, "stuck")
            if now - last < timedelta(seconds=settings.slow_pause):
                return text
        return f"{symbol} waits: its last order filled nothing" if last >= self._began else ""

    def _works_elsewhere(self, known: Liquidation, symbol: str) -> str:
        """Another liquidation whose order in a symbol may still fill: both would close the same units."""
        return next(
            (
                one.liquidation_id
                for one in self._manager.state.liquidations.values()
                if one.liquidation_id != known.liquidation_id
                and any(order.symbol == symbol for order in one.working)
            ),
            "",
        )

    def _units(self, symbol: str) -> int:
        """What the book holds of a symbol in the broker's account, net."""
        wanted = (self._account, symbol)
        positions = self._manager.state.positions.items()
        return sum(p.quantity for key, p in positions if (key.account_id, key.symbol) == wanted)

    def _send(self, known: Liquidation, plan: LiquidationPlan) -> None:
        """The first step: written, then sent."""
        step = plan.steps[0]
        for order in step.orders:
            if order.quantity == 0:
                self._manager.protocol.closing.cross(order.parts, known.cause)
        traded = [order for order in step.orders if order.quantity]
        orders = tuple(self._sent(known, n, o) for n, o in enumerate(traded, len(known.orders)))
        if not orders:
            return
        now = self._manager.clock.now()
        self._manager.book.apply(LiquidationStepSent(now, SYSTEM, known.liquidation_id, orders))
        for sent in orders:
            self._submit(known, sent)

    def _sent(self, known: Liquidation, number: int, order: PlannedOrder) -> SentOrder:
        is_limit = known.failed(order.symbol) < self._manager.config.liquidation_config.limit_tries
        return SentOrder(
            order_id(known, number),
            order.symbol,
            order.quantity,
            order.parts,
            order.limit_price if is_limit else None,
            order.reduce_only,
            self._manager.clock.now(),
        )

    def _submit(self, known: Liquidation, order: SentOrder) -> None:
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
            self._tell(known, f"{_said(order)} was refused ({problem.code}): {problem}", "refused")
            self._done(known, [(order.client_order_id, "rejected", 0)])
            if known.failed(order.symbol):  # a stop may hold the units that it protects
                self._cancel_stops([order.symbol])
        except BrokerUnavailable as problem:
            # it may have arrived: the next look asks for it by its id
            self._tell(known, f"no answer to {_said(order)}: {problem}", "broker")

    # -- orders of others ---------------------------------------------------------------------------

    def _cancel_at_the_broker(self) -> None:
        """Cancel at the broker what the book has cancelled, and what would open or get in the way."""
        state = self._manager.state
        closing = {LiquidationScope.of(o.scope) for o in state.liquidations.values() if o.is_open}
        stopped = state.mode is TradingMode.HALTED
        try:
            held = self._broker.positions() if stopped else {}
            for order in self._broker.open_orders():
                known = state.settled.get(order.client_order_id)
                is_cancelled = known is not None and known.status is ReservationStatus.CANCELLED
                if order.is_ours or order.is_protective:
                    continue
                if is_cancelled or EVERYTHING in closing or (stopped and _opens(order, held)):
                    self._broker.cancel(order.client_order_id)
        except BrokerError as problem:
            logger.warning("entries at the broker were not cancelled: %s", problem)

    def _drop_stops(self, known: Liquidation, held: Mapping[str, int]) -> None:
        """Stops stand until their position is flat, and not longer: they would open the other side."""
        touched = {order.symbol for order in known.orders}
        flat = [symbol for symbol in touched if abs(held.get(symbol, 0)) <= SAME]
        if flat:
            self._cancel_stops(flat)

    def _cancel_stops(self, symbols: Sequence[str]) -> None:
        for order in self._protective():
            if order.symbol in symbols:
                logger.warning("cancelling the stop %s of %s", order.client_order_id, order.symbol)
                self._broker.cancel(order.client_order_id)

    def _protective(self) -> list[BrokerOrder]:
        return [order for order in self._broker.open_orders() if order.is_protective]

    # -- the end ------------------------------------------------------------------------------------

    def _agrees(self, known: Liquidation, held: Mapping[str, int]) -> bool:
        """Whether the broker's positions are the book's, in all that was touched or is to be flat."""
        touched = {order.symbol for order in known.orders} | {key.symbol for key, _ in known.cuts}
        if LiquidationScope.of(known.scope) == EVERYTHING:
            touched |= held.keys() | {key.symbol for key in self._manager.state.positions}
        return all(abs(self._units(symbol) - held.get(symbol, 0)) <= SAME for symbol in touched)

    def _end(self, known: Liquidation, plan: LiquidationPlan) -> None:
        dust = "".join(f"; {one.text}" for one in plan.left)
        said = "flat" if LiquidationScope.of(known.scope) == EVERYTHING else "done"
        text = f"{said} by the broker's own positions, {len(known.orders)} orders{dust}"
        now, alerts = self._manager.clock.now(), self._manager.alert_manager
        self._manager.protocol.closing.end(known, text)
        for word in ("", ":waits", ":stuck", ":refused", ":broker"):
            alerts.resolve(f"liquidation:{known.liquidation_id}{word}", now)
        text = f"liquidation of {known.scope} ({known.cause}) is {text}"
        alerts.raise_alert(
            AlertType.SYSTEM_ERROR,
            AlertSeverity.WARNING,
            text,
            now,
            key=f"liquidation:{known.liquidation_id}:ended",
        )
        alerts.resolve(f"liquidation:{known.liquidation_id}:ended", now)  # told, and nothing that lasts
        logger.warning("%s", text)

    def _marks(self, held: Mapping[str, int]) -> dict[str, float]:
        """The broker's prices of what the book has none of."""
        unknown = [symbol for symbol in held if symbol not in self._manager.state.quotes]
        told = {symbol: self._broker.market(symbol).mid for symbol in unknown}
        return {symbol: price for symbol, price in told.items() if price}

    def _tell(self, known: Liquidation, text: str, word: str) -> None:
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR,
            AlertSeverity.CRITICAL,
            text,
            self._manager.clock.now(),
            key=f"liquidation:{known.liquidation_id}:{word}",
        )


def _opens(order: BrokerOrder, positions: Mapping[str, int]) -> bool:
    """Whether an order would do more than close what is held."""
    held = positions.get(order.symbol, 0)
    return order.side * held >= 0 or order.left > abs(held)


def _said(order: SentOrder) -> str:
    side = "buy" if order.quantity > 0 else "sell"
    return f"order {order.client_order_id} ({side} {abs(order.quantity) / SCALE:g} {order.symbol})"
