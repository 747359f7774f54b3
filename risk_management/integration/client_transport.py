"""How a client's calls travel: one connection a thread, within their time, tried again where that is safe.

Needs nothing but the standard library, and uses no proxy.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from itertools import count
from socket import socket
from threading import local
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import SplitResult, quote, urlsplit

from risk_management.clock import SystemClock
from risk_management.errors import ConfigurationError, InvalidRequest, Unanswered, shown

__all__ = ["DEADLINE", "Said", "Transport", "Tried", "address", "quoted"]

logger = logging.getLogger(__name__)

DEADLINE: Final = 0.25
"""Seconds that a question may take."""
PREFIX: Final = "/api/risk"
LARGEST: Final = 2**22
"""Bytes of an answer: the alerts come with the last thousand tellings."""
LOOPBACK: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|::1)\Z")
FAILED: Final = 500
"""Statuses from here on are no answers: it may have been judged all the same."""
NOT_TAKEN: Final = "OVERLOADED"
"""What a server says that did not even look at a call."""
PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.5
LONGEST: Final = 3600.0
"""Seconds that a call may be told to take."""


class Tried(Enum):
    """How long a call is tried, and whether it may arrive twice."""

    QUESTION = "some times, within the deadline"
    PATIENT = "until the patience is over: a second one changes nothing"
    ONCE = "sent once: a second one would say that the first was right, or be booked again"


class Said(dict[str, Any]):
    """An answer's object; what it should hold and does not was said by somebody else."""

    def __missing__(self, name: str) -> NoReturn:
        raise Unanswered(
            "UNANSWERED", f"the answer holds no {name!r}: it is not the risk system's; do not trade"
        )


class _Reply(NamedTuple):
    status: int
    body: Said

    @property
    def is_taken(self) -> bool:
        """Whether somebody looked at the call, as far as is known."""
        return self.status < FAILED or self.body["error"]["code"] != NOT_TAKEN


class _TimedReader(io.RawIOBase):
    """What comes over a connection until the time is over, however slowly it drips."""

    def __init__(self, raw: io.RawIOBase, sock: socket, left: Callable[[], float]) -> None:
        self._raw, self._sock, self._left = raw, sock, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """Its status and headers are read against the same time as its body."""

    def __init__(self, left: Callable[[], float], sock: socket, *args: Any, **words: Any) -> None:
        super().__init__(sock, *args, **words)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, left))


