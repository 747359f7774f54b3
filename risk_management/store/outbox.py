"""The outbox in SQL: rows stand in the transaction of what caused them; senders work beside the engine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from risk_management.alerts.message import Message, channels_of, message_of
from risk_management.alerts.outbox import KEPT, ChannelCounts, Due, Row, RowState
from risk_management.errors import StoreError, StoreUnavailable
from risk_management.model.alert import Alert
from risk_management.store.database import QUICK, clear_errors, connect
from risk_management.store.place import place_of
from risk_management.store.reader import StoreReader
from risk_management.store.rows import append, into, storable
from risk_management.store.schema import JOURNAL, OUTBOX

__all__ = [
    "PUT",
    "SqlOutbox",
    "alert_rows",
    "channel_counts",
    "looked",
    "newest_message",
    "newest_rows",
    "outbox_row",
]

logger = logging.getLogger(__name__)

PUT: Final = into(OUTBOX, known_stays=True)
"""What is known of a message and channel stays as it is."""
SETTLED: Final = (RowState.SENT.value, RowState.DISMISSED.value)
PRUNE_EVERY: Final = 500
AGAIN_SECONDS: Final = 3.0
C: Final = OUTBOX.c


def outbox_row(
    message: Message, channel: str, *, body: str | None = None, alert_id: str = "", seq: int | None = None
) -> dict[str, Any]:
    """A row as it begins."""
    return {
        "key": message.key,
        "channel": storable(channel),
        "alert_id": alert_id,
        "seq": seq,
        "rank": message.severity.rank,
        "body": message.as_text() if body is None else body,
        "state": RowState.PENDING.value,
        "tries": 0,
        "made_at": message.at.timestamp(),
        "next_at": 0.0,
        "sent_at": None,
        "last_error": "",
    }


def alert_rows(alert: Alert, seq: int) -> list[dict[str, Any]]:
    """The rows that one telling makes, one a channel; none where only this process hears of it."""
    channels = channels_of(alert)
    if not channels:
        return []
    message = message_of(alert)
    body = message.as_text()
    return [outbox_row(message, channel, body=body, alert_id=alert.alert_id, seq=seq) for channel in channels]


class SqlOutbox:
    """The rows of a store; see `Outbox`. It may be used from many threads, and beside the engine.

    Parameters
    ----------
    store : str
        Path or address, as of the journal; its tables are of this version.
    turn : Lock, optional
        Shared with whoever else writes to the store in this process: they wait for each other's short
        transactions here and not in the database, whose lock is unfair.
    """

    def __init__(self, store: str, turn: Lock | None = None) -> None:
        self._store, self._place = store, place_of(store)
        self._turn = turn or Lock()
        self._lock = Lock()
        self._engines: dict[bool, Engine] = {}
        self._sent = 0
        self._again_at = 0.0

    def put(self, message: Message, channels: Iterable[str]) -> None:
        """Keep a message that no entry of the journal caused, or that is told before it is there."""
        rows = [outbox_row(message, channel) for channel in channels]
        if rows:
            with self._writing() as connection:
                append(connection, PUT, rows)

    def due(self, channel: str, now: float, most: int) -> Sequence[Due]:
        """What may be tried now: the most severe first, then the oldest."""
        query = (
            select(OUTBOX)
            .where(C.channel == channel, C.state == RowState.PENDING.value, C.next_at <= now)
            .order_by(C.rank.desc(), C.made_at, C.key)
            .limit(most)
        )
        found = []
        for row in self._rows(query):
            try:
                found.append(Due(Message.from_text(row.body), row.tries))
            except ValueError:
                logger.critical("message %.64r can't be read and is not sent", row.key)
                self.failed(row.key, channel, "what is kept of it can't be read")
        return found

    def next_at(self, channel: str) -> float | None:
        """When the next pending message may be tried."""
        mine = (C.channel == channel, C.state == RowState.PENDING.value)
        found: float | None = self._rows(select(func.min(C.next_at)).where(*mine))[0][0]
        return found

    def sent(self, key: str, channel: str, now: float) -> None:
        """It was delivered."""
        self._change(key, channel, state=RowState.SENT.value, sent_at=now)
        self._sent += 1
        if self._sent % PRUNE_EVERY == 0:
            self._prune()

    def postponed(self, key: str, channel: str, error: str, next_at: float) -> None:
        """A try failed."""
        self._change(key, channel, last_error=storable(error), next_at=next_at)

    def failed(self, key: str, channel: str, error: str) -> None:
        """It is given up."""
        self._change(key, channel, state=RowState.FAILED.value, last_error=storable(error))

    def noted(self, key: str, channel: str, text: str) -> None:
        """Keep a remark."""
        with self._writing() as connection:
            mine = (C.key == key, C.channel == channel)
            connection.execute(update(OUTBOX).where(*mine).values(last_error=storable(text)))

    def carries(self, key: str) -> frozenset[str]:
        """The channels that have a row of this message."""
        return frozenset(row.channel for row in self._rows(select(C.channel).where(C.key == key)))

    def newest(self, start: str) -> Message | None:
        """The message with the greatest key that begins so."""
        with self._reading() as connection:
            return newest_message(connection, start)

    def resume(self) -> None:
        """What is pending may be tried at once."""
        with self._writing() as connection:
            pending = C.state == RowState.PENDING.value
            connection.execute(update(OUTBOX).where(pending, C.next_at > 0.0).values(next_at=0.0))

    def retry(self, channel: str | None = None) -> int:
        """Put what failed back."""
        return self._settle(channel, state=RowState.PENDING.value, tries=0, next_at=0.0)

    def dismiss(self, channel: str | None = None) -> int:
        """Put what failed aside."""
        return self._settle(channel, state=RowState.DISMISSED.value)

    def counts(self) -> tuple[ChannelCounts, ...]:
        """How every channel stands."""
        with self._reading() as connection:
            return channel_counts(connection)

    def rows(self, state: RowState, most: int) -> Sequence[Row]:
        """The newest rows of a state."""
        with self._reading() as connection:
            return newest_rows(connection, state, most)

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            self._drop()

    def _change(self, key: str, channel: str, **facts: Any) -> None:
        with self._writing() as connection:
            row = (C.key == key, C.channel == channel)
            connection.execute(update(OUTBOX).where(*row).values(tries=C.tries + 1, **facts))

    def _settle(self, channel: str | None, **facts: Any) -> int:
        failed = [C.state == RowState.FAILED.value]
        if channel is not None:
            failed.append(C.channel == channel)
        with self._writing() as connection:
            return connection.execute(update(OUTBOX).where(*failed).values(**facts)).rowcount

    def _prune(self) -> None:
        """The newest settled rows are kept: the table must not grow for ever."""
        settled = C.state.in_(SETTLED)
        last = select(C.made_at).where(settled).order_by(C.made_at.desc()).offset(KEPT).limit(1)
        with self._writing() as connection:
            oldest = connection.scalar(last)
            if oldest is not None:
                connection.execute(delete(OUTBOX).where(settled, C.made_at < oldest))

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._reading() as connection:
            return connection.execute(query).all()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._alone(), self._turn, self._clear(), self._engine(reading=False).begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._alone(), self._clear(), self._engine(reading=True).connect() as connection:
            yield connection

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time; for a while after a server gave no answer all are refused, or each would wait."""
        with self._lock:
            if monotonic() < self._again_at:
                raise StoreUnavailable(f"{self._place} gave no answer a moment ago")
            yield

    def _engine(self, *, reading: bool) -> Engine:
        if reading not in self._engines:
            self._engines[reading] = connect(self._store, reading=reading, patience=QUICK, alone=reading)
        return self._engines[reading]

    @contextmanager
    def _clear(self) -> Iterator[None]:
        """A connection that failed once is not used again.

        Raises
        ------
        StoreUnavailable
        """
        try:
            with clear_errors(self._place):
                yield
        except StoreError as problem:
            self._drop()
            if not self._place.is_file:
                self._again_at = monotonic() + AGAIN_SECONDS
            raise StoreUnavailable(str(problem)) from None
        except SQLAlchemyError as problem:
            self._drop()
            raise StoreUnavailable(f"the outbox can't be used: {type(problem).__name__}") from None

    def _drop(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()


def looked(
    store: str, state: RowState, most: int
) -> tuple[tuple[ChannelCounts, ...], Sequence[Row], datetime]:
    """What somebody sees who only looks, also while an engine works on the store.

    Returns
    -------
    counts : tuple of ChannelCounts
    rows : sequence of Row
        The newest of a state.
    now : datetime
        Where the book's clock stood last: the time of the newest entry.

    Raises
    ------
    StoreUnavailable, StoreCorrupt, StoreTooNew
    """
    with StoreReader.of_store(store) as reader, reader.looking() as connection:
        newest = connection.scalar(select(JOURNAL.c.at).order_by(JOURNAL.c.seq.desc()).limit(1))
        counts, rows = channel_counts(connection), newest_rows(connection, state, most)
    return counts, rows, datetime.fromtimestamp(0, UTC) if newest is None else datetime.fromisoformat(newest)


def channel_counts(connection: Connection) -> tuple[ChannelCounts, ...]:
    """How every channel stands that ever had a row."""
    query = select(C.channel, C.state, func.count(), func.min(C.made_at)).group_by(C.channel, C.state)
    numbers: dict[str, dict[str, tuple[int, float]]] = {}
    for channel, state, number, oldest in connection.execute(query):
        numbers.setdefault(channel, {})[state] = (number, oldest)
    return tuple(_counted(connection, name, numbers[name]) for name in sorted(numbers))


def _counted(connection: Connection, channel: str, found: dict[str, tuple[int, float]]) -> ChannelCounts:
    mine, is_sent = C.channel == channel, C.state == RowState.SENT.value
    open_states = (RowState.PENDING.value, RowState.FAILED.value)
    is_open = C.state.in_(open_states)
    error = select(C.last_error).where(mine, is_open, C.last_error != "").order_by(C.made_at.desc()).limit(1)
    lag = select(C.sent_at - C.made_at).where(mine, is_sent).order_by(C.sent_at.desc()).limit(1)
    pending = found.get(RowState.PENDING.value)
    seconds = connection.scalar(lag)
    return ChannelCounts(
        channel=channel,
        pending=0 if pending is None else pending[0],
        sent=found.get(RowState.SENT.value, (0, 0.0))[0],
        failed=found.get(RowState.FAILED.value, (0, 0.0))[0],
        oldest_at=None if pending is None else pending[1],
        last_error=connection.scalar(error) or "",
        lag=None if seconds is None else max(0.0, seconds),
    )


def newest_message(connection: Connection, start: str) -> Message | None:
    """The message with the greatest key that begins so; None without one that can be read."""
    mine = C.key.startswith(storable(start), autoescape=True)
    body = connection.scalar(select(C.body).where(mine).order_by(C.key.desc()).limit(1))
    try:
        return None if body is None else Message.from_text(body)
    except ValueError:
        return None


def newest_rows(connection: Connection, state: RowState, most: int) -> Sequence[Row]:
    """The newest rows of a state, the newest first."""
    query = select(OUTBOX).where(C.state == state.value).order_by(C.made_at.desc(), C.key).limit(most)
    return [_row(row) for row in connection.execute(query)]


def _row(row: Any) -> Row:
    try:
        title = Message.from_text(row.body).title
    except ValueError:
        title = "(can't be read)"
    return Row(
        key=row.key,
        channel=row.channel,
        state=RowState(row.state),
        title=title,
        made_at=row.made_at,
        tries=row.tries,
        next_at=row.next_at,
        sent_at=row.sent_at,
        last_error=row.last_error,
    )
