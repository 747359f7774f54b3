"""Services on this machine that take messages, well or badly, over HTTP and SMTP."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller

Fault = Callable[[Any], None]


class Taken(NamedTuple):
    """A message that a service took."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """What a server has seen, and what it does with the next request.

    `plan` is asked for every request: None takes it, a number is a status, a word of `MISDEEDS` a misdeed.
    """

    def __init__(self, plan: Callable[[Taken], Any] = lambda _taken: None) -> None:
        self.plan = plan
        self.taken: list[Taken] = []
        """Messages that were read to their end and kept, whether the sender was told so or not."""
        self.asked = 0
        self.over = threading.Event()
        self.url = ""
        self.answer: Callable[[Taken], bytes] = lambda _taken: b'{"ok":true}'


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def _garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xffSSH-2.0-not http at all\r\n\r\n")


def _hang(handler: BaseHTTPRequestHandler) -> None:
    handler.server.service.over.wait(30)  # type: ignore[attr-defined]


def _flood(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(50 * 2**20))
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b"x" * 2**20)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    over = handler.server.service.over  # type: ignore[attr-defined]
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        handler.wfile.write(b"X-A: b\r\n")
        handler.wfile.flush()


MISDEEDS = {"reset": _reset, "garbage": _garbage, "hang": _hang, "flood": _flood, "drip": _drip}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        service: Service = self.server.service  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        taken = Taken(self.path, dict(self.headers), body)
        service.asked += 1
        what = service.plan(taken)
        if what is None or what in ("hang", "drip", "flood"):
            service.taken.append(taken)
        if isinstance(what, str):
            self.close_connection = True
            MISDEEDS[what](self)
            return
        status, headers, content = what if isinstance(what, tuple) else (what or 200, {}, b"")
        content = content or (service.answer(taken) if status == 200 else b"{}")
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - the name that the library calls

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A sender that went away is what these tests are about."""


@contextmanager
def http_service(plan: Callable[[Taken], Any] = lambda _taken: None) -> Iterator[Service]:
    service = Service(plan)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.service = service  # type: ignore[attr-defined]
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Mailbox:
    """Takes mail; `plan` is asked for every mail and returns None or an SMTP answer, or drops the line."""

    def __init__(self, plan: Callable[[bytes], Any]) -> None:
        self.plan = plan
        self.taken: list[bytes] = []
        self.asked = 0
        self.port = 0
        self.over = threading.Event()

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        self.asked += 1
        what = self.plan(envelope.content)
        if what in (None, "drop", "hang"):
            self.taken.append(envelope.content)
        if what == "drop":  # taken, and the line is gone before anybody is told so
            server.transport.abort()
            return "451 never read"
        if what == "hang":
            import asyncio  # noqa: PLC0415

            while not self.over.is_set():
                await asyncio.sleep(0.02)
        return what if what not in (None, "hang") else "250 OK"


@contextmanager
def mail_service(plan: Callable[[bytes], Any] = lambda _mail: None, **options: Any) -> Iterator[Mailbox]:
    box = Mailbox(plan)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    box.port = port
    try:
        yield box
    finally:
        box.over.set()
        controller.stop()


def often_bad(seed: int) -> Callable[[Taken], Any]:
    """30 % 5xx, 10 % 429 with a Retry-After, 10 % taken and left hanging, resets, garbage."""
    chance = random.Random(seed)
    lock = threading.Lock()

    def plan(_taken: Taken) -> Any:
        with lock:
            drawn = chance.random()
        if drawn < 0.30:
            return chance.choice([500, 502, 503])
        if drawn < 0.40:
            return 429, {"Retry-After": "3"}, b'{"ok":false,"parameters":{"retry_after":3},"retry_after":3.0}'
        if drawn < 0.50:
            return "hang"
        if drawn < 0.55:
            return "reset"
        return "garbage" if drawn < 0.58 else None

    return plan


def often_bad_mail(seed: int) -> Callable[[bytes], Any]:
    """30 % 451, 10 % 421, 10 % taken and left hanging, 5 % taken and dropped."""
    chance = random.Random(seed)

    def plan(_mail: bytes) -> Any:
        drawn = chance.random()
        if drawn < 0.30:
            return "451 try later"
        if drawn < 0.40:
            return "421 too many"
        if drawn < 0.50:
            return "hang"
        return "drop" if drawn < 0.55 else None

    return plan
