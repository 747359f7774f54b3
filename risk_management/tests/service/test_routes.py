"""What each address does, over real HTTP."""

from __future__ import annotations

import json
import math
import sqlite3
import threading
from urllib.parse import quote

import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import ConfigurationError, StoreUnavailable
from risk_management.model.access import Access
from risk_management.model.portfolio import TradingMode
from risk_management.service.routes.settings import TIGHTER_ABOVE, TIGHTER_BELOW
from risk_management.store.chain import START, link


def test_the_way_of_an_order(service):
    answer = service.ask(request_id="way-1", size=300).json
    assert (answer["approved"], answer["bot_name"], answer["durable"]) == (True, "RSI2", True)
    assert service.manager.state.reservations["way-1"].key.bot == "RSI2"
    part = service.call(
        "POST",
        "trades/way-1/executions",
        {"executed_size": 100, "executed_price": 60.0, "execution_id": "x1"},
        "trade",
    )
    assert part.json["remaining"] == pytest.approx(200)
    again = service.call(
        "POST",
        "trades/way-1/executions",
        {"executed_size": 100, "executed_price": 60.0, "execution_id": "x1"},
        "trade",
    )
    assert (again.status, again.json["duplicate"], again.json["booked"]) == (200, True, 0.0)
    other = service.call(
        "POST",
        "trades/way-1/executions",
        {"executed_size": 150, "executed_price": 60.0, "execution_id": "x1"},
        "trade",
    )
    assert (other.status, other.code) == (409, "EXECUTION_CONFLICT")
    why = service.call("GET", "trades/way-1", scope="trade").json
    assert why["status"] == "partial"
    assert {"single_name", "var", "cash"} <= {finding["check"] for finding in why["findings"]}
    assert service.call("DELETE", "trades/way-1", scope="trade").status == 200
    assert service.call("DELETE", "trades/way-1", scope="trade").status == 200
    assert service.call("GET", "trades/way-1", scope="trade").json["status"] == "cancelled"


def test_the_same_id_gets_the_same_bytes(service):
    first = service.ask(request_id="same-1")
    again = service.ask(request_id="same-1")
    assert first.data == again.data
    changed = service.ask(request_id="same-1", size=101)
    assert (changed.status, changed.code) == (409, "REQUEST_ID_REUSED")
    assert service.ask(request_id="same-1").data == first.data


def test_malformed_does_not_use_up_the_id(service):
    assert service.ask(request_id="free-1", size="100").status == 400
    assert service.ask(request_id="free-1").json["approved"]


SLASHES = [
    "a/b",
    "rsi2/2026-01-01/17",
    "a//b",
    "x/executions",
    "/lead",
    "trail/",
    "/",
    "a%2Fb",
    "a/b?c",
    "a+b/\u00fc",
]


@pytest.mark.parametrize("request_id", SLASHES)
def test_every_id_that_is_taken_is_reached_by_its_address(service, request_id):
    """Oracle: percent-encoding as RFC 3986 has it; what it names is one segment, whatever stands in it."""
    assert service.ask(request_id=request_id, size=30).json["approved"]
    address = f"trades/{quote(request_id, safe='')}"
    assert service.call("GET", address, None, "trade").json["request_id"] == request_id
    fill = {
        "executed_size": 12,
        "executed_price": 60.0,
        "execution_id": f"fill of {request_id}",
        "final": False,
    }
    booked = service.call("POST", f"{address}/executions", fill, "trade").json
    assert (booked["request_id"], booked["booked"], booked["flags"]) == (request_id, 12.0, [])
    assert service.call("DELETE", address, None, "trade").json["request_id"] == request_id
    assert request_id not in service.manager.state.reservations


def test_a_bot_with_a_slash_can_be_stopped(service):
    address = "bots/" + quote("RSI2/AAPL", safe="")
    assert service.call("PUT", address, {}, "operate").json["name"] == "RSI2/AAPL"
    assert not service.call("POST", f"{address}/disable", {}, "operate").json["enabled"]
    assert not service.manager.state.bots["RSI2/AAPL"].enabled
    assert service.call("POST", f"{address}/enable", {}, "operate").json["enabled"]


def test_an_encoded_slash_leads_to_no_other_address(service):
    for path in (
        "emergency%2Dstop%2F",
        "trades%2Fx",
        "trades%2Fx/executions",
        "%2Fstate",
        "bots/x%2Fdisable",
    ):
        assert service.call("POST", path, {"reason": "x"}, "operate").status in (404, 405), path
    assert service.call("GET", "/api%2Frisk/state").status == 404
    assert service.call("POST", "trades/x%2Fexecutions", {}, None).code == "UNAUTHENTICATED"
    assert service.manager.state.mode.value == "active"


