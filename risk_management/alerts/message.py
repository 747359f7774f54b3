"""What is sent over a channel: made from an alert, or from a report; kept as text until it is delivered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2s
from types import MappingProxyType
from typing import Any, Final, Self

from risk_management.model.alert import Alert, AlertChannel, AlertSeverity, AlertState

__all__ = ["IN_PROCESS", "Message", "channels_of", "message_of"]

IN_PROCESS: Final = frozenset({AlertChannel.LOG.value, AlertChannel.MEMORY.value})
"""Channels that need no sender."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, the same for every channel.

    Parameters
    ----------
    key : str
        Up to 64 letters, digits, ``.``, ``:`` or ``-``; the same each time that it is sent, so that a
        receiver can drop what came twice.
    severity : AlertSeverity
        What is more severe is sent first.
    title : str
        One line.
    text : str
        Plain text, without markup.
    at : datetime
        When it was caused.
    facts : Mapping of str to Any
        The same for programs, ready for JSON.
    """

    key: str
    severity: AlertSeverity
    title: str
    text: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def as_text(self) -> str:
        """JSON, as the outbox keeps it."""
        return json.dumps(
            {
                "key": self.key,
                "severity": self.severity.value,
                "title": self.title,
                "text": self.text,
                "at": self.at.isoformat(),
                "facts": dict(self.facts),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The message that `as_text` wrote.

        Raises
        ------
        ValueError
            It is no such text.
        """
        try:
            said = json.loads(text)
            return cls(
                key=said["key"],
                severity=AlertSeverity(said["severity"]),
                title=said["title"],
                text=said["text"],
                at=datetime.fromisoformat(said["at"]),
                facts=MappingProxyType(said["facts"]),
            )
        except (KeyError, TypeError) as problem:
            raise ValueError(f"no message: {problem}") from None


def message_of(alert: Alert) -> Message:
    """What an alert says to people and to programs."""
    what = alert.severity.value.upper()
    if alert.state is not AlertState.FIRING:
        what = f"{alert.state.value.upper()} ({what})"
    lines = [alert.message]
    if alert.count > 1:
        lines.append(f"Seen {alert.count} times since {alert.first_at:%Y-%m-%d %H:%M:%S} UTC.")
    lines.append(f"{alert.at:%Y-%m-%d %H:%M:%S} UTC, alert {alert.alert_id}.")
    return Message(
        key=_key(alert),
        severity=alert.severity,
        title=f"{what}: {alert.name}",
        text="\n".join(lines),
        at=alert.at,
        facts=MappingProxyType(alert.as_dict()),
    )


def channels_of(alert: Alert) -> tuple[str, ...]:
    """Where it is to be sent, without what every process has of itself."""
    return tuple(name for one in alert.channels if (name := str(one)) not in IN_PROCESS)


def _key(alert: Alert) -> str:
    """One telling of one alert: made of the alert alone, so that it is known before anything is on disk."""
    told = f"{alert.state.value}|{alert.at.isoformat()}|{alert.count}|{alert.severity.value}"
    digest = blake2s(told.encode(), digest_size=6).hexdigest()
    return f"{alert.alert_id}-{digest}"
