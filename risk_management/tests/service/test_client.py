"""The client: the calls of the integration from another process; what is not answered is refused."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
from datetime import datetime, timedelta

import numpy as np
import pytest

from risk_management.brokers.paper import PaperBroker
from risk_management.brokers.paper_options import PaperOptions
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.errors import AlreadyInitialized, ConfigurationError, InvalidRequest, Unanswered
from risk_management.integration import trading_integration as module
from risk_management.integration.broker_link import BrokerLink, surroundings_of
from risk_management.integration.client import RiskClient
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.model.access import Access
from risk_management.model.money import SCALE
from risk_management.tests.service.conftest import BOT

PATIENT = 20.0
"""Seconds for a busy machine: what is tested is the answer, not its time."""


@pytest.fixture
def client(service):
    with RiskClient(
        f"http://127.0.0.1:{service.port}", service.secrets["operate"], deadline=PATIENT, patience=PATIENT
    ) as made:
        yield made


def test_the_calls_of_the_integration(service, client):
    client.register_bot("far", "trend", max_position_size=2000, kelly_fraction=0.25)
    answer = client.request_trade("far", "KO", "buy", np.float32(120), confidence=0.85)
    assert answer.approved
    assert answer.recommended_size == 120
    part = client.execute_trade(answer.request_id, 50, 60.0)
    assert part.remaining == pytest.approx(70)
    assert client.why(answer.request_id)["status"] == "partial"
    client.cancel_trade(answer.request_id)
    client.cancel_trade(answer.request_id)
    assert client.disable_bot("far", "odd") == ()
    assert not client.request_trade("far", "KO", "buy", 121).approved
    client.enable_bot("far")
    client.start_monitoring()
    client.stop_monitoring()
    assert service.manager.state.bots["far"].kelly_fraction == 0.25


def test_a_question_reserves_nothing(service, client):
    before = set(service.manager.state.reservations)
    words = {"confidence": 0.9, "price": 60.0, "risk_amount": 5.0, "strategy": "", "request_id": "asked-only"}
    answer = client.what_if(BOT, "KO", "buy", 130, **words)
    assert (answer["approved"], answer["recommended_size"]) == (True, 130.0)
    assert {"single_name", "heat"} <= {finding["check"] for finding in answer["findings"]}
    assert set(service.manager.state.reservations) == before
    with pytest.raises(InvalidRequest) as said:
        client.what_if(BOT, "KO", "hold", 130)
    assert said.value.code == "INVALID_ACTION"


def test_the_facts_of_the_account(fresh):
    """Names and results of the library's own calls; the service says the same of the book."""
    service = fresh()
    manager = service.manager
    with RiskClient(
        f"http://127.0.0.1:{service.port}", service.secrets["operate"], deadline=PATIENT
    ) as client:
        now = manager.clock.now()
        first = client.update_prices({"KO": np.float64(60.0)}, at=now, daily=True)
        assert first["accepted"] == ["KO"]
        assert manager.state.quotes["KO"].daily
        assert client.update_prices({"KO": 61.0}, at=now - timedelta(days=1))["ignored"] == ["KO"]
        with pytest.raises(InvalidRequest) as said:
            client.update_prices({"KO": 61.0}, at=datetime(2022, 1, 1))  # noqa: DTZ001 - that is the point
        assert said.value.code == "INVALID_TIMESTAMP"

        equity = manager.state.equity
        told = client.record_cash("fee", -1.5, symbol="KO")
        assert told["equity"] == pytest.approx(equity - 1.5)
        assert client.report_equity(told["equity"] - 1.0) is True
        assert client.report_equity(told["equity"] * 0.3) is False
        assert client.report_equity(told["equity"] - 1.0, confirmed=True) is True

        cash = client.state()["cash"]
        found = client.reconcile({"KO": 5.0}, cash=cash - 300.0, open_orders=["odd"], prices={"KO": 60.0})
        assert [one.kind for one in found.breaks] == ["order"]
        assert manager.state.breaks[found.account_id] == found.breaks
        assert [(one.kind, one.subject, one.broker) for one in found.adopted] == [
            ("position", "KO", 5 * SCALE)
        ]
        assert not found.is_clean
        assert client.reconcile({"KO": 5.0}, open_orders=()).is_clean
        assert [held["symbol"] for held in client.state()["positions"]] == ["KO"]
        assert {row["name"] for row in client.limits()["limits"]} >= {"heat", "cluster"}