def test_an_operator_only_tightens_the_limits_of_a_bot(service):
    """A bot without limits of its own has the settings' ones: 25 % of 10,000 and a quarter of Kelly."""
    settings = service.manager.config
    assert (settings.bot_config.max_exposure, settings.kelly_config.default_kelly_fraction) == (0.25, 0.25)

    def put(scope, **limits):
        return service.call("PUT", "bots/tight", limits, scope)

    assert put("operate").json["max_position_size"] is None
    for limits in ({"max_position_size": 1e9}, {"kelly_fraction": 0.3}):
        assert (put("operate", **limits).status, put("operate", **limits).code) == (403, "NOT_ALLOWED")
    assert put("operate", max_position_size=200, kelly_fraction=0.1).json["max_position_size"] == 200
    for looser in (
        {"max_position_size": 201},
        {"kelly_fraction": 0.11},
        {"max_position_size": 1, "kelly_fraction": 1},
    ):
        assert put("operate", **looser).code == "NOT_ALLOWED"
    for same in ({}, {"max_position_size": None, "kelly_fraction": None}, {"strategy_type": "m"}):
        answer = put("operate", **same).json
        assert (answer["max_position_size"], answer["kelly_fraction"]) == (200, 0.1)
    assert put("operate", max_position_size=150).json["max_position_size"] == 150
    assert put("admin", max_position_size=3000, kelly_fraction=1).json["max_position_size"] == 3000
    new = service.call("PUT", "bots/new-and-wide", {"max_position_size": 1e6}, "operate")
    assert new.code == "NOT_ALLOWED"
    assert "new-and-wide" not in service.manager.state.bots


def test_the_first_use_of_a_token_leaves_limits_that_were_just_set(service, monkeypatch):
    manager = service.manager
    register = manager.register_bot

    def late(name, *words, **more):
        monkeypatch.undo()
        register(name, "m", 100.0, actor="an operator, in between")
        return register(name, *words, **more)

    _, secret = service.tokens.create("racer", Access.TRADE, bot="racer", actor="test")
    monkeypatch.setattr(manager, "register_bot", late)
    assert service.ask(secret, size=900).json["recommended_size"] <= 100.0
    assert manager.state.bots["racer"].max_exposure == 100.0


def test_denied_is_an_answer(service):
    unknown = service.ask("operate", bot_name="nobody")
    assert (unknown.status, unknown.json["approved"]) == (200, False)
    assert "UNKNOWN_BOT" in unknown.json["rejection_reasons"]
    no_price = service.ask(symbol="NEVER").json
    assert no_price["rejection_reasons"][0] == "NO_PRICE"
    assert no_price["binding"]["code"] == "NO_PRICE"


def test_what_if_reserves_nothing(service):
    before = service.manager.state.version
    assert service.call("POST", "what-if", {"symbol": "KO", "action": "buy", "size": 100}, "read").json[
        "approved"
    ]
    assert service.manager.state.version == before


def test_a_fill_of_an_unknown_request_is_recorded(service):
    answer = service.call(
        "POST", "trades/nobody/executions", {"executed_size": 10, "executed_price": 1.0}, "trade"
    )
    assert answer.status == 200
    assert (answer.json["recorded"], answer.json["booked"]) == (True, 0.0)
    assert answer.json["flags"] == ["UNKNOWN_REQUEST"]
    assert any("nobody" in alert.message for alert in service.manager.alert_manager.active)
    noted = str(service.call("GET", "audit/search?kinds=Noted&text=nobody", None, "read").json)
    assert all(word in noted for word in ("request_id", "nobody", "price", "1.0"))
    assert "FillReport" not in noted


@pytest.mark.parametrize(("name", "value"), [("symbol", "PEP"), ("action", "sell")])
def test_a_fill_of_another_symbol_or_side(service, name, value):
    def told():
        return sum(a.count for a in service.manager.alert_manager.active if a.rule_id == "EXECUTION_CONFLICT")

    request_id, before = f"other-{name}", told()
    assert service.ask(request_id=request_id).json["approved"]
    words = {"executed_size": 100, "executed_price": 60.0, name: value}
    answer = service.call("POST", f"trades/{request_id}/executions", words, "trade")
    assert (answer.status, answer.code) == (409, "EXECUTION_CONFLICT")
    assert told() == before + 1
    assert service.call("GET", f"trades/{request_id}").json["status"] == "reserved"
    service.call("DELETE", f"trades/{request_id}")


def test_the_rest_of_an_unfilled_order_is_free(service):
    service.ask(request_id="unsent")
    done = service.call("POST", "trades/unsent/executions", {"executed_size": 0, "success": False}, "trade")
    assert done.json["booked"] == 0.0
    assert service.call("GET", "trades/unsent").json["status"] == "not_sent"


def test_prices(fresh):
    service = fresh()
    at = service.clock.now().isoformat()
    assert service.call("POST", "prices", {"prices": {"KO": 60.0}, "at": at}).status == 200
    late = service.call("POST", "prices", {"prices": {"KO": 61.0}, "at": "2020-01-01T00:00:00Z"})
    assert (late.status, late.json["ignored"]) == (200, ["KO"])
    far = service.call("POST", "prices", {"prices": {"KO": 600.0}})
    assert (far.status, far.json["quarantined"]) == (202, ["KO"])
    assert service.ask().json["rejection_reasons"][0] == "REDUCING"
    ahead = service.call("POST", "prices", {"prices": {"KO": 60.0}, "at": "2100-01-01T00:00:00Z"})
    assert (ahead.status, ahead.code) == (400, "FUTURE_TIMESTAMP")
    assert service.manager.state.quotes["KO"].price == 60.0
    assert service.manager.state.quotes["KO"].source == "admin"


