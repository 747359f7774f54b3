"""What a rule is, and how numbers are said."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from risk_management.alerts.conditions import Condition, compile_condition
from risk_management.errors import ConfigurationError
from risk_management.model.alert import Alert, AlertChannel, AlertSeverity, AlertState, AlertType
from risk_management.model.explain import amount
from risk_management.model.vocabulary import VOCABULARY

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertRule",
    "AlertSeverity",
    "AlertState",
    "AlertType",
    "FailedDelivery",
    "one_line",
    "shown",
]


MAX_TEXT: Final = 1000
_ID: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SAID: Final = {
    ">": "above",
    ">=": "at or above",
    "<": "below",
    "<=": "at or below",
    "==": "equal to",
    "!=": "not",
}
_E = TypeVar("_E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class AlertRule:
    """When to alert, how loudly and where.

    Parameters
    ----------
    rule_id : str
        1 to 64 letters, digits or ``_ . : @ -``; no two rules share one.
    name : str
        For people.
    alert_type : AlertType
    severity : AlertSeverity
    condition : str
        Over the words of the vocabulary, such as ``"portfolio_heat > 80"``.
    channels : sequence of AlertChannel
        Besides LOG and MEMORY, which hear of every alert.
    cooldown : float or None
        Seconds after a resolution before it may fire again; by default the configuration's. An
        EMERGENCY never waits.
    repeat : float or None
        Seconds after which an alert that goes on and that nobody acknowledged is said again; by
        default the configuration's; 0 says it once.
    hold : float
        Seconds for which the condition must hold before the alert fires.
    enabled : bool
    message : str
        A sentence in which ``{metric}`` stands for a metric of the vocabulary; by default one is made
        from the condition.

    Raises
    ------
    ConditionError
        The condition can't be used; the text names the column.
    ConfigurationError
        Something else is wrong; the text names the rule and the keyword.
    """

    rule_id: str
    name: str
    alert_type: AlertType
    severity: AlertSeverity
    condition: str
    channels: Sequence[AlertChannel]
    cooldown: float | None = None
    repeat: float | None = None
    hold: float = 0.0
    enabled: bool = True
    message: str = ""

    def __post_init__(self) -> None:
        if not (_is_text(self.rule_id, 1) and _ID.fullmatch(self.rule_id)):
            raise ConfigurationError(
                f"rule_id is 1 to 64 letters, digits or _ . : @ -; got {self.rule_id!r:.80}"
            )
        self._check_texts()
        self._settle("alert_type", _member(AlertType, self.alert_type, self.rule_id))
        self._settle("severity", _member(AlertSeverity, self.severity, self.rule_id))
        if isinstance(self.channels, str):
            raise self._wrong("channels", "is a list, such as [AlertChannel.EMAIL]")
        given = [_member(AlertChannel, channel, self.rule_id) for channel in self.channels]
        self._settle("channels", tuple(dict.fromkeys(given)))
        for span in ("cooldown", "repeat", "hold"):
            self._check_span(span)
        compile_condition(self.condition)

    def compiled(self) -> Condition:
        """The condition, ready to be asked."""
        return compile_condition(self.condition)

    def says(self, metrics: Mapping[str, float]) -> str:
        """What happened, the number against its limit, in a sentence."""
        if self.message:
            return one_line(_PLACE.sub(lambda place: shown(place[1], metrics), self.message))
        condition = self.compiled()
        held = [
            f"{limit.metric} is {shown(limit.metric, metrics)}, "
            f"{_SAID[limit.operator]} {_amount(limit.metric, limit.value)}"
            for limit in condition.limits
            if limit.holds(metrics)
        ]
        if held:
            return one_line(f"{self.name}: {'; '.join(held)}.")
        return one_line(f"{self.name}: {self.numbers(metrics)}, so {self.condition} holds.")

    def numbers(self, metrics: Mapping[str, float]) -> str:
        """The metrics of the condition as they are now."""
        return ", ".join(f"{name} is {shown(name, metrics)}" for name in self.compiled().metrics)

    def _check_texts(self) -> None:
        if not (_is_text(self.name, 1) and self.name.strip()):
            raise self._wrong("name", f"is a text of 1 to {MAX_TEXT} characters")
        if not _is_text(self.message, 0):
            raise self._wrong("message", f"is a text of at most {MAX_TEXT} characters")
        for name in _PLACE.findall(self.message):
            if name not in VOCABULARY:
                raise self._wrong("message", f"names {{{name}}}, which is no metric")

    def _check_span(self, field_name: str) -> None:
        value = getattr(self, field_name)
        if value is None and field_name != "hold":
            return
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0.0:
            raise self._wrong(field_name, f"is a number of seconds from 0, got {value!r:.40}")

    def _settle(self, field_name: str, value: object) -> None:
        object.__setattr__(self, field_name, value)

    def _wrong(self, field_name: str, text: str) -> ConfigurationError:
        return ConfigurationError(f"alert rule {self.rule_id!r}: {field_name} {text}")


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """An alert that a channel did not take.

    Parameters
    ----------
    alert : Alert
    channel : str
        Its name, or ``subscriber``.
    reason : str
        Without the channel's address or its secrets.
    """

    alert: Alert
    channel: str
    reason: str


def shown(metric: str, metrics: Mapping[str, float]) -> str:
    """A metric with its unit; ``n/a`` where it is missing."""
    value = metrics.get(metric)
    return "n/a" if value is None else _amount(metric, value)


def one_line(text: str) -> str:
    """A text without control characters and at most 1000 long: safe in a log and in a subject."""
    flat = "".join(c if c.isprintable() else " " for c in text[: MAX_TEXT + 1])
    return flat if len(flat) <= MAX_TEXT else flat[: MAX_TEXT - 1] + "…"


def _is_text(value: object, least: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= MAX_TEXT


def _amount(metric: str, value: float) -> str:
    unit = VOCABULARY[metric].unit
    return amount(value, unit)


def _member(kind: type[_E], value: object, rule_id: str) -> _E:
    try:
        return kind(str(value))
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise ConfigurationError(
            f"alert rule {rule_id!r}: {value!r:.40} is no {kind.__name__}; known are {known}"
        ) from None