class Transport:
    """Calls to one risk system in the name of one token. Safe to use from many threads.

    Parameters
    ----------
    url, token : str
    deadline, patience : float
        Seconds of a question, and of all else.
    tries : int
        Of a question, at most.

    Raises
    ------
    ConfigurationError
        The address, the token or a time can't be used.
    """

    def __init__(self, url: str, token: str, *, deadline: float, patience: float, tries: int) -> None:
        parts, known = address(url), str(token or "")
        if parts is None:
            raise ConfigurationError("RISK_URL is an address such as http://127.0.0.1:8321")
        if not known.isascii() or not known.isprintable() or not known.strip():
            raise ConfigurationError("RISK_TOKEN is a token as 'risk token create' prints it")
        if parts.scheme == "http" and not LOOPBACK.match(str(parts.hostname)):
            logger.warning("the token travels unencrypted to %s; put TLS in front", parts.hostname)
        self._parts, self._token = parts, token
        self._deadline, self._patience = _seconds("deadline", deadline), _seconds("patience", patience)
        self._tries = max(1, tries)
        self._clock = SystemClock()
        self._mine = local()

    @property
    def where(self) -> str:
        """Whom it asks, such as ``http://127.0.0.1:8321``."""
        return f"{self._parts.scheme}://{self._parts.netloc}"

    def done(
        self, method: str, path: str, words: Mapping[str, Any] | None = None, tried: Tried = Tried.PATIENT
    ) -> Said:
        """The answer to what is done or decided, or what kept it away.

        Parameters
        ----------
        method, path : str
            The path under ``/api/risk``.
        words : Mapping of str to Any, optional
            Sent as JSON; what is None is left out.
        tried : Tried

        Raises
        ------
        Unanswered
            No answer came in time, or one of somebody else.
        InvalidRequest
            What the risk system refused, with its code.
        """
        said = self.said(method, path, words, tried)
        if not isinstance(said["durable"], bool):  # all that this server does or decides says it
            said.__missing__("durable")
        return said

    def said(
        self, method: str, path: str, words: Mapping[str, Any] | None = None, tried: Tried = Tried.PATIENT
    ) -> Said:
        """An answer as it came; a view says nothing of the disk. Arguments and errors are those of `done`."""
        given = None if words is None else {k: v for k, v in words.items() if v is not None}
        try:
            body = None if given is None else json.dumps(given, default=_plain).encode()
        except (TypeError, ValueError) as problem:
            raise InvalidRequest("WRONG_TYPE", "", f"it can't be written as JSON: {problem}") from None
        reply = self._answered(method, path, body, tried)
        if reply.status < 300:
            return reply.body
        error = reply.body["error"]
        code, text = str(error["code"]), str(error.get("message", reply.status))
        if reply.status >= FAILED:
            raise Unanswered(code, text)
        raise InvalidRequest(code, str(error.get("field", "")), text)

    def close(self) -> None:
        """Close this thread's connection."""
        known = getattr(self._mine, "known", None)
        self._mine.known = None
        if known is not None:
            known[1].close()

    # -- inside -------------------------------------------------------------------------------------

    def _answered(self, method: str, path: str, body: bytes | None, tried: Tried) -> _Reply:
        seconds = self._deadline if tried is Tried.QUESTION else self._patience
        begun = self._clock.monotonic()
        ends = begun + seconds
        problem: Exception | None = None
        reply: _Reply | None = None
        is_sent = False
        refused = 0
        if tried is Tried.ONCE:  # a kept connection may be closed at the other end, and then nobody knows
            self.close()
        for number in count():
            is_over = tried is Tried.QUESTION and number - refused >= self._tries
            if is_over or self._clock.monotonic() >= ends or (is_sent and tried is Tried.ONCE):
                break
            try:
                connection = self._connection(ends)
                is_sent = True
                reply = self._tried(connection, method, path, body)
                if reply.status < FAILED:
                    return reply
                is_sent = reply.is_taken
            except (OSError, HTTPException, ValueError) as said:
                refused += isinstance(said, ConnectionRefusedError)  # nobody is there yet: that is no try
                problem = said
                self.close()
            pause = min(PAUSE * 2.0 ** min(number, 10), LONGEST_PAUSE)
            time.sleep(max(0.0, min(pause, ends - self._clock.monotonic())))
        if reply is not None:
            return reply
        raise Unanswered(
            "UNANSWERED",
            self._no_answer(self._clock.monotonic() - begun, problem, is_sent=is_sent, tried=tried),
        )

    def _no_answer(self, seconds: float, problem: Exception | None, *, is_sent: bool, tried: Tried) -> str:
        kind = "no time was left" if problem is None else type(problem).__name__
        follows = "do not trade"
        if tried is Tried.ONCE:
            follows = "whether it was taken is not known, so look before you tell it again"
            follows = follows if is_sent else "it was not sent"
        return f"the risk system at {self.where} did not answer in {seconds:.2f} s ({kind}); {follows}"

    def _tried(self, connection: HTTPConnection, method: str, path: str, body: bytes | None) -> _Reply:
        headers = {"Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, self._parts.path.rstrip("/") + PREFIX + path, body, headers)
        answer = connection.getresponse()
        text = answer.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError("the answer is too long")
        answer.close()  # read to its end: the connection is free for the next request
        if answer.will_close:
            self.close()
        return _Reply(answer.status, _read(text, answer.status))

    def _connection(self, ends: float) -> HTTPConnection:
        """The open connection of this thread, with what is left of the time."""

        def time_left() -> float:
            left = ends - self._clock.monotonic()
            if left <= 0.0:
                raise TimeoutError("the time is over")
            return left

        left = time_left()
        known: tuple[int, HTTPConnection] | None = getattr(self._mine, "known", None)
        is_mine = known is not None and known[0] == os.getpid()  # a forked child must not share its parent's
        connection = known[1] if known is not None and is_mine else self._made()
        self._mine.known = (os.getpid(), connection)
        connection.timeout = left
        connection.response_class = partial(_TimedResponse, time_left)  # type: ignore[assignment]
        if connection.sock is None:
            connection.connect()
        connection.sock.settimeout(time_left())
        return connection

    def _made(self) -> HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            return HTTPSConnection(host, port, context=ssl.create_default_context())
        return HTTPConnection(host, port)


def quoted(name: object, field: str = "request_id") -> str:
    """A name as a part of a path; `field` is what it is called.

    Raises
    ------
    InvalidRequest
        It is no text.
    """
    if isinstance(name, str) and name:
        return quote(name, safe="", errors="replace")
    raise InvalidRequest("INVALID_NAME", field, f"it is a text; got {shown(name)}")


def address(url: str) -> SplitResult | None:
    """The parts of an address that can be asked; None of one that can't, or that holds a password."""
    try:
        parts = urlsplit(url)
        is_port = parts.port is None or parts.port > 0
    except (ValueError, AttributeError):
        return None
    # urlsplit drops line ends and blanks at the edges without a word
    is_clean = url.isascii() and url.isprintable() and " " not in url
    is_plain = is_clean and not (parts.username or parts.query or parts.fragment)
    is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
    return parts if is_whole and is_plain and is_port else None


def _seconds(name: str, value: object) -> float:
    if isinstance(value, int | float) and 0.0 < value <= LONGEST:
        return value
    raise ConfigurationError(f"{name} is in seconds, at most {LONGEST:g}; got {shown(value)}")


def _read(text: bytes, status: int) -> Said:
    """An answer of the risk system; ValueError for one of anybody else, such as a proxy."""
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("the answer is too deep") from None
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    error = found.get("error")
    if status >= 300 and not (isinstance(error, dict) and isinstance(error.get("code"), str)):
        raise ValueError("the answer is not the risk system's")
    return Said(found)


def _plain(value: object) -> object:
    """A time as its text, a number of another library, such as numpy's, as Python's own."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        return value.item()
    raise TypeError(f"{shown(value)} is no number or text")
