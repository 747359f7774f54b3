"""What became of one try to send a message, and how often a channel may be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from risk_management.alerts.chart import Picture
from risk_management.alerts.message import Message

__all__ = ["DELIVERED", "Cap", "Following", "Illustrated", "Outcome", "Sender", "Verdict", "refused", "retry"]


class Verdict(StrEnum):
    """Whether it is worth another try."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """The service, or the way to it, has a trouble that may pass."""
    REFUSED = "refused"
    """The same message would be refused again: a setting is wrong, or a right is missing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back.

    Parameters
    ----------
    verdict : Verdict
    reason : str
        One line without addresses and secrets; empty for a delivery.
    after : float or None
        Seconds that the service asked to wait; the whole channel waits.
    remedy : str
        What a person can do.
    """

    verdict: Verdict
    reason: str = ""
    after: float | None = None
    remedy: str = ""


DELIVERED = Outcome(Verdict.DELIVERED)


def retry(reason: str, after: float | None = None, remedy: str = "") -> Outcome:
    """Try again later."""
    return Outcome(Verdict.RETRY, reason, after, remedy)


def refused(reason: str, remedy: str = "") -> Outcome:
    """Don't try this message again."""
    return Outcome(Verdict.REFUSED, reason, None, remedy)


class Cap(NamedTuple):
    """At most `number` messages within any `seconds`."""

    number: int
    seconds: float


class Sender(Protocol):
    """Sends over one channel; used by one thread."""

    @property
    def caps(self) -> tuple[Cap, ...]:
        """What the service allows."""
        ...

    def send(self, message: Message) -> Outcome:
        """Try once; it takes at most some ten seconds and raises nothing that is expected."""
        ...


@runtime_checkable
class Illustrated(Protocol):
    """A sender whose text holds its picture."""

    def send_with(self, message: Message, picture: Picture | None) -> Outcome:
        """Try once, as `Sender.send`."""
        ...


@runtime_checkable
class Following(Protocol):
    """A sender that sends a picture after its text."""

    def send_picture(self, message: Message, picture: Picture) -> Outcome:
        """Try once, as `Sender.send`."""
        ...
