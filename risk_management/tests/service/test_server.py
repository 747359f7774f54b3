"""The server as a process: bounded, ended by signals, killed and started again."""

from __future__ import annotations

import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.model.access import Access
from risk_management.service.server import THREADS, Gate, Server, checked_address
from risk_management.store.tokens import TokenStore

RISK = str(Path(sys.executable).with_name("risk"))


class Process:
    """`risk serve` on a store."""

    def __init__(self, store: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [RISK, "serve", "--store", str(store), "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.said = ""
        while "login?code=" not in self.said and (line := self.process.stdout.readline()):
            self.said += line
        self.port = int(self.said.partition("http://127.0.0.1:")[2].partition("/")[0]) if self.said else 0

    def call(self, token: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            connection.request(
                method, f"/api/risk/{path}", None if body is None else json.dumps(body), headers
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def end(self, how: int) -> tuple[str, str]:
        self.process.send_signal(how)
        return self.process.communicate(timeout=30)


def risk_serve(*words: object):
    """The command in this process, for where it does not come to serve."""
    return CliRunner().invoke(app, ["serve", *map(str, words)])


@pytest.fixture
def serve(tmp_path):
    with ExitStack() as ending:

        def start(*words: str, store: Path = tmp_path / "risk.db") -> Process:
            made = Process(store, *words)
            ending.callback(made.process.communicate, timeout=30)
            ending.callback(made.process.kill)
            return made

        yield start


def test_killed_in_the_middle_nothing_that_was_answered_is_lost(serve, tmp_path):
    """Orders from eight threads, kill -9 among them, start again: every answer comes back byte for byte."""
    running, store = serve(), tmp_path / "risk.db"
    tokens = TokenStore(str(store))
    _, token = tokens.create("bot", Access.TRADE, bot="RSI2", actor="test")
    answered: dict[str, tuple[dict, bytes]] = {}
    enough = threading.Event()

    def trade(number: int) -> None:
        for turn in range(10_000):
            words = {
                "symbol": "KO",
                "action": "buy",
                "size": 1000 + number + turn / 100,
                "request_id": f"{number}-{turn}",
            }
            try:
                status, body = running.call(token, "POST", "trades", words)
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                answered[words["request_id"]] = (words, body)
            if len(answered) > 40:
                enough.set()

    threads = [threading.Thread(target=trade, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    running.process.kill()
    for thread in threads:
        thread.join(30)
    again = serve()
    assert len(answered) > 40
    for words, body in answered.values():
        status, told = again.call(token, "POST", "trades", words)
        assert status == 200
        assert told.split(b", ") == body.split(b", ")
    _, said = again.call(token, "GET", "state")
    held = {one["request_id"] for one in json.loads(said)["reservations"]}
    assert held >= {i for i, (_, body) in answered.items() if json.loads(body)["approved"]}
    again.end(signal.SIGTERM)
    assert again.process.returncode == 0
    tokens.close()


def test_it_ends_by_a_signal_and_says_where_it_stands(serve, tmp_path):
    running = serve()
    assert "risk.db" in running.said
    taken = risk_serve("--store", tmp_path / "risk.db")
    assert taken.exit_code == 73
    assert f"process {running.process.pid}" in taken.stderr
    busy = risk_serve("--store", tmp_path / "other.db", "--port", running.port)
    assert busy.exit_code == 69
    assert str(running.port) in busy.stderr
    out, err = running.end(signal.SIGTERM)
    assert running.process.returncode == 0
    assert "the state is kept" in err
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--host", "0.0.0.0"], 2),  # noqa: S104 - it must be refused
        (["--host", "::"], 2),
        (["--host", "example.com"], 2),
        (["--port", "70000"], 2),
    ],
)
def test_where_it_does_not_listen(tmp_path, words, code):
    done = risk_serve("--store", tmp_path / "risk.db", *words)
    assert done.exit_code == code
    assert not (tmp_path / "risk.db").exists()


@pytest.mark.parametrize("make", ["text", "folder"])
def test_a_store_that_is_none(tmp_path, make):
    store = tmp_path / "risk.db"
    if make == "text":
        store.write_text("this is no database\n" * 100)
    else:
        store.mkdir()
    done = risk_serve("--store", store, "--port", "0")
    assert done.exit_code in (65, 74), done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_names_are_no_addresses():
    assert checked_address("localhost") == "127.0.0.1"
    assert checked_address("::1") == "::1"


# -- bounds -----------------------------------------------------------------------------------------


def test_what_is_too_much_is_refused_at_once_and_the_stop_passes(fresh, monkeypatch):
    """Costly questions leave half of the threads to orders; with all busy a stop still passes."""
    service = fresh()
    inside, leave = threading.Semaphore(0), threading.Event()
    ask = service.manager.request_trade

    def slow_view(_api, name):
        inside.release()
        leave.wait(30)
        return {"name": name}

    def slow_ask(ticket):
        inside.release()
        leave.wait(30)
        return ask(ticket)

    def busy(call):
        threads = [threading.Thread(target=lambda: replies.append(call())) for _ in range(THREADS // 2)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert inside.acquire(timeout=20)
        return threads

    replies = []
    monkeypatch.setattr(RiskDashboardAPI, "view", slow_view)
    threads = busy(lambda: service.call("GET", "heatmap").status)
    assert service.call("GET", "state").code == "OVERLOADED"
    assert service.ask(size=90).json["approved"]
    monkeypatch.setattr(service.manager, "request_trade", slow_ask)
    threads += busy(lambda: service.ask(size=91).status)
    for _ in range(20):
        refused = service.ask()
        assert (refused.status, refused.code) == (503, "OVERLOADED")
        assert refused.headers["Retry-After"]
    assert service.call("GET", "/healthz", scope=None).status == 200
    assert service.call("POST", "emergency-stop", {"reason": "too much"}).json["durable"] is True
    leave.set()
    for thread in threads:
        thread.join(20)
    assert replies == [200] * THREADS
    assert service.ask().json["rejection_reasons"][0] == "HALTED"


def test_the_gate_gives_back_what_it_took():
    def broken(environ, start):
        raise ZeroDivisionError

    gate = Gate(broken, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            gate({"PATH_INFO": "/x", "REQUEST_METHOD": "GET"}, lambda *_: None)


def test_a_request_that_drips_does_not_keep_its_connection_open(service):
    """The time of a request counts from its first byte, whatever arrives after it."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(b"POST /api/risk/trades HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n")
        channel = _channel(service, connection)
        begun = channel.last_activity
        for _ in range(5):
            connection.sendall(b"x")
            assert _until(lambda: channel.request is not None and channel.request.body_rcv is not None)
        assert channel.last_activity == begun
        service.server._server.maintenance(begun + 16)
        service.server._server.pull_trigger()
        assert connection.recv(100) == b""


def _channel(service, connection):
    mine = connection.getsockname()[1]

    def find():
        channels = list(service.server._server.active_channels.values())
        return next((c for c in channels if c.addr[1] == mine and c.request is not None), None)

    assert _until(find)
    return find()


def _until(holds) -> bool:
    pause = threading.Event()
    return any(holds() or pause.wait(0.01) for _ in range(1000))


def test_many_idle_sockets_keep_nobody_out(service):
    with ExitStack() as sockets:
        for _ in range(200):
            sockets.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
        assert service.ask(size=31).status == 200


def test_idle_sockets_on_every_place_make_room(fresh):
    """More than there are places; the care every few seconds, which ends them after 15 s, is switched off."""
    service = fresh()
    waitress = service.server._server
    waitress.next_channel_cleanup, waitress.adj.connection_limit = math.inf, 30
    with ExitStack() as sockets:
        for _ in range(60):
            sockets.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20))
        assert service.ask(size=31).status == 200


def test_it_may_be_stopped_again_when_it_has_ended(service):
    """A second signal comes when it likes; what would wake the loop is somebody else's descriptor then."""
    server = Server(service.app)
    number = server._server.trigger.trigger
    server.stop()
    server.run()
    mine, theirs = os.pipe()
    os.dup2(theirs, number)
    server.stop()
    for one in {theirs, number}:
        os.close(one)
    assert os.read(mine, 1) == b""
    os.close(mine)


def test_sockets_that_come_back_do_not_keep_the_stop_out(fresh):
    """Half requests on more places than there are, each opened anew when it is closed; no token."""
    service, over = fresh(), threading.Event()
    service.server._server.adj.connection_limit = 80

    def hold() -> None:
        mine: list[socket.socket] = []
        while not over.wait(0.01):
            for one in list(mine):
                try:
                    gone = one.recv(1) == b""
                except BlockingIOError:
                    gone = False
                except OSError:
                    gone = True
                if gone:
                    one.close()
                    mine.remove(one)
            for _ in range(150 - len(mine)):
                one = socket.create_connection(("127.0.0.1", service.port), timeout=20)
                mine.append(one)
                with suppress(OSError):  # it may be closed already
                    one.sendall(b"GET /healthz HTTP/1.1\r\n")
                one.settimeout(0.0)
        for one in mine:
            one.close()

    with ThreadPoolExecutor(2) as pool:
        holders = [pool.submit(hold) for _ in range(2)]
        try:
            assert _until(lambda: len(service.server._server.active_channels) > 40)
            for _ in range(3):
                caller = http.client.HTTPConnection("127.0.0.1", service.port, timeout=2)
                body = {"reason": "a test"}
                stopped = service.call("POST", "emergency-stop", body, "operate", connection=caller)
                assert stopped.status == 200
                caller.close()
        finally:
            over.set()
        for holder in holders:
            holder.result()


def test_two_servers_can_not_share_a_port(service):
    with pytest.raises(OSError, match="in use"):
        Server(service.app, port=service.port)
