"""A running service: a real server on a loopback port, tokens of every scope, and a caller of raw HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.model.access import Access
from risk_management.service.application import make_app
from risk_management.service.server import Server
from risk_management.service.sessions import Sessions
from risk_management.service.throttle import Throttle
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.tokens import TokenStore

BOT = "RSI2"


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data, parse_constant=pytest.fail)

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


class Service:
    """Everything of a running service that a test may want to look at."""

    def __init__(self, foundation, path, *, streams=0, **changes) -> None:
        self.path = path
        # unknown bots are refused, as 'risk serve' has it; tests ask far more often than bots
        config = foundation.config.update(
            bot_config={"register_unknown": False},
            order_config={
                "max_orders_per_minute": 100_000,
                "max_orders_per_minute_total": 1_000_000,
                "duplicate_window": 0.0,
            },
            **changes,
        )
        self.clock = ManualClock(foundation.clock.now())
        self.journal = SqlJournal(str(path))
        base = replace(foundation, config=config, clock=self.clock)
        self.manager = AdvancedRiskManager.on(base, journal=self.journal)
        self.tokens = TokenStore(str(path))
        self.sessions = Sessions(is_valid=self.tokens.holds)
        self.throttle = Throttle(most=1_000_000)
        self.app = make_app(
            RiskDashboardAPI(self.manager),
            self.tokens,
            sessions=self.sessions,
            throttle=self.throttle,
            streams=streams,
        )
        self.secrets = {
            access.value: self.tokens.create(
                access.value, access, bot=BOT if access is Access.TRADE else None, actor="test"
            )[1]
            for access in Access
        }
        self.manager.register_bot(BOT)
        self.serve(Server(self.app))

    def serve(self, server: Server) -> None:
        """Answer from now on."""
        self.server, self.port = server, server.port
        self._thread = threading.Thread(target=server.run, name="server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.server.stop()
        self._thread.join(20)
        self.tokens.close()
        self.manager.close()

    def call(self, method, path, body=None, scope="admin", *, headers=None, connection=None) -> Reply:
        """One request: a body is JSON of anything, or raw bytes; a path without / is under the API."""
        own = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {} if data is None else {"Content-Type": "application/json"}
        if scope is not None:
            sent["Authorization"] = f"Bearer {self.secrets.get(scope, scope)}"
        path = path if path.startswith("/") else f"/api/risk/{path}"
        own.request(method, path, data, {**sent, **(headers or {})})
        answer = own.getresponse()
        reply = Reply(answer.status, dict(answer.getheaders()), answer.read())
        if connection is None:
            own.close()
        return reply

    def ask(self, scope="trade", **words) -> Reply:
        return self.call("POST", "trades", {"symbol": "KO", "action": "buy", "size": 100, **words}, scope)


@pytest.fixture(scope="module")
def service(foundation, tmp_path_factory):
    """One service for the tests of a module."""
    made = Service(foundation, tmp_path_factory.mktemp("service") / "risk.db")
    yield made
    made.close()


@pytest.fixture
def fresh(foundation, tmp_path):
    """Makes services of a test's own."""
    made: list[Service] = []

    def make(**changes) -> Service:
        made.append(Service(foundation, tmp_path / f"risk{len(made)}.db", **changes))
        return made[-1]

    yield make
    for one in made:
        one.close()
