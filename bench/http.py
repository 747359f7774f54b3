"""Approvals over HTTP beside the same server answering a constant: a real server in a process of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Barrier, Thread
from typing import NamedTuple

from bench.timing import Row
from risk_management.integration.client import RiskClient

CALLERS = (1, 8, 32)
CALLS = 640
ROUNDS = 3
SETTINGS = """
portfolio_value = 1e9
[order_config]
max_orders_per_minute = 100000
max_orders_per_minute_total = 1000000
duplicate_window = 0.0
"""
SYMBOLS = ("AAPL", "AMD", "BAC", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY")


class Serving(NamedTuple):
    """A server that runs: where, with which token, and its process."""

    port: int
    token: str
    pid: int


def http_rows() -> Iterator[Row]:
    """An order asked and cancelled, two calls, beside two calls of an address that answers a constant."""
    with serving() as (port, token, _):
        for callers in CALLERS:
            ours, theirs = [], []
            for turn in range(ROUNDS):
                ours.append(_per_call(callers, lambda n, t=turn: _asking(port, token, f"{t}-{n}")))
                theirs.append(_per_call(callers, lambda _n: _constant(port)))
            yield Row(
                f"order asked and cancelled over HTTP, {callers} caller{'s' * (callers > 1)}",
                sorted(ours)[ROUNDS // 2],
                float("nan"),
                sorted(theirs)[ROUNDS // 2],
                "two constant answers of the same server",
                budget=1.5,
                note=f"{1e6 / min(ours):,.0f} a second at best, each on disk twice",
            )


@contextmanager
def serving() -> Iterator[Serving]:
    """A server on loopback with a store of its own, and a token that may operate."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "limits.toml"
        config.write_text(SETTINGS)
        environment = {**os.environ, "RISK_STORE": str(Path(folder) / "book.db"), "RISK_CONFIG": str(config)}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "risk_management.cli.main"]
        words = [*command, "serve", "--port", str(port)]
        server = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        try:
            _until_ready(port)
            made = subprocess.run(
                [*command, "token", "create", "--scope", "operate"],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            token = re.search(r"risk_[\w-]+", made.stdout)
            if token is None:
                raise RuntimeError(made.stdout + made.stderr)
            RiskClient(f"http://127.0.0.1:{port}", token[0]).register_bot("bench", max_position_size=1e8)
            yield Serving(port, token[0], server.pid)
        finally:
            server.terminate()
            server.wait()


def _until_ready(port: int) -> None:
    for _ in range(200):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server of the bench did not start")


def _asking(port: int, token: str, name: str) -> Callable[[int], None]:
    client = RiskClient(f"http://127.0.0.1:{port}", token, deadline=10.0)

    def ask(turn: int) -> None:
        request_id = f"{name}-{turn}"
        symbol = SYMBOLS[turn % len(SYMBOLS)]
        answer = client.request_trade("bench", symbol, "buy", 100.0 + turn % 97, request_id=request_id)
        if not answer.approved:
            raise RuntimeError(f"the order of the bench must be approved: {answer.explanation}")
        client.cancel_trade(request_id)

    return ask


def _constant(port: int) -> Callable[[int], None]:
    connection = HTTPConnection("127.0.0.1", port)

    def ask(_turn: int) -> None:
        for _ in range(2):
            connection.request("GET", "/healthz")
            connection.getresponse().read()

    return ask


def _per_call(callers: int, make: Callable[[int], Callable[[int], None]]) -> float:
    """Microseconds of wall time a call, with several callers at once."""
    barrier, each = Barrier(callers + 1), CALLS // callers

    def caller(number: int) -> None:
        work = make(number)
        barrier.wait()
        for turn in range(each):
            work(turn)

    threads = [Thread(target=caller, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return 1e6 * (time.perf_counter() - begun) / (each * callers)