@pytest.mark.parametrize("equity", [b"NaN", b"-5", b"0", b"1e400", b"30000", b"100"])
def test_equity_that_is_not_believed_lets_nothing_open(fresh, equity):
    service = fresh()
    answer = service.call("POST", "equity", b'{"equity": %s}' % equity)
    assert (answer.status, answer.json["status"]) == (202, "QUARANTINED")
    assert service.ask().json["rejection_reasons"][0] == "EQUITY_QUARANTINED"
    assert service.manager.state.high_water_mark == 10_000.0
    known = service.call("POST", "equity", {"equity": 10_000})
    assert (known.status, known.json["status"]) == (200, "ACCEPTED")
    assert service.ask().json["approved"]


def test_cash_flows(fresh):
    service = fresh()
    booked = service.call("POST", "cash-flows", {"kind": "deposit", "amount": 1000}).json
    assert (booked["cash"], booked["equity"], booked["durable"]) == (11_000.0, 11_000.0, True)
    assert service.manager.state.cash == 11_000
    assert service.call("POST", "cash-flows", {"kind": "gift", "amount": 1}).code == "INVALID_KIND"
    assert service.call("POST", "cash-flows", {"kind": "deposit", "amount": -1}).code == "NOT_POSITIVE"


def test_bots(fresh):
    service = fresh()
    made = service.call("PUT", "bots/trend", {"strategy_type": "trend", "max_position_size": 500}, "operate")
    assert made.json["max_position_size"] == 500
    capped = service.ask("operate", bot_name="trend", size=2000, request_id="open").json
    assert "BOT_PROBATION" in capped["rejection_reasons"]
    off = service.call("POST", "bots/trend/disable", {"reason": "odd"}, "operate").json
    assert off["enabled"] is False
    assert off["cancelled"] == ["open"]
    assert "BOT_DISABLED" in service.ask("operate", bot_name="trend").json["rejection_reasons"]
    assert service.call("POST", "bots/trend/enable", {}, "operate").json["enabled"]
    assert service.call("POST", "bots/nobody/enable", {}, "operate").code == "UNKNOWN_BOT"
    assert service.call("PUT", "bots/operator", {}, "operate").code == "RESERVED_NAME"
    actors = {e["actor"] for e in service.call("GET", "audit").json["entries"] if e["kind"] == "BotChanged"}
    assert any(actor.startswith("operate (token ") for actor in actors)


def test_stop_and_release(fresh):
    service = fresh()
    assert service.call("POST", "emergency-stop", {"reason": "storm"}, "operate").json["durable"] is True
    assert service.ask().json["rejection_reasons"][0] == "HALTED"
    assert service.manager.state.mode is TradingMode.HALTED
    assert service.call("POST", "emergency-release", {"reason": ""}, "operate").status == 400
    freed = service.call("POST", "emergency-release", {"reason": "over"}, "operate").json
    assert "storm" in freed["released"][0]
    assert service.ask().json["approved"]
    hold = {"mode": "reducing", "scope": "symbol", "name": "KO", "reason": "news"}
    assert service.call("POST", "mode", hold, "operate").status == 200
    assert service.ask().json["rejection_reasons"][0] == "REDUCING"
    assert service.call("POST", "mode", {**hold, "mode": "halted"}, "admin").status == 200
    laxer = service.call("POST", "mode", hold, "operate")
    assert (laxer.status, laxer.code) == (409, "HALTED")
    assert service.call("POST", "mode", {**hold, "mode": "active"}, "operate").status == 200
    assert service.ask(size=120).json["approved"]
    assert service.call("POST", "mode", {**hold, "mode": "fast"}, "operate").code == "INVALID_MODE"
    for scope, name in (("bot", "rsi2"), ("symbol", "ko"), ("strategy", "x")):
        lost = service.call("POST", "mode", {**hold, "scope": scope, "name": name}, "operate")
        assert (lost.status, lost.code) == (404, f"UNKNOWN_{scope.upper()}")
    assert (
        "'RSI2'"
        in service.call("POST", "mode", {**hold, "scope": "bot", "name": "rsi2"}).json["error"]["message"]
    )
    unnamed = {"mode": "active", "scope": "strategy", "name": "", "reason": "looked at"}
    assert service.call("POST", "mode", unnamed, "operate").status == 200  # of what trades for none
    assert service.call("POST", "mode", {**unnamed, "scope": "bot"}, "operate").code == "INVALID_NAME"
    junk = {"mode": "halted", "scope": "portfolio", "name": "junk", "reason": "x"}
    assert service.call("POST", "mode", junk, "operate").code == "INVALID_NAME"


def test_rules(fresh):
    service = fresh()
    rule = {"rule_id": "hot", "name": "Hot", "condition": "portfolio_heat > 80", "severity": "critical"}
    assert service.call("POST", "rules", rule, "operate").status == 200
    assert "hot" in [one["rule_id"] for one in service.call("GET", "rules", scope="read").json["rules"]]
    assert service.call("POST", "rules", rule, "operate").code == "RULE_EXISTS"
    wrong = service.call("POST", "rules", {**rule, "rule_id": "b", "condition": "nonsense > 1"}, "operate")
    assert wrong.code == "INVALID_CONDITION"
    assert service.call("POST", "rules", {**rule, "rule_id": "a b"}, "operate").code == "INVALID_RULE"


