"""Liquidations and heartbeats over HTTP and from the command line: seen first, carried out with a reason."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.integration.client import RiskClient
from risk_management.model.portfolio import Scope, TradingMode

BOT = "RSI2"


def held(fresh, **changes):
    service = fresh(**changes)
    service.manager.update_prices({"KO": 60.0, "SPY": 380.0})
    service.manager.add_position("KO", 600.0, 60.0, bot_name=BOT)
    service.manager.add_position("SPY", 380.0, 380.0)
    return service


def plan(service, scope="everything", who="read"):
    return service.call("POST", "liquidation/plan", {"scope": scope}, who)


def test_a_plan_is_seen_with_its_path_and_changes_nothing(fresh):
    service = held(fresh)
    version = service.manager.state.version
    made = plan(service).json
    assert [o["symbol"] for step in made["steps"] for o in step["orders"]] == ["KO", "SPY"]
    assert made["before"]["gross"] == pytest.approx(980.0)
    assert made["after"]["gross"] == pytest.approx(0.0, abs=0.01)
    assert made["has_broker"] is False
    assert service.manager.state.version == version
    assert plan(service, "bot:nobody").code == "UNKNOWN_BOT"
    assert plan(service, "all").code == "INVALID_SCOPE"


def test_carrying_it_out_takes_the_plan_a_reason_and_an_operator(fresh):
    service = held(fresh)
    made = plan(service).json
    words = {"scope": "everything", "plan_id": made["plan_id"], "reason": "the end"}
    assert service.call("POST", "liquidation", words, "trade").status == 403
    assert service.call("POST", "liquidation", {**words, "reason": None}, "operate").code == "MISSING_FIELD"
    service.manager.add_position("KO", 60.0, 60.0, bot_name=BOT)
    stale = service.call("POST", "liquidation", words, "operate")
    assert (stale.status, stale.code) == (409, "PLAN_CHANGED")
    assert len(service.manager.state.positions) == 2
    words["plan_id"] = plan(service).json["plan_id"]
    done = service.call("POST", "liquidation", words, "operate").json
    assert (done["reason"], done["actor"].split(" ")[0]) == ("the end", "operate")
    assert not service.manager.state.positions
    (known,) = service.call("GET", "liquidation", scope="read").json["liquidations"]
    assert known["ended_at"] is not None


def going_on(service):
    """A liquidation that waits for a broker."""
    service.manager.protocol.closing.has_broker = True
    return service.manager.liquidate(f"bot:{BOT}", "a mistake", actor="ann").liquidation_id


def test_one_that_goes_on_is_ended_by_an_operator_with_a_reason(fresh):
    service = held(fresh)
    name = going_on(service)
    path, words = f"liquidation/{name}", {"reason": "the wrong bot"}
    assert service.call("DELETE", path, words, "trade").status == 403
    assert service.call("DELETE", path, {}, "operate").code == "MISSING_FIELD"
    assert service.call("DELETE", "liquidation/none", words, "operate").status == 404
    mode = {"mode": "active", "scope": "bot", "name": BOT, "reason": "go on"}
    assert service.call("POST", "mode", mode, "operate").code == "LIQUIDATION_GOES_ON"
    done = service.call("DELETE", path, words, "operate").json
    assert (done["stop_reason"], done["ended_at"]) == ("the wrong bot", None)
    assert done["stopped_by"].split(" ")[0] == "operate"
    service.manager.protocol.closing.has_broker = False
    service.manager.protocol.closing.end(service.manager.state.liquidations[name], "its orders are gone")
    assert service.call("DELETE", path, words, "operate").json["outcome"] == "its orders are gone"
    assert service.call("POST", "mode", mode, "operate").status == 200


def test_the_stop_says_what_it_cancelled(fresh):
    service = fresh()
    service.ask(request_id="entry", size=100)
    said = service.call("POST", "emergency-stop", {"reason": "storm"}, "operate").json
    entry = {"request_id": "entry", "symbol": "KO", "side": "buy", "amount": pytest.approx(100.0)}
    assert said == {"durable": True, "outage": "", "cancelled": [entry]}
    (alert,) = [a for a in service.manager.alert_manager.active if "storm" in a.message]
    assert "cancelled buy 100.00 KO (entry)" in alert.message


def test_a_bot_s_token_beats_for_its_own_bot_alone(fresh):
    service = fresh(heartbeat_config={"bots": {"*": 30.0}})
    service.manager.register_bot("other")
    beat = lambda who="trade", **words: service.call("POST", "heartbeat", words, who)  # noqa: E731
    assert beat("read", name=BOT).status == 403
    assert beat(name="other").code == "NOT_YOUR_BOT"
    assert beat(kind="engine", name="x").code == "NOT_YOUR_BOT"
    assert beat("operate", kind="moon", name="x").code == "INVALID_KIND"
    assert beat("operate", name="nobody").code == "UNKNOWN_BOT"
    service.clock.advance(31.0)
    assert beat().status == 200
    service.manager.check_heartbeats()
    assert service.manager.state.mode_of(Scope.BOT, BOT) is TradingMode.ACTIVE
    assert service.manager.state.mode_of(Scope.BOT, "other") is TradingMode.REDUCING


def test_a_feed_that_is_gone_is_forgotten_by_an_operator(fresh):
    service = fresh()
    words = {"kind": "feed", "name": "tpyo", "reason": "mistyped"}
    service.manager.heartbeat("feed", "tpyo")
    assert service.call("POST", "heartbeat/forget", words, "trade").status == 403
    url = f"http://127.0.0.1:{service.port}"
    with RiskClient(url, service.secrets["operate"], deadline=20.0, patience=20.0) as client:
        assert client.forget_heartbeat("tpyo", "mistyped")
        assert not client.forget_heartbeat("tpyo", "mistyped")
    service.clock.advance(61.0)
    assert service.manager.check_heartbeats() == ()


def test_the_client_and_the_command(fresh, monkeypatch):
    service = held(fresh)
    url = f"http://127.0.0.1:{service.port}"
    with RiskClient(url, service.secrets["trade"], deadline=20.0, patience=20.0) as bot:
        bot.heartbeat(BOT)
    monkeypatch.setenv("RISK_URL", url)
    monkeypatch.setenv("RISK_TOKEN", service.secrets["operate"])
    monkeypatch.setenv("COLUMNS", "120")

    def risk(*words, typed=""):
        return CliRunner().invoke(app, ["liquidate", *words], input=typed)

    shown = risk(f"bot:{BOT}", "--plan")
    assert shown.exit_code == 0
    assert "sell 10 KO" in shown.output
    assert "No broker is connected: nothing is sent." in shown.output
    assert risk("everything", "--execute").exit_code == 2  # a reason is needed
    refused = risk("everything", "--execute", "--reason", "x", typed="yes\n")
    assert refused.exit_code == 1
    assert len(service.manager.state.positions) == 2
    done = risk(f"bot:{BOT}", "--execute", "--reason", "it is broken", typed=f"bot:{BOT}\n")
    assert done.exit_code == 0, done.output
    assert [key.symbol for key in service.manager.state.positions] == ["SPY"]
    assert risk("--end", "x").exit_code == 2  # a reason is needed
    assert risk("--end", "x", "--plan", "--reason", "y").exit_code == 2
    name = going_on(service)
    ended = risk("--end", name, "--reason", "the wrong bot")
    assert (ended.exit_code, "its orders are being cancelled" in ended.output) == (0, True)
    assert service.manager.state.liquidations[name].stop_reason == "the wrong bot"
    monkeypatch.delenv("RISK_URL")
    assert risk().exit_code == 2