def test_a_stop_from_far(fresh):
    service = fresh()
    client = RiskClient(f"http://127.0.0.1:{service.port}", service.secrets["operate"], deadline=PATIENT)
    assert client.emergency_stop_all("storm") is True
    refused = client.request_trade("RSI2", "KO", "buy", 100)
    assert refused.rejection_reasons[0] == "HALTED"
    assert "halted" in str(refused)
    assert "storm" in client.release_emergency("Ann", "over")[0]
    assert client.request_trade("RSI2", "KO", "buy", 100).approved
    client.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"size": float("nan")}, "NOT_FINITE"),
        ({"size": "100"}, "WRONG_TYPE"),
        ({"size": None}, "MISSING_FIELD"),
        ({"size": object()}, "WRONG_TYPE"),
        ({"action": "hold"}, "INVALID_ACTION"),
        ({"request_id": ""}, "INVALID_REQUEST_ID"),
        ({"confidence": 2}, "OUT_OF_RANGE"),
    ],
)
def test_malformed_raises_as_in_the_process(client, words, code):
    with pytest.raises(InvalidRequest) as said:
        client.request_trade(**{"bot_name": "RSI2", "symbol": "KO", "action": "buy", "size": 100, **words})
    assert said.value.code == code


def test_one_connection_serves_many_calls(service, client):
    for size in range(200, 205):
        client.request_trade("RSI2", "KO", "buy", size)
    mine = client._line._mine.known[1].sock.getsockname()[1]
    client.request_trade("RSI2", "KO", "buy", 210)
    assert client._line._mine.known[1].sock.getsockname()[1] == mine


def test_a_token_that_is_none(service):
    client = RiskClient(f"http://127.0.0.1:{service.port}", "x" * 40, deadline=PATIENT)
    with pytest.raises(InvalidRequest) as said:
        client.request_trade("RSI2", "KO", "buy", 100)
    assert said.value.code == "UNAUTHENTICATED"
    assert "x" * 40 not in repr(client) + str(said.value)
    client.close()


class Broken:
    """A server that answers each connection by the next of some ways."""

    def __init__(self, *ways: bytes | None, port: int = 0) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.bodies: list[dict] = []
        self._ways = ways
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for way in self._ways:
            connection, _ = self.socket.accept()
            self._kept.append(connection)
            data = connection.recv(65_536)
            while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
                data += connection.recv(65_536)
            self.bodies.append(json.loads(data.partition(b"\r\n\r\n")[2]))
            if way is not None:
                connection.sendall(way)
                connection.close()

    def close(self) -> None:
        for one in (self.socket, *self._kept):
            one.close()


def reply(body: object, status: bytes = b"200 OK") -> bytes:
    text = json.dumps(body).encode()
    head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % (status, len(text))
    return head + text


APPROVED = {
    "request_id": "r",
    "approved": True,
    "recommended_size": 100.0,
    "requested_size": 100.0,
    "rejection_reasons": [],
    "explanation": "Approved",
    "durable": True,
}
BUSY = reply({"error": {"code": "OVERLOADED", "field": "", "message": "busy"}}, b"503 Service Unavailable")


FOREIGN = [
    reply({"error": "Bad gateway"}, b"502 Bad Gateway"),
    reply({"error": None}, b"502 Bad Gateway"),
    reply({"error": []}, b"403 Forbidden"),
    reply({"error": {"code": "INTERNAL_ERROR", "field": "", "message": "x"}}, b"500 Internal Server Error"),
    b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 200005\r\n\r\n{"a":' + b"[" * 200_000,
]
"""What a proxy, or another service at that address, may say."""


@pytest.mark.parametrize(
    "way", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"nonsense\r\n\r\n", BUSY, reply([]), *FOREIGN]
)
def test_it_asks_again_with_the_same_id(way):
    server = Broken(way, reply(APPROVED))
    client = RiskClient(server.url, "t" * 32, deadline=PATIENT)
    assert client.request_trade("b", "KO", "buy", 100, request_id="r").approved
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]
    assert server.bodies[0]["request_id"]
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("ways", "code"), [((b"", b"", b""), "UNANSWERED"), ((BUSY,) * 3, "OVERLOADED"), ((None,), "UNANSWERED")]
)
def test_without_an_answer_it_refuses(ways, code):
    server = Broken(*ways)
    client = RiskClient(server.url, "t" * 32, deadline=PATIENT if None not in ways else 0.2, patience=0.2)
    answer = client.request_trade("b", "KO", "buy", 100)
    assert (answer.approved, answer.recommended_size, answer.rejection_reasons) == (False, 0.0, (code,))
    assert answer.request_id == server.bodies[0]["request_id"]
    assert len(server.bodies) == len(ways)
    client.close()
    server.close()