def test_a_rule_is_changed_in_its_place(fresh):
    service = fresh()
    before = {one.rule_id: one for one in service.manager.alert_manager.rules}
    old = before["heat_warning"]
    words = {"rule_id": "heat_warning", "name": "Heat", "condition": "portfolio_heat >= 70"}
    assert service.call("PUT", "rules/heat_warning", words, "operate").status == 200
    after = {one.rule_id: one for one in service.manager.alert_manager.rules}
    assert after.keys() == before.keys()
    new = after["heat_warning"]
    assert (new.condition, new.name, new.todo) == ("portfolio_heat >= 70", "Heat", old.todo)
    assert service.call("PUT", "rules/nosuch", {**words, "rule_id": "nosuch"}, "operate").status == 404
    assert (
        service.call("PUT", "rules/heat_warning", {**words, "rule_id": "b"}, "operate").code == "INVALID_RULE"
    )
    wrong = service.call("PUT", "rules/heat_warning", {**words, "condition": "nonsense > 1"}, "operate")
    assert wrong.code == "INVALID_CONDITION"
    assert service.call("PUT", "rules/heat_warning", words, "read").status == 403


def test_a_rule_is_tried_without_a_change_and_taken_out(fresh):
    service = fresh()
    before = service.manager.state.version
    asked = {"condition": "positions >= 0 and max_correlation > 2"}
    (tried,) = service.call("POST", "rules/try", asked, "operate").json["results"]
    assert tried == {
        "subject": "",
        "holds": None,
        "values": {"positions": 0.0, "max_correlation": None},
        "missing": ["max_correlation"],
    }
    service.manager.register_bot("alpha", "trend")
    asked = {"condition": "bot_enabled >= 1", "scope": "bot"}
    results = service.call("POST", "rules/try", asked, "operate").json["results"]
    assert [(one["subject"], one["holds"]) for one in results if one["subject"] == "alpha"] == [
        ("alpha", True)
    ]
    assert service.call("POST", "rules/try", {**asked, "scope": "moon"}, "operate").code == "INVALID_RULE"
    wrong = service.call("POST", "rules/try", {"condition": "bot_use > 1"}, "operate")
    assert wrong.code == "INVALID_CONDITION"
    assert service.manager.state.version == before + 1
    assert service.call("DELETE", "rules/heat_warning", None, "operate").status == 200
    assert "heat_warning" not in [rule.rule_id for rule in service.manager.alert_manager.rules]
    assert service.call("DELETE", "rules/heat_warning", None, "operate").code == "UNKNOWN_RULE"


def test_an_alert_is_acknowledged_in_the_name_of_the_token(fresh):
    service = fresh()
    alerts = service.manager.alert_manager
    fired = alerts.raise_alert("system_error", "critical", "it broke", key="disk")
    path = f"alerts/{fired.alert_id}/acknowledge"
    taken = service.call("POST", path, {"comment": "on it"}, "operate").json["alert"]
    assert (taken["comment"], taken["alert_id"]) == ("on it", fired.alert_id)
    assert taken["acknowledged_by"] == alerts.active[0].acknowledged_by != ""
    assert service.call("POST", "alerts/none/acknowledge", {}, "operate").code == "UNKNOWN_ALERT"


def test_a_raised_alert_is_ended_by_a_person_and_one_of_a_rule_is_not(fresh):
    service = fresh()
    alerts = service.manager.alert_manager
    fired = alerts.raise_alert("system_error", "emergency", "it broke", key="disk")
    path = f"alerts/{fired.alert_id}/resolve"
    assert service.call("POST", path, {}, "trade").code == "NOT_ALLOWED"
    ended = service.call("POST", path, {"comment": "found"}, "operate").json["alert"]
    assert (ended["state"], alerts.active) == ("resolved", ())
    assert "by operate (token" in ended["message"]
    assert ended["message"].endswith(": found).")
    assert service.call("POST", path, {}, "operate").code == "UNKNOWN_ALERT"
    (entry,) = service.journal.reader.newest(1, kind="AlertTold")
    assert entry.actor.startswith("operate (token")
    (by_rule,) = (a for a in alerts.evaluate({"portfolio_heat": 70.0}) if a.rule_id == "heat_warning")
    refused = service.call("POST", f"alerts/{by_rule.alert_id}/resolve", {}, "operate")
    assert (refused.status, refused.code) == (409, "ALERT_OF_RULE")


def test_rules_that_come_and_go_leave_nothing_behind(fresh):
    service = fresh()
    told = {"name": "n", "condition": "cash < 0"}
    for number in range(5):
        assert service.call("POST", "rules", {"rule_id": f"r{number}", **told}, "operate").status == 200
        assert service.call("DELETE", f"rules/r{number}", None, "operate").status == 200
    assert service.call("DELETE", "rules/heat_warning", None, "operate").status == 200
    assert (service.manager.state.alerts.removed, dict(service.manager.state.alerts.rules)) == (
        {"heat_warning"},
        {},
    )
    often = service.call("POST", "rules", {"rule_id": "often", **told, "repeat": 1e-9}, "operate")
    assert (often.status, often.code) == (400, "INVALID_RULE")
    assert "is 0 (never) or at least 60 seconds" in often.json["error"]["message"]


def test_silences_come_and_go(fresh):
    service = fresh()
    asked = {"seconds": 600, "reason": "tests", "rule_id": "heat_warning"}
    (made,) = service.call("POST", "silences", asked, "operate").json["silences"]
    assert (made["rule_id"], made["reason"]) == ("heat_warning", "tests")
    assert service.call("GET", "silences", scope="read").json["silences"] == [made]
    assert service.call("DELETE", f"silences/{made['silence_id']}", None, "operate").json["silences"] == []
    gone = service.call("DELETE", f"silences/{made['silence_id']}", None, "operate")
    assert (gone.status, gone.code) == (404, "UNKNOWN_SILENCE")
    everything = {"seconds": 600, "reason": "tests"}
    assert service.call("POST", "silences", everything, "operate").code == "MISSING_FIELD"


