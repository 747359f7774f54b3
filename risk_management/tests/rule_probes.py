"""The part of the self-test that drives every alert rule over its threshold, and back.

Scenes on copies of the book lose money, crowd, go stale and fail; a rule that fires in one of them has
fired through everything that stands between a price and an alert. What no scene reaches is driven by its
metric alone, and said so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from risk_management.alerts.reach import reach_of, span_of
from risk_management.alerts.records import AlertRule, AlertSeverity, AlertState, AlertType
from risk_management.alerts.risk_alerts import RiskAlertManager, settled_rules
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.order_desk import OrderTicket

if TYPE_CHECKING:
    from risk_management.model.trade import Finding
    from risk_management.tests.integration_test import Lab

__all__ = ["CANARY", "fired_in_scenes", "probed_rule"]

LOSS: Final = 0.6
"""Of equity: beyond every limit of losses that a configuration may name."""
CROWD: Final = 0.5
"""Of equity, in every name."""
BEGIN: Final = datetime(2022, 1, 3, 15, tzinfo=UTC)
DAY: Final = 86_400.0
PAUSE: Final = 1.0
SUBJECT: Final = "selftest"
CANARY: Final = AlertRule(
    "selftest.canary", "The self-test's own", AlertType.SYSTEM_ERROR, AlertSeverity.INFO, "positions >= 0", ()
)
"""It holds in every book: where it does not fire, no rule is judged."""


def fired_in_scenes(make: Callable[[], Lab], config: RiskManagementConfig) -> Mapping[str, tuple[str, str]]:
    """By rule the scene of the book in which it fired, and what it said.

    Parameters
    ----------
    make : callable
        A book of its own.
    config : RiskManagementConfig
    """
    longest = max((rule.hold for rule in settled_rules(config)), default=0.0)
    fired: dict[str, tuple[str, str]] = {}
    for name, scene in SCENES.items():
        lab = make()
        lab.manager.alert_manager.add_custom_rule(CANARY)
        scene(lab)
        lab.manager.assess_overall_risk()
        lab.clock.advance(longest + PAUSE)
        lab.manager.assess_overall_risk()
        for alert in lab.manager.alert_manager.active:
            fired.setdefault(alert.rule_id, (name, alert.message))
    return fired


def probed_rule(rule: AlertRule, scene: tuple[str, str] | None) -> tuple[bool, str]:
    """Whether a rule fires and ends, and how that was seen."""
    if not rule.enabled:
        return True, "it is off: enabled = false"
    firing, quiet = reach_of(rule)
    if firing is None:
        return False, f"can't fire: no numbers make {rule.condition!r} true{_spans(rule)}"
    if quiet is None:
        return False, f"can't end: no numbers end {rule.condition!r}"
    problem = _driven(rule, firing, quiet)
    if problem:
        return False, problem
    if scene is None:
        numbers = ", ".join(f"{word} {value:.7g}" for word, value in firing.items())
        return True, f"by its metric alone: fires at {numbers}, and ends"
    name, said = scene
    return True, f"through the book, in {name}: {said.split('. ', 1)[0].rstrip('.')}"


def _spans(rule: AlertRule) -> str:
    """What its metrics can be, for a person who wrote 25 for 25 %."""
    spans = [(word, *span_of(word)) for word in rule.compiled().metrics]
    said = [f"{word} is {least:g} to {most:g}" for word, least, most in spans if most < math.inf]
    return f"; {', '.join(said)}" if said else ""


def _driven(rule: AlertRule, firing: Mapping[str, float], quiet: Mapping[str, float]) -> str:
    """What went wrong when the metrics went up, stayed for its time, and came back."""
    clock = ManualClock(BEGIN)
    alerts = RiskAlertManager(RiskManagementConfig(), clock, default_rules=False)
    alerts.add_custom_rule(rule)

    def told(metrics: Mapping[str, float]) -> list[AlertState]:
        seen = alerts.evaluate(metrics, None, {rule.scope: {SUBJECT: metrics}})
        return [alert.state for alert in seen if alert.rule_id == rule.rule_id]

    if told(quiet):
        return "fires too early"
    began = told(firing)
    if rule.hold > 0.0:
        if began:
            return f"does not wait for its hold of {rule.hold:g} s"
        clock.advance(rule.hold)
        began = told(firing)
    if began != [AlertState.FIRING]:
        return "can't fire at its threshold"
    return "" if told(quiet) == [AlertState.RESOLVED] else "does not end"


def _loss(lab: Lab) -> None:
    """Most of the account is lost in a day."""
    lab.hold(lab.stock, 0.01 * lab.equity, bot_name=SUBJECT)
    lab.manager.record_cash("fee", -LOSS * lab.equity)


def _crowded(lab: Lab) -> None:
    """Far more is held than any limit allows, in names that move together."""
    for symbol in (*lab.names[:12], *lab.funds):
        lab.hold(symbol, CROWD * lab.equity, strategy=SUBJECT, bot_name=SUBJECT)
        lab.price(symbol, 100.0)


def _over_budget(lab: Lab) -> None:
    """A strategy holds more risk than its budget has."""
    lab.manager.allocate_risk_budget(
        0.5 * lab.config.var_config.daily_es_limit, "equal", "es", [SUBJECT, "another"]
    )
    lab.hold(lab.stock, lab.equity, strategy=SUBJECT)


def _stale(lab: Lab) -> None:
    """What is held has prices of yesterday."""
    lab.hold(lab.stock, 0.01 * lab.equity)
    lab.price(lab.stock, 100.0)
    lab.clock.advance(DAY)


def _failing(lab: Lab) -> None:
    """A check fails."""

    def broken(_proposal: object) -> Finding:
        raise ZeroDivisionError("a check of the self-test")

    lab.manager.desk.checks = (*lab.manager.desk.checks, ("broken", broken))
    lab.manager.request_trade(OrderTicket(lab.stock, "buy", 100.0, bot_name=SUBJECT))


def _refused(lab: Lab) -> None:
    """A bot that is off goes on asking."""
    lab.manager.set_bot_enabled(SUBJECT, enabled=False)
    for number in range(10):
        lab.manager.request_trade(OrderTicket(lab.stock, "buy", 50.0 + number, bot_name=SUBJECT))


SCENES: Final[dict[str, Callable[[Lab], None]]] = {
    "a loss": _loss,
    "a crowded book": _crowded,
    "a budget that is used up": _over_budget,
    "stale prices": _stale,
    "a failing check": _failing,
    "a bot that is refused": _refused,
}