ONCE = [
    lambda client: client.update_prices({"KO": 60.0}),
    lambda client: client.report_equity(1000.0),
    lambda client: client.record_cash("deposit", 10.0),
    lambda client: client.reconcile({"KO": 5.0}),
]
"""A second one would confirm the first, or be booked again."""


@pytest.mark.parametrize("call", ONCE)
def test_what_may_not_arrive_twice_is_sent_once(call):
    server = Broken(b"", reply({"durable": True}))
    client = RiskClient(server.url, "t" * 32, patience=PATIENT)
    with pytest.raises(Unanswered, match="look before you tell it again"):
        call(client)
    assert len(server.bodies) == 1
    client.close()
    server.close()


def test_what_was_not_taken_is_sent_again():
    """No connection, or a server that looks at nothing now: nothing arrived."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = RiskClient(f"http://127.0.0.1:{port}", "t" * 32, patience=60.0)
    started: list[Broken] = []
    done = reply({"account_id": "main", "cash": 10.0, "equity": 10.0, "durable": True})
    threading.Timer(0.3, lambda: started.append(Broken(BUSY, done, port=port))).start()
    assert client.record_cash("deposit", 10.0)["cash"] == 10.0
    assert len(started[0].bodies) == 2
    client.close()
    started[0].close()


@pytest.mark.parametrize("call", [*ONCE, lambda client: client.limits()])
def test_nobody_there(call):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    client = RiskClient(url, "t" * 32, patience=0.2)
    with pytest.raises(Unanswered, match=r"it was not sent|do not trade"):
        call(client)
    client.close()


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"status": "ok"},
        {**APPROVED, "request_id": "other"},
        {**APPROVED, "recommended_size": float("nan")},
        {**APPROVED, "recommended_size": 1e9},
        {**APPROVED, "recommended_size": "100"},
        {**APPROVED, "rejection_reasons": None},
        {**APPROVED, "durable": "no"},
    ],
)
def test_an_answer_to_something_else_is_no_yes(said):
    server = Broken(reply(said))
    client = RiskClient(server.url, "t" * 32, deadline=PATIENT)
    answer = client.request_trade("b", "KO", "buy", 100, request_id="r")
    assert (answer.approved, answer.recommended_size, answer.rejection_reasons) == (
        False,
        0.0,
        ("UNANSWERED",),
    )
    client.close()
    server.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.execute_trade("r", 10, 1.0),
        lambda client: client.disable_bot("b"),
        lambda client: client.update_prices({"KO": 60.0}),
        lambda client: client.emergency_stop_all("x"),
    ],
)
def test_another_service_s_ok_does_nothing_here(call):
    """A proxy that answers everything with 200 has booked, disabled, taken and stopped nothing."""
    server = Broken(reply({"status": "ok"}))
    client = RiskClient(server.url, "t" * 32)
    with pytest.raises(Unanswered, match="not the risk system's"):
        call(client)
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"HTTP/1.1 200 OK\r\n" + b"X-Y: z\r\n" * 90),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 90),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 900),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"[" * 900),
    ],
)
def test_what_drips_is_not_waited_for(start, drop):
    """The server goes on for as long as anyone reads; it is told that the client went away."""
    went_away = threading.Event()

    def drip():
        connection, _ = listening.accept()
        connection.recv(65_536)
        try:
            connection.sendall(start)
            for number in range(len(drop)):
                connection.sendall(drop[number : number + 1])
                went_away.wait(0.02)
        except OSError:
            went_away.set()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, daemon=True).start()
        client = RiskClient(f"http://127.0.0.1:{listening.getsockname()[1]}", "t" * 32, deadline=0.3, tries=1)
        assert client.request_trade("b", "KO", "buy", 100).rejection_reasons == ("UNANSWERED",)
        assert went_away.wait(10.0)
        client.close()


def test_a_report_waits_for_a_server_that_is_started_again():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    booked = {
        "request_id": "r",
        "execution_id": "fill-7",
        "booked": 10.0,
        "quantity": 10.0,
        "remaining": 0.0,
        "duplicate": False,
        "flags": [],
        "durable": False,
    }
    client = RiskClient(f"http://127.0.0.1:{port}", "t" * 32, patience=60.0)
    started: list[Broken] = []
    later = threading.Timer(0.5, lambda: started.append(Broken(reply(booked), port=port)))
    later.start()
    told = client.execute_trade("r", 10, 1.0, execution_id="fill-7")
    assert (told.booked, told.durable) == (10.0, False)
    client.close()
    started[0].close()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan"), "x", None])
def test_times_that_mean_nothing(seconds):
    with pytest.raises(ConfigurationError, match="deadline"):
        RiskClient("http://127.0.0.1:1", "t" * 32, deadline=seconds)


def test_a_report_that_was_not_taken_is_raised_with_its_id():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    client = RiskClient(url, "t" * 32, patience=0.3)
    with pytest.raises(Unanswered, match="report it again as execution fill-7"):
        client.execute_trade("r", 10, 1.0, execution_id="fill-7")
    with pytest.raises(Unanswered):
        client.emergency_stop_all("x")
    client.close()


def test_equal_reports_without_ids_are_slices_and_then_repetitions(service, client):
    """As in one process: whatever loop of a bot reports a fill twice, it was one."""
    service.manager.update_prices({"KO": 60.0})
    asked = client.request_trade(BOT, "KO", "buy", 100)
    half = asked.recommended_size / 2
    told = [client.execute_trade(asked.request_id, half, 60.0) for _ in range(4)]
    assert [done.duplicate for done in told] == [False, False, True, True]
    assert sum(done.booked for done in told) == pytest.approx(asked.recommended_size, abs=1e-6)
    other = client.execute_trade(asked.request_id, half + 1.0, 60.0)
    assert not other.duplicate
    assert "OVERFILL" in other.flags


def test_a_report_in_other_types_or_of_another_client_is_a_repetition(fresh):
    service = fresh()
    service.manager.update_prices({"KO": 60.0})
    where, token = f"http://127.0.0.1:{service.port}", service.secrets["operate"]
    with (
        RiskClient(where, token, deadline=PATIENT, patience=PATIENT) as client,
        RiskClient(where, token, patience=PATIENT) as other,
    ):
        asked = client.request_trade(BOT, "KO", "buy", 101)
        assert asked.approved
        told = [
            client.execute_trade(asked.request_id, asked.recommended_size, 60),
            client.execute_trade(asked.request_id, np.float64(asked.recommended_size), 60.0),
            other.execute_trade(asked.request_id, asked.recommended_size, np.int64(60), success=True),
        ]
    assert [done.duplicate for done in told] == [False, True, True]


def test_a_question_bridges_a_restart_within_its_deadline():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    started: list[Broken] = []
    later = threading.Timer(0.5, lambda: started.append(Broken(b"", b"", reply(APPROVED), port=port)))
    later.start()
    with RiskClient(f"http://127.0.0.1:{port}", "t" * 32, deadline=PATIENT) as client:
        assert client.request_trade("b", "KO", "buy", 100, request_id="r").approved
    later.join()
    assert len(started[0].bodies) == 3  # who refused was no try
    started[0].close()


def test_without_a_server_it_refuses_at_the_deadline_and_says_how_long_it_waited():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with RiskClient(url, "t" * 32, deadline=0.3) as client:
        answer = client.request_trade("b", "KO", "buy", 100)
    assert answer.rejection_reasons == ("UNANSWERED",)
    assert float(re.search(r"did not answer in ([\d.]+) s", answer.explanation)[1]) >= 0.3


def test_only_a_true_yes_is_a_yes():
    server = Broken(reply({**APPROVED, "approved": "true"}))
    client = RiskClient(server.url, "t" * 32, deadline=PATIENT)
    assert client.request_trade("b", "KO", "buy", 100, request_id="r").approved is False
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("ftp://x", "t"),
        (" http://127.0.0.1:1", "t"),
        ("http://127.0.0.1:1\r\nHost: x", "t"),
        ("http://127.0.0.1 :1", "t"),
        ("127.0.0.1:8321", "t"),
        ("http://", "t"),
        ("http://me:pw@host", "t"),
        ("http://host?token=x", "t"),
        ("http://host:99999", "t"),
        ("http://[::1", "t"),
        ("http://host", ""),
        ("http://host", " "),
        ("http://host", "a\r\nX: y"),
        ("http://host", "é"),
        ("http://host", None),
    ],
)
def test_where_it_can_not_ask(url, token):
    with pytest.raises(ConfigurationError):
        RiskClient(url, token)


def test_a_token_in_the_clear_is_told(caplog):
    RiskClient("http://risk.example", "secret-secret")
    assert "unencrypted" in caplog.text
    assert "secret-secret" not in caplog.text


def test_it_needs_the_standard_library_alone():
    code = (
        "import sys, risk_management.integration.client\n"
        "own = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)\n"
        "third = {m for m in own if m not in ('risk_management', '__main__') and not m.startswith('_')}\n"
        "heavy = {'numpy', 'pandas', 'pydantic', 'flask', 'sqlalchemy', 'requests', 'httpx', 'scipy'}\n"
        "assert not third & heavy, third"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SNIPPET = """
