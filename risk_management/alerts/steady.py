"""An outbox that goes on while the store can't be reached: that the store fails is what people must hear."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Final, TypeVar

from risk_management.alerts.message import Message
from risk_management.alerts.outbox import ChannelCounts, Due, MemoryOutbox, Outbox, Row, RowState
from risk_management.errors import StoreUnavailable

__all__ = ["SteadyOutbox"]

logger = logging.getLogger(__name__)
T = TypeVar("T")
REMEMBERED: Final = 10_000


class SteadyOutbox:
    """A durable outbox, and one in memory for what the durable one can't take now.

    A message that was told from memory is not sent once more when its row reaches the store.

    Parameters
    ----------
    durable : Outbox
    """

    def __init__(self, durable: Outbox) -> None:
        self._durable, self._memory = durable, MemoryOutbox()
        self._lock = Lock()
        self._unnoted: dict[tuple[str, str], float] = {}
        """What was sent and the store does not know of, with the time."""
        self._is_out = False

    def put(self, message: Message, channels: Iterable[str]) -> None:
        """Keep a message, on disk where that can be."""
        names = tuple(channels)
        try:
            self._durable.put(message, names)
        except StoreUnavailable as problem:
            self._say(problem)
            self._memory.put(message, names)

    def due(self, channel: str, now: float, most: int) -> Sequence[Due]:
        """What may be tried now, from memory first."""
        found = list(self._memory.due(channel, now, most))
        with self._lock:
            known = {key for key, name in self._unnoted if name == channel}
        try:
            for key in known:
                self._note(key, channel)
            rows: Sequence[Due] = self._durable.due(channel, now, most + len(known))
            self._is_out = False
        except StoreUnavailable as problem:
            self._say(problem)
            rows = []
        with self._lock:
            found += [row for row in rows if (row.message.key, channel) not in self._unnoted]
        return found[:most]

    def next_at(self, channel: str) -> float | None:
        """When the next pending message may be tried."""
        first = self._memory.next_at(channel)
        second = self._read(lambda: self._durable.next_at(channel), None)
        return min((one for one in (first, second) if one is not None), default=None)

    def sent(self, key: str, channel: str, now: float) -> None:
        """It was delivered; where that can't be written it is remembered and written later."""
        if channel in self._memory.carries(key):
            self._memory.sent(key, channel, now)
            self._remember(key, channel, now)
            return
        try:
            self._durable.sent(key, channel, now)
        except StoreUnavailable as problem:
            self._say(problem)
            self._remember(key, channel, now)

    def postponed(self, key: str, channel: str, error: str, next_at: float) -> None:
        """A try failed."""
        where = self._memory if channel in self._memory.carries(key) else self._durable
        self._write(lambda: where.postponed(key, channel, error, next_at))

    def failed(self, key: str, channel: str, error: str) -> None:
        """It is given up."""
        where = self._memory if channel in self._memory.carries(key) else self._durable
        self._write(lambda: where.failed(key, channel, error))

    def noted(self, key: str, channel: str, text: str) -> None:
        """Keep a remark."""
        where = self._memory if channel in self._memory.carries(key) else self._durable
        self._write(lambda: where.noted(key, channel, text))

    def carries(self, key: str) -> frozenset[str]:
        """The channels that have a row of this message."""
        none: frozenset[str] = frozenset()
        return self._memory.carries(key) | self._read(lambda: self._durable.carries(key), none)

    def newest(self, start: str) -> Message | None:
        """The message with the greatest key that begins so, on disk or in memory."""
        none: Message | None = None
        both = (self._memory.newest(start), self._read(lambda: self._durable.newest(start), none))
        return max((one for one in both if one is not None), key=lambda one: one.key, default=None)

    def resume(self) -> None:
        """What is pending may be tried at once."""
        self._write(self._durable.resume)

    def retry(self, channel: str | None = None) -> int:
        """Put what failed back."""
        return self._memory.retry(channel) + self._read(lambda: self._durable.retry(channel), 0)

    def dismiss(self, channel: str | None = None) -> int:
        """Put what failed aside."""
        return self._memory.dismiss(channel) + self._read(lambda: self._durable.dismiss(channel), 0)

    def counts(self) -> tuple[ChannelCounts, ...]:
        """How every channel stands; what is in memory is added where the store can be read."""
        none: tuple[ChannelCounts, ...] = ()
        durable = self._read(self._durable.counts, none)
        found = {one.channel: one for one in durable}
        for extra in self._memory.counts():
            found[extra.channel] = _added(found.get(extra.channel), extra)
        return tuple(found[name] for name in sorted(found))

    def rows(self, state: RowState, most: int) -> Sequence[Row]:
        """The newest rows of a state."""
        none: Sequence[Row] = ()
        rows = [*self._memory.rows(state, most), *self._read(lambda: self._durable.rows(state, most), none)]
        return sorted(rows, key=lambda row: -row.made_at)[:most]

    def _note(self, key: str, channel: str) -> None:
        """Tell the store what was sent meanwhile, once it has the row."""
        if channel in self._durable.carries(key):
            self._durable.sent(key, channel, self._unnoted[key, channel])
            with self._lock:
                self._unnoted.pop((key, channel), None)

    def _remember(self, key: str, channel: str, now: float) -> None:
        with self._lock:
            self._unnoted[key, channel] = now
            while len(self._unnoted) > REMEMBERED:
                del self._unnoted[next(iter(self._unnoted))]

    def _write(self, change: Callable[[], None]) -> None:
        try:
            change()
        except StoreUnavailable as problem:  # the row stays as it was, and is tried again
            self._say(problem)

    def _read(self, ask: Callable[[], T], without: T) -> T:
        try:
            return ask()
        except StoreUnavailable as problem:
            self._say(problem)
            return without

    def _say(self, problem: StoreUnavailable) -> None:
        if not self._is_out:
            logger.warning("the outbox of alerts is kept in memory: %s", problem)
        self._is_out = True


def _added(one: ChannelCounts | None, two: ChannelCounts) -> ChannelCounts:
    if one is None:
        return two
    ages = [age for age in (one.oldest_at, two.oldest_at) if age is not None]
    return ChannelCounts(
        one.channel,
        one.pending + two.pending,
        one.sent + two.sent,
        one.failed + two.failed,
        min(ages, default=None),
        two.last_error or one.last_error,
        one.lag if two.lag is None else two.lag,
    )
