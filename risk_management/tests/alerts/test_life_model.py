"""The life of alerts against a naive model, with restarts anywhere between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from risk_management.alerts.risk_alerts import AlertRule, RiskAlertManager
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.model.alert import Alert

START = datetime(2024, 3, 1, 15, 0, tzinfo=UTC)
HOLD, COOLDOWN, REPEAT, WITHIN = 30.0, 100.0, 400.0, 250.0
SPANS = [0.0, 1.0, 15.0, 30.0, 99.0, 100.0, 250.0, 399.0, 400.0]
CONFIG = RiskManagementConfig().update(
    alert_config={"escalation_channels": ("discord",), "acknowledge_within": {"warning": WITHIN}}
)


@dataclass
class Naive:
    """What should be told of one rule, said as plainly as can be; times are seconds."""

    phase: str = "idle"
    seen_since: float | None = None
    fired: float = 0.0
    last: float = 0.0
    ended: float | None = None
    taken: bool = False
    escalated: bool = False

    def step(self, now: float, holds: bool) -> str:
        if self.phase == "active":
            return self._while_active(now, holds)
        if not holds:
            self.seen_since = None
            return ""
        if self.seen_since is None:
            self.seen_since = now
        cools = self.ended is not None and now - self.ended < COOLDOWN
        if now - self.seen_since < HOLD or cools:
            return ""
        self.phase, self.fired, self.last = "active", now, now
        self.taken = self.escalated = False
        return "firing"

    def _while_active(self, now: float, holds: bool) -> str:
        if not holds:
            self.phase, self.ended, self.seen_since = "idle", now, None
            return "resolved"
        if self.taken:
            return ""
        if not self.escalated and now - self.fired >= WITHIN:
            self.escalated, self.last = True, now
            return "escalated"
        if now - self.last >= REPEAT:
            self.last = now
            return "repeated"
        return ""


class LifeMachine(RuleBasedStateMachine):
    """Time passes, the metric moves, people acknowledge, and the process is started anew."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.naive = Naive()
        self.begin(None)
        spans = {"hold": HOLD, "cooldown": COOLDOWN, "repeat": REPEAT}
        self.manager.add_custom_rule(
            AlertRule("r", "R", "drawdown", "warning", "drawdown > 0.1", ["slack"], **spans)
        )

    def begin(self, remembered: object) -> None:
        self.clock = ManualClock(START + timedelta(seconds=self.now))
        self.manager = RiskAlertManager(CONFIG, self.clock, default_rules=False)
        self.discord: list[Alert] = []
        self.manager.attach("slack", lambda alert: None)
        self.manager.attach("discord", self.discord.append)
        if remembered is not None:
            self.manager._keeper.alerts = remembered  # what a Book would have taken up from its journal

    @rule(seconds=st.sampled_from(SPANS), holds=st.booleans())
    def time_passes(self, seconds: float, holds: bool) -> None:
        self.now += seconds
        self.clock.move_to(START + timedelta(seconds=self.now))
        told = self.manager.evaluate({"drawdown": 0.2 if holds else 0.0})
        wanted = self.naive.step(self.now, holds)
        assert [alert.state.value for alert in told] == ([wanted] if wanted else [])
        for alert in told:
            assert ("discord" in alert.channels) == (self.naive.escalated and wanted != "firing")

    @rule()
    def acknowledge(self) -> None:
        for alert in self.manager.active:
            self.manager.acknowledge(alert.alert_id, "ann")
            self.naive.taken = True

    @rule()
    def restart(self) -> None:
        self.begin(self.manager._keeper.alerts)

    @invariant()
    def the_active_list_is_that_of_the_model(self) -> None:
        active = self.manager.active
        assert len(active) == (self.naive.phase == "active")
        assert all(bool(alert.acknowledged_by) == self.naive.taken for alert in active)


LifeMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = LifeMachine.TestCase