def test_reconciliation(fresh):
    service = fresh()
    told = {"positions": {"KO": 5}, "prices": {"KO": 60.0}}
    answer = service.call("POST", "positions", told, "operate").json
    assert answer["account_id"] == "main"
    assert [one["subject"] for one in (*answer["adopted"], *answer["breaks"])] == ["KO"]


def test_state_and_limits(service):
    state = service.call("GET", "state", scope="read").json
    assert state["mode"] == "active"
    assert state["equity"] == service.manager.state.equity
    rows = {row["name"]: row for row in service.call("GET", "limits", scope="read").json["limits"]}
    assert rows["gross"]["warning"] == pytest.approx(0.8 * rows["gross"]["limit"])
    assert rows["gross"]["room"] == pytest.approx(rows["gross"]["limit"] - rows["gross"]["used"])


def test_the_journal_in_pages_and_its_chain(service):
    """Oracle: the chain computed by hand over the pages is the one that the service says."""
    entries, after = [], -1
    while after is not None:
        page = service.call("GET", f"audit?after={after}&limit=7", scope="read").json
        entries += page["entries"]
        after = page["next"]
    assert [entry["seq"] for entry in entries] == list(range(len(entries)))
    verified = service.call("GET", "audit/verify", scope="read").json
    before = START
    for entry in service.journal.reader.entries():
        before = link(before, *entry[:5])
    assert (verified["ok"], verified["first_bad"], verified["hash"]) == (True, None, before.hex())
    assert verified["entries"] == len(entries)
    assert entries[-1]["hash"] == before.hex()


def test_the_look_through_a_journal_is_that_of_the_command(fresh):
    """What the chain alone does not show, and a changed entry, which is named."""
    service = fresh()
    assert service.ask(request_id="index-1", size=50).json["approved"]
    assert service.call("GET", "audit/verify", scope="read").json["problems"] == []
    with sqlite3.connect(service.path) as raw:
        raw.execute("DELETE FROM requests WHERE request_id = 'index-1'")
    said = service.call("GET", "audit/verify", scope="read").json
    assert (said["ok"], said["first_bad"]) == (False, None)
    assert "'index-1'" in said["problems"][0]
    with sqlite3.connect(service.path) as raw:
        raw.execute("DROP TRIGGER journal_no_update")
        raw.execute("UPDATE journal SET actor = 'nobody' WHERE seq = 1")
    said = service.call("GET", "audit/verify", scope="read").json
    assert (said["ok"], said["first_bad"], said["entries"]) == (False, 1, 1)
    raw.close()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=1000000000", "limit=x", "after=-2", "limit=1&limit=2", "x=1"]
)
def test_pages_are_bounded(service, query):
    assert service.call("GET", f"audit?{query}", scope="read").status == 400


