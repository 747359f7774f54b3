"""Liquidations begin and end here; at a broker somebody else carries them out in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from risk_management.clock import Clock
from risk_management.core.book import Book
from risk_management.core.liquidation.life import begun, cuts_left
from risk_management.core.liquidation.scope import cuts_of, held_in, held_scope
from risk_management.core.order_desk import OrderDesk
from risk_management.core.reduction import CloseIntent
from risk_management.errors import InvalidRequest
from risk_management.model.events import HoldReleased, HoldSet, LiquidationEnded, LiquidationStarted
from risk_management.model.liquidation import (
    EVERYTHING,
    Liquidation,
    LiquidationScope,
    Part,
    ScopeKind,
    plan_id_of,
)
from risk_management.model.portfolio import OPERATOR, SYSTEM, Hold, PositionKey, TradingMode

__all__ = ["LiquidationDesk"]

CAUSE: Final = "liquidation"
"""Of the hold under which a part of the book is closed."""


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
            state = self._book.state
            closing: dict[PositionKey, int] = {}
            for one in state.liquidations.values():
                for key, units in cuts_left(state, one) if one.is_open else ():
                    closing[key] = max(closing.get(key, 0), abs(units))
            fresh = []
            for intent in intents:
                more = abs(intent.quantity) - closing.get(intent.key, 0)
                if more > 0:
                    fresh.append(replace(intent, quantity=more if intent.quantity > 0 else -more))
            if fresh:
                cause = fresh[0].reason
                cuts = [(one.key, one.quantity) for one in fresh]
                self._start(LiquidationScope(ScopeKind.CUTS, cause), cause, SYSTEM, cause, cuts)
        return tuple(fresh)

    def begin_everything(self, cause: str, reason: str) -> bool:
        """Begin to close everything, unless that goes on or nothing is held; whether it began."""
        with self._book.lock:
            state = self._book.state
            goes_on = any(o.is_open and o.scope == str(EVERYTHING) for o in state.liquidations.values())
            if goes_on or not state.positions:
                return False
            self._start(EVERYTHING, cause, SYSTEM, reason)
        return True

    def liquidate(
        self, scope: LiquidationScope, reason: str, actor: str, *, cause: str = OPERATOR, plan_id: str = ""
    ) -> Liquidation:
        """Begin to close a part of the book; without a broker it is booked at the marks at once.

        Until it has ended only closing passes in the scope, and its entries are cancelled.

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
            if plan_id and plan_id_of(scope, held_in(state, scope, cuts)) != plan_id:
                said = "positions are others than those of the plan; look at a new plan"
                raise InvalidRequest("PLAN_CHANGED", "plan_id", said)
            text, now = f"{scope} is closed: {reason}", self._clock.now()
            hold = Hold(*held_scope(scope), CAUSE, TradingMode.REDUCING, actor, text, now)
            self._book.apply(HoldSet(at=now, actor=actor, hold=hold))
            symbols = {key.symbol for key, _ in cuts}
            self._desk.cancel_openings(text, lambda r: scope == EVERYTHING or r.key.symbol in symbols)
            one = self._start(scope, cause, actor, reason)
            if not self.has_broker:
                for key, units in cuts:
                    self._book_close(CloseIntent(key, units, cause))
                self.end(one, f"{len(cuts)} positions booked at the marks: there is no broker")
            return self._book.state.liquidations[one.liquidation_id]

    def cross(self, parts: Sequence[Part], cause: str) -> None:
        """Owners of both sides of a symbol close against each other at the mark; no broker is needed."""
        with self._book.lock:
            for key, units in parts:
                self._book_close(CloseIntent(key, units, cause))

    def end(self, one: Liquidation, outcome: str) -> None:
        """It is over: its hold goes, unless another one of the same scope goes on."""
        now, name = self._clock.now(), one.liquidation_id
        with self._book.lock:
            self._book.apply(LiquidationEnded(now, SYSTEM, name, outcome))
            state = self._book.state
            if any(o.is_open and o.scope == one.scope for o in state.liquidations.values()):
                return
            scope, held = held_scope(LiquidationScope.of(one.scope))
            if (scope, held, CAUSE) in state.holds:
                said = "the liquidation has ended"
                self._book.apply(HoldReleased(now, SYSTEM, scope, held, CAUSE, said))

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
        return one
