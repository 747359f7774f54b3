"""Alert rules: read, tried, added and taken out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from risk_management.alerts.conditions import Condition, ConditionError, compile_condition
from risk_management.alerts.records import AlertRule
from risk_management.core.subject_metrics import subject_metrics
from risk_management.errors import ConfigurationError, UndefinedMeasure, shown
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.model.vocabulary import SCOPED, words_of
from risk_management.service.answers import RulesAnswer, TriedAnswer
from risk_management.service.models import ConditionAsked, RuleAsked
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
    known, asked = call.manager.alert_manager.rules, call.body
    if any(rule.rule_id == asked.rule_id for rule in known):
        raise Problem(Code.RULE_EXISTS, "rule_id", f"a rule {asked.rule_id!r} exists; choose another rule_id")
    if len(known) >= MOST:
        raise Problem(Code.TOO_MANY_RULES, "rule_id", f"{MOST} rules are watched already")
    return _watch(call, lambda words: AlertRule(**words))


def change(call: Call) -> Answer:
    """Watch a rule as it is given here, in its own place; what it means and advises stays."""
    rule_id = call.path["rule_id"]
    if call.body.rule_id != rule_id:
        raise Problem(Code.INVALID_RULE, "rule_id", "a rule keeps its id; take it out and add another one")
    known = next((rule for rule in call.manager.alert_manager.rules if rule.rule_id == rule_id), None)
    if known is None:
        raise Problem(Code.UNKNOWN_RULE, "rule_id", f"no alert rule is called {ascii(rule_id)[1:-1][:80]}")
    return _watch(call, lambda words: replace(known, **words))


def _watch(call: Call, made: Callable[[dict[str, Any]], AlertRule]) -> Answer:
    words = {name: getattr(call.body, name) for name in type(call.body).model_fields}
    reason, who = words.pop("reason"), call.who.actor
    try:
        call.manager.alert_manager.add_custom_rule(made(words), replace=True, actor=who, reason=reason)
    except ConditionError as problem:
        raise Problem(Code.INVALID_CONDITION, "condition", problem.message) from None
    except ConfigurationError as problem:
        raise Problem(Code.INVALID_RULE, "rule_id", str(problem)) from None
    return show(call)


def remove(call: Call) -> Answer:
    """Watch a rule no more; its alerts are resolved."""
    call.manager.alert_manager.remove_rule(call.path["rule_id"], actor=call.who.actor)
    return show(call)


def attempt(call: Call) -> Answer:
    """Hold a condition against the present metrics; nothing is changed."""
    asked, manager = call.body, call.manager
    if asked.scope not in ("portfolio", *SCOPED):
        known = ", ".join(("portfolio", *SCOPED))
        raise Problem(Code.INVALID_RULE, "scope", f"scope is one of {known}; got {shown(asked.scope)}")
    try:
        condition = compile_condition(asked.condition, words_of(asked.scope))
    except ConditionError as problem:
        raise Problem(Code.INVALID_CONDITION, "condition", problem.message) from None
    metrics = manager.look().metrics
    if asked.scope == "portfolio":
        return Answer({"results": [_tried(condition, "", metrics)]})
    each = subject_metrics(manager.state, manager.config, manager.clock.now())[asked.scope]
    tried = [_tried(condition, name, {**metrics, **words}) for name, words in sorted(each.items())]
    return Answer({"results": tried})


def _tried(condition: Condition, subject: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    values = {name: metrics.get(name, math.nan) for name in condition.metrics}
    holds: bool | None
    try:
        holds = condition(metrics)
    except UndefinedMeasure:
        holds = None
    missing = [name for name, value in values.items() if math.isnan(value)]
    return {"subject": subject, "holds": holds, "values": values, "missing": missing}


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
    Route(
        "PUT",
        "/rules/{rule_id}",
        Access.OPERATE,
        "Watch an alert rule otherwise than so far",
        change,
        asks=RuleAsked,
        answers=RulesAnswer,
        refuses=(404,),
    ),
    Route(
        "DELETE",
        "/rules/{rule_id}",
        Access.OPERATE,
        "Watch an alert rule no more",
        remove,
        answers=RulesAnswer,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/rules/try",
        Access.OPERATE,
        "Hold a condition against the present metrics, without a change",
        attempt,
        asks=ConditionAsked,
        answers=TriedAnswer,
    ),
)
