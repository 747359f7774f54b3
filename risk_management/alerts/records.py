"""What a rule is, and how numbers are said."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final, TypeVar

from risk_management.alerts.conditions import Condition, compile_condition
from risk_management.errors import ConfigurationError
from risk_management.model.alert import Alert, AlertChannel, AlertSeverity, AlertState, AlertType
from risk_management.model.alert_book import RuleFacts
from risk_management.model.explain import amount
from risk_management.model.vocabulary import SCOPED, words_of

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
LEAST_REPEAT: Final = 60.0
_ID: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_ADDRESS: Final = re.compile(r"url:[a-z0-9]{1,16}(-[0-9]{1,3})?")
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SAID: Final = {
    ">": "above",
    ">=": "at or above",
    "<": "below",
    "<=": "at or below",
    "==": "equal to",
    "!=": "not",
}
_BACK: Final = {">": "<", ">=": "<", "<": ">", "<=": ">"}
_WORDS: Final = {scope: frozenset(words_of(scope)) for scope in ("portfolio", *SCOPED)}
_UNITS: Final = {name: word.unit for scope in _WORDS for name, word in words_of(scope).items()}
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
        Besides LOG and MEMORY, which hear of every alert, or names of further addresses (``url:ntfy``).
        Without any it goes by `alert_config.routes`.
    cooldown : float or None
        Seconds after a resolution before it may fire again; by default the configuration's. An
        EMERGENCY never waits.
    repeat : float or None
        Seconds after which an alert that goes on and that nobody acknowledged is said again; by
        default the configuration's, which is of CRITICAL and EMERGENCY: what is milder is said once. At
        least a minute; 0 says it once.
    hold : float
        Seconds for which the condition must hold before the alert fires.
    enabled : bool
    message : str
        A sentence in which ``{metric}`` stands for a metric of the vocabulary; by default one is made
        from the condition.
    release : str or float
        What ends the alert, where that is more than its condition's end: a condition, or a level of the
        condition's one metric that has to be passed on the way back.
    scope : str
        ``portfolio``, or ``bot``, ``strategy`` or ``symbol``: the rule is judged for each one, with an
        alert of its own. The words of the scope may then be named, and ``{bot}`` in the message.
    meaning, did, todo : str
        For the person on call: what it means, what the system did and what still runs, and what a person
        can do now. The last two stand in every telling.

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
    channels: Sequence[str]
    cooldown: float | None = None
    repeat: float | None = None
    hold: float = 0.0
    enabled: bool = True
    message: str = ""
    release: str | float = ""
    scope: str = "portfolio"
    meaning: str = ""
    did: str = ""
    todo: str = ""

    def __post_init__(self) -> None:
        if not (_is_text(self.rule_id, 1) and _ID.fullmatch(self.rule_id)):
            raise ConfigurationError(
                f"rule_id is 1 to 64 letters, digits or _ . : @ -; got {self.rule_id!r:.80}"
            )
        self._check_texts()
        self._settle("alert_type", _member(AlertType, self.alert_type, self.rule_id))
        self._settle("severity", _member(AlertSeverity, self.severity, self.rule_id))
        given: object = self.channels
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise self._wrong("channels", "is a list, such as [AlertChannel.EMAIL]")
        if not isinstance(self.enabled, bool):
            raise self._wrong("enabled", f"is true or false, got {self.enabled!r:.40}")
        named = [_channel(channel, self.rule_id) for channel in given]
        self._settle("channels", tuple(dict.fromkeys(named)))
        for span in ("cooldown", "repeat", "hold"):
            self._check_span(span)
        condition = self.compiled()
        self._settle("release", self._released_by(condition))
        if self.release:
            compile_condition(str(self.release), _WORDS[self.scope])

    @classmethod
    def of(cls, facts: RuleFacts) -> AlertRule:
        """The rule that was written down; a repeat shorter than one may be by now is the shortest.

        Raises
        ------
        ConfigurationError
            It can't be used, such as one of an earlier version with other words.
        """
        values = {f.name: getattr(facts, f.name) for f in fields(cls)}
        if facts.repeat is not None and 0.0 < facts.repeat < LEAST_REPEAT:
            values["repeat"] = LEAST_REPEAT
        return cls(**values)

    def facts(self) -> RuleFacts:
        """The rule as it is written down."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return RuleFacts(**{**values, "channels": tuple(map(str, self.channels))})

    def compiled(self) -> Condition:
        """The condition, ready to be asked."""
        return compile_condition(self.condition, _WORDS[self.scope])

    def ending(self) -> Condition | None:
        """What has to hold for the alert to end, where that is more than the end of its condition."""
        return compile_condition(str(self.release), _WORDS[self.scope]) if self.release else None

    def says(self, metrics: Mapping[str, float], subject: str = "") -> str:
        """What happened, the number against its limit; what the system did; what a person can do."""
        parts = (self._happened(metrics, subject), self.did, self.todo)
        return one_line(" ".join(part for part in parts if part))

    def _happened(self, metrics: Mapping[str, float], subject: str) -> str:
        if self.message:
            return _PLACE.sub(
                lambda place: subject if place[1] == self.scope else shown(place[1], metrics), self.message
            )
        name = f"{self.name} ({subject})" if subject else self.name
        condition = self.compiled()
        held = [
            f"{limit.metric} is {shown(limit.metric, metrics)}, "
            f"{_SAID[limit.operator]} {_amount(limit.metric, limit.value)}"
            for limit in condition.limits
            if limit.holds(metrics)
        ]
        if held:
            return f"{name}: {'; '.join(held)}."
        return f"{name}: {self.numbers(metrics)}, so {self.condition} holds."

    def numbers(self, metrics: Mapping[str, float]) -> str:
        """The metrics of the condition as they are now."""
        return ", ".join(f"{name} is {shown(name, metrics)}" for name in self.compiled().metrics)

    def _check_texts(self) -> None:
        if not (_is_text(self.name, 1) and self.name.strip()):
            raise self._wrong("name", f"is a text of 1 to {MAX_TEXT} characters")
        for field_name in ("message", "meaning", "did", "todo"):
            if not _is_text(getattr(self, field_name), 0):
                raise self._wrong(field_name, f"is a text of at most {MAX_TEXT} characters")
        if self.scope not in _WORDS:
            raise self._wrong("scope", f"is one of {', '.join(_WORDS)}; got {self.scope!r:.40}")
        for name in _PLACE.findall(self.message):
            if name not in _WORDS[self.scope] and (name != self.scope or name == "portfolio"):
                raise self._wrong("message", f"names {{{name}}}, which is no metric{_near(name, self.scope)}")

    def _released_by(self, condition: Condition) -> str:
        """The release as a condition; a level is one of the condition's only metric."""
        if isinstance(self.release, str):
            return self.release
        level, limits = self.release, condition.limits
        if isinstance(level, bool) or not _is_finite(level):
            raise self._wrong("release", f"is a condition or a level, got {level!r:.40}")
        if len(limits) != 1 or limits[0].operator not in _BACK or len(condition.metrics) != 1:
            raise self._wrong(
                "release", "as a level needs a condition of one metric and one limit; write a condition"
            )
        metric, sign, limit = limits[0]
        if (level > limit) if sign in (">", ">=") else (level < limit):
            raise self._wrong(
                "release", f"of {level:g} lies on the wrong side of {limit:g}: it would never end"
            )
        return f"{metric} {_BACK[sign]} {level:.9g}"

    def _check_span(self, field_name: str) -> None:
        value = getattr(self, field_name)
        if value is None and field_name != "hold":
            return
        if isinstance(value, bool) or not _is_finite(value) or value < 0.0:
            raise self._wrong(field_name, f"is a number of seconds from 0, got {value!r:.40}")
        if field_name == "repeat" and 0.0 < value < LEAST_REPEAT:
            raise self._wrong(
                field_name, f"is 0 (never) or at least {LEAST_REPEAT:g} seconds, got {value!r:.40}"
            )

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


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _is_text(value: object, least: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= MAX_TEXT


def _amount(metric: str, value: float) -> str:
    return amount(value, _UNITS[metric])


def _near(name: str, scope: str) -> str:
    close = difflib.get_close_matches(name.lower(), sorted(_WORDS[scope]), n=1, cutoff=0.6)
    return f"; did you mean {{{close[0]}}}?" if close else ""


def _channel(value: object, rule_id: str) -> str:
    """A channel, or the name of a further address of the settings."""
    if isinstance(value, str) and _ADDRESS.fullmatch(value):
        return value
    return _member(AlertChannel, value, rule_id)


def _member(kind: type[_E], value: object, rule_id: str) -> _E:
    try:
        return kind(str(value))
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise ConfigurationError(
            f"alert rule {rule_id!r}: {value!r:.40} is no {kind.__name__}; known are {known}"
        ) from None
