"""What must hold after every step, in a few lines each, from the side of broker, bots and market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from risk_management.clock import ManualClock
from risk_management.core.ledger import check_ledger
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.standing import Standing
from risk_management.errors import LedgerError
from risk_management.model.events import Event, Filled
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, ReservationStatus, Scope, TradingMode
from risk_management.model.trade import TradeDecision
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.sums import beyond_limits
from risk_management.store.snapshot import state_hash

__all__ = ["Invariants"]

CENT: Final = 0.01
DUST: Final = 1e-6
"""The one tolerance of the gate, in money."""
FRESH: Final = 60.0 + 5.0 + 2.0
"""Seconds for which a price opens: its age limit, what a stamp may lie ahead, and a step that is none."""
PEAK_SLACK: Final = 0.01
"""Share by which the engine's mark may lie above the true one: fills that are not told yet."""
SAME_UNITS: Final = 1_000
"""Ledger units: a split rounds every position on its own."""


class Invariants:
    """Raises `BrokenInvariant` at the first thing that must not be.

    Parameters
    ----------
    machine : ManualClock
    fills : Mapping of str to (int, int)
        The broker's own executions: signed units and money.
    seen : Mapping of str to float
        Second of the newest price that the engine took, by symbol.
    true_peak : callable
        Highest true value of a unit.
    tally : Tally
    peak_slack : float
        Share by which the engine's mark may lie above it.
    """

    def __init__(
        self,
        machine: ManualClock,
        fills: Mapping[str, tuple[int, int]],
        seen: Mapping[str, float],
        true_peak: Callable[[], float],
        tally: Tally,
        peak_slack: float = PEAK_SLACK,
    ) -> None:
        self._peak_slack = peak_slack
        self._machine, self._fills, self._seen = machine, fills, seen
        self._true_peak, self._tally = true_peak, tally
        self._booked: set[str] = set()
        self._peak = 0.0
        self.is_stopped = False
        """A person stopped all trading and was told that it is; nobody released it."""

    # -- answers ------------------------------------------------------------------------------------

    def answered(
        self,
        engine: AdvancedRiskManager,
        before: PortfolioState,
        ticket: OrderTicket,
        decision: TradeDecision,
    ) -> None:
        """A new answer: nothing beyond a limit, nothing opened in doubt, no close refused.

        One that was given before, to a caller who never heard it, is of its own time.
        """
        if decision.decided_at != engine.clock.now():
            return
        state = engine.state
        if decision.recommended_size > decision.requested_size + CENT:
            raise BrokenInvariant("no more than was asked", f"{decision}")
        if decision.approved and decision.request_id not in state.reservations:
            raise BrokenInvariant("what is approved is reserved", f"{decision.request_id} is not")
        if decision.opening_size > DUST:
            self._may_open(state, decision)
            over = beyond_limits(state, decision, engine.config)
            if over:
                raise BrokenInvariant("no over-approval", f"{decision.request_id}: {over}")
        free = _free_to_close(before, ticket, decision)
        if free > CENT and self._may_close(state, decision):
            least = min(decision.requested_size, free)
            if decision.closing_size < least - CENT - 1e-6 * least:
                self._tally.did["closes refused"] += 1
                text = (
                    f"{decision.request_id} may close {least:.2f}, allowed were {decision.closing_size:.2f}"
                )
                raise BrokenInvariant("closing passes", f"{text}; {decision.rejection_reasons}")

    def _may_open(self, state: PortfolioState, decision: TradeDecision) -> None:
        modes = [state.mode_of(scope, name) for scope, name in _scopes(decision)]
        if self.is_stopped or any(mode is not TradingMode.ACTIVE for mode in modes):
            raise BrokenInvariant(
                "nothing opens while it is stopped",
                f"{decision.request_id} opens {decision.opening_size!r}, "
                f"asked {decision.requested_size!r}: {modes}",
            )
        if not state.bots[decision.bot_name].enabled:
            raise BrokenInvariant("a disabled bot opens nothing", f"{decision.request_id}")
        if not decision.durable:
            raise BrokenInvariant("nothing opens in memory alone", f"{decision.request_id}")
        age = self._machine.monotonic() - self._seen.get(decision.symbol, -1e9)
        if age > FRESH:
            text = f"{decision.request_id} opens {decision.symbol} on a price of {age:.1f} s ago"
            raise BrokenInvariant("nothing opens on an old price", text)

    @staticmethod
    def _may_close(state: PortfolioState, decision: TradeDecision) -> bool:
        return all(state.mode_of(scope, name) is not TradingMode.HALTED for scope, name in _scopes(decision))

    # -- the store ----------------------------------------------------------------------------------

    def kept(self, events: Sequence[Event]) -> None:
        """Events that are on disk: each execution once, with the broker's own numbers."""
        for event in events:
            if not isinstance(event, Filled):
                continue
            name = event.execution_id
            if name in self._booked:
                raise BrokenInvariant("each execution is booked once", f"{name} was booked again: {event}")
            self._booked.add(name)
            true = self._fills.get(name)
            if true is not None and true != (event.quantity, event.cost):
                text = f"{name} was {true} at the broker and booked as {(event.quantity, event.cost)}"
                raise BrokenInvariant("fills are booked as they were", text)

    def recovered(self, found: Standing, wanted: Standing) -> None:
        """What a recovery came to is what was on disk, to the last bit."""
        ours, theirs = state_hash(found), state_hash(wanted)
        self._tally.note(ours)
        if ours != theirs:
            text = f"entry {found.state.version} has {ours[:16]}, before the crash {theirs[:16]}"
            raise BrokenInvariant("a recovery comes to the exact state", text)

    # -- the state ----------------------------------------------------------------------------------

    def assessed(self, engine: AdvancedRiskManager) -> None:
        """The mark never falls, and never rises by what is not true."""
        if engine.book.outage:
            return
        peak = engine.state.drawdown.peak
        if peak < self._peak:
            raise BrokenInvariant("the mark never falls", f"from {self._peak!r} to {peak!r}")
        if peak > self._true_peak() * (1.0 + self._peak_slack):
            text = f"the mark stands at {peak:.4f} a unit, the true one at {self._true_peak():.4f}"
            raise BrokenInvariant("the mark rises by true prices alone", text)
        self._peak = peak

    @staticmethod
    def sums_hold(engine: AdvancedRiskManager) -> None:
        """The carried sums are those from scratch."""
        try:
            check_ledger(engine.state)
        except LedgerError as problem:
            raise BrokenInvariant("the ledger's sums", str(problem)) from problem

    @staticmethod
    def agrees(engine: AdvancedRiskManager, units: Mapping[str, int], cash: int) -> None:
        """Units and cash are the broker's once everything was told and compared."""
        ours: dict[str, int] = {}
        for key, position in engine.state.positions.items():
            ours[key.symbol] = ours.get(key.symbol, 0) + position.quantity
        for symbol in sorted({*ours, *units}):
            if abs(ours.get(symbol, 0) - units.get(symbol, 0)) > SAME_UNITS:
                text = f"{ours.get(symbol, 0)} of {symbol} here, {units.get(symbol, 0)} at the broker"
                raise BrokenInvariant("units are the broker's", text)
        held = sum(account.cash for account in engine.state.accounts.values())
        if abs(held - cash) > CENT * SCALE * 2:
            raise BrokenInvariant("cash is the broker's", f"{held} here, {cash} at the broker")


