"""The way of an order over a Book: asked, approved and reserved, filled, cancelled, expired."""

from __future__ import annotations

import logging
import secrets
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Final, NoReturn

from risk_management.checks import CHECKS
from risk_management.clock import Clock
from risk_management.core.answers import Answers, reused, same_answer
from risk_management.core.book import Book
from risk_management.core.clock_watch import ClockWatch
from risk_management.core.decision import judge
from risk_management.core.entry import (
    check_spelling,
    checked_bot,
    checked_name,
    checked_number,
    checked_symbol,
    instrument_event,
)
from risk_management.core.failures import Failures
from risk_management.core.fill_report import (
    Executed,
    FillReport,
    dear_fee,
    far_from_ours,
    fill_event,
    flag_text,
    is_outlier,
    nothing_approved,
)
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.quotes import last_price
from risk_management.core.set_aside import SetAside
from risk_management.errors import InvalidRequest, StoreUnavailable, UnknownRequest, shown
from risk_management.model.amend import amended
from risk_management.model.events import BotChanged, Filled, HoldSet, ReservationClosed, TradeDecided
from risk_management.model.money import SCALE
from risk_management.model.portfolio import (
    OPERATOR,
    SYSTEM,
    Bot,
    Hold,
    Reservation,
    ReservationStatus,
    Scope,
    TradingMode,
)
from risk_management.model.recent import count_recent
from risk_management.model.trade import Execution, TradeDecision, TradeRequest

__all__ = ["OrderDesk", "OrderTicket"]

logger = logging.getLogger(__name__)

ACTIONS: Final = {"buy": 1, "sell": -1}
TOO_MUCH: Final = frozenset({"OVERFILL", "UNAPPROVED_FILL"})


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """A request as a caller writes it, before it is checked.

    Parameters
    ----------
    symbol, action : str
    size : float
        Money.
    strategy : str
    bot_name : str or None
        None is an operator.
    confidence : float
    price : float or None
        Limit price.
    risk_amount : float or None
        Money lost at the stop; 0 is no stop.
    account_id, request_id : str or None
    reduce_only : bool
        Close what is held and open nothing.
    actor : str
        Who asks, for the journal; by default the bot.
    """

    symbol: str
    action: str
    size: float
    strategy: str = ""
    bot_name: str | None = None
    confidence: float = 1.0
    price: float | None = None
    risk_amount: float | None = None
    account_id: str | None = None
    request_id: str | None = None
    reduce_only: bool = False
    actor: str = ""


