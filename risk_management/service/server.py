"""waitress around the app: bounded in every way, and an end that leaves nobody's answer on the way."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from heapq import nsmallest
from ipaddress import ip_address
from threading import BoundedSemaphore, Event, RLock
from typing import TYPE_CHECKING, Any, Final

from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from risk_management.clock import SystemClock
from risk_management.errors import ConfigurationError
from risk_management.model.codes import Code
from risk_management.service.blueprint import error_body
from risk_management.service.collector import Collector
from risk_management.service.live import LIVE, Live
from risk_management.service.openapi import PREFIX
from risk_management.service.routes import API, ROOT

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["STREAMS", "THREADS", "Gate", "Server", "checked_address", "listening_socket"]

THREADS: Final = 32
STREAMS: Final = THREADS // 2
"""Pages that are told what changes, each on a thread of its own; these are less than half of all."""
SPARE: Final = 8
"""Threads that only refuse, or serve what is urgent, while all others are busy."""
CONNECTIONS: Final = 500
SLOWEST: Final = 15
"""Seconds in which a request has to arrive; connections that are idle for longer are closed too."""
LONGEST_HEADERS: Final = 16 * 1024
LONGEST_BODY: Final = 128 * 1024
"""Beyond our own 64 KiB, for an answer that says so."""
ROOM: Final = 32
"""Places that are kept free: the one that was idle longest gives up its own for each that comes beyond."""
GRACE: Final = 0.1
"""Seconds in which a connection may be idle all the same: its request may be on the way."""
DRAIN: Final = 5.0
URGENT: Final = frozenset(
    [PREFIX + route.path for route in API if route.urgent] + [route.path for route in ROOT if route.urgent]
)
Start = Callable[..., Any]


class Gate:
    """Lets so many requests in at once and refuses the next at once; what is urgent always passes.

    Questions take at most half of the places: costly views must not keep orders out.

    Parameters
    ----------
    app : WSGI application
    most : int
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], most: int) -> None:
        self._app = app
        self._places = BoundedSemaphore(most)
        self._questions = BoundedSemaphore(max(1, most // 2))

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Serve or refuse one request."""
        if environ["PATH_INFO"] in URGENT:
            return self._app(environ, start)
        wanted = [self._places]
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            wanted.insert(0, self._questions)
        with ExitStack() as taken:
            for place in wanted:
                if not place.acquire(blocking=False):
                    return _overloaded(start)
                taken.callback(place.release)
            return self._app(environ, start)  # its answers are whole when it returns


def _overloaded(start: Start) -> Iterable[bytes]:
    text = error_body(Code.OVERLOADED, "", "more is asked at once than is served; ask again").encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(text)))]
    start("503 Service Unavailable", [*headers, ("Retry-After", "1")])
    return [text]


class _JsonErrors(ErrorTask):  # type: ignore[misc]
    """What waitress itself refuses, in our words."""

    def execute(self) -> None:
        """Send the refusal and close the connection."""
        problem = self.request.error
        codes = {413: Code.BODY_TOO_LARGE, 431: Code.HEADER_TOO_LARGE, 500: Code.INTERNAL_ERROR}
        code = codes.get(problem.code, Code.BAD_REQUEST)
        text = error_body(code, "", problem.reason).encode()
        self.status = f"{problem.code} {problem.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(text)
        self.write(text)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection whose requests have to arrive in time: a drip of bytes does not keep it open."""

    error_task_class = _JsonErrors
    last_activity: float

    def handle_read(self) -> None:
        """Take in what came."""
        begun = self.last_activity if self.request is not None else None
        super().handle_read()
        if begun is not None and self.request is not None:
            self.last_activity = begun  # the time counts from the first byte of the request


class Server:
    """The service on a port.

    Parameters
    ----------
    app : Flask
    host : str
        An address of this machine, or ``localhost``.
    port : int or socket
        0 takes a free one; see `port`. A socket of `listening_socket` keeps its own.
    threads : int

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(
        self,
        app: Flask,
        host: str = "127.0.0.1",
        port: int | socket.socket = 0,
        *,
        threads: int = THREADS,
    ) -> None:
        # a line a waiting request: under load a flood, and who does not read our stderr would stop us by it
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._stop = Event()
        self._ending, self._is_closed = RLock(), False
        self._clock = SystemClock()
        self._live: Live | None = app.extensions.get(LIVE)
        self._server = create_server(
            Gate(app, threads),
            sockets=[port if isinstance(port, socket.socket) else listening_socket(host, port)],
            threads=threads + STREAMS + SPARE,
            connection_limit=CONNECTIONS,
            channel_timeout=SLOWEST,
            cleanup_interval=5,
            recv_bytes=LONGEST_BODY,  # read what came at once: a refusal must not be lost to a reset
            max_request_header_size=LONGEST_HEADERS,
            max_request_body_size=LONGEST_BODY,
            clear_untrusted_proxy_headers=True,
            asyncore_use_poll=True,
            ident="risk",
        )
        self._server.channel_class = _Channel
        self.port = int(self._server.effective_port)

    def run(self, collector: Collector | None = None) -> None:
        """Serve until `stop`; then finish what was begun, for at most 5 s.

        Parameters
        ----------
        collector : Collector, optional
            Has its turn between requests, where the process is the service's own.
        """
        while not self._stop.is_set():
            self._turn()
            if collector is not None:
                collector.turn(is_busy=self._is_busy())
        self._server.accepting = False
        if self._live is not None:
            self._live.close()
        ends = self._clock.monotonic() + DRAIN
        while self._clock.monotonic() < ends and self._is_busy():
            self._turn(0.05)
        self._server.task_dispatcher.shutdown()
        with self._ending:  # what wakes the loop is a descriptor: once closed it may be somebody else's
            self._is_closed = True
            self._server.close()
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()

    def stop(self) -> None:
        """End `run`, from a signal or another thread."""
        self._stop.set()
        with self._ending:
            if not self._is_closed:
                self._server.pull_trigger()

    def _turn(self, seconds: float = 1.0) -> None:
        wait = 0.05 if self._server.in_connection_overflow else seconds
        self._server.asyncore.loop(timeout=wait, map=self._server._map, use_poll=True, count=1)
        self._make_room()

    def _make_room(self) -> None:
        """End the connections that were idle longest: who only holds places must not keep the stop out."""
        channels = self._server.active_channels.values()
        surplus = len(channels) - (self._server.adj.connection_limit - ROOM)
        if surplus <= 0:
            return
        idle_since = self._clock.now().timestamp() - GRACE
        idle = [
            channel
            for channel in channels
            if channel.last_activity < idle_since and not (channel.requests or channel.total_outbufs_len)
        ]
        for channel in nsmallest(surplus, idle, key=lambda one: one.last_activity):
            channel.handle_close()

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def listening_socket(host: str, port: int) -> socket.socket:
    """A port that is taken; whoever asks meanwhile waits for the server.

    Raises
    ------
    OSError
        It is taken already.
    """
    address = checked_address(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=CONNECTIONS)


def checked_address(host: str) -> str:
    """An address to listen on.

    Raises
    ------
    ConfigurationError
        It is a name.
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        raise ConfigurationError(f"--host is an address, such as 127.0.0.1; got {json.dumps(host)}") from None
