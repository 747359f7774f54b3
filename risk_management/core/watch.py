"""One look at the whole book: measure, protect, alert, and say it in an assessment."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime

from risk_management.alerts.risk_alerts import AlertSeverity, AlertType, RiskAlertManager
from risk_management.calculators.risk_budget import budget_events
from risk_management.clock import Clock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.assessment import Measured, RiskAssessment, measure
from risk_management.core.book import Book
from risk_management.core.budget import cut_events
from risk_management.core.front import leans_on
from risk_management.core.ledger import check_ledger
from risk_management.core.order_desk import OrderDesk
from risk_management.core.peaks import bot_and_strategy_events
from risk_management.core.protocol import EmergencyProtocol, EmergencyReport
from risk_management.core.quotes import doubted_names
from risk_management.core.var_record import rolled
from risk_management.errors import LedgerError
from risk_management.model.amend import amended
from risk_management.model.events import BotChanged, HoldSet, Marked, VarRecorded
from risk_management.model.portfolio import SYSTEM, Bot, Hold, PortfolioState, Scope, TradingMode

__all__ = ["Watch", "look_at"]

logger = logging.getLogger(__name__)

CHECK_EVERY = 256
"""Events between two checks of the ledger."""

KINDS = {
    "var_halt": AlertType.VAR_BREACH,
    "var_trim": AlertType.VAR_BREACH,
    "correlation_spike": AlertType.CORRELATION,
    "system_error": AlertType.SYSTEM_ERROR,
}


class Watch:
    """Assesses a Book, lets the protocols act on what it sees, and tells people.

    Parameters
    ----------
    book : Book
    clock : Clock
    desk : OrderDesk
    protocol : EmergencyProtocol
    alerts : RiskAlertManager
    """

    def __init__(
        self,
        book: Book,
        clock: Clock,
        desk: OrderDesk,
        protocol: EmergencyProtocol,
        alerts: RiskAlertManager,
    ) -> None:
        self._book, self._clock = book, clock
        self._desk, self._protocol, self._alerts = desk, protocol, alerts
        self._last: PortfolioState | None = None
        self._checked = 0

    def assess(self, *, confirmed: bool | None = None) -> RiskAssessment:
        """One assessment; `confirmed` as in `AdvancedRiskManager.assess_overall_risk`."""
        self._book.mend()
        with self._book.lock:
            now = self._clock.now()
            self._desk.clock_watch.look()
            self._tell_of_the_store(now)
            self._check_ledger(now)
            self._book.apply(Marked(at=now, actor=SYSTEM))
            record = rolled(self._book.state, self._last, self._book.config)
            if record is not None:
                self._book.apply(VarRecorded(at=now, actor=SYSTEM, record=record))
            self._desk.expire()
            losses = bot_and_strategy_events(self._book.state, self._book.config, now)
            failing = self._desk.failures.events(self._book.state, self._book.config, now)
            for event in (*(() if self._awaits_a_tick(now) else losses), *failing):
                self._book.apply(event)
                if isinstance(event, BotChanged) and not event.bot.enabled:
                    self._switched_off(event.bot, now)
                if isinstance(event, HoldSet):
                    self._tell_of_a_hold(event.hold, now)
            self._budget(now)
            measured = self._measure()
            is_sure = self._book.state.environment == "replay" if confirmed is None else confirmed
            reports = self._protect(measured, confirmed=is_sure)
            if reports:
                measured = self._measure()
            self._tell_of_equity(now)
            fired = self._alerts.evaluate(measured.metrics, self._clock.now())
            self._last = self._book.state
            return self._said(measured, reports, [alert.message for alert in fired])

    def _budget(self, now: datetime) -> None:
        """The risk budget: a split that is due, and cuts by the strategies' own drawdowns."""
        for event in budget_events(self._book.state, self._last, self._book.config, now):
            self._book.apply(event)
        if not self._awaits_a_tick(now):
            for event in cut_events(self._book.state, self._book.config, now):
                self._book.apply(event)

    def _switched_off(self, bot: Bot, now: datetime) -> None:
        self._desk.cancel_all(bot.disabled_reason, bot=bot.name, openings_only=True)
        logger.warning("bot %s: %s", bot.name, bot.disabled_reason)
        text, key = f"bot {bot.name}: {bot.disabled_reason}", f"bot_off:{bot.name}"
        self._alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key=key)

    def _tell_of_a_hold(self, hold: Hold, now: datetime) -> None:
        """A strategy lost too much: a person ends that."""
        whom = f"{hold.scope.value} {hold.name}" if hold.name else "what trades for no strategy"
        text = f"{whom}: {hold.reason}; it only closes until it is set ACTIVE"
        self._alerts.raise_alert(
            AlertType.DRAWDOWN, AlertSeverity.CRITICAL, text, now, key=f"{hold.cause}:{hold.name}"
        )

    def _tell_of_equity(self, now: datetime) -> None:
        """A report of equity that is not believed stops all opening until somebody does something."""
        drawdown = self._book.state.drawdown
        if drawdown.quarantined is None:
            self._alerts.resolve("equity", now)
            return
        text = (
            f"equity was reported as {drawdown.quarantined:,.2f} and the book comes to "
            f"{drawdown.value * drawdown.units:,.2f}: it is not believed and nothing opens, until a second "
            "report says about the same, or one that is near the book"
        )
        self._alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key="equity")

    def _check_ledger(self, now: datetime) -> None:
        """Every few hundred events the carried sums are made anew; a difference stops all trading."""
        state = self._book.state
        if 0 <= state.version - self._checked < CHECK_EVERY:
            return
        self._checked = state.version
        try:
            check_ledger(state)
        except LedgerError as problem:
            logger.critical("%s", problem)
            self._protocol.stop("ledger", SYSTEM, str(problem))
            text = f"all trading stopped: {problem}"
            self._alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.EMERGENCY, text, now, key="ledger")

    def _tell_of_the_store(self, now: datetime) -> None:
        if not self._book.outage:
            self._alerts.resolve("store", now)
            return
        text = f"the store can't be written, nothing opens until it can: {self._book.outage}"
        self._alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key="store")

    def look(self) -> RiskAssessment:
        """The book as it stands, measured without acting on it."""
        with self._book.lock:
            return self._said(self._measure(), (), ())

    def _said(
        self, measured: Measured, reports: Sequence[EmergencyReport], alerts: Sequence[str]
    ) -> RiskAssessment:
        now = self._clock.now()
        return _assessment(self._book.state, self._book.config, now, measured, reports, alerts)

    def _awaits_a_tick(self, now: datetime) -> bool:
        """Whether a held price moved far in one tick, and the next may still be expected."""
        state, ages = self._book.state, self._book.config.market_data_config.quote_age
        return any(
            (now - state.quotes[s].time).total_seconds()
            <= ages.get(state.instruments[s].asset_class, ages.get("other", 60.0))
            for s in state.unsure
            if s in state.totals.names
        )

    def _measure(self) -> Measured:
        return measure(
            self._book.state,
            self._book.config,
            failed_checks=self._desk.failed_in_a_row,
            now=self._clock.now(),
            leans_on=leans_on(self._book.state),
        )

    def _protect(self, measured: Measured, *, confirmed: bool) -> list[EmergencyReport]:
        """Emergencies; while equity is unknown or doubted no loss is acted on and nothing opens."""
        state = self._book.state
        if state.equity is None or state.drawdown.quarantined is not None:
            return []
        days = self._book.config.drawdown_config.rolling_days
        reports = self._protocol.step(_without_far_ticks(measured, state, days), confirmed=confirmed)
        for report in reports:
            key = f"emergency:{report.row}"
            if report.is_over:
                logger.info("emergency %s is over", report.row)
                self._alerts.resolve(key, self._clock.now())
                continue
            logger.warning("emergency %s: %s", report.row, report.text)
            severity = AlertSeverity.EMERGENCY if report.is_emergency else AlertSeverity.WARNING
            kind = KINDS.get(report.row, AlertType.DRAWDOWN)
            now = self._clock.now()
            self._alerts.raise_alert(
                kind, severity, report.text, now, key=key, about=report.about, traded=report.traded
            )
        return reports


