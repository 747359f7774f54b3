"""Sessions of browsers on this machine: a code that works once, a cookie that scripts can't read."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from threading import Lock
from typing import Final

from risk_management.clock import Clock, SystemClock
from risk_management.model.access import Access, Token

__all__ = ["COOKIE", "LIFE", "Session", "Sessions"]

COOKIE: Final = "risk_session"
LIFE: Final = 12 * 3600.0
CODE_LIFE: Final = 600.0
MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at a browser.

    Parameters
    ----------
    who : Token
    csrf : str
        Sent back in a header with every change: a page of somebody else can't know it.
    ends : float
        Monotonic seconds.
    """

    who: Token
    csrf: str
    ends: float


class Sessions:
    """Codes and the sessions that they became; in memory, gone with the process."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._codes: dict[bytes, float] = {}
        self._open: dict[bytes, Session] = {}

    def code(self) -> str:
        """A new code for one login."""
        made = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[_hash(made)] = self._clock.monotonic() + CODE_LIFE
        return made

    def enter(self, code: str) -> str | None:
        """The cookie of a new session; None where the code is not known, used or too old."""
        now, given = self._clock.monotonic(), _hash(code)
        with self._lock:
            known = next((kept for kept in self._codes if hmac.compare_digest(kept, given)), None)
            if known is None or self._codes.pop(known) < now:
                return None
            cookie = secrets.token_urlsafe(32)
            self._open = {key: one for key, one in self._open.items() if one.ends > now}
            while len(self._open) >= MOST:
                del self._open[next(iter(self._open))]
            who = Token("browser", "browser", Access.OPERATE, None, self._clock.now(), "login link")
            self._open[_hash(cookie)] = Session(who, secrets.token_urlsafe(24), now + LIFE)
            return cookie

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, None where there is none any more."""
        given = _hash(cookie)
        with self._lock:
            for kept, session in self._open.items():
                if hmac.compare_digest(kept, given) and session.ends > self._clock.monotonic():
                    return session
        return None


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