def test_settings_are_tightened_by_operate_and_loosened_by_admin(fresh):
    service = fresh()

    def patch(scope, **changes):
        return service.call("PATCH", "config", {"changes": changes, "reason": "test"}, scope)

    assert patch("operate", var_config={"daily_var_limit": 0.015}).status == 200
    assert service.manager.config.var_config.daily_var_limit == 0.015
    refused = patch("operate", var_config={"daily_var_limit": 0.02})
    assert (refused.status, refused.code) == (403, "NOT_ALLOWED")
    assert service.manager.config.var_config.daily_var_limit == 0.015
    # what is neither for sure takes an admin
    assert patch("operate", risk_level="aggressive").status == 403
    assert patch("operate", portfolio_limits={"allow_shorts": False}).status == 200
    assert patch("operate", portfolio_limits={"min_cash": 0.1}).status == 200
    assert patch("operate", portfolio_limits={"min_cash": 0.05}).status == 403
    # a narrow collar makes every tick a far one, and losses that rest on it are not acted on
    assert patch("operate", order_config={"price_collar": 0.005}).status == 403
    for field, said in (
        ({"order_config.min_trade_size": 26}, "as an object within its section"),
        ({"order_config": {"min_trade_sise": 26}}, "did you mean 'min_trade_size'?"),
        ({"nothing_like_it_at_all": 1}, "see GET config"),
    ):
        refused = patch("admin", **field)
        assert (refused.status, refused.code) == (400, "UNKNOWN_FIELD")
        assert said in refused.json["error"]["message"]
    assert patch("admin", var_config={"daily_var_limit": 0.02}).status == 200
    told = service.call("GET", "config", scope="read").json
    assert told["settings"]["var_config"]["daily_var_limit"] == 0.02
    assert told["digest"] == service.manager.config.digest()
    assert told["changed"] == {
        "portfolio_limits.allow_shorts": {"given": True, "used": False},
        "portfolio_limits.min_cash": {"given": 0.05, "used": 0.1},
    }
    kinds = [entry["kind"] for entry in service.call("GET", "audit").json["entries"]]
    assert kinds.count("ConfigChanged") == 4


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"var_config": {"daily_var_limit": 15}}, "OUT_OF_RANGE"),
        ({"var_config": {"daily_var_limit": -0.1}}, "OUT_OF_RANGE"),
        ({"var_config": {"daily_var_limit": 10**399}}, "OUT_OF_RANGE"),
        ({"var_config": {"daily_var_limit": "0.02"}}, "WRONG_TYPE"),
        ({"portfolio_limits": {"strategy_budgets": {"s": "0.5"}}}, "WRONG_TYPE"),
        ({"heartbeat_config": {"bots": {"RSI2": "60"}}}, "WRONG_TYPE"),
        ({"drawdown_config": {"tiers": [[0.5, "0.5"], [1.0, 0.0]]}}, "WRONG_TYPE"),
        (
            {
                "emergency_config": {
                    "rows": [{"name": "x", "metric": "drawdown", "threshold": "0.2", "action": "warn"}]
                }
            },
            "WRONG_TYPE",
        ),
        (
            {
                "emergency_config": {
                    "rows": [
                        {"name": "operator", "metric": "drawdown", "threshold": 0.2, "action": "reduce_only"}
                    ]
                }
            },
            "INCONSISTENT_LIMITS",
        ),
        ({"var_config": {"daily_var_limit": True}}, "WRONG_TYPE"),
        ({"var_config": {"daily_var_limit": None}}, "WRONG_TYPE"),
        ({"var_config": 5}, "WRONG_TYPE"),
        ({"portfolio_limits": {"deny_symbols": ["KO", "A B"]}}, "OUT_OF_RANGE"),
        ({"var_config": {"nothing": 5}}, "UNKNOWN_FIELD"),
        ({"nothing": 5}, "UNKNOWN_FIELD"),
        ({"__class__": {"x": 1}}, "UNKNOWN_FIELD"),
        ({"model_config": {}}, "UNKNOWN_FIELD"),
        ({"store": "other.db"}, "UNKNOWN_FIELD"),
        ({"alert_config": {"webhook_url": "http://169.254.169.254"}}, "UNKNOWN_FIELD"),
        ({"environment": "live"}, "UNKNOWN_FIELD"),
        ({"stress_config": {"scenario_dir": "/etc"}}, "UNKNOWN_FIELD"),
        (
            {"portfolio_limits": {"max_gross_exposure": 0.1, "max_single_position": 0.5}},
            "INCONSISTENT_LIMITS",
        ),
        ({"var_config": {"daily_var_limit": 0.01}, "order_config": {"max_order_size": 99}}, "OUT_OF_RANGE"),
    ],
)
def test_settings_change_whole_or_not_at_all(service, changes, code):
    before = service.manager.config.digest()
    answer = service.call("PATCH", "config", {"changes": changes, "reason": "x"})
    assert (answer.status, answer.code) == (400, code)
    assert service.manager.config.digest() == before


def test_mappings_lists_and_rows_are_taken_as_they_are_sent(fresh):
    service = fresh()
    row = {"name": "x", "metric": "drawdown", "threshold": 0.2, "action": "warn", "release": None}
    changes = {
        "portfolio_limits": {"strategy_budgets": {"s": 1}, "deny_symbols": ["PG"]},
        "drawdown_config": {"tiers": [[0.5, 0.5], [1, 0]]},
        "emergency_config": {"rows": [row]},
        "liquidation_config": {"half_spread": {"equity": 0.001}},
    }
    assert service.call("PATCH", "config", {"changes": changes, "reason": "x"}).status == 200


def furthest(section: str, name: str, values: tuple[float, ...]) -> float:
    """The first of some values that a setting may have."""
    group = getattr(RiskManagementConfig(), section)
    for value in values:
        try:
            setattr(group, name, value)
        except ConfigurationError:
            continue
        return value
    raise AssertionError(f"{section}.{name} takes none of {values}")


FURTHEST: dict[str, dict[str, float]] = {}
for entries, values in ((TIGHTER_BELOW, (0.0, 1e-9, 1, 1.001)), (TIGHTER_ABOVE, (1e8, 1.0))):
    for section, names in entries.items():
        FURTHEST.setdefault(section, {}).update({n: furthest(section, n, values) for n in names.split()})
FURTHEST["emergency_config"]["var_halt"] = 0.86  # it stays above its release


def may_be_set(changes) -> bool:
    """Whether these settings may stand: some contradict others alone, and are among all of them."""
    try:
        RiskManagementConfig().update(**changes)
    except ConfigurationError:
        return False
    return True


ONE_BY_ONE = [{s: {n: value}} for s, some in FURTHEST.items() for n, value in some.items()]
CASES = [FURTHEST, *filter(may_be_set, ONE_BY_ONE)]


@pytest.mark.parametrize(
    "changes", CASES, ids=lambda c: "-".join(next(iter(c.items()))[1]) if len(c) == 1 else "all"
)
def test_nothing_that_an_operator_may_set_weakens_the_protection(make_manager, changes):
    """As far as `operate` may tighten, and then a fall by half: the book loses no more than it would have."""

    def fallen(settings: RiskManagementConfig) -> float:
        manager, clock = make_manager()
        manager.register_bot("a", "trend")
        manager.add_position("SPY", 7000.0, 400.0, "trend", bot_name="a")
        manager.update_prices({"SPY": 400.0})
        manager.assess_overall_risk()
        manager.reconfigure(settings, actor="ops")
        for step in range(1, 71):
            clock.advance(5)
            manager.update_prices({"SPY": 400.0 * 0.99**step})
            manager.assess_overall_risk()
        assert manager.state.mode is not TradingMode.ACTIVE
        assert not manager.request_trade(OrderTicket("SPY", "buy", 500.0, "trend", "a")).approved
        return manager.state.equity

    loose = RiskManagementConfig()
    assert fallen(loose.update(**changes)) >= fallen(loose) - 1e-6