def _scopes(decision: TradeDecision) -> tuple[tuple[Scope, str], ...]:
    return (
        (Scope.PORTFOLIO, ""),
        (Scope.STRATEGY, decision.strategy),
        (Scope.BOT, decision.bot_name),
        (Scope.SYMBOL, decision.symbol),
    )


def _free_to_close(state: PortfolioState, ticket: OrderTicket, decision: TradeDecision) -> float:
    """Money of the owner's own position that no approved close of it, and none of the account's, covers."""
    side = 1 if ticket.action == "buy" else -1
    mine = all_held = 0
    for key, position in state.positions.items():
        if key.symbol == ticket.symbol and position.quantity * side < 0:
            all_held += abs(position.quantity)
            mine += abs(position.quantity) * (key.bot == ticket.bot_name)
    if mine == 0 or decision.price is None:
        return 0.0
    for name, waiting in state.reservations.items():
        is_late = waiting.status is ReservationStatus.EXPIRED_UNCONFIRMED
        if (
            name != decision.request_id
            and waiting.key.symbol == ticket.symbol
            and waiting.side == side
            and not is_late
        ):
            all_held -= waiting.closing_quantity
            mine -= waiting.closing_quantity * (waiting.key.bot == ticket.bot_name)
    return max(0, min(mine, all_held)) / SCALE * decision.price
