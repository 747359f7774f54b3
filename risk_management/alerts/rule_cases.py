"""Cases for alert rules in TOML, as unit tests: metrics over time in, the alerts that must be told out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from risk_management.alerts.records import AlertRule
from risk_management.alerts.risk_alerts import RiskAlertManager
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.subject_metrics import Subjects
from risk_management.errors import ConfigurationError
from risk_management.model.alert import AlertState
from risk_management.model.vocabulary import SCOPED, words_of

__all__ = ["CaseResult", "run_cases"]

BEGIN: Final = datetime(2024, 1, 1, tzinfo=UTC)
TOLD: Final = tuple(state.value for state in AlertState if state is not AlertState.WAITING)
PLURALS: Final = {"bots": "bot", "strategies": "strategy", "symbols": "symbol"}


class CaseResult(NamedTuple):
    """How one case went; without a problem it passed."""

    name: str
    problem: str


def run_cases(rules: Sequence[AlertRule], cases: object) -> tuple[CaseResult, ...]:
    """Run each case on a manager of its own, with these rules alone.

    Parameters
    ----------
    rules : sequence of AlertRule
    cases : object
        What stands under ``[[cases]]``: a ``name`` and ``steps``, each with ``at`` (seconds, not falling),
        ``metrics``, further ``bots``, ``strategies`` or ``symbols`` by name, and ``alerts``: all that must
        be told there, as ``"rule firing"`` or ``"rule[bot] resolved"``, in any order.

    Raises
    ------
    ConfigurationError
        A case means nothing; the text names it.
    """
    if not isinstance(cases, list) or not cases:
        raise ConfigurationError("there are no cases; write each under a line [[cases]] with name and steps")
    return tuple(_run(rules, case, number) for number, case in enumerate(cases, start=1))


def _run(rules: Sequence[AlertRule], case: Any, number: int) -> CaseResult:
    name = str(case.get("name", f"case {number}")) if isinstance(case, dict) else f"case {number}"
    steps = case.get("steps") if isinstance(case, dict) else None
    if not isinstance(steps, list) or not steps:
        raise ConfigurationError(
            f"{name}: it has no steps; write [[cases.steps]] with at, metrics and alerts"
        )
    clock = ManualClock(BEGIN)
    manager = RiskAlertManager(RiskManagementConfig(), clock, default_rules=False)
    for rule in rules:
        manager.add_custom_rule(rule)
    before = 0.0
    for step in steps:
        seconds = _seconds(step, name, before)
        before = seconds
        clock.move_to(BEGIN + timedelta(seconds=seconds))
        told = manager.evaluate(_numbers(step.get("metrics", {}), name, ""), None, _subjects(step, name))
        found = sorted(f"{alert.key.removeprefix('!')} {alert.state.value}" for alert in told)
        wanted = sorted(_expected(step, name))
        if found != wanted:
            said = f"at {seconds:g} s should be told: {_listed(wanted)}; was told: {_listed(found)}"
            return CaseResult(name, said)
    return CaseResult(name, "")


def _seconds(step: Any, name: str, before: float) -> float:
    if not isinstance(step, dict):
        raise ConfigurationError(f"{name}: a step is a table with at, metrics and alerts")
    unknown = step.keys() - {"at", "metrics", "alerts", *PLURALS}
    if unknown:
        known = ", ".join(("at", "metrics", "alerts", *PLURALS))
        raise ConfigurationError(f"{name}: a step has no word {min(unknown)!r}; known are {known}")
    seconds = step.get("at", before)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not before <= seconds < 1e8:
        raise ConfigurationError(
            f"{name}: at is seconds that don't fall; got {seconds!r:.40} after {before:g}"
        )
    return float(seconds)


def _numbers(table: Any, name: str, scope: str) -> dict[str, float]:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{name}: metrics is a table of words and numbers")
    known = SCOPED[scope] if scope else words_of("")
    for word, value in table.items():
        if word not in known:
            raise ConfigurationError(f"{name}: no metric is called {word!r} here; see 'risk rules list'")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"{name}: {word} is a number, nan for a missing one; got {value!r:.40}")
    return {word: float(value) for word, value in table.items()}


def _subjects(step: Mapping[str, Any], name: str) -> Subjects:
    found = {}
    for plural, scope in PLURALS.items():
        each = step.get(plural, {})
        if not isinstance(each, dict):
            raise ConfigurationError(f"{name}: {plural} is a table of names, each with its metrics")
        found[scope] = {who: _numbers(words, name, scope) for who, words in each.items()}
    return found


def _expected(step: Mapping[str, Any], name: str) -> list[str]:
    wanted = step.get("alerts", [])
    if not isinstance(wanted, list) or not all(isinstance(one, str) for one in wanted):
        raise ConfigurationError(f'{name}: alerts is a list such as ["my_rule firing"]')
    for one in wanted:
        if one.rpartition(" ")[2] not in TOLD:
            raise ConfigurationError(
                f"{name}: {one!r:.80} in alerts ends with no state that is told; there are {', '.join(TOLD)}"
            )
    return wanted


def _listed(alerts: Sequence[str]) -> str:
    return ", ".join(alerts) or "nothing"
