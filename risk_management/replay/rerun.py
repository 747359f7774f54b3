"""One walk over what happened, in two arms: as it was, and as other settings would have had it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from risk_management.config.risk_config import AlertConfig, RiskManagementConfig
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.fill_report import FillReport, fill_event
from risk_management.core.order_desk import OrderTicket
from risk_management.core.standing import Standing, folded
from risk_management.model.events import (
    BookOpened,
    BotChanged,
    BudgetAllocated,
    BudgetCut,
    CashMoved,
    ConfigChanged,
    DrawdownAdjusted,
    EmergencyStepped,
    EngineStarted,
    EquityReported,
    Event,
    Filled,
    HoldReleased,
    HoldSet,
    Marked,
    Noted,
    PeaksSeen,
    QuotesReceived,
    ReservationClosed,
    StrategyDaysRecorded,
    TradeDecided,
    VarHaltChanged,
    VarRecorded,
)
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import (
    EMERGENCY_STOP,
    OPERATOR,
    SYSTEM,
    PortfolioState,
    Reservation,
    ReservationStatus,
)
from risk_management.model.trade import TradeDecision
from risk_management.replay import facts
from risk_management.replay.arm import OtherArm
from risk_management.replay.closing import asked_again
from risk_management.replay.comparison import Redecided
from risk_management.replay.course import Course
from risk_management.replay.differences import Differences

__all__ = ["Rerun", "settings_for"]

OWN_CAUSES: Final = frozenset({"strategy_drawdown", "ledger"})
"""Holds that the system sets by what it measures, beside those of the emergency rows."""
CENT: Final = to_ledger(0.01)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a request was approved, and what it would have been; money."""

    was: float
    would_be: float

    @property
    def ratio(self) -> float:
        """Share of a fill that would have been."""
        return self.would_be / self.was


def settings_for(config: RiskManagementConfig, recorded: RiskManagementConfig) -> RiskManagementConfig:
    """Other settings, with what is a fact of the book - its capital, currency and account - as it was."""
    return config.update(
        portfolio_value=recorded.portfolio_value,
        base_currency=recorded.base_currency,
        account_id=recorded.account_id,
        environment=recorded.environment,
        store=None,
        alert_config=AlertConfig(enabled=False),
    )