def _without_far_ticks(measured: Measured, state: PortfolioState, rolling_days: int) -> Measured:
    """What was measured, with the losses left out that rest on a single far tick; all else stands."""
    spared = (state.drawdown.sure_value - state.drawdown.value) * state.drawdown.units
    if spared <= 0.0:
        return measured
    drawdown, rows = state.drawdown, state.drawdown.closes
    start = rows[-min(rolling_days, len(rows))] if rows else drawdown.day_start
    values = {
        "drawdown": drawdown.peak,
        "daily_loss": drawdown.day_start,
        "weekly_loss": drawdown.week_start,
        "rolling_loss": start,
    }
    metrics = dict(measured.metrics)
    for word, value in values.items():
        if value * drawdown.units > 0.0:  # without any unit left there is no share of them
            metrics[word] = max(0.0, metrics[word] - spared / (value * drawdown.units))
    return amended(measured, metrics=metrics)


def look_at(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> RiskAssessment:
    """A state measured by whoever has no engine, such as somebody who reads a store beside one."""
    measured = measure(state, config, failed_checks=0, now=now, leans_on=leans_on(state))
    return _assessment(state, config, now, measured, (), ())


def _assessment(
    state: PortfolioState,
    config: RiskManagementConfig,
    now: datetime,
    measured: Measured,
    reports: Sequence[EmergencyReport],
    alerts: Sequence[str],
) -> RiskAssessment:
    score = measured.metrics["risk_score"]
    driver = next((use for use in measured.limits if use.hard and use.strain > 0.0), None)
    said = "nothing"
    if driver is not None:
        said = f"{driver.name} ({driver.subject})" if driver.subject else driver.name
    blocked = tuple(_blocks(state, config, now))
    return RiskAssessment(
        overall_risk_score=round(min(score, 100.0), 1),
        score_driver=said,
        level="red" if score >= 95.0 else "amber" if score >= 80.0 else "green",
        new_trades_allowed=not blocked,
        blocked_by=blocked,
        mode=state.mode,
        metrics=measured.metrics,
        limits=measured.limits,
        heat=measured.heat,
        correlation=measured.correlation,
        drawdown=measured.drawdown,
        stress_scenario=measured.stress_scenario,
        emergencies=tuple(report.text for report in reports),
        alerts=tuple(alerts),
        equity=state.equity,
        as_of=state.as_of,
        state_version=state.version,
        leans_on=measured.heat.leans_on,
    )


def _blocks(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> Iterator[str]:
    """Why nothing new is opened, in words."""
    days = (now - state.model.matrix.as_of).total_seconds() / 86_400.0
    if days > config.market_data_config.stale_days:
        yield (
            f"the newest prices of the market model are {days:.0f} days old, allowed are "
            f"{config.market_data_config.stale_days}; load newer ones"
        )
    for hold in state.holds.values():
        if hold.scope is Scope.PORTFOLIO and hold.mode is not TradingMode.ACTIVE:
            yield f"{hold.mode.value} by {hold.cause}: {hold.reason}"
    if state.equity is None:
        yield f"equity is unknown: no price of {', '.join(sorted(state.totals.unpriced))}"
    elif state.equity <= 0.0:
        yield "equity is used up"
    doubted = doubted_names(state)
    if doubted:
        yield f"the price of {', '.join(doubted)} jumped and awaits a second quote: equity is in doubt"
    if state.drawdown.quarantined is not None:
        yield "equity jumped without a reason and awaits confirmation"
    if state.drawdown.effective_multiplier == 0.0:
        yield f"drawdown of {state.drawdown.drawdown:.1%} is in its no-entry tier"
