"""Sessions of browsers: a code that works once or a token, and then a cookie that scripts can't read."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from risk_management.clock import Clock, SystemClock
from risk_management.model.access import Access, Token
from risk_management.store.small_file import SmallFile

__all__ = ["BROWSER", "COOKIE", "LIFE", "LOOPBACK_NAMES", "Session", "Sessions"]

logger = logging.getLogger(__name__)

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Names of this machine."""
COOKIE: Final = "risk_session"
LIFE: Final = 12 * 3600.0
CODE_LIFE: Final = 600.0
MOST: Final = 12
"""Sessions at once; they fit into the small file."""
MOST_OF_ONE: Final = 4
"""Sessions of one token."""
BROWSER: Final = "browser"
STEPPED: Final = timedelta(minutes=5)
"""A session that seems to have begun this far in the future: the clock was set back, and it ends."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at a browser.

    Parameters
    ----------
    who : Token
        `created_at` is when the session began.
    csrf : str
        Sent back in a header with every change: a page of somebody else can't know it.
    """

    who: Token
    csrf: str


class Sessions:
    """Codes, and the sessions that they or tokens became.

    Parameters
    ----------
    clock : Clock, optional
    file : Path, optional
        Where hashes of the cookies are kept, so that a page goes on when the server was started again.
        Without one they are gone with the process.
    is_valid : callable, optional
        Whether the token of an id still holds; a session ends with the token that it came from.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        file: Path | None = None,
        is_valid: Callable[[str], bool] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._is_valid = is_valid or (lambda _id: True)
        self._lock = Lock()
        self._codes: dict[bytes, float] = {}
        self._file = None if file is None else SmallFile(file)
        self._open: dict[bytes, Token] = {} if self._file is None else _kept(self._file.read())

    def code(self) -> str:
        """A new code for one login."""
        made = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[_hash(made)] = self._clock.monotonic() + CODE_LIFE
        return made

    def enter(self, code: str) -> str | None:
        """The cookie of a new session; None where the code is not known, used or too old."""
        given = _hash(code)
        with self._lock:
            known = next((kept for kept in self._codes if hmac.compare_digest(kept, given)), None)
            if known is None or self._codes.pop(known) < self._clock.monotonic():
                return None
        return self.begin(Token(BROWSER, BROWSER, Access.OPERATE, None, self._clock.now(), "login link"))

    def begin(self, who: Token) -> str:
        """The cookie of a new session for whoever showed a token.

        One token has only so many, and where all places are taken who may do least gives up his own: a
        bot's token must not log the operators out.
        """
        cookie, now = secrets.token_urlsafe(32), self._clock.now()
        session = Token(who.token_id, who.name, who.access, who.bot, now, who.created_by)
        with self._lock:
            self._open = {key: one for key, one in self._open.items() if _holds(one, now)}
            mine = [k for k, one in self._open.items() if one.token_id == who.token_id != BROWSER]
            for key in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
                del self._open[key]
            while len(self._open) >= MOST:
                del self._open[min(self._open, key=lambda key: self._open[key].access.rank)]
            self._open[_hash(cookie)] = session
            self._keep()
        return cookie

    def rename(self, cookie: str, name: str) -> bool:
        """Name whoever came by a printed link; False for a session of a token, which has a name already."""
        key = _hash(cookie)
        with self._lock:
            who = self._open.get(key)
            if who is None or who.token_id != BROWSER:
                return False
            self._open[key] = replace(who, name=name)
            self._keep()
        return True

    def end(self, cookie: str) -> None:
        """End a session; one that is none changes nothing."""
        with self._lock:
            if self._open.pop(_hash(cookie), None) is not None:
                self._keep()

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, None where there is none any more."""
        given, now = _hash(cookie), self._clock.now()
        with self._lock:
            found = [who for kept, who in self._open.items() if hmac.compare_digest(kept, given)]
        if not found or not _holds(found[0], now):
            return None
        if found[0].token_id != BROWSER and not self._is_valid(found[0].token_id):
            return None
        return Session(found[0], _csrf(cookie))

    def allows(self, who: Token, cookie: str = "") -> bool:
        """Whether somebody who was let in, by a cookie or by a token, would still be."""
        return self.find(cookie) is not None if cookie else self._is_valid(who.token_id)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _keep(self) -> None:
        if self._file is None:
            return
        try:
            self._file.write({key.hex(): _row(who) for key, who in self._open.items()}, sync=False)
        except (OSError, ValueError) as problem:  # they hold in memory; who operates must not be kept out
            logger.warning("sessions are not kept beyond this process: %s", problem)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _csrf(cookie: str) -> str:
    """Made of the cookie, which no page can read: nothing else needs to be kept of it."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()[:32]


def _holds(who: Token, now: datetime) -> bool:
    return -STEPPED <= now - who.created_at < timedelta(seconds=LIFE)


def _row(who: Token) -> list[Any]:
    return [
        who.token_id,
        who.name[:40],
        who.access.value,
        who.bot,
        who.created_at.isoformat(timespec="seconds"),
    ]


def _kept(read: dict[str, Any]) -> dict[bytes, Token]:
    """Sessions of a file; of a torn one none: people log in anew."""
    try:
        return {
            bytes.fromhex(key): Token(
                row[0], row[1], Access(row[2]), row[3], datetime.fromisoformat(row[4]), "kept"
            )
            for key, row in read.items()
        }
    except (ValueError, TypeError, IndexError, KeyError):
        return {}