class Rerun:
    """Takes events one by one, and reads none before its time.

    Parameters
    ----------
    start : Standing
        How the book stood when the period began.
    config : RiskManagementConfig
        The other settings, from `settings_for`.
    """

    def __init__(self, start: Standing, config: RiskManagementConfig) -> None:
        self.was = start
        self.differences = Differences()
        self.course_was, self.course = Course(start.state), Course(start.state)
        self.other = OtherArm(start.state, config, self._other_took)
        self.decisions: list[Redecided] = []
        self.assumed = 0
        self.assumed_money = 0.0
        self._cases: dict[str, _Case] = {}
        self._own_words = {row.name for row in emergency_rows(start.config)} | OWN_CAUSES

    def take(self, event: Event) -> None:
        """One more event."""
        before = self.was
        self.was = folded(before, event)
        self.course_was.took(event)
        if isinstance(event, Filled):
            self.differences.booked(-1, before.state, event, self.was.state)
        self.other.move_to(event.at)
        _HANDLERS.get(type(event), Rerun._fact)(self, event, before.state)
        self.differences.settle(self.was.state, self.other.state)
        if isinstance(event, QuotesReceived | Marked):
            self.see()

    def see(self) -> None:
        """How both arms stand now."""
        self.course_was.see(self.was.state, blocks=not self.was.config.shadow_mode)
        self.course.see(self.other.state, blocks=not self.other.book.config.shadow_mode)

    def _other_took(self, before: PortfolioState, event: Event, after: PortfolioState) -> None:
        self.course.took(event)
        if isinstance(event, Filled):
            self.differences.booked(1, before, event, after)

    # -- what happens whatever the settings are -----------------------------------------------------

    def _fact(self, event: Event, _was: PortfolioState) -> None:
        self.other.fact(event)

    def _own(self, _event: Event, _was: PortfolioState) -> None:
        """What the system did or remembered itself: the other arm does and remembers its own."""

    def _started(self, _event: EngineStarted, _was: PortfolioState) -> None:
        self.other.restart()

    def _configured(self, _event: ConfigChanged, _was: PortfolioState) -> None:
        """The other settings stay; the rows of the new ones are the system's own too."""
        self._own_words |= {row.name for row in emergency_rows(self.was.config)}

    def _marked(self, _event: Marked, _was: PortfolioState) -> None:
        self.other.assess()

    def _cash(self, event: CashMoved, was: PortfolioState) -> None:
        self.other.fact(facts.cash(event, was, self.other.state))

    def _equity(self, event: EquityReported, was: PortfolioState) -> None:
        self.other.fact(facts.equity(event, was, self.other.state))

    # -- bots and holds -----------------------------------------------------------------------------

    def _bot(self, event: BotChanged, was: PortfolioState) -> None:
        if event.actor == SYSTEM:
            self._own_words.add(event.bot.disabled_reason)
        elif not (event.bot.auto_registered and event.bot.name not in was.bots):  # the desk does that itself
            self.other.fact(facts.bot(event, was, self.other.state))

    def _peaks(self, event: PeaksSeen, _was: PortfolioState) -> None:
        if event.actor != SYSTEM:
            for fresh in facts.fresh_starts(event, self.other.state):
                self.other.fact(fresh)

    def _hold(self, event: HoldSet, _was: PortfolioState) -> None:
        if event.hold.actor == SYSTEM and event.hold.cause in self._own_words:
            self._own_words.add(event.hold.reason)
        else:
            self.other.fact(event)

    def _release(self, event: HoldReleased, _was: PortfolioState) -> None:
        own = event.cause in self._own_words
        if own and event.actor == SYSTEM:
            return
        if event.scope == "portfolio" and (own or event.cause == EMERGENCY_STOP):
            with self.other.as_fact():  # a person lets go of all that is latched, here too
                self.other.protocol.release(event.actor, event.reason)
            return
        self.other.fact(event)

    def _budget(self, event: BudgetAllocated, _was: PortfolioState) -> None:
        """A person's split is a fact; the one that the settings ask for each arm makes itself."""
        if event.actor != SYSTEM:
            self.other.fact(event)

    def _drawdown(self, event: DrawdownAdjusted, was: PortfolioState) -> None:
        if event.actor == SYSTEM:
            return
        if event.drawdown.recovery is not None and was.drawdown.recovery is None:
            with self.other.as_fact():
                self.other.protocol.start_recovery(event.actor, event.reason)
            return
        settings = self.other.book.config.drawdown_config
        self.other.fact(facts.adjusted(event, was, self.other.state, settings))

    # -- orders -------------------------------------------------------------------------------------

    def _decided(self, event: TradeDecided, was: PortfolioState) -> None:
        request, then = event.request, event.decision
        size = asked_again(request, (was, self.was.config), (self.other.state, self.other.book.config))
        answer = None
        if size > 0.0:
            answer = self.other.desk.request(
                OrderTicket(
                    symbol=request.symbol,
                    action=request.action,
                    size=size,
                    strategy=request.strategy,
                    bot_name=None if request.bot == OPERATOR else request.bot,
                    confidence=request.confidence,
                    price=request.limit_price,
                    risk_amount=_in_proportion(request.risk_amount, size / request.size),
                    account_id=request.account_id,
                    request_id=request.request_id,
                    reduce_only=request.reduce_only,
                )
            )
        case = _Case(then.recommended_size, answer.recommended_size if answer else 0.0)
        self._cases[request.request_id] = case
        self.decisions.append(
            Redecided(
                at=event.at,
                request_id=request.request_id,
                bot=request.bot,
                symbol=request.symbol,
                action=request.action,
                strategy=request.strategy,
                asked=request.size,
                asked_again=size,
                was=case.was,
                would_be=case.would_be,
                code_was=_code(then),
                code=_code(answer),
            )
        )
        if case.was == 0.0 and case.would_be > 0.0:
            self._assume(request.request_id)

    def _filled(self, event: Filled, was: PortfolioState) -> None:
        case = self._cases.get(event.request_id)
        if _is_own_close(event):
            return
        if self._was_taken_back(event.request_id, was):
            return
        if case is None or (case.was == 0.0 and case.would_be == 0.0):
            self.other.fact(event)  # approved before the period, or by nobody
        elif case.was > 0.0 and case.would_be > 0.0:
            self._fill_in_proportion(event, case, was)

    def _was_taken_back(self, request_id: str, was: PortfolioState) -> bool:
        """Whether this arm cancelled an order in time that then was still open."""
        return request_id in self.other.took_back and request_id in was.reservations

    def _fill_in_proportion(self, event: Filled, case: _Case, was: PortfolioState) -> None:
        known = self.other.approval(event.request_id)
        then = was.reservations.get(event.request_id) or was.settled.get(event.request_id)
        if known is None or known == then:
            self.other.fact(event if case.ratio == 1.0 else facts.scaled(event, case.ratio))
        else:
            report = _report(event, known, case.ratio, self.other.state)
            state, config = self.other.state, self.other.book.config
            self.other.fact(fill_event(state, known, report, config, event.at).event)
        if case.ratio > 1.0:
            self._count_assumed(abs(event.cost) / SCALE * (case.ratio - 1.0))

    def _closed(self, event: ReservationClosed, _was: PortfolioState) -> None:
        if event.status is ReservationStatus.EXPIRED_UNCONFIRMED:
            return
        if event.request_id not in self.other.state.reservations:
            return
        if event.reason in self._own_words:  # nobody but the system took it back: it would have been filled
            self._assume(event.request_id)
        else:
            self.other.fact(event)

    def _assume(self, request_id: str) -> None:
        """Fill what is left of an approval at our price of the decision: nobody knows better."""
        approval = self.other.state.reservations[request_id]
        price = _price(approval, self.other.state)
        if price is None:
            self.other.desk.cancel(request_id, "there was no price to fill it at")
            return
        money = (approval.opening + approval.closing) / SCALE
        with self.other.as_fact():
            self.other.desk.execute(FillReport(request_id, money, price, final=True))
        self._count_assumed(money)

    def _count_assumed(self, money: float) -> None:
        self.assumed += 1
        self.assumed_money += money