from risk_management.integration.trading_integration import (
    initialize_risk_management,
    request_trade_approval,
    report_trade_execution
)

# Initialize integration
integration = initialize_risk_management()
integration.start_monitoring()

# Request trade from bot
response = request_trade_approval(
    bot_name='RSI2-MeanReversion',
    symbol='AAPL',
    action='buy',
    size=1200,
    confidence=0.85
)

if response.approved:
    # Execute trade and report back
    report_trade_execution(
        request_id=response.request_id,
        executed_size=response.recommended_size,
        executed_price=180.0,
        success=True
    )
"""


def test_the_specified_snippet_trades_from_another_process(fresh):
    service = fresh()
    _, secret = service.tokens.create("bot", Access.TRADE, bot="RSI2-MeanReversion", actor="test")
    environment = {
        **os.environ,
        "RISK_URL": f"http://127.0.0.1:{service.port}",
        "RISK_TOKEN": secret,
        "RISK_DEADLINE": "30",  # a busy machine is no refusal here
    }
    code = textwrap.dedent(SNIPPET) + "\nassert response.approved, response"
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, check=True)
    held = [p for p in service.manager.state.positions.values() if p.key.bot == "RSI2-MeanReversion"]
    assert [p.symbol for p in held] == ["AAPL"]
    assert held[0].cost == pytest.approx(1200e8, rel=1e-6)
    assert not service.manager.state.reservations


def test_the_module_level_functions(service, monkeypatch):
    module.shutdown_risk_management()
    module.initialize_risk_management(RiskManagementConfig())  # what came before leaves nothing behind
    module.shutdown_risk_management()
    monkeypatch.setenv("RISK_URL", f"http://127.0.0.1:{service.port}")
    with pytest.raises(ConfigurationError, match="RISK_TOKEN is missing"):
        module.initialize_risk_management()
    monkeypatch.setenv("RISK_TOKEN", service.secrets["operate"])
    with pytest.raises(ConfigurationError, match="its own settings"):
        module.initialize_risk_management(RiskManagementConfig())
    first = module.initialize_risk_management()
    assert isinstance(first, RiskClient)
    assert module.initialize_risk_management() is first
    with pytest.raises(AlreadyInitialized):
        module.initialize_risk_management(RiskManagementConfig())
    refused = module.request_trade_approval("RSI2", "KO", "buy", "x")
    assert refused.rejection_reasons == ("WRONG_TYPE",)
    with pytest.raises(ConfigurationError, match="another process"):
        RiskDashboardAPI().view("metrics")
    module.shutdown_risk_management()


def test_a_bot_trades_on_the_paper_account_from_far(fresh):
    service = fresh()
    manager = service.manager
    link = BrokerLink(manager, PaperBroker(surroundings_of(manager), PaperOptions(cash=10_000.0)))
    where = f"http://127.0.0.1:{service.port}"
    with (
        RiskClient(where, service.secrets["operate"], deadline=PATIENT) as feed,
        RiskClient(where, service.secrets["trade"], deadline=PATIENT) as bot,
    ):
        feed.update_prices({"KO": 60.0})
        link.step()
        answer = bot.request_trade(BOT, "KO", "buy", 600)
        done = bot.trade_on_paper(answer.request_id)
        assert (done.status, done.executed_quantity) == ("filled", 10.0)
        assert bot.trade_on_paper(answer.request_id) == done
        assert bot.why(answer.request_id)["status"] == "filled"
        link.compare()
        assert [(key.bot, held.quantity) for key, held in manager.state.positions.items()] == [
            (BOT, 10 * SCALE)
        ]
        with pytest.raises(InvalidRequest) as said:
            bot.trade_on_paper("never asked")
        assert said.value.code == "UNKNOWN_REQUEST"
        unpriced = bot.request_trade(BOT, "AAPL", "buy", 600)
        with pytest.raises(InvalidRequest, match="the approval stands") as said:
            bot.trade_on_paper(unpriced.request_id)
        assert said.value.code == "NOT_TRADED"


def test_without_a_paper_account_nothing_is_traded_there(service, client):
    answer = client.request_trade(BOT, "KO", "buy", 123)
    with pytest.raises(InvalidRequest) as said:
        client.trade_on_paper(answer.request_id)
    assert said.value.code == "NO_PAPER_ACCOUNT"
