"""``risk broker check``: what it shows, and that it places nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.model.broker import OrderIntent, OrderKind, TimeInForce, own_order_id
from risk_management.model.money import SCALE
from risk_management.tests.brokers.exchange import Exchange


@pytest.fixture
def settings(tmp_path):
    """Settings that name a paper account with a position, a stop and a bot's order."""
    file = tmp_path / "account.db"
    exchange = Exchange({"SPY": 100.0}, path=file)
    gtc = {"time_in_force": TimeInForce.GTC}
    limit = {"kind": OrderKind.LIMIT, "reduce_only": False, "limit_price": 1.0, **gtc}
    for intent in (
        OrderIntent("bot1", "SPY", 1, 10 * SCALE, reduce_only=False),
        OrderIntent("stop1", "SPY", -1, 10 * SCALE, OrderKind.STOP, stop_price=80.0, **gtc),
        OrderIntent("bot2", "SPY", 1, SCALE, **limit),
        OrderIntent(own_order_id("x"), "SPY", 1, SCALE, **limit),
    ):
        exchange.engine.submit(intent)
    exchange.engine.close()
    path = tmp_path / "risk.toml"
    path.write_text(f'[broker_config]\nname = "paper"\n[broker_config.options]\npath = "{file.as_posix()}"\n')
    return path


def run(settings: Path, *words: str) -> str:
    done = CliRunner().invoke(
        app, ["--config", str(settings), "broker", "check", *words], env={"COLUMNS": "120"}
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_what_it_shows(settings):
    told = json.loads(run(settings, "QQQ", "--json"))
    assert (told["broker"], told["environment"], told["positions"]) == ("paper", "paper", {"SPY": 10.0})
    assert told["cash"] == pytest.approx(10_000.0 - 1000.25 - 0.100025)
    assert [(o["id"], o["protective"], o["ours"]) for o in told["open_orders"]][:2] == [
        ("stop1", True, False),
        ("bot2", False, False),
    ]
    assert told["open_orders"][2]["ours"]
    assert [market["symbol"] for market in told["markets"]] == ["SPY", "QQQ"]
    assert told["can"]["cancel_timer"] is True


def test_what_a_person_reads(settings):
    said = run(settings)
    assert "paper, paper: trades no money. Cash 8,999.65" in said
    assert "in a running service at those that its feed told it" in " ".join(said.split())
    for word in ("SPY", "stop1", "protects", "a bot's", "ours", "It can: reduce only"):
        assert word in said


def test_it_places_nothing(settings):
    first = json.loads(run(settings, "--json"))
    second = json.loads(run(settings, "--json"))
    assert (first["positions"], first["open_orders"]) == (second["positions"], second["open_orders"])


def test_without_a_broker_it_says_so():
    done = CliRunner().invoke(app, ["broker", "check"])
    assert done.exit_code == 1
    assert "broker_config.name is missing" in done.output
