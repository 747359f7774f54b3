"""Approvals that bots hand to the paper account: sent once, booked as they fill, freed when they end.

Bots give their orders to their own broker. A paper account has no door of its own, so its orders come
through the risk system; whatever trades money is out of reach here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from threading import Lock
from typing import Final

from risk_management.brokers.paper import PaperBroker
from risk_management.checks import bot, mode
from risk_management.core.fill_report import FillReport
from risk_management.core.proposal import propose
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.integration.paper_closing import close_of, closes_of_liquidations, closes_within
from risk_management.model.broker import ApprovedOrder, BrokerFill, BrokerOrder, OrderKind, own_order
from risk_management.model.codes import Code
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey, Reservation, ReservationStatus
from risk_management.model.trade import Finding, PaperTrade, TradeRequest

__all__ = ["PaperDesk"]

logger = logging.getLogger(__name__)

BEFORE: Final = timedelta(seconds=5)
"""The account may be kept by another process, whose clock is behind ours by this."""
ACTOR: Final = "broker paper"
LONGEST_NAME: Final = 128


class PaperDesk:
    """Takes approvals as orders of the paper account.

    Parameters
    ----------
    manager : AdvancedRiskManager
        Its `trade_on_paper` comes here from now on.
    broker : PaperBroker
    """

    def __init__(self, manager: AdvancedRiskManager, broker: PaperBroker) -> None:
        self._manager, self._broker, self._lock = manager, broker, Lock()
        self._working: dict[str, Reservation] = {}
        """Approvals whose orders could fill when last looked at: a fill may be later than a cancel."""
        manager.send_to_paper = self.send

    def send(self, request_id: str) -> PaperTrade:
        """Give an approval to the account; one that is there already is looked at again.

        Raises
        ------
        InvalidRequest
            ``NO_APPROVAL``, ``NOTHING_TO_CLOSE``, or why nothing opens now: ``REDUCING``, ``HALTED``,
            ``BOT_DISABLED``.
        OrderRejected
            The account took no order; the approval stands.
        """
        with self._lock:
            self._look()
            order = self._broker.order(request_id)
            state = self._manager.state
            known = state.reservations.get(request_id) or state.settled.get(request_id)
            if order is not None and known is not None and not _is_of(order, known):
                said = f"the account has {request_id!r} of an earlier book; ask under another id"
                raise InvalidRequest(Code.REQUEST_ID_REUSED, "request_id", said)
            if order is None:
                self._approval(request_id)  # on disk: what is sent is never of an answer that may yet be lost
                order = self._submit(request_id)
            self._look()
            return _told(self._broker.order(request_id) or order)

    def _submit(self, request_id: str) -> BrokerOrder:
        """Judge an approval once more and send it, with nobody in between: a stop comes before or after."""
        with self._manager.book.lock:
            approval = self._approval(request_id)
            intent = self._intent(approval)
            self._working[request_id] = approval  # even if the answer is lost
            return self._broker.submit(intent)

    @property
    def is_watching(self) -> bool:
        """Whether something may fill."""
        return bool(self._working or self._manager.state.reservations)

    def book(self) -> None:
        """Book what filled since the last look, and free what will not fill any more."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        watched = {**self._working, **self._manager.state.reservations}
        if not watched:
            return
        orders = self._orders(watched)
        ended = self._outlived(orders)
        for name in ended:
            self._broker.cancel(name)
        if ended:
            orders = self._orders(watched)
        self._working = {name: watched[name] for name, order in orders.items() if order.status.is_open}
        if not orders:
            return
        since = min(watched[name].created_at for name in orders) - BEFORE
        fills = [fill for fill in self._broker.fills(since) if fill.client_order_id in orders]
        self._book(fills, orders)
        for name, order in orders.items():
            if not order.status.is_open and name in self._manager.state.reservations:
                why = ended.get(name) or order.reason or str(order.status)
                self._manager.desk.cancel(name, why, ACTOR)

    def _orders(self, watched: Mapping[str, Reservation]) -> dict[str, BrokerOrder]:
        """Orders of approvals, as the account tells them."""
        found = {name: self._broker.order(name) for name in watched}
        return {name: one for name, one in found.items() if one is not None and _is_of(one, watched[name])}

    def _outlived(self, orders: Mapping[str, BrokerOrder]) -> dict[str, str]:
        """Working orders that may not go on, and why."""
        state, now = self._manager.state, self._manager.clock.now()
        at_work, ended = closes_of_liquidations(state), {}
        for name, order in orders.items():
            if not order.status.is_open or order.is_protective:
                continue
            approval = state.reservations.get(name)
            if approval is None:
                ended[name] = "its approval is closed"
                continue
            if approval.valid_until < now:  # from now on the same units may be approved again
                ended[name] = "its approval is past its time"
                continue
            part = close_of(approval, order.left)
            if closes_within(state, approval, at_work) < abs(part[1]):
                ended[name] = "its owner holds less by now than it would close"
            else:
                at_work.append(part)
        return ended

    def _approval(self, request_id: str) -> Reservation:
        """What may be sent now."""
        state, now = self._manager.state, self._manager.clock.now()
        known = state.reservations.get(request_id)
        if known is None or known.status is not ReservationStatus.RESERVED or known.valid_until < now:
            said = "it is refused, cancelled, reported or past its time; ask anew under another id"
            raise InvalidRequest(
                Code.NO_APPROVAL, "request_id", f"nothing of {request_id!r} may be sent: {said}"
            )
        account = self._manager.config.broker_config.account_id or self._manager.config.account_id
        if own_order(request_id):
            said = f"{request_id!r} looks like an order of the risk system itself; ask under another id"
            raise InvalidRequest(Code.INVALID_REQUEST_ID, "request_id", said)
        if known.key.account_id != account:
            said = f"the paper account holds {account!r}, and {request_id!r} is of {known.key.account_id!r}"
            raise InvalidRequest(Code.NO_PAPER_ACCOUNT, "request_id", said)
        return known

    def _intent(self, approval: Reservation) -> ApprovedOrder:
        asked = self._manager.desk.asked(approval.request_id)
        if asked is None:
            said = f"what was asked as {approval.request_id!r} is forgotten; ask anew under another id"
            raise InvalidRequest(Code.NO_APPROVAL, "request_id", said)
        units, only_reduces = self._sendable(approval, asked)
        limit = asked.limit_price
        return ApprovedOrder(
            approval.request_id,
            approval.key.symbol,
            approval.side,
            units,
            OrderKind.MARKET if limit is None else OrderKind.LIMIT,
            limit,
            reduce_only=only_reduces,
        )

    def _sendable(self, approval: Reservation, asked: TradeRequest) -> tuple[int, bool]:
        """Ledger units that may be sent now, and whether the account may hold them to reducing.

        It closes what is its owner's; where others hold the other side, the account may have less to reduce.
        """
        whole, opens = self._units(approval), approval.opening > 0
        close = approval.closing_quantity or (0 if opens else whole)
        refusal = self._refusal(asked) if opens else None
        if close == 0:
            if refusal is not None:
                said = f"{asked.request_id!r} opens, and nothing may now: {refusal.code} {refusal.subject}"
                raise InvalidRequest(refusal.code, "request_id", f"{said}; what only closes passes")
            return whole, False
        state, at_work = self._manager.state, self._at_work()
        left = min(close, closes_within(state, approval, at_work))
        if opens and left == close and refusal is None:
            return whole, False
        if left == 0:
            said = f"nothing of {approval.key.symbol} is left that {asked.request_id!r} may close"
            raise InvalidRequest(
                Code.NOTHING_TO_CLOSE, "request_id", f"{said}: it is closed, or an order works on it"
            )
        symbol, side = approval.key.symbol, approval.side
        working = sum(abs(units) for key, units in at_work if key.symbol == symbol and units * side > 0)
        there = -side * self._broker.positions().get(symbol, 0)
        return left, left + working <= there

    def _at_work(self) -> list[tuple[PositionKey, int]]:
        """What working orders may close. Whole orders: what filled since the last look is not booked yet."""
        state = self._manager.state
        closes = closes_of_liquidations(state)
        for name in self._working:
            order, approval = self._broker.order(name), state.reservations.get(name)
            if order is not None and approval is not None:
                closes.append(close_of(approval, order.quantity))
        return closes

    def _refusal(self, asked: TradeRequest) -> Finding | None:
        """Why a mode or its bot's state, as they are now, lets nothing of a request open."""
        state, config = self._manager.state, self._manager.config
        if config.shadow_mode and not state.is_stopped:
            return None
        proposal = propose(state, config, asked, self._manager.clock.now())
        findings = (mode.check(proposal), bot.check(proposal))
        return next((finding for finding in findings if finding.cap == 0.0), None)

    def _units(self, approval: Reservation) -> int:
        """Ledger units approved; of an approval in money alone what that buys at the account's price."""
        if approval.quantity is not None:
            return approval.quantity
        market = self._broker.market(approval.key.symbol)
        price = (market.ask if approval.side > 0 else market.bid) or 0.0
        instrument = self._manager.state.instruments[approval.key.symbol]
        each = price * instrument.multiplier
        return (
            max(1, int(approval.approved / each)) if each > 0.0 else 1
        )  # without a price it is refused there

    def _book(self, fills: Iterable[BrokerFill], orders: dict[str, BrokerOrder]) -> None:
        booked = dict.fromkeys(orders, 0)
        for fill in fills:
            order = orders[fill.client_order_id]
            booked[fill.client_order_id] += fill.quantity
            # an account that was begun anew counts its fills from 1 again
            name = f"{fill.execution_id}-{fill.client_order_id}"[:LONGEST_NAME]
            if self._manager.desk.executed(name) is None:
                is_last = not order.status.is_open and booked[fill.client_order_id] == order.filled
                try:
                    self._manager.execute_trade(self._report(fill, name, is_last=is_last))
                except InvalidRequest as problem:  # recorded and told: it keeps nothing else from going on
                    logger.warning("a fill of the paper account was not booked: %s", problem)

    def _report(self, fill: BrokerFill, name: str, *, is_last: bool) -> FillReport:
        units = fill.quantity / SCALE
        money = units * fill.price * self._manager.state.instruments[fill.symbol].multiplier
        return FillReport(
            fill.client_order_id,
            money,
            fill.price,
            execution_id=name,
            final=is_last,
            quantity=units,
            fee=fill.fee / SCALE,
            environment=self._broker.environment,
            actor=ACTOR,
        )


def _is_of(order: BrokerOrder, approval: Reservation) -> bool:
    """Whether an order is that of an approval, and not of a book that was begun anew on the same account."""
    return order.submitted_at is None or order.submitted_at >= approval.created_at - BEFORE


def _told(order: BrokerOrder) -> PaperTrade:
    price = order.average_price
    return PaperTrade(
        order.client_order_id,
        str(order.status),
        order.quantity / SCALE,
        order.filled / SCALE,
        price,
        order.fee / SCALE,
        order.reason,
    )