class OrderDesk:
    """Judges requests and books what became of them; every call is one step under the Book's lock.

    Parameters
    ----------
    book : Book
    clock : Clock
    alarm : callable
        Told ``(code, sentence)`` of what a person must know: unknown reports, overfills, failed checks.
    """

    def __init__(self, book: Book, clock: Clock, alarm: Callable[[str, str], None]) -> None:
        self._book = book
        self._clock = clock
        self._alarm = alarm
        self.checks = tuple(CHECKS.items())
        self._boot = secrets.token_hex(5)  # with a number 18 letters and digits: any broker takes them
        self._numbers = count(1)
        self._answers = Answers(book.journal)
        self.clock_watch = ClockWatch(book, clock, alarm)
        book.lost.append(self._answers.go_back)
        book.mended.append(self._answers.read_again)
        self._aside = SetAside(book, clock, alarm)
        self.unknown_reports = self._aside.reports
        self.failed_in_a_row = 0
        self.failures = Failures()
        self._put_back: dict[str, datetime] = {}

    def ask(self, ticket: OrderTicket) -> TradeDecision:
        """Judge a request and change nothing."""
        ticket = _checked_ticket(ticket)
        request = self._request(ticket, reserves=False)
        book = self._book
        decision = judge(book.state, request, book.config, self.checks, request.requested_at, book.digest)
        self._count_failures(decision.failed_checks)
        return decision.decision

    def request(self, ticket: OrderTicket) -> TradeDecision:
        """Judge a request and reserve what is approved, with nobody in between.

        Raises
        ------
        InvalidRequest
            Malformed, or ``REQUEST_ID_REUSED``: the id was given before with another request.
        """
        ticket = _checked_ticket(ticket)
        try:
            return self._request_once(ticket)
        except StoreUnavailable:  # lost whole; from now on what closes is judged in memory
            return self._request_once(ticket)
        except InvalidRequest:
            if ticket.bot_name in self._book.state.bots:
                self.failures.malformed(str(ticket.bot_name))
            raise

    def _request_once(self, ticket: OrderTicket) -> TradeDecision:
        with self._book.lock:
            self.clock_watch.look()
            request = self._request(ticket, reserves=True)
            known = self._answers.find(request.request_id) if ticket.request_id is not None else None
            if known is not None:
                return same_answer(known, request, names_strategy=bool(ticket.strategy))
            if ticket.request_id is not None:
                self._may_be_new(ticket.request_id)
            self._register(request)
            book = self._book
            judgement = judge(
                book.state, request, book.config, self.checks, request.requested_at, book.digest
            )
            self._count_failures(judgement.failed_checks)
            decision = judgement.decision
            if decision.approved:
                self._bind(request)
            known_instrument = instrument_event(book.state, request.symbol, request.requested_at)
            if judgement.reservation is not None and known_instrument is not None:
                book.apply(known_instrument)
            if book.outage:
                decision = amended(decision, durable=False)
            answer = TradeDecided(
                at=request.requested_at,
                actor=ticket.actor or request.bot,
                request=request,
                decision=decision,
                reservation=judgement.reservation,
            )
            self._answers.keep(answer, book.apply(answer))
            self.failures.well_formed(request.bot)
            self._stop_runaway(request)
        logger.info(
            "%s %s %s %.2f by %s: %s %.2f %s",
            request.request_id,
            request.action,
            request.symbol,
            request.size,
            request.bot,
            decision.outcome,
            decision.recommended_size,
            ",".join(decision.rejection_reasons),
        )
        return decision

    def execute(self, report: FillReport) -> Execution:
        """Book a fill report.

        Raises
        ------
        UnknownRequest
            The id was never given out; the report was recorded, not booked, and people are told.
        InvalidRequest
            Malformed, ``EXECUTION_CONFLICT``: the execution id was booked with other numbers, or
            ``TOO_MANY_REPORTS``: one that can't be booked was not even recorded.
        """
        if not isinstance(report, FillReport):
            raise InvalidRequest("WRONG_TYPE", "report", f"a FillReport is needed; got {shown(report)}")
        report = report.checked()
        try:
            done = self._execute_once(report)
        except StoreUnavailable:  # lost whole; from now on fills are booked in memory
            done = self._execute_once(report)
        return amended(done, durable=False) if self._book.outage else done

    def _execute_once(self, report: FillReport) -> Execution:
        with self._book.lock:
            state = self._book.state
            reservation = self._reservation(report.request_id)
            if reservation is None:
                text = f"a fill names the unknown request {report.request_id!r}; it was recorded, not booked"
                self._set_aside("UNKNOWN_REQUEST", text, report)
                raise UnknownRequest("UNKNOWN_REQUEST", "request_id", text)
            if report.environment not in (None, state.environment):
                text = f"a {report.environment} fill can't be booked in a {state.environment} book"
                self._set_aside("WRONG_ENVIRONMENT", text, report)
                raise InvalidRequest("WRONG_ENVIRONMENT", "environment", text)
            if report.size == 0.0 and report.quantity in (None, 0.0):
                return self._not_filled(report)
            unknown = instrument_event(state, reservation.key.symbol, self._clock.now())
            if unknown is not None:
                state = self._book.apply(unknown)
            known = self.executed(report.execution_id) if report.execution_id is not None else None
            now = self._clock.now()
            try:
                booking = fill_event(state, reservation, report, self._book.config, now, known)
            except InvalidRequest as problem:  # no rate to book it at: it must not be forgotten
                self._set_aside(problem.code, f"{problem.message}; it was recorded, not booked", report)
                raise
            if booking.duplicate:
                return booking.execution(state)
            if is_outlier(state, reservation, report, self._book.config):
                self._refuse_outlier(reservation.key.symbol, report)
            _check_fee(booking.event, report.fee)
            if booking.conflict:
                text = _told_otherwise(booking.event, known)
                self._set_aside("EXECUTION_CONFLICT", f"{text}; it was recorded, not booked", report)
                raise InvalidRequest("EXECUTION_CONFLICT", "execution_id", text)
            after = self._book.apply(booking.event)
            self.failures.filled(reservation.key.bot)
            if not TOO_MUCH.isdisjoint(booking.flags):
                self._only_reduce(reservation)
            for flag in booking.flags:
                self._alarm(flag, flag_text(flag, reservation, booking.event, report.price))
            return booking.execution(after)

    def executed(self, execution_id: str) -> Executed | None:
        """What an execution id booked, however long ago; None for a new one."""
        known = self._book.state.executions.get(execution_id)
        if known is None and self._book.journal is not None:
            event = self._book.journal.filled(execution_id)
            if event is not None:
                return event.request_id, event.quantity, event.cost / SCALE, event.reported
        return known

    def _reservation(self, request_id: str) -> Reservation | None:
        """The approval of an id, open or settled; one without money for a refused or long forgotten one."""
        state = self._book.state
        found = state.reservations.get(request_id) or state.settled.get(request_id)
        if found is None:
            answer = self._answers.find(request_id)
            return None if answer is None else nothing_approved(answer)
        return found

    def cancel(self, request_id: str, reason: str = "", actor: str = "") -> None:
        """Free what is left of an approval; cancelling one that is closed changes nothing.

        Parameters
        ----------
        request_id, reason : str
        actor : str
            Who wants it, for the journal; by default the bot.

        Raises
        ------
        UnknownRequest
            The id was never given out.
        """
        checked_name(request_id, "request_id")
        try:
            self._cancel_once(request_id, reason, actor)
        except StoreUnavailable:  # lost whole; from now on it is cancelled in memory
            self._cancel_once(request_id, reason, actor)

    def _cancel_once(self, request_id: str, reason: str, actor: str) -> None:
        with self._book.lock:
            state = self._book.state
            known = state.reservations.get(request_id)
            if known is not None:
                self._close(request_id, ReservationStatus.CANCELLED, reason, actor or known.key.bot)
            elif request_id not in state.settled and self._answers.find(request_id) is None:
                raise UnknownRequest("UNKNOWN_REQUEST", "request_id", f"no request has the id {request_id!r}")

    def cancel_all(
        self, reason: str, *, bot: str | None = None, openings_only: bool = False, actor: str = SYSTEM
    ) -> tuple[Reservation, ...]:
        """Free all open approvals, or those of one bot; returns them as they were.

        With `openings_only` those that only close a position stay: protective orders are kept.
        """
        return self._cancel_these(
            reason,
            lambda r: (bot is None or r.key.bot == bot) and (r.opening > 0 or not openings_only),
            actor,
        )

    def cancel_openings(self, reason: str, which: Callable[[Reservation], bool]) -> tuple[Reservation, ...]:
        """Free the approvals that open and are chosen; those that only close stay. Returns them."""
        return self._cancel_these(reason, lambda r: r.opening > 0 and which(r), SYSTEM)

    def _cancel_these(
        self, reason: str, which: Callable[[Reservation], bool], actor: str
    ) -> tuple[Reservation, ...]:
        with self._book.lock:
            chosen = tuple(r for r in self._book.state.reservations.values() if which(r))
            for reservation in chosen:
                self._close(reservation.request_id, ReservationStatus.CANCELLED, reason, actor)
        return chosen

    def expire(self) -> int:
        """Mark approvals that are past their time; they count until someone says what became of them."""
        now = self._clock.now()
        with self._book.lock:
            late = [
                r.request_id
                for r in self._book.state.reservations.values()
                if r.valid_until < now and r.status is not ReservationStatus.EXPIRED_UNCONFIRMED
            ]
            for request_id in late:
                self._close(request_id, ReservationStatus.EXPIRED_UNCONFIRMED, "past its time", SYSTEM)
        return len(late)

    def decision(self, request_id: str) -> TradeDecision | None:
        """The answer that a request got, None for an unknown id."""
        known = self._answered(request_id)
        return None if known is None else known.decision

    def approval(self, request_id: str) -> Reservation | None:
        """What an id was approved, open or settled; without money where it was refused, None where unknown.

        Raises
        ------
        AnswerUnreadable
            It was settled long ago, or in another life, and the store can't be read.
        """
        name = checked_name(request_id, "request_id")
        with self._book.lock:
            return self._reservation(name)

    def asked(self, request_id: str) -> TradeRequest | None:
        """What was asked under an id, None for an unknown one."""
        known = self._answered(request_id)
        return None if known is None else known.request

    def _answered(self, request_id: str) -> TradeDecided | None:
        name = checked_name(request_id, "request_id")
        with self._book.lock:  # leaving it waits for the disk: nobody sees an answer that may yet be lost
            return self._answers.find(name)

    def check_belief(self, event: Filled, price: float, fee: float) -> None:
        """Raise where the price or fee of a fill that nobody approved is beyond belief; it is not booked."""
        symbol, state = event.key.symbol, self._book.state
        if far_from_ours(state, symbol, price, self._book.config, paid=last_price(state, symbol) or None):
            units, money = abs(event.quantity) / SCALE, abs(event.cost) / SCALE
            report = FillReport(
                event.request_id, money, price, execution_id=event.execution_id, quantity=units, fee=fee
            )
            self._refuse_outlier(symbol, report)
        _check_fee(event, fee)

    def _refuse_outlier(self, symbol: str, report: FillReport) -> NoReturn:
        """Record a fill at a price beyond belief, let its symbol only close, and tell people."""
        now = self._clock.now()
        text = (
            f"a fill of {report.request_id!r} at {report.price:g} is beyond belief beside our price of "
            f"{symbol}; it was recorded, not booked: report the true price, then set the symbol ACTIVE"
        )
        if (Scope.SYMBOL, symbol, "fill_price") not in self._book.state.holds:
            mode = TradingMode.REDUCING
            hold = Hold(Scope.SYMBOL, symbol, "fill_price", mode, SYSTEM, text, now, latched=True)
            self._book.apply(HoldSet(at=now, actor=SYSTEM, hold=hold))
        self._set_aside("PRICE_OUTLIER", text, report)
        raise InvalidRequest("PRICE_OUTLIER", "executed_price", text)

    def _set_aside(self, code: str, text: str, report: FillReport) -> None:
        """Record a report that can't be booked, and tell people."""
        self._aside.keep(code, text, report)

    def _only_reduce(self, reservation: Reservation) -> None:
        """A bot that traded more than it was allowed to only closes until a person looks."""
        bot, now = reservation.key.bot, self._clock.now()
        if bot in ACCOUNT_WIDE:
            return
        what = "beyond what was approved" if reservation.approved else "although it was refused"
        text = f"{reservation.request_id} was filled {what}; set the bot ACTIVE again"
        hold = Hold(Scope.BOT, bot, "overfill", TradingMode.REDUCING, SYSTEM, text, now, latched=True)
        self._book.apply(HoldSet(at=now, actor=SYSTEM, hold=hold))

    def _not_filled(self, report: FillReport) -> Execution:
        known = self._book.state.reservations.get(report.request_id)
        works_on = report.success and report.final is False
        if known is not None and not works_on:
            status = ReservationStatus.CANCELLED if report.success else ReservationStatus.NOT_SENT
            who = report.actor or known.key.bot
            self._close(report.request_id, status, "reported as not filled", who)
            if not report.success:
                self.failures.not_filled(known.key.bot, report.request_id)
        return Execution(report.request_id, report.execution_id or "", 0.0, 0.0, 0.0)

    def _close(self, request_id: str, status: ReservationStatus, reason: str, actor: str) -> None:
        event = ReservationClosed(
            at=self._clock.now(), actor=actor, request_id=request_id, status=status, reason=reason
        )
        self._book.apply(event)

    def put_back(self, bot: str) -> None:
        """A person enabled a bot: what switched it off counts no more."""
        self.failures.forgive(bot)
        self._put_back[bot] = self._clock.now()

    def _count_failures(self, failed: tuple[str, ...]) -> None:
        self.failed_in_a_row = self.failed_in_a_row + 1 if failed else 0
        if failed:
            self._alarm("CHECK_ERROR", f"checks failed and refused what opens: {', '.join(failed)}")

    def _stop_runaway(self, request: TradeRequest) -> None:
        """Switch off a bot that keeps asking far beyond its rate; a person puts it back."""
        bot, settings = self._book.state.bots.get(request.bot), self._book.config.order_config
        moments = self._book.state.requests.get(request.bot, ())
        put_back = self._put_back.get(request.bot)
        if put_back is not None:  # what it asked before was why it was off
            moments = moments[bisect_right(moments, put_back) :]
        asked = count_recent(moments, request.requested_at)
        if bot is None or not bot.enabled:
            return
        if asked <= settings.runaway_multiple * settings.max_orders_per_minute:
            return
        text = f"{bot.name} asked {asked} times in a minute and was switched off; look at it, then enable it"
        off = amended(bot, enabled=False, disabled_reason=text)
        self._book.apply(BotChanged(at=request.requested_at, actor=SYSTEM, bot=off))
        self.cancel_all(text, bot=bot.name, openings_only=True)
        self._alarm("RUNAWAY_BOT", text)

    def _register(self, request: TradeRequest) -> None:
        """Make a bot that is new known."""
        known, settings = self._book.state.bots, self._book.config.bot_config
        if request.bot == OPERATOR or request.bot in known:
            return
        if settings.register_unknown and len(known) < settings.max_bots:
            bot = Bot(request.bot, "", request.requested_at, auto_registered=True)
            self._book.apply(BotChanged(at=request.requested_at, actor=request.bot, bot=bot))

    def _bind(self, request: TradeRequest) -> None:
        """The first strategy that a bot is approved for is its own from then on."""
        asking = self._book.state.bots.get(request.bot)
        if asking is not None and request.strategy and not asking.strategy:
            bot = amended(asking, strategy=request.strategy)
            self._book.apply(BotChanged(at=request.requested_at, actor=request.bot, bot=bot))

    def _request(self, ticket: OrderTicket, *, reserves: bool) -> TradeRequest:
        action: object = ticket.action
        side = ACTIONS.get(action) if isinstance(action, str) else None
        if side is None:
            raise InvalidRequest(
                "INVALID_ACTION", "action", f"action is 'buy' or 'sell'; got {shown(ticket.action)}"
            )
        bot = OPERATOR if ticket.bot_name is None else checked_bot(ticket.bot_name)
        strategy = checked_name(ticket.strategy, "strategy", empty=True)
        if not strategy and bot in self._book.state.bots:
            strategy = self._book.state.bots[bot].strategy
        account = self._book.config.account_id
        if ticket.account_id is not None:
            account = checked_name(ticket.account_id, "account_id")
        if account not in self._book.state.accounts:
            raise InvalidRequest(
                "UNKNOWN_ACCOUNT", "account_id", f"no account is called {shown(account)}; fund it first"
            )
        symbol = checked_symbol(ticket.symbol)
        check_spelling(self._book.state, [symbol])
        return TradeRequest(
            request_id=self._id(ticket.request_id),
            symbol=symbol,
            side=side,
            size=checked_number(ticket.size, "size"),
            strategy=strategy,
            bot=bot,
            account_id=account,
            confidence=checked_number(ticket.confidence, "confidence", zero=True, most=1.0),
            limit_price=None if ticket.price is None else checked_number(ticket.price, "price"),
            risk_amount=_stop(ticket.risk_amount),
            requested_at=self._clock.now(),
            reserves=reserves,
            reduce_only=_flag(ticket.reduce_only),
        )

    def _may_be_new(self, request_id: str) -> None:
        """Raise where a new id names something already though its answer is forgotten, or may come to."""
        state = self._book.state
        if request_id in state.reservations or request_id in state.settled:
            if self._book.outage:
                said = f"the answer of {request_id!r} can't be read now: {self._book.outage}; ask again"
                raise StoreUnavailable(said)
            raise reused(request_id)
        if request_id.startswith(self._boot):
            said = f"ids that begin with {self._boot} are given out here; choose your own"
            raise InvalidRequest("INVALID_REQUEST_ID", "request_id", said)

    def _id(self, given: str | None) -> str:
        if given is None:
            return f"{self._boot}{next(self._numbers)}"
        try:
            return checked_name(given, "request_id")
        except InvalidRequest as problem:
            raise InvalidRequest("INVALID_REQUEST_ID", "request_id", problem.message) from None