def _code(decision: TradeDecision | None) -> str:
    """What bound a decision; empty where all was approved."""
    if decision is None or decision.outcome == "approved" or not decision.rejection_reasons:
        return ""
    return decision.rejection_reasons[0]


def _in_proportion(amount: float | None, share: float) -> float | None:
    return None if amount is None else amount * share


def _is_own_close(event: Filled) -> bool:
    """Whether the system itself traded, to trim or to liquidate."""
    return event.actor == SYSTEM and event.request_id.startswith(f"{SYSTEM}-")


def _report(event: Filled, known: Reservation, ratio: float, state: PortfolioState) -> FillReport:
    """The fill that would have been reported: the same price, units and fee in proportion."""
    wanted, left = round(abs(event.quantity) * ratio), known.closing_quantity
    if abs((wanted - left) * event.cost) <= CENT * abs(event.quantity):
        wanted = left  # no dust of a close stays
    instrument = state.instruments[event.key.symbol]
    rate = state.rate_of(instrument.currency) or 1.0
    price = abs(event.cost / event.quantity) / (instrument.multiplier * rate) if event.quantity else 0.0
    return FillReport(
        event.request_id,
        wanted / SCALE * price,
        price,
        execution_id=event.execution_id,
        final=event.final,
        quantity=wanted / SCALE,
        fee=event.fee / SCALE * ratio,
    )


def _price(approval: Reservation, state: PortfolioState) -> float | None:
    """Our price of a decision in the instrument's currency; of a close without one, what was paid."""
    instrument = state.instruments[approval.key.symbol]
    rate = state.rate_of(instrument.currency)
    unit = approval.price
    if unit is None and approval.closing_quantity:
        unit = approval.closing / approval.closing_quantity
    return None if unit is None or not rate else unit / (instrument.multiplier * rate)


_HANDLERS: Final[dict[type[Event], Callable[[Rerun, Any, PortfolioState], None]]] = {
    BookOpened: Rerun._own,
    BotChanged: Rerun._bot,
    BudgetAllocated: Rerun._budget,
    BudgetCut: Rerun._own,
    CashMoved: Rerun._cash,
    ConfigChanged: Rerun._configured,
    DrawdownAdjusted: Rerun._drawdown,
    EmergencyStepped: Rerun._own,
    EngineStarted: Rerun._started,
    EquityReported: Rerun._equity,
    Filled: Rerun._filled,
    HoldReleased: Rerun._release,
    HoldSet: Rerun._hold,
    Marked: Rerun._marked,
    Noted: Rerun._own,
    PeaksSeen: Rerun._peaks,
    ReservationClosed: Rerun._closed,
    StrategyDaysRecorded: Rerun._own,
    TradeDecided: Rerun._decided,
    VarHaltChanged: Rerun._own,
    VarRecorded: Rerun._own,
}
"""Everything else is a fact as it stands: prices, rates, instruments, splits, models, imports, the clock."""
