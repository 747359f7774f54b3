"""What is still to be sent: one row a message and channel, kept until it was delivered or given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock
from typing import Final, NamedTuple, Protocol

from risk_management.alerts.message import Message

__all__ = ["ChannelCounts", "Due", "MemoryOutbox", "Outbox", "Row", "RowState"]

KEPT: Final = 10_000
"""Rows that are kept after they were sent."""


class RowState(StrEnum):
    """How far a message has come on a channel."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up; a person sends it again or puts it aside."""
    DISMISSED = "dismissed"
    """Failed, and a person has seen it."""


class Due(NamedTuple):
    """A message that may be tried now."""

    message: Message
    tries: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row, for people.

    Parameters
    ----------
    key, channel : str
    state : RowState
    title : str
    made_at : float
        Seconds since 1970 on the book's clock.
    tries : int
    next_at : float
        Not tried before.
    sent_at : float or None
    last_error : str
    """

    key: str
    channel: str
    state: RowState
    title: str
    made_at: float
    tries: int = 0
    next_at: float = 0.0
    sent_at: float | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    """How a channel stands.

    Parameters
    ----------
    channel : str
    pending, sent, failed : int
        Sent ones of the last 10,000.
    oldest_at : float or None
        When the oldest pending message was caused, seconds since 1970.
    last_error : str
        Of the newest row that has one and is not sent.
    lag : float or None
        Seconds from cause to delivery of the newest message sent.
    """

    channel: str
    pending: int = 0
    sent: int = 0
    failed: int = 0
    oldest_at: float | None = None
    last_error: str = ""
    lag: float | None = None


class Outbox(Protocol):
    """Keeps what is to be sent. Every method may raise StoreUnavailable; nothing has changed then."""

    def put(self, message: Message, channels: Iterable[str]) -> None:
        """Keep a message for channels; one that is known there already stays as it is."""
        ...

    def due(self, channel: str, now: float, most: int) -> Sequence[Due]:
        """What may be tried on a channel now: the most severe first, then the oldest."""
        ...

    def next_at(self, channel: str) -> float | None:
        """When the next pending message of a channel may be tried, None where there is none."""
        ...

    def sent(self, key: str, channel: str, now: float) -> None:
        """It was delivered."""
        ...

    def postponed(self, key: str, channel: str, error: str, next_at: float) -> None:
        """A try failed; the next one comes at `next_at`."""
        ...

    def failed(self, key: str, channel: str, error: str) -> None:
        """It is given up."""
        ...

    def noted(self, key: str, channel: str, text: str) -> None:
        """Keep a remark on what was delivered, such as that its picture is missing."""
        ...

    def carries(self, key: str) -> frozenset[str]:
        """The channels that have a row of this message."""
        ...

    def newest(self, start: str) -> Message | None:
        """The message with the greatest key that begins so, whatever became of it; None without one."""
        ...

    def resume(self) -> None:
        """At a start: what is pending may be tried at once, whatever clock it was put off by."""
        ...

    def retry(self, channel: str | None = None) -> int:
        """Put what failed back; returns how many rows."""
        ...

    def dismiss(self, channel: str | None = None) -> int:
        """Put what failed aside; returns how many rows."""
        ...

    def counts(self) -> tuple[ChannelCounts, ...]:
        """How every channel stands that ever had a row."""
        ...

    def rows(self, state: RowState, most: int) -> Sequence[Row]:
        """The newest rows of a state, the newest first."""
        ...


class MemoryOutbox:
    """Rows of a book without a store: gone with the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[tuple[str, str], tuple[Row, Message]] = {}

    def put(self, message: Message, channels: Iterable[str]) -> None:
        """Keep a message for channels."""
        made = message.at.timestamp()
        with self._lock:
            for channel in channels:
                row = Row(message.key, channel, RowState.PENDING, message.title, made)
                self._rows.setdefault((message.key, channel), (row, message))
            self._prune()

    def due(self, channel: str, now: float, most: int) -> Sequence[Due]:
        """What may be tried on a channel now."""
        with self._lock:
            mine = [both for both in self._pending(channel) if both[0].next_at <= now]
        mine.sort(key=lambda both: (-both[1].severity.rank, both[0].made_at))
        return [Due(message, row.tries) for row, message in mine[:most]]

    def next_at(self, channel: str) -> float | None:
        """When the next pending message may be tried."""
        with self._lock:
            return min((row.next_at for row, _ in self._pending(channel)), default=None)

    def sent(self, key: str, channel: str, now: float) -> None:
        """It was delivered."""
        self._change(key, channel, state=RowState.SENT, sent_at=now)

    def postponed(self, key: str, channel: str, error: str, next_at: float) -> None:
        """A try failed."""
        self._change(key, channel, last_error=error, next_at=next_at)

    def failed(self, key: str, channel: str, error: str) -> None:
        """It is given up."""
        self._change(key, channel, state=RowState.FAILED, last_error=error)

    def noted(self, key: str, channel: str, text: str) -> None:
        """Keep a remark."""
        with self._lock:
            found = self._rows.get((key, channel))
            if found is not None:
                self._rows[key, channel] = (replace(found[0], last_error=text), found[1])

    def carries(self, key: str) -> frozenset[str]:
        """The channels that have a row of this message."""
        with self._lock:
            return frozenset(channel for known, channel in self._rows if known == key)

    def newest(self, start: str) -> Message | None:
        """The message with the greatest key that begins so."""
        with self._lock:
            found = [message for _, message in self._rows.values() if message.key.startswith(start)]
        return max(found, key=lambda message: message.key, default=None)

    def resume(self) -> None:
        """There is nothing from before."""

    def retry(self, channel: str | None = None) -> int:
        """Put what failed back."""
        return self._settle(channel, state=RowState.PENDING, tries=0, next_at=0.0)

    def dismiss(self, channel: str | None = None) -> int:
        """Put what failed aside."""
        return self._settle(channel, state=RowState.DISMISSED)

    def counts(self) -> tuple[ChannelCounts, ...]:
        """How every channel stands."""
        with self._lock:
            rows = [row for row, _ in self._rows.values()]
        return tuple(
            _counted(name, [row for row in rows if row.channel == name])
            for name in sorted({row.channel for row in rows})
        )

    def rows(self, state: RowState, most: int) -> Sequence[Row]:
        """The newest rows of a state."""
        with self._lock:
            found = [row for row, _ in self._rows.values() if row.state is state]
        return found[::-1][:most]

    def _pending(self, channel: str) -> list[tuple[Row, Message]]:
        return [
            both
            for both in self._rows.values()
            if both[0].channel == channel and both[0].state is RowState.PENDING
        ]

    def _change(self, key: str, channel: str, **facts: object) -> None:
        with self._lock:
            found = self._rows.get((key, channel))
            if found is not None:
                row = replace(found[0], tries=found[0].tries + 1, **facts)  # type: ignore[arg-type]
                self._rows[key, channel] = (row, found[1])

    def _settle(self, channel: str | None, **facts: object) -> int:
        with self._lock:
            found = [
                (name, both)
                for name, both in self._rows.items()
                if both[0].state is RowState.FAILED and channel in (None, both[0].channel)
            ]
            for name, (row, message) in found:
                self._rows[name] = (replace(row, **facts), message)  # type: ignore[arg-type]
            return len(found)

    def _prune(self) -> None:
        if len(self._rows) <= 2 * KEPT:
            return
        settled = [
            n for n, (row, _) in self._rows.items() if row.state in (RowState.SENT, RowState.DISMISSED)
        ]
        for name in settled[: max(0, len(settled) - KEPT)]:
            del self._rows[name]


def _counted(channel: str, rows: Sequence[Row]) -> ChannelCounts:
    by_state = {state: [row for row in rows if row.state is state] for state in RowState}
    open_rows = by_state[RowState.PENDING] + by_state[RowState.FAILED]
    errors = [row for row in open_rows if row.last_error]
    sent = max(by_state[RowState.SENT], key=lambda row: row.sent_at or 0.0, default=None)
    return ChannelCounts(
        channel=channel,
        pending=len(by_state[RowState.PENDING]),
        sent=len(by_state[RowState.SENT]),
        failed=len(by_state[RowState.FAILED]),
        oldest_at=min((row.made_at for row in by_state[RowState.PENDING]), default=None),
        last_error=max(errors, key=lambda row: row.made_at).last_error if errors else "",
        lag=None if sent is None or sent.sent_at is None else max(0.0, sent.sent_at - sent.made_at),
    )