def _checked_ticket(ticket: object) -> OrderTicket:
    if isinstance(ticket, OrderTicket):
        return ticket
    raise InvalidRequest("WRONG_TYPE", "ticket", f"an OrderTicket is needed; got {shown(ticket)}")


def _told_otherwise(event: Filled, known: Executed | None) -> str:
    text = f"execution {event.execution_id!r} was booked with other numbers"
    if known is None:
        return text
    request_id, units, money, _ = known
    was = f"{units / SCALE:,.8g} units for {money:,.2f} under {request_id}"
    now = f"{event.quantity / SCALE:,.8g} for {event.cost / SCALE:,.2f} under {event.request_id}"
    return f"{text}: {was}, now told {now}; another fill has an id of its own"


def _check_fee(event: Filled, fee: float) -> None:
    if dear_fee(event):
        text = f"a fee of {fee:g} is more than the fill itself; report the true one"
        raise InvalidRequest("OUT_OF_RANGE", "fee", text)


def _flag(reduce_only: object) -> bool:
    if isinstance(reduce_only, bool):
        return reduce_only
    raise InvalidRequest(
        "WRONG_TYPE", "reduce_only", f"reduce_only is True or False; got {shown(reduce_only)}"
    )


def _stop(risk_amount: object) -> float | None:
    """Money lost at the stop; 0 is no stop, as it is for a position."""
    if risk_amount is None:
        return None
    return checked_number(risk_amount, "risk_amount", zero=True) or None
