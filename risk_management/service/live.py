"""Open pages are told what changes: one look and one text for all of them, sent as server-sent events.

A stream holds a thread of the server, so there are only so many; who comes beyond asks `pulse` again and
again instead. One thread looks at the book while anybody listens, and ends with the last listener.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final

from risk_management.dashboard.plain import as_json

if TYPE_CHECKING:
    from risk_management.dashboard.plain import Plain

__all__ = ["HEARTBEAT", "LIVE", "Live", "news_digest"]

LIVE: Final = "risk_live"
"""Where an app keeps it, for the server that has to end the streams."""
HEARTBEAT: Final = 15.0
"""Seconds after which a listener hears that all is as it was."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at the book."""
BEAT: Final = b"event: beat\ndata: {}\n\n"
NOT_NEWS: Final = frozenset({"now"})
"""What changes by itself and is no reason to tell anybody."""


class Live:
    """Tells listeners what `pulse` says whenever it says something else.

    Parameters
    ----------
    pulse : callable
        How the book stands.
    most : int
        Streams at once; 0 where the server is somebody else's, whose threads are not ours to hold.
    heartbeat, every : float
        Seconds.
    """

    def __init__(
        self,
        pulse: Callable[[], Plain],
        most: int,
        *,
        heartbeat: float = HEARTBEAT,
        every: float = LOOK_EVERY,
    ) -> None:
        self._pulse, self._most = pulse, most
        self._heartbeat, self._every = heartbeat, every
        self._changed = Condition()
        self._listeners = 0
        self._number, self._news, self._digest = 0, b"", ""
        self._is_looking, self._is_closed = False, False

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return self._listeners

    def listen(self, allowed: Callable[[], bool] = lambda: True) -> Iterator[bytes] | None:
        """A stream of events, the first at once; None where there are enough of them.

        It ends when `allowed` says no: a right that was taken away ends what was begun with it.
        """
        with self._changed:
            if self._is_closed or self._listeners >= self._most:
                return None
            self._listeners += 1
            heard = 0
            if not self._is_looking:
                self._is_looking, self._digest = True, ""
                heard = self._number  # what was told when somebody last listened is old
                Thread(target=self._look, name="risk-live", daemon=True).start()
        return _Stream(self._told(heard), self._left, allowed)

    def close(self) -> None:
        """End every stream: the server is about to stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _told(self, heard: int) -> Iterator[bytes]:
        yield b"retry: 2000\n\n"
        while (told := self._after(heard)) is not None:
            heard, news = told
            yield news

    def _after(self, heard: int) -> tuple[int, bytes] | None:
        """What is new behind a number, or a beat when nothing is for a while; None at the end."""
        with self._changed:
            is_new = self._changed.wait_for(lambda: self._number > heard or self._is_over, self._heartbeat)
            if self._is_over:
                return None
            return self._number, self._news if is_new else BEAT

    @property
    def _is_over(self) -> bool:
        """Closed, or nobody looks any more: then silence would be taken for calm."""
        return self._is_closed or not self._is_looking

    def _left(self) -> None:
        with self._changed:
            self._listeners -= 1
            self._changed.notify_all()

    def _look(self) -> None:
        """Look while anybody listens. Should a look fail, the streams end and pages ask for themselves."""
        is_done = False
        try:
            self._tell(self._pulse())
            while self._is_wanted():
                self._tell(self._pulse())
            is_done = True
        finally:
            if not is_done:
                with self._changed:
                    self._is_looking = False
                    self._changed.notify_all()

    def _is_wanted(self) -> bool:
        """Whether to look once more, after a while."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or not self._listeners, self._every)
            self._is_looking = bool(self._listeners) and not self._is_closed
            return self._is_looking

    def _tell(self, said: dict[str, Any]) -> None:
        digest = news_digest(said)
        if digest == self._digest:
            return
        text = f"event: pulse\ndata: {as_json(said)}\n\n".encode()
        with self._changed:
            self._number, self._news, self._digest = self._number + 1, text, digest
            self._changed.notify_all()


class _Stream:
    """What is told, with an end that is noticed even if nothing of it was ever read."""

    def __init__(self, told: Iterator[bytes], left: Callable[[], None], allowed: Callable[[], bool]) -> None:
        self._told, self._left, self._allowed = told, left, allowed

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        news = next(self._told)
        if not self._allowed():
            raise StopIteration
        return news

    def close(self) -> None:
        """The listener is gone."""
        left, self._left = self._left, _nothing
        left()


def _nothing() -> None:
    """Left already."""


def news_digest(said: Plain) -> str:
    """Names what is told, without what changes by itself."""
    news = {key: value for key, value in said.items() if key not in NOT_NEWS}
    return hashlib.sha256(as_json(news).encode()).hexdigest()[:32]
