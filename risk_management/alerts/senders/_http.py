"""One POST with a deadline: no redirects, TLS verified, the address checked, a small answer read."""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from risk_management.alerts.outcome import DELIVERED, Outcome, refused, retry
from risk_management.alerts.senders._address import Blocked, checked_address
from risk_management.clock import Clock

__all__ = ["Poster", "Reply", "Timeouts", "form", "judged", "seconds"]

MOST_READ: Final = 64 * 1024
"""Bytes of an answer."""
LONGEST_WAIT: Final = 3600.0
"""Seconds of a Retry-After that are believed."""
TOO_MANY: Final = 429
MAY_PASS: Final = frozenset({408, 425, TOO_MANY})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for the connection, and for all of it."""

    connect: float = 3.0
    total: float = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answered.

    Parameters
    ----------
    status : int
    headers : Mapping of str to str
    body : bytes
        Its beginning: 64 KiB, unless the poster reads more.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class Poster:
    """Sends to addresses of the settings.

    Parameters
    ----------
    clock : Clock
        The real time, for a Retry-After that is a date.
    private_hosts : tuple of str
        Hosts that need not be on the open internet.
    timeouts : Timeouts
    most_read : int
        Bytes of an answer.
    """

    def __init__(
        self,
        clock: Clock,
        private_hosts: tuple[str, ...] = (),
        timeouts: Timeouts | None = None,
        *,
        most_read: int = MOST_READ,
    ) -> None:
        self.clock = clock
        self._listed, self._most_read = private_hosts, most_read
        self._timeouts = timeouts or Timeouts()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self._is_over = False

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Reply | Outcome:
        """The answer, or why there was none. It never raises the error of a library: that holds the URL."""
        try:
            return asyncio.run(self._within(url, content, headers))
        except asyncio.CancelledError:
            return retry("given up: it was told to end")
        except TimeoutError:
            return retry(f"no answer within {self._timeouts.total:g} s")
        except Blocked:
            return refused(
                "SSRF_BLOCKED: the host stands on this machine or network",
                "list it in alert_config.private_hosts of the settings file, if that is meant",
            )
        except ssl.SSLError as problem:
            return refused(f"TLS failed: {problem.reason or type(problem).__name__}", "check the certificate")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            if _is_of_tls(problem):
                return refused("TLS failed: the certificate can't be verified", "check the certificate")
            return retry(f"no answer: {type(problem).__name__}", remedy="check the network and the address")

    def give_up(self) -> None:
        """End what is on its way, and send nothing any more; for a poster that one thread uses."""
        self._is_over = True  # before the look at what runs, which looks here after it has begun
        running = self._running
        if running is not None:
            loop, task = running
            with suppress(RuntimeError):  # it came to its end meanwhile
                loop.call_soon_threadsafe(task.cancel)

    async def _within(self, url: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        task = asyncio.current_task()
        self._running = None if task is None else (asyncio.get_running_loop(), task)
        try:
            if self._is_over:
                raise asyncio.CancelledError
            async with asyncio.timeout(self._timeouts.total):
                return await self._sent(url, content, headers)
        finally:
            self._running = None

    async def _sent(self, url: str, content: bytes, headers: Mapping[str, str]) -> Reply:
        parts = urlsplit(url)
        host = str(parts.hostname)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await checked_address(host, port, self._listed)
        limits = httpx.Timeout(self._timeouts.total, connect=self._timeouts.connect)
        # trust_env would hand the message to a proxy, which looks the name up once more
        verify = _tls() if parts.scheme == "https" else False
        async with httpx.AsyncClient(verify=verify, timeout=limits, trust_env=False) as client:
            request = client.build_request(
                "POST",
                httpx.URL(url).copy_with(host=address),
                content=content,
                headers={**headers, **_headers(parts.netloc)},
                extensions={"sni_hostname": host},
            )
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                return Reply(
                    answer.status_code, dict(answer.headers), await _start_of(answer, self._most_read)
                )
            finally:
                await answer.aclose()


def _headers(netloc: str) -> dict[str, str]:
    return {"Host": netloc, "User-Agent": "risk-management", "Accept-Encoding": "identity"}


async def _start_of(answer: httpx.Response, most: int) -> bytes:
    body = b""
    async for part in answer.aiter_raw():  # as it came: nothing is unpacked
        body += part
        if len(body) >= most:
            break
    return body[:most]


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _is_of_tls(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def form(fields: Mapping[str, str], name: str, png: bytes) -> tuple[bytes, dict[str, str]]:
    """A form with fields and one picture, and the headers that go with it."""
    made = httpx.Request("POST", "http://nowhere", data=fields, files={name: ("chart.png", png, "image/png")})
    return made.read(), {"Content-Type": made.headers["Content-Type"]}


def judged(
    reply: Reply | Outcome, clock: Clock, *, after: object = None, said: object = "", remedy: str = ""
) -> Outcome:
    """What an answer means by its status.

    Parameters
    ----------
    reply : Reply or Outcome
    clock : Clock
    after, said : object
        Seconds to wait and a text that stand in the body; what is no number or no text is left out.
    remedy : str
        What to do.
    """
    if isinstance(reply, Outcome):
        return reply
    if 200 <= reply.status < 300:
        return DELIVERED
    why = f"HTTP {reply.status}{_plain(said)}"
    if reply.status in MAY_PASS or reply.status >= 500:
        wait = seconds(after)
        if wait is None:
            wait = _retry_after(reply.headers.get("retry-after"), clock)
        return retry(why, wait)
    if 300 <= reply.status < 400:
        return refused(f"{why}: it redirects, which is not followed", "set the address that it leads to")
    return refused(why, remedy)


def seconds(value: object) -> float | None:
    """A time to wait that can be believed: a number from 0, at most an hour."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), LONGEST_WAIT)


def _plain(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        return ""
    return ": " + "".join(c if c.isprintable() else " " for c in text[:160])


def _retry_after(text: str | None, clock: Clock) -> float | None:
    """Seconds of a ``Retry-After``: a number or a date (RFC 9110, 10.2.3)."""
    if not text:
        return None
    try:
        return seconds(float(text))
    except ValueError:
        pass
    try:
        return seconds((parsedate_to_datetime(text) - clock.now()).total_seconds())
    except (TypeError, ValueError):
        return None
