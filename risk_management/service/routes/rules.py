"""Alert rules: read and added."""

from __future__ import annotations

from typing import Final

from risk_management.alerts.conditions import ConditionError
from risk_management.alerts.records import AlertRule
from risk_management.errors import ConfigurationError
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import RulesAnswer
from risk_management.service.models import RuleAsked
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]

MOST: Final = 200


def show(call: Call) -> Answer:
    """All rules, and which of them can't be heard."""
    alerts = call.manager.alert_manager
    return Answer({"rules": alerts.rules, "warnings": alerts.warnings})


def add(call: Call) -> Answer:
    """Watch one more rule."""
    alerts, asked = call.manager.alert_manager, call.body
    known = alerts.rules
    if any(rule.rule_id == asked.rule_id for rule in known):
        raise Problem(Code.RULE_EXISTS, "rule_id", f"a rule {asked.rule_id!r} exists; choose another rule_id")
    if len(known) >= MOST:
        raise Problem(Code.TOO_MANY_RULES, "rule_id", f"{MOST} rules are watched already")
    try:
        alerts.add_custom_rule(AlertRule(**{name: getattr(asked, name) for name in type(asked).model_fields}))
    except ConditionError as problem:
        raise Problem(Code.INVALID_CONDITION, "condition", str(problem)) from None
    except ConfigurationError as problem:
        raise Problem(Code.INVALID_RULE, "rule_id", str(problem)) from None
    return show(call)


ROUTES: Final = (
    Route("GET", "/rules", Access.READ, "All alert rules", show, answers=RulesAnswer),
    Route(
        "POST",
        "/rules",
        Access.OPERATE,
        "Watch one more alert rule",
        add,
        asks=RuleAsked,
        answers=RulesAnswer,
        refuses=(409,),
    ),
)
