"""Liquidations begin and end here; at a broker somebody else carries them out in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from risk_management.clock import Clock
from risk_management.core.book import Book
from risk_management.core.liquidation.closes import closes_in_the_way
from risk_management.core.liquidation.life import begun, cuts_left
from risk_management.core.liquidation.scope import cuts_of, held_in, held_scope, is_inside
from risk_management.core.order_desk import OrderDesk
from risk_management.core.reduction import CloseIntent
from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import (
    HoldReleased,
    HoldSet,
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStopped,
)
from risk_management.model.liquidation import (
    EVERYTHING,
    Liquidation,
    LiquidationScope,
    Part,
    ScopeKind,
    plan_id_of,
)
from risk_management.model.portfolio import (
    OPERATOR,
    SYSTEM,
    Hold,
    PortfolioState,
    PositionKey,
    Scope,
    TradingMode,
)

__all__ = ["LiquidationDesk", "alert_keys", "liquidations_over"]

CAUSE: Final = "liquidation"
"""Of the hold under which a part of the book is closed."""
RETRY: Final = timedelta(minutes=5)
"""How long the same words of the same person are the same request, though it has ended meanwhile."""


class LiquidationDesk:
    """Begins and ends liquidations in the journal.

    Parameters
    ----------
    book : Book
    desk : OrderDesk
    clock : Clock
    book_close : callable
        Books a close at the mark.
    """

    def __init__(
        self, book: Book, desk: OrderDesk, clock: Clock, book_close: Callable[[CloseIntent], None]
    ) -> None:
        self._book, self._desk, self._clock, self._book_close = book, desk, clock, book_close
        self.has_broker = False
        """Whether somebody carries out at a broker what begins here; else it is booked at the marks."""

    def begin(self, intents: Sequence[CloseIntent]) -> tuple[CloseIntent, ...]:
        """Begin to close what none that goes on closes already; returns what that is."""
        with self._book.lock:
            cuts = _beyond(self._book.state, [(one.key, one.quantity) for one in intents])
            if cuts:
                cause = intents[0].reason
                self._start(LiquidationScope(ScopeKind.CUTS, cause), cause, SYSTEM, cause, cuts)
            units = dict(cuts)
        return tuple(replace(one, quantity=units[one.key]) for one in intents if one.key in units)

    def begin_everything(self, cause: str, reason: str) -> bool:
        """Begin to close everything, unless that goes on or nothing is held; whether it began."""
        with self._book.lock:
            state = self._book.state
            if not state.positions or any(True for _ in _going_on(state, EVERYTHING)):
                return False
            self._start(EVERYTHING, cause, SYSTEM, reason)
        return True

    def liquidate(
        self, scope: LiquidationScope, reason: str, actor: str, *, cause: str = OPERATOR, plan_id: str = ""
    ) -> Liquidation:
        """Begin to close a part of the book; without a broker it is booked at the marks at once.

        Until it has ended only closing passes in the scope, and its entries are cancelled. What goes on
        already is not begun twice: the same plan, or all of the same scope, is the one that began.

        Parameters
        ----------
        scope : LiquidationScope
        reason, actor : str
        cause : str
        plan_id : str
            Of the plan that was seen; positions that are others by now begin nothing.

        Raises
        ------
        InvalidRequest
            ``PLAN_CHANGED``, or the scope names nobody that is known.
        """
        with self._book.lock:
            state = self._book.state
            cuts = cuts_of(state, scope)
            now_seen = plan_id_of(scope, held_in(state, scope, cuts))
            known = self._begun_before(scope, plan_id, now_seen, actor, reason)
            if known is not None:
                return known
            if plan_id and now_seen != plan_id:
                said = "positions are others than those of the plan; look at a new plan"
                raise InvalidRequest("PLAN_CHANGED", "plan_id", said)
            if scope.kind.is_target:
                cuts = _beyond(state, cuts)
            one = self._start(scope, cause, actor, reason, cuts if scope.kind.is_target else None)
            text = _hold_text(one)
            self._desk.cancel_openings(text, lambda r: is_inside(state, scope, r.key))
            if not self.has_broker:
                self.give_way(cuts, text)
                for key, units in cuts:
                    self._book_close(CloseIntent(key, units, cause))
                self.end(one, f"{len(cuts)} positions booked at the marks: there is no broker")
            return self._book.state.liquidations[one.liquidation_id]

    def give_way(self, parts: Sequence[Part], reason: str) -> None:
        """Cancel approved closes that would trade once more what is closed here."""
        with self._book.lock:
            for r in closes_in_the_way(self._book.state, parts):
                self._desk.cancel(r.request_id, reason, SYSTEM)

    def _begun_before(
        self, scope: LiquidationScope, plan_id: str, now_seen: str, actor: str, reason: str
    ) -> Liquidation | None:
        """The liquidation that a call asks for once more; None where it is a new one."""
        state = self._book.state
        for one in _going_on(state, scope):
            if not scope.kind.is_target or one.plan_id in (plan_id, now_seen):
                return one
        if plan_id == now_seen:
            return None
        words, since = (plan_id, str(scope), actor, reason), self._clock.now() - RETRY
        known = (o for o in state.liquidations.values() if o.started_at >= since)
        return next((o for o in known if (o.plan_id, o.scope, o.actor, o.reason) == words), None)

    def stop(self, liquidation_id: str, actor: str, reason: str) -> Liquidation:
        """A person wants it to end: its working orders are cancelled first, what is held stays.

        One that has ended, or is being ended, is left as it is. Without anybody who speaks to a broker it
        ends at once.

        Raises
        ------
        InvalidRequest
            ``UNKNOWN_LIQUIDATION``
        """
        with self._book.lock:
            one = self._book.state.liquidations.get(liquidation_id)
            if one is None:
                going_on = (o for o in self._book.state.liquidations.values() if o.is_open)
                names = ", ".join(o.liquidation_id for o in going_on) or "none"
                said = f"no liquidation has the id {shown(liquidation_id)}; going on: {names}"
                raise InvalidRequest("UNKNOWN_LIQUIDATION", "liquidation_id", said)
            if one.is_open and not one.stopped_by:
                self._book.apply(LiquidationStopped(self._clock.now(), actor, liquidation_id, reason))
                if not self.has_broker:
                    works = f"; {len(one.working)} orders may still work" if one.working else ""
                    self.end(one, f"ended by {actor}: {reason}; there is no broker{works}")
            return self._book.state.liquidations[liquidation_id]

    def was_stopped(self, cause: str) -> bool:
        """Whether a person ended the newest liquidation of a cause."""
        with self._book.lock:
            mine = [one for one in self._book.state.liquidations.values() if one.cause == cause]
        return bool(mine) and bool(mine[-1].stopped_by)

    def cross(self, parts: Sequence[Part], cause: str) -> None:
        """Owners of both sides of a symbol close against each other at the mark; no broker is needed."""
        with self._book.lock:
            for key, units in parts:
                self._book_close(CloseIntent(key, units, cause))

    def end(self, one: Liquidation, outcome: str) -> None:
        """It is over: its hold goes, unless another one that goes on needs the same."""
        now, name = self._clock.now(), one.liquidation_id
        with self._book.lock:
            self._book.apply(LiquidationEnded(now, SYSTEM, name, outcome))
            held = held_scope(LiquidationScope.of(one.scope))
            if held is None or (*held, CAUSE) not in self._book.state.holds:
                return
            others = liquidations_over(self._book.state, *held)
            if not others:
                said = "the liquidation has ended"
                self._book.apply(HoldReleased(now, SYSTEM, *held, CAUSE, said))
            elif self._book.state.holds[*held, CAUSE].reason == _hold_text(one):
                self._hold(others[0])

    def _start(
        self,
        scope: LiquidationScope,
        cause: str,
        actor: str,
        reason: str,
        cuts: Sequence[Part] | None = None,
    ) -> Liquidation:
        now = self._clock.now()
        one = begun(self._book.state, scope, now, cause=cause, actor=actor, reason=reason, cuts=cuts)
        self._book.apply(LiquidationStarted(at=now, actor=actor, liquidation=one))
        self._hold(one)
        return one

    def _hold(self, one: Liquidation) -> None:
        """Only closing passes in what is closed."""
        held = held_scope(LiquidationScope.of(one.scope))
        if held is not None:
            now = self._clock.now()
            hold = Hold(*held, CAUSE, TradingMode.REDUCING, one.actor, _hold_text(one), now)
            self._book.apply(HoldSet(at=now, actor=one.actor, hold=hold))


def alert_keys(one: Liquidation) -> tuple[str, ...]:
    """Keys under which people are told of a liquidation while it goes on."""
    words = ("", ":waits", ":stuck", ":refused", ":broker")
    return tuple(f"liquidation:{one.liquidation_id}{word}" for word in words)


def liquidations_over(state: PortfolioState, scope: Scope, name: str) -> tuple[Liquidation, ...]:
    """Those that go on under the hold of a scope."""
    going_on = (one for one in state.liquidations.values() if one.is_open)
    return tuple(o for o in going_on if held_scope(LiquidationScope.of(o.scope)) == (scope, name))


def _going_on(state: PortfolioState, scope: LiquidationScope) -> Iterator[Liquidation]:
    """Those of the same scope that go on, and that nobody wants to end."""
    same = (one for one in state.liquidations.values() if one.scope == str(scope))
    return (one for one in same if one.is_open and not one.stopped_by)


def _beyond(state: PortfolioState, cuts: Sequence[Part]) -> tuple[Part, ...]:
    """What of some cuts no liquidation that goes on closes already."""
    closing: dict[PositionKey, int] = {}
    for one in state.liquidations.values():
        for key, units in cuts_left(state, one) if one.is_open and not one.stopped_by else ():
            closing[key] = closing.get(key, 0) + abs(units)
    fresh = []
    for key, units in cuts:
        more = abs(units) - closing.get(key, 0)
        if more > 0:
            fresh.append((key, more if units > 0 else -more))
    return tuple(fresh)


def _hold_text(one: Liquidation) -> str:
    return f"{one.scope} is closed: {one.reason}"
