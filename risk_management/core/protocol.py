"""The emergency protocols at work: hold the rows against fresh metrics and carry out what they say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from risk_management.clock import Clock
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.assessment import Measured
from risk_management.core.book import Book
from risk_management.core.emergency import (
    EmergencyAction,
    EmergencyRow,
    step,
)
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.liquidation.desk import LiquidationDesk
from risk_management.core.order_desk import OrderDesk
from risk_management.core.reduction import (
    CloseIntent,
    best_value_first,
    close_all,
    cut_cluster,
    cut_symbol,
    cut_to_gross,
    cut_to_var,
    marked,
)
from risk_management.core.scoped_metrics import expanded, scoped_metrics
from risk_management.core.var_record import var_limit
from risk_management.errors import StoreUnavailable
from risk_management.model.amend import amended
from risk_management.model.emergency import EmergencyMemory
from risk_management.model.events import (
    DrawdownAdjusted,
    EmergencyStepped,
    Filled,
    HoldReleased,
    HoldSet,
    VarHaltChanged,
)
from risk_management.model.money import SCALE
from risk_management.model.portfolio import (
    SYSTEM,
    Hold,
    Position,
    PositionKey,
    Reservation,
    Scope,
    TradingMode,
)
from risk_management.model.traded import traded_text

__all__ = ["EmergencyProtocol", "EmergencyReport", "Executor", "Stopped"]

logger = logging.getLogger(__name__)

Executor = Callable[[Sequence[CloseIntent]], None]
"""Trades what the protocols want closed."""
TRIM_SHARE = 0.75
SHOWN = 5
"""Cancelled entries that a text names."""
GRAVE = frozenset({EmergencyAction.HALT})
"""Actions that happen once and are told as emergencies."""
CUTS = frozenset({EmergencyAction.TRIM, EmergencyAction.REDUCE_CLUSTER})


@dataclass(frozen=True, slots=True)
class EmergencyReport:
    """One protocol that acted or ended: its row, what happened, how grave it is, whether it is over."""

    row: str
    text: str
    is_emergency: bool
    is_over: bool = False
    about: str = ""
    """What is news when it is told again under this row; empty where that is the row itself."""
    traded: Mapping[str, int] | None = None
    """Of an act: ledger units by symbol. An act is news whatever its words."""


class Stopped(NamedTuple):
    """A stop: whether it is on disk, and the approved entries that it cancelled."""

    durable: bool
    cancelled: tuple[Reservation, ...]

    def explain(self) -> str:
        """One line: what was cancelled, and what stays."""
        shown = [
            f"{'buy' if r.side > 0 else 'sell'} {r.opening / SCALE:,.2f} {r.key.symbol} ({r.request_id})"
            for r in self.cancelled[:SHOWN]
        ]
        more = len(self.cancelled) - len(shown)
        said = ", ".join(shown) + (f" and {more} more" if more else "")
        return f"cancelled {said or 'no entries'}; protective orders stay"


class EmergencyProtocol:
    """Carries out the rows on a Book.

    Parameters
    ----------
    book : Book
    desk : OrderDesk
    clock : Clock
    executor : callable, optional
        Handed what is to be closed. Without one it is booked at the marks at once: the book of the
        paper account.
    """

    def __init__(self, book: Book, desk: OrderDesk, clock: Clock, executor: Executor | None = None) -> None:
        self._book = book
        self._desk = desk
        self._clock = clock
        self._rows = emergency_rows(book.config)
        self._seen: tuple[object, ...] | None = None
        self._executor: Executor = executor or self.book_at_marks
        self._sent: dict[PositionKey, tuple[Position, int]] = {}
        self._told = {name for name, row in book.state.emergency.counts.items() if row.active}
        self.closing = LiquidationDesk(book, desk, clock, self.book_close)
        book.lost.append(lambda _: self._go_back())

    def reconfigured(self) -> None:
        """Take the rows of the Book's new settings."""
        self._rows = emergency_rows(self._book.config)

    def _go_back(self) -> None:
        """What was booked as closed was lost: it is asked again."""
        self._rows = emergency_rows(self._book.config)
        self._sent.clear()
        self._seen = None

    def step(self, measured: Measured, *, confirmed: bool) -> list[EmergencyReport]:
        """Act on fresh metrics; `confirmed` where they come from daily bars that passed quarantine."""
        if self._book.may_be_taken:
            return []
        state = self._book.state
        rows: Sequence[EmergencyRow] = expanded(self._rows, state)
        if state.drawdown.recovery is not None:
            # the tranche has a loss budget of its own; the old mark is kept and would close it at once
            rows = [r for r in rows if r.name != "emergency_drawdown"]
        seen = (state.quotes, state.accounts)
        is_fresh = self._seen is None or any(
            new is not old for new, old in zip(seen, self._seen, strict=True)
        )
        metrics = measured.metrics
        scoped = scoped_metrics(state, self._book.config, rows)
        if scoped:
            metrics = {**metrics, **scoped}
            measured = amended(measured, metrics=metrics)
        result = step(
            rows,
            metrics,
            state.emergency,
            state.drawdown.day,
            confirmed=confirmed,
            is_fresh=is_fresh,
            now=self._clock.now(),
        )
        was_active = {row.name for row in rows if state.emergency.is_active(row.name)}
        self._remember(result.memory)
        reports = [text for row in result.pending for text in self._pending(row, measured)]
        for row in result.acting:
            reports += self._act(row, measured, is_new=row.name not in was_active)
        for row in result.released:
            reports += self._release(row)
        for row in result.cleared:
            if row.action is EmergencyAction.LIQUIDATE and self._is_held(row):
                reports += self._release(row)
        reports += self._recover()
        # what the protocols traded themselves is no fresh evidence
        self._seen = (self._book.state.quotes, self._book.state.accounts)
        return reports

    def execute(self, intents: Sequence[CloseIntent]) -> tuple[CloseIntent, ...]:
        """Hand over what is to be closed and return it; what was handed over before is not sent twice.

        While a position has not traded since, only what is asked beyond the earlier intents is new.
        """
        if self._book.may_be_taken:
            return ()
        if self.closing.has_broker:
            return self.closing.begin(intents)
        positions = self._book.state.positions
        self._sent = {key: sent for key, sent in self._sent.items() if key in positions}
        fresh, asked_now = [], {}
        for intent in intents:
            held = positions[intent.key]
            before, asked = self._sent.get(intent.key, (held, 0))
            asked = asked if before is held else 0  # the same size again may be another position
            if abs(intent.quantity) > abs(asked):
                fresh.append(replace(intent, quantity=intent.quantity - asked))
                asked_now[intent.key] = (held, intent.quantity)
        if fresh:
            self.closing.give_way([(one.key, one.quantity) for one in fresh], fresh[0].reason)
            self._executor(fresh)  # one that raises was sent nothing, and is asked again
            self._sent.update(asked_now)
        return tuple(fresh)

    def stop(self, cause: str, actor: str, reason: str) -> Stopped:
        """Halt everything: the mode first, then entries are cancelled; protective orders stay.

        Returns
        -------
        Stopped
            Where it is not on disk it holds all the same, and is written beside the store for the next start.
        """
        now = self._clock.now()
        hold = Hold(Scope.PORTFOLIO, "", cause, TradingMode.HALTED, actor, reason, now, latched=True)
        cancelled: tuple[Reservation, ...] = ()
        is_kept = False
        self._book.urge(HoldSet(at=now, actor=actor, hold=hold))
        with suppress(StoreUnavailable):
            with self._book.lock:  # both at once: a slow disk is waited for once
                cancelled = self._desk.cancel_all(reason, openings_only=True, actor=actor)
            is_kept = True
        self._book.latch()  # whoever applied it may not have come to that
        return Stopped(is_kept and not self._book.outage, cancelled)

    def release(self, actor: str, reason: str) -> tuple[str, ...]:
        """End every latched stop of the portfolio; returns what was released, in words.

        While the drawdown is still in its no-entry tier a recovery tranche begins: the mark is kept.
        """
        with self._book.lock:
            state = self._book.state
            latched = [h for h in state.holds.values() if h.latched and h.scope is Scope.PORTFOLIO]
            for hold in latched:
                self._unhold(hold.scope, hold.name, hold.cause, actor, reason)
                self._remember(self._book.state.emergency.forget(hold.cause))
            said = [f"{hold.cause}: {hold.reason}" for hold in latched]
            if self._book.state.drawdown.effective_multiplier == 0.0:
                self.start_recovery(actor, reason)
                said.append("the drawdown is still in its no-entry tier: a recovery tranche begins")
            left = [h for h in self._book.state.holds.values() if h.scope is Scope.PORTFOLIO]
            said += [f"still {hold.mode.value} by {hold.cause}: {hold.reason}" for hold in left if said]
        return tuple(said)

    def start_recovery(self, actor: str, reason: str) -> None:
        """Open a recovery tranche; nothing happens while one runs or none is needed."""
        with self._book.lock:
            drawdown = self._book.state.drawdown
            if drawdown.multiplier > 0.0 or drawdown.recovery is not None:
                return
            begun = drawdown_rules.start_recovery(drawdown, self._book.config.drawdown_config)
            now = self._clock.now()
            self._book.apply(DrawdownAdjusted(at=now, actor=actor, drawdown=begun, reason=reason))

    def book_at_marks(self, intents: Sequence[CloseIntent]) -> None:
        """Close at the marks, without a broker: for the account in memory."""
        with self._book.lock:
            for intent in intents:
                self.book_close(intent)

    def book_close(self, intent: CloseIntent, price: float | None = None, fee: int = 0) -> None:
        """Book that an intent was filled, at a price or at the mark; more than is held is not closed."""
        with self._book.lock:
            state = self._book.state
            position = state.positions.get(intent.key)
            if position is None or position.quantity * intent.quantity >= 0:
                return
            quantity = intent.quantity
            if abs(quantity) > abs(position.quantity):
                quantity = -position.quantity
            if price is None:
                cost = marked(state, position) * quantity // position.quantity
            else:
                cost = round(quantity * price * state.instruments[intent.key.symbol].multiplier)
            name = f"{SYSTEM}-{intent.reason}-{state.version}"  # once in the life of a book
            self._book.apply(
                Filled(
                    at=self._clock.now(),
                    actor=SYSTEM,
                    request_id=name,
                    execution_id=name,
                    key=intent.key,
                    quantity=quantity,
                    cost=cost,
                    fee=fee,
                    final=True,
                    used_opening=0,
                    used_closing=0,
                    used_quantity=0,
                )
            )

    def _pending(self, row: EmergencyRow, measured: Measured) -> list[EmergencyReport]:
        """A liquidation that waits for confirmation stops entries at once."""
        if self._book.config.shadow_mode:
            return []
        if row.action is not EmergencyAction.LIQUIDATE or self._is_held(row):
            return []
        text = f"{_said(row, measured)}: entries cancelled, closing only, until it is confirmed"
        self._desk.cancel_openings(row.name, lambda r: concerns(row, r.key))
        self._hold(row, TradingMode.REDUCING, text, latched=False)
        return [EmergencyReport(row.name, text, is_emergency=True, about="waits")]

    def _act(self, row: EmergencyRow, measured: Measured, *, is_new: bool) -> list[EmergencyReport]:
        said = _said(row, measured)
        if self._book.config.shadow_mode:
            text = f"shadow mode: {said} would have led to {row.action.value}"
            return [EmergencyReport(row.name, text, is_emergency=False)] if is_new else []
        if not is_new and self.closing.was_stopped(row.name):
            return []  # a person ended what it closed: it begins again when the row comes up anew
        if row.action is EmergencyAction.LIQUIDATE:
            return self._liquidate(row, said)
        if row.action is EmergencyAction.TRIM:
            return self._trim(row, said)
        if row.action is EmergencyAction.REDUCE_CORRELATED:
            return self._reduce_pair(row, measured, is_new=is_new)
        if row.action is EmergencyAction.REDUCE_CLUSTER:
            return self._reduce_cluster(row, said)
        if not is_new and not row.cooldown:
            return []
        return [EmergencyReport(row.name, f"{said}{self._done_once(row, said)}", row.action in GRAVE)]

    def _done_once(self, row: EmergencyRow, said: str) -> str:
        """What a row does once when it comes up; returns what people are told of it."""
        if row.action is EmergencyAction.HALT:
            self._halt(row, said)
            return ": all trading stopped" if row.scope is Scope.PORTFOLIO else ": stopped"
        if row.action is EmergencyAction.HALT_NEW_RISK:
            self._book.apply(VarHaltChanged(at=self._clock.now(), actor=SYSTEM, halted=True))
            return ": nothing that adds VaR is approved"
        if row.action is EmergencyAction.REDUCE_ONLY:
            self._hold(row, TradingMode.REDUCING, said, latched=False)
            return ": closing only"
        if row.action is EmergencyAction.CANCEL_OPEN_ORDERS:
            gone = self._desk.cancel_openings(row.name, lambda r: concerns(row, r.key))
            return f": {len(gone)} entries cancelled, protective orders stay"
        if row.action is EmergencyAction.SCALE_DOWN:
            self._scale(row.name, row.amount)
            return f": sizes x {row.amount:g}"
        return ""

    def _halt(self, row: EmergencyRow, said: str) -> None:
        """HALTED over the row's scope, entries cancelled, protective orders kept."""
        if row.scope is Scope.PORTFOLIO:
            self.stop(row.name, SYSTEM, said)
            return
        self._hold(row, TradingMode.HALTED, said, latched=True)
        self._desk.cancel_openings(said, lambda r: concerns(row, r.key))

    def _scale(self, name: str, multiplier: float | None) -> None:
        """Set or, with None, take away the multiplier of a row."""
        drawdown = self._book.state.drawdown
        others = tuple(one for one in drawdown.scales if one[0] != name)
        scales = others if multiplier is None else (*others, (name, multiplier))
        if scales != drawdown.scales:
            changed = amended(drawdown, scales=scales)
            now = self._clock.now()
            self._book.apply(DrawdownAdjusted(at=now, actor=SYSTEM, drawdown=changed, reason=name))

    def _reduce_cluster(self, row: EmergencyRow, said: str) -> list[EmergencyReport]:
        state, config = self._book.state, self._book.config
        share = config.portfolio_limits.max_cluster_exposure if row.amount is None else row.amount
        target = share * max(state.totals.equity or 0.0, 0.0)
        return self._cut(row, said, cut_cluster(state, config.liquidation_config, target, row.name))

    def _liquidate(self, row: EmergencyRow, said: str) -> list[EmergencyReport]:
        is_new = not self._is_held(row, TradingMode.HALTED)
        if is_new:
            self._halt(row, said)
        if row.scope is not Scope.PORTFOLIO:
            keys = [key for key in self._book.state.positions if concerns(row, key)]
            closes = [c for c in close_all(self._book.state, row.name) if c.key in keys]
            sent = self.execute(closes)
        else:
            if is_new:
                self._desk.cancel_all(row.name)
            if self.closing.has_broker:
                return self._liquidate_at_broker(row, said, is_new=is_new)
            sent = self.execute(close_all(self._book.state, row.name))
        if not sent and not is_new:
            return []
        whom = "all trading" if row.scope is Scope.PORTFOLIO else f"{row.scope.value} {row.subject}"
        return self._acted(row, f"{said}: {len(sent)} positions closed, {whom} stopped", sent)

    def _liquidate_at_broker(self, row: EmergencyRow, said: str, *, is_new: bool) -> list[EmergencyReport]:
        """Begin to close everything, once; what comes later is part of it until the broker says flat."""
        begins = self.closing.begin_everything(row.name, said)
        if not (begins or is_new):
            return []
        count = len({key.symbol for key in self._book.state.positions})
        return self._acted(
            row, f"{said}: all trading stopped, {count} symbols are being closed at the broker"
        )

    def _acted(self, row: EmergencyRow, text: str, sent: Sequence[CloseIntent] = ()) -> list[EmergencyReport]:
        """Each act is news: what it traded, what is left where it is booked, what people have to do."""
        units = _units_of(sent)
        if units:
            text = f"{text}: {traded_text(units, None if self._is_passed_on else self._left())}"
        if units and not self._is_passed_on and self._book.state.environment != "replay":
            text += "; no broker is set, it is booked at the marks: close the same where it is held"
        about = f"act {self._book.state.version}"
        return [EmergencyReport(row.name, text, is_emergency=True, about=about, traded=units)]

    @property
    def _is_passed_on(self) -> bool:
        """Whether a broker is told of closes; else they are booked at the marks at once."""
        return self.closing.has_broker or self._executor != self.book_at_marks

    def _left(self) -> dict[str, int]:
        left: dict[str, int] = {}
        for key, position in self._book.state.positions.items():
            left[key.symbol] = left.get(key.symbol, 0) + position.quantity
        return left

    def _trim(self, row: EmergencyRow, said: str) -> list[EmergencyReport]:
        state, config = self._book.state, self._book.config
        equity = max(state.totals.equity or 0.0, 0.0)
        gross = (state.totals.long + state.totals.short) / SCALE
        if row.amount is not None:
            order = best_value_first(state, config.liquidation_config)
            cut = cut_to_var if row.metric.startswith("var") else cut_to_gross
            intents = cut(state, row.amount * equity, row.name, order)
        elif row.metric == "drawdown":
            kept = [m for _, m in config.drawdown_config.tiers if m > 0.0]
            share = state.drawdown.effective_multiplier or (kept[-1] if kept else 0.0)
            target = share * config.portfolio_limits.max_gross_exposure * equity
            intents = cut_to_gross(state, target, row.name)
        elif row.metric.startswith("var"):
            intents = cut_to_var(state, var_limit(state, config) * equity, row.name)
        else:
            intents = cut_to_gross(state, TRIM_SHARE * gross, row.name)
        return self._cut(row, said, intents)

    def _cut(self, row: EmergencyRow, said: str, intents: Sequence[CloseIntent]) -> list[EmergencyReport]:
        sent = self.execute(intents)
        if not sent:
            return []
        self._told.add(row.name)
        return self._acted(row, f"{said}: trimmed", sent)

    def _reduce_pair(self, row: EmergencyRow, measured: Measured, *, is_new: bool) -> list[EmergencyReport]:
        """Close the smaller contributor; a high average lasts for weeks and acts once, when it comes up."""
        spike = measured.correlation.spike
        if spike is None or not spike.cut or (spike.kind == "average" and not is_new):
            return []
        sent = self.execute(cut_symbol(self._book.state, spike.cut, 1.0, row.name))
        if not sent:
            return []
        return self._acted(row, f"{spike.explain()}: {spike.cut} closed", sent)

    def _release(self, row: EmergencyRow) -> list[EmergencyReport]:
        if row.action is EmergencyAction.HALT_NEW_RISK:
            self._book.apply(VarHaltChanged(at=self._clock.now(), actor=SYSTEM, halted=False))
        elif (held := self._held(row)) is not None and held.latched:
            return []  # a person ends it
        elif self._is_held(row):
            self._unhold(row.scope, row.subject, row.name, SYSTEM, "back below its threshold")
        elif row.action is EmergencyAction.SCALE_DOWN:
            self._scale(row.name, None)
        if row.action in CUTS and row.name not in self._told:
            return []  # there was nothing to trim: nobody heard of it
        self._told.discard(row.name)
        return [EmergencyReport(row.name, f"{row.name} ended", is_emergency=False, is_over=True)]

    def _recover(self) -> list[EmergencyReport]:
        """In a replay the recovery tranche opens by rule; live it needs a person."""
        state, settings = self._book.state, self._book.config.drawdown_config
        drawdown = state.drawdown
        waits = drawdown.multiplier == 0.0 and drawdown.recovery is None
        calm = state.model.market_volatility_ratio < 1.0
        if not (waits and calm and drawdown.stopped_days >= settings.recovery_wait_days):
            return []
        if state.environment != "replay":
            return []
        reason = f"{drawdown.stopped_days} weekdays stopped and volatility under its median"
        for hold in list(state.holds.values()):
            if hold.scope is Scope.PORTFOLIO and hold.cause == "emergency_drawdown":
                self._unhold(hold.scope, hold.name, hold.cause, SYSTEM, reason)
                self._remember(self._book.state.emergency.forget(hold.cause))
        self.start_recovery(SYSTEM, reason)
        return [EmergencyReport("recovery", f"recovery tranche opened: {reason}", is_emergency=False)]

    def _remember(self, memory: EmergencyMemory) -> None:
        if memory != self._book.state.emergency:
            counts = tuple(memory.counts.items())
            self._book.apply(EmergencyStepped(at=self._clock.now(), actor=SYSTEM, counts=counts))

    def _hold(self, row: EmergencyRow, mode: TradingMode, reason: str, *, latched: bool) -> None:
        """Hold the row's scope; what stands there stricter, or until a person ends it, stays."""
        known = self._held(row)
        if known is not None and (known.mode.severity > mode.severity or (known.latched and not latched)):
            return
        now = self._clock.now()
        hold = Hold(row.scope, row.subject, row.name, mode, SYSTEM, reason, now, latched)
        self._book.apply(HoldSet(at=now, actor=SYSTEM, hold=hold))

    def _unhold(self, scope: Scope, name: str, cause: str, actor: str, reason: str) -> None:
        event = HoldReleased(
            at=self._clock.now(), actor=actor, scope=scope, name=name, cause=cause, reason=reason
        )
        self._book.apply(event)

    def _held(self, row: EmergencyRow) -> Hold | None:
        return self._book.state.holds.get((row.scope, row.subject, row.name))

    def _is_held(self, row: EmergencyRow, mode: TradingMode | None = None) -> bool:
        hold = self._held(row)
        return hold is not None and (mode is None or hold.mode is mode)


def concerns(row: EmergencyRow, key: PositionKey) -> bool:
    """Whether a position or order lies in what a row acts on."""
    if row.scope is Scope.PORTFOLIO:
        return True
    return bool(row.subject == getattr(key, row.scope.value))


def _units_of(sent: Sequence[CloseIntent]) -> dict[str, int]:
    units: dict[str, int] = {}
    for one in sent:
        units[one.key.symbol] = units.get(one.key.symbol, 0) + one.quantity
    return units


def _said(row: EmergencyRow, measured: Measured) -> str:
    from risk_management.model.explain import amount  # noqa: PLC0415 - texts are read late
    from risk_management.model.vocabulary import VOCABULARY  # noqa: PLC0415

    unit = VOCABULARY[row.metric].unit
    return f"{row.word} {amount(measured.metrics[row.word], unit)} (threshold {amount(row.threshold, unit)})"
