"""Approvals that bots hand to the paper account: sent once, booked as they fill, freed when they end.

Bots give their orders to their own broker. A paper account has no door of its own, so its orders come
through the risk system; whatever trades money is out of reach here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from threading import Lock
from typing import Final

from risk_management.brokers.paper import PaperBroker
from risk_management.checks import bot, mode
from risk_management.core.fill_report import FillReport
from risk_management.core.proposal import propose
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.model.broker import ApprovedOrder, BrokerFill, BrokerOrder, OrderKind, own_order
from risk_management.model.codes import Code
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Reservation, ReservationStatus
from risk_management.model.trade import PaperTrade, TradeRequest

__all__ = ["PaperDesk"]

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
            ``NO_APPROVAL``, or why nothing opens now: ``REDUCING``, ``HALTED``, ``BOT_DISABLED``.
        OrderRejected
            The account took no order; the approval stands.
        """
        with self._lock:
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
            self._working[request_id] = approval
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
        open_now = self._manager.state.reservations
        watched = {**self._working, **open_now}
        if not watched:
            return
        found = {name: self._broker.order(name) for name in watched}
        orders = {name: one for name, one in found.items() if one is not None and _is_of(one, watched[name])}
        self._working = {name: watched[name] for name, order in orders.items() if order.status.is_open}
        if not orders:
            return
        since = min(watched[name].created_at for name in orders) - BEFORE
        fills = [fill for fill in self._broker.fills(since) if fill.client_order_id in orders]
        self._book(fills, orders)
        for name, order in orders.items():
            if not order.status.is_open and name in self._manager.state.reservations:
                self._manager.desk.cancel(name, order.reason or str(order.status), ACTOR)

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
        limit = asked.limit_price
        if approval.opening > 0:
            self._may_open(asked)
        return ApprovedOrder(
            approval.request_id,
            approval.key.symbol,
            approval.side,
            self._units(approval),
            OrderKind.MARKET if limit is None else OrderKind.LIMIT,
            limit,
            reduce_only=False,  # it closes what is its bot's; the account may hold another's against it
        )

    def _may_open(self, asked: TradeRequest) -> None:
        """Raise where a mode or its bot's state, as they are now, lets nothing of a request open."""
        state, config = self._manager.state, self._manager.config
        if config.shadow_mode and not state.is_stopped:
            return
        proposal = propose(state, config, asked, self._manager.clock.now())
        for finding in (mode.check(proposal), bot.check(proposal)):
            if finding.cap == 0.0:
                said = f"{asked.request_id!r} opens, and nothing may now: {finding.code} {finding.subject}"
                raise InvalidRequest(finding.code, "request_id", f"{said}; what only closes passes")

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
                self._manager.execute_trade(self._report(fill, name, is_last=is_last))

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