def test_nan_in_settings(service):
    before = service.manager.config.digest()
    body = b'{"changes":{"var_config":{"daily_var_limit":NaN}},"reason":"x"}'
    assert service.call("PATCH", "config", body).status == 400
    assert service.manager.config.digest() == before


def test_health_readiness_and_numbers(service):
    assert service.call("GET", "/healthz", scope=None).json == {"status": "ok"}
    assert service.call("GET", "/readyz", scope=None).json == {"ready": True, "why": []}
    text = service.call("GET", "/metrics", scope="read").data.decode()
    assert f"risk_equity {service.manager.state.equity}" in text
    assert 'risk_bot_decisions_total{bot="RSI2",outcome="approved"}' in text
    assert "same-1" not in text


def test_how_alerts_reach_people(service):
    from risk_management.alerts.message import message_of  # noqa: PLC0415

    manager = service.manager
    alert = manager.alert_manager.raise_alert("system_error", "warning", "a channel is tried", key="tried")
    manager.outbox.put(message_of(alert), ["slack", "email"])
    manager.outbox.failed(message_of(alert).key, "slack", "HTTP 404")
    said = service.call("GET", "alerts/delivery", scope="read").json
    assert (said["pending"], said["failed"]) == (1, 1)
    [failed] = said["newest_failed"]
    assert (failed["channel"], failed["error"], failed["tries"]) == ("slack", "HTTP 404", 1)
    assert [one["channel"] for one in said["channels"] if one["failed"]] == ["slack"]
    text = service.call("GET", "/metrics", scope="read").data.decode()
    assert 'risk_alert_messages{channel="slack",state="failed"} 1.0' in text
    assert 'risk_alert_oldest_seconds{channel="email"}' in text


def test_no_number_is_told_twice(service):
    """Two bots hold something: their limits are two series, as a scraper reads them."""
    service.manager.update_prices({"KO": 60.0})
    for bot in ("RSI2", "other"):
        service.manager.register_bot(bot)
        service.manager.add_position("KO", 60.0, 60.0, bot_name=bot)
    text = service.call("GET", "/metrics", scope="read").data.decode()
    series = [line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert 'risk_limit_use{limit="bot",subject="other"}' in series
    assert len(series) == len(set(series))


def test_a_browser_comes_in_by_a_link_that_works_once(service):
    code = service.sessions.code()
    preview = service.call("HEAD", f"/login?code={code}", scope=None)
    assert (preview.status, preview.headers["Allow"]) == (405, "GET")
    first = service.call("GET", f"/login?code={code}", scope=None)
    assert first.status == 303
    kept = first.headers["Set-Cookie"]
    assert "HttpOnly" in kept
    assert "SameSite=Strict" in kept
    cookie = {"Cookie": kept.partition(";")[0]}
    assert service.call("GET", f"/login?code={code}", scope=None).status == 401
    me = service.call("GET", "session", scope=None, headers=cookie).json
    assert me["access"] == "operate"
    bare = service.call("POST", "mode", {"mode": "active", "reason": "x"}, None, headers=cookie)
    assert (bare.status, bare.code) == (403, "BAD_CSRF")
    signed = {**cookie, "X-CSRF-Token": me["csrf"]}
    assert service.call("POST", "mode", {"mode": "active", "reason": "x"}, None, headers=signed).status == 200
    assert (me["name"], me["by_link"], me["is_named"]) == ("browser", True, False)
    for wrong in ("", "x" * 41, "admin (token a1)", 7):
        assert service.call("PUT", "session", {"name": wrong}, None, headers=signed).status == 400
    assert service.call("PUT", "session", {"name": "Anna O'Hara"}, None, headers=cookie).code == "BAD_CSRF"
    assert service.call("PUT", "session", {"name": "Anna O'Hara"}, None, headers=signed).status == 200
    me = service.call("GET", "session", scope=None, headers=cookie).json
    assert (me["name"], me["is_named"]) == ("Anna O'Hara", True)
    service.call("POST", "mode", {"mode": "reducing", "reason": "x"}, None, headers=signed)
    assert service.journal.reader.newest(1, kind="HoldSet")[-1].actor == "Anna O'Hara (token browser)"
    service.call("POST", "mode", {"mode": "active", "reason": "x"}, None, headers=signed)
    assert service.call("PUT", "session", {"name": "Anna"}, "operate").code == "NOT_ALLOWED"


def test_why_names_the_tier_of_the_drawdown_and_the_scenario(fresh):
    """The size that a drawdown leaves is no limit of it."""
    service = fresh()
    service.manager.record_cash("fee", -600.0)  # a loss of 6 %
    service.ask(request_id="small", size=500)
    found = {one["check"]: one for one in service.call("GET", "trades/small").json["findings"]}
    assert (found["drawdown"]["tier"], found["drawdown"]["limit"]) == (pytest.approx(0.05), 0.75)
    assert found["drawdown"]["room"] is None
    assert found["gross"]["tier"] is None
    name = service.manager.foundation.scenarios[found["stress"]["subject"]].name
    assert name in found["stress"]["message"]


def test_what_the_store_loses_is_not_acknowledged(fresh, monkeypatch):
    """Every answer from a store that fails says so; nothing opens, reports are still taken."""
    service = fresh()
    service.ask(request_id="before", size=200)
    monkeypatch.setattr(service.journal, "reopen", _still_away)
    service.journal._broken = "the disk failed"
    lost = service.call("POST", "cash-flows", {"kind": "fee", "amount": -1})
    assert (lost.status, lost.code) == (503, "STORE_UNAVAILABLE")
    refused = service.ask(request_id="during").json
    assert (refused["approved"], refused["durable"]) == (False, False)
    words = {"executed_size": 200, "executed_price": 60.0}
    assert service.call("POST", "trades/before/executions", words, "trade").json["durable"] is False
    ready = service.call("GET", "/readyz", scope=None)
    assert (ready.status, ready.json["why"]) == (503, ["STORE_UNAVAILABLE"])
    stopped = service.call("POST", "emergency-stop", {"reason": "x"}, "operate").json
    assert stopped["durable"] is False
    assert stopped["outage"] == service.call("GET", "state").json["outage"] != ""


def _still_away():
    raise StoreUnavailable("still away")


def test_sixteen_callers_with_one_id_get_one_answer(service):
    bodies, gate = [], threading.Barrier(16)

    def ask():
        gate.wait()
        bodies.append(service.ask(request_id="storm-1", size=50).data)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 16
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["approved"]
    decided = [
        e for e in service.journal.reader.entries() if e.kind == "TradeDecided" and '"storm-1"' in e.body
    ]
    assert len(decided) == 1


def test_a_storm_of_orders_stays_within_the_limit(fresh):
    """32 callers at once, each for a bite of one name; what is approved together fits the name's limit."""
    service = fresh()
    limit = service.manager.config.portfolio_limits.max_single_position * 10_000
    sizes, gate = [], threading.Barrier(32)

    def ask(number):
        gate.wait()
        for turn in range(4):
            answer = service.ask(
                "operate", size=100 + number + turn / 10, request_id=f"s{number}-{turn}"
            ).json
            sizes.append(answer["recommended_size"] if answer["approved"] else 0.0)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sizes) == 128
    assert sum(sizes) <= limit + 1e-6
    assert sum(sizes) > limit - 100  # the limit was reached, not missed
    assert math.isclose(sum(sizes), sum(r.opening for r in service.manager.state.reservations.values()) / 1e8)


