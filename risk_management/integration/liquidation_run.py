"""Liquidations at a broker: one look after the other, until its own positions say flat.

Nothing lives here alone: what is begun and sent stands in the journal first. After a crash another process
goes on, asks the broker about each order by its id, and sends none twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from risk_management.alerts.records import AlertSeverity, AlertType
from risk_management.brokers.broker import Broker
from risk_management.core.accounts import broker_account
from risk_management.core.liquidation.closes import closes_in_the_way
from risk_management.core.liquidation.desk import alert_keys
from risk_management.core.liquidation.life import cuts_left, hedges_of
from risk_management.core.liquidation.plan import plan_cuts
from risk_management.core.liquidation.scope import is_inside
from risk_management.core.reconciliation import set_aside
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import BrokerError, BrokerUnavailable, shown
from risk_management.integration.liquidation_orders import LiquidationOrders
from risk_management.model.broker import BrokerOrder, MarketState
from risk_management.model.liquidation import EVERYTHING, Liquidation, LiquidationPlan, LiquidationScope
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
        self._orders = LiquidationOrders(manager, broker)
        self._began = manager.clock.now()
        self._stubborn: dict[str, str] = {}
        manager.protocol.closing.has_broker = True
        manager.tell_markets = self.markets

    @property
    def _account(self) -> str:
        """The account of ours that the broker holds."""
        return broker_account(self._manager.config)

    def round(self) -> None:
        """One look at every liquidation that goes on; what a broker doesn't answer waits for the next."""
        if self._manager.book.may_be_taken:
            return
        self._began = now = self._manager.clock.now()
        self._stubborn.clear()
        self._cancel_at_the_broker()
        for known in tuple(self._manager.state.liquidations.values()):
            if known.is_open:
                self._guarded(known)
            elif known.ended_at is not None and now - known.ended_at < LATE:
                self._orders.book(known)
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
            text = f"the broker {self._broker.name} does not answer: {problem}"
            self._orders.tell(known, text, "broker")
        else:
            key = f"liquidation:{known.liquidation_id}:broker"
            self._manager.alert_manager.resolve(key, self._manager.clock.now())

    def _look(self, known: Liquidation) -> bool:
        """Settle what was sent and send what is next; whether something moved, so that a next look pays."""
        known = self._orders.settle(known)
        if known.working:
            return False
        if known.stopped_by:
            self._end(known, f"ended by {known.stopped_by}: {known.stop_reason}{_kept(known)}")
            return False
        held, odd = set_aside(self._broker.positions())
        self._manager.reconcile(
            {symbol: units / SCALE for symbol, units in held.items()},
            odd={name: units / SCALE for name, units in odd.items()},
            actor=SYSTEM,
            prices=self._marks(held),
            account_id=self._account,
        )
        plan = self._plan(known, held)
        self._drop_stops(known, held)
        if plan.steps and self._others_gave_way(known, plan, held):
            return True
        if plan.steps:
            self._orders.send(known, plan, held)
            return True
        waits = [one.text for one in plan.waiting] or self._entries_left(known)
        if LiquidationScope.of(known.scope) == EVERYTHING:
            waits += [
                f"the broker holds {shown(name)}, which is no symbol here: close it there" for name in odd
            ]
        if waits:
            self._orders.tell(known, f"liquidation of {known.scope} waits: {'; '.join(waits)}", "waits")
        elif self._agrees(known, held):
            said = "flat" if LiquidationScope.of(known.scope) == EVERYTHING else "done"
            dust = "".join(f"; {one.text}" for one in plan.left)
            self._end(known, f"{said} by the broker's own positions, {len(known.orders)} orders{dust}")
        return False

    # -- what goes next -----------------------------------------------------------------------------

    def _plan(self, known: Liquidation, held: Mapping[str, int]) -> LiquidationPlan:
        state, config = self._manager.state, self._manager.config
        cuts, hedges = cuts_left(state, known), hedges_of(state, known)
        hedge = config.liquidation_config.hedge_symbol
        symbols = {key.symbol for key, _ in (*cuts, *hedges.back) if key.account_id == self._account}
        symbols |= {hedge} if hedge else set()
        paused = {s: why for s in symbols if (why := self._pause(known, s, held))}
        markets = self.markets(symbols)
        scope, now = LiquidationScope.of(known.scope), self._manager.clock.now()
        return plan_cuts(
            state, config, scope, cuts, markets, now, hedges=hedges, paused=paused, served=self._account
        )

    def _pause(self, known: Liquidation, symbol: str, held: Mapping[str, int]) -> str:
        """Why a symbol is left alone for now; empty where it is not."""
        other = self._works_elsewhere(known, symbol)
        if other:
            return f"{symbol} waits: an order of the liquidation {other} works on it"
        if symbol in self._stubborn:
            return self._stubborn[symbol]
        ours = self._units(symbol)
        if abs(ours - held.get(symbol, 0)) > SAME:
            there = held.get(symbol, 0) / SCALE
            return f"{symbol} waits: the book holds {ours / SCALE:,.12g}, the broker {there:,.12g}"
        tries = known.failed(symbol)
        if tries == 0:
            return ""
        now, settings = self._manager.clock.now(), self._manager.config.liquidation_config
        last = max(order.sent_at for order in known.orders if order.symbol == symbol)
        if tries >= settings.max_tries:
            text = f"{symbol}: {tries} orders in a row filled nothing; look at it, or close it by hand"
            self._orders.tell(known, text, "stuck")
            if now - last < timedelta(seconds=settings.slow_pause):
                return text
        return f"{symbol} waits: its last order filled nothing" if last >= self._began else ""

    def _works_elsewhere(self, known: Liquidation, symbol: str) -> str:
        """Another liquidation whose order in a symbol may still fill: both would close the same units."""
        return next(
            (
                one.liquidation_id
                for one in self._manager.state.liquidations.values()
                if one.is_open
                and one.liquidation_id != known.liquidation_id
                and any(order.symbol == symbol for order in one.working)
            ),
            "",
        )

    def _units(self, symbol: str) -> int:
        """What the book holds of a symbol in the broker's account, net."""
        wanted = (self._account, symbol)
        positions = self._manager.state.positions.items()
        return sum(p.quantity for key, p in positions if (key.account_id, key.symbol) == wanted)

    # -- orders of others ---------------------------------------------------------------------------

    def _cancel_at_the_broker(self) -> None:
        """Cancel at the broker what the book has cancelled, and what would open or get in the way."""
        state = self._manager.state
        going_on = (o for o in state.liquidations.values() if o.is_open and not o.stopped_by)
        closing = {LiquidationScope.of(one.scope) for one in going_on}
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

    def _others_gave_way(self, known: Liquidation, plan: LiquidationPlan, held: Mapping[str, int]) -> bool:
        """Cancel closes that bots or an operator asked for and that would trade the same units once more.

        Stops stand, until what they protect is flat. Returns whether the broker was asked to cancel, or
        filled meanwhile: then all is looked at anew, and what it does not cancel is waited for.
        """
        parts = [part for order in plan.orders if not order.is_hedge for part in order.parts]
        closes = [
            r for r in closes_in_the_way(self._manager.state, parts) if r.key.account_id == self._account
        ]
        if not closes:
            return False
        working, is_asked, idle = {o.client_order_id: o for o in self._broker.open_orders()}, False, []
        for close in closes:
            order = working.get(close.request_id)
            if order is None:
                idle.append(close)
            elif not order.is_protective:
                is_asked = True
                told = self._broker.cancel(order.client_order_id) or order
                if told.status.is_open:
                    self._stubborn[order.symbol] = (
                        f"{order.symbol} waits: the close {order.client_order_id} of {close.key.bot} works "
                        "at the broker and is not cancelled yet"
                    )
        if is_asked or set_aside(self._broker.positions())[0] != held:
            return True
        for close in idle:
            said = f"{close.key.symbol} is closed by the liquidation of {known.scope}"
            self._manager.desk.cancel(close.request_id, said, SYSTEM)
        return False

    def _drop_stops(self, known: Liquidation, held: Mapping[str, int]) -> None:
        """Stops stand until their position is flat, and not longer: they would open the other side.

        That is the account's position, or that of the owner whose approval the stop is.
        """
        state = self._manager.state
        touched = {key for order in known.orders for key, _ in order.parts}
        gone = touched - state.positions.keys()
        flat = {key.symbol for key in touched if abs(held.get(key.symbol, 0)) <= SAME}

        def is_idle(stop: BrokerOrder) -> bool:
            name = stop.client_order_id
            asked = state.reservations.get(name) or state.settled.get(name)
            return stop.symbol in flat or (asked is not None and asked.key in gone)

        if gone or flat:
            self._orders.cancel_stops(is_idle)

    def _entries_left(self, known: Liquidation) -> list[str]:
        """Entries of the scope that were cancelled here and still work at the broker: they may yet fill."""
        state, scope, texts = self._manager.state, LiquidationScope.of(known.scope), []
        for order in self._broker.open_orders():
            entry = state.settled.get(order.client_order_id)
            if entry is None or entry.status is not ReservationStatus.CANCELLED or order.is_protective:
                continue
            if is_inside(state, scope, entry.key):
                texts.append(f"the entry {order.client_order_id} in {order.symbol} still works at the broker")
        return texts

    # -- the end ------------------------------------------------------------------------------------

    def _agrees(self, known: Liquidation, held: Mapping[str, int]) -> bool:
        """Whether the broker's positions are the book's, in all that was touched or is to be flat."""
        touched = {order.symbol for order in known.orders} | {key.symbol for key, _ in known.cuts}
        if LiquidationScope.of(known.scope) == EVERYTHING:
            touched |= held.keys() | {key.symbol for key in self._manager.state.positions}
        return all(abs(self._units(symbol) - held.get(symbol, 0)) <= SAME for symbol in touched)

    def _end(self, known: Liquidation, outcome: str) -> None:
        now, alerts = self._manager.clock.now(), self._manager.alert_manager
        self._manager.protocol.closing.end(known, outcome)
        for key in alert_keys(known):
            alerts.resolve(key, now)
        text = f"liquidation of {known.scope} ({known.cause}) is {outcome}"
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


def _opens(order: BrokerOrder, positions: Mapping[str, int]) -> bool:
    """Whether an order would do more than close what is held."""
    held = positions.get(order.symbol, 0)
    return order.side * held >= 0 or order.left > abs(held)


def _kept(known: Liquidation) -> str:
    """What hedges of it stay behind."""
    hedges = ", ".join(f"{units / SCALE:,.12g} {key.symbol}" for key, units in known.hedged().items())
    return f"; its hedge stays: {hedges}" if hedges else ""