def test_the_journal_names_who_did_it(fresh):
    """The token that asked, reported or cancelled; the system for what it does by itself."""
    service = fresh()
    service.manager.update_prices({"KO": 60.0, "PEP": 170.0})
    for name, symbol in (("r1", "KO"), ("r2", "PEP")):
        body = {"symbol": symbol, "action": "buy", "size": 300.0, "request_id": name}
        assert service.call("POST", "trades", body, "trade").json["approved"]
    service.call("POST", "trades/r1/executions", {"executed_size": 300.0, "executed_price": 60.0}, "trade")
    service.call("DELETE", "trades/r2", None, "operate")
    service.call("POST", "trades", {**body, "request_id": "r3"}, "trade")
    service.clock.advance(3600.0)
    service.manager.desk.expire()
    by = {}
    for entry in service.call("GET", "audit?limit=500").json["entries"]:
        by.setdefault(entry["kind"], []).append(entry["actor"])
    names = {token.actor for token in service.tokens.tokens()}
    assert set(by["TradeDecided"]) == set(by["Filled"])
    assert by["TradeDecided"][0] in names
    assert by["ReservationClosed"][0] in names - set(by["TradeDecided"])
    assert by["ReservationClosed"][1] == "system"


def test_the_journal_names_who_pushed_prices_whatever_source_they_name(service):
    body = {"prices": {"KO": 60.1}, "source": "boss (token 1)"}
    assert service.call("POST", "prices", body, "operate").status == 200
    entries = service.call("GET", "audit/search?kinds=QuotesReceived&limit=1", None, "read").json["entries"]
    assert entries[0]["actor"].startswith("operate (token ")
    assert service.manager.state.quotes["KO"].source == "boss (token 1)"


@pytest.mark.parametrize("kind", ["Nope", "filled", "Filled,nope"])
def test_a_kind_of_entry_that_there_is_not_is_said(service, kind):
    told = service.call("GET", f"audit/search?kinds={kind}", None, "read")
    assert (told.status, told.code) == (400, "OUT_OF_RANGE")
    assert "QuotesReceived" in told.json["error"]["message"]


def test_what_was_booked_and_what_is_in_force_is_answered(service):
    booked = service.call("POST", "cash-flows", {"kind": "fee", "amount": -5}, "operate").json
    account = service.manager.config.account_id
    assert booked["account_id"] == account
    assert booked["cash"] == service.manager.state.accounts[account].balance
    assert booked["equity"] == service.manager.state.equity
    opened = service.call(
        "POST", "cash-flows", {"kind": "deposit", "amount": 7, "account_id": "new"}, "operate"
    ).json
    assert (opened["account_id"], opened["cash"]) == ("new", 7.0)
    assert service.call("POST", "emergency-stop", {"reason": "a"}, "operate").status == 200
    told = service.call("POST", "mode", {"mode": "active", "reason": "go"}, "operate").json
    assert told["mode"] == "halted"
