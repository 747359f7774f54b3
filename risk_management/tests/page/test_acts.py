"""What a person does on the page reaches the book and its journal; who may not is told why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from risk_management.alerts.risk_alerts import AlertRule, AlertSeverity, AlertType
from risk_management.model.portfolio import TradingMode
from risk_management.service.live import LIVE
from risk_management.service.server import Server
from risk_management.tests.page.conftest import BOT, PHONE, shown_money, stocked


@pytest.fixture
def service(own):
    return stocked(own())


def last(service, kind: str) -> dict:
    entry = service.journal.reader.newest(1, kind=kind)[-1]
    return {**json.loads(entry.body), "actor": entry.actor}


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
def test_halt_and_resume(visit, service, viewport):
    visitor = visit(service, **({"viewport": viewport} if viewport else {})).enter(service)
    page = visitor.page
    page.get_by_role("button", name="Halt everything").click()
    dialog = page.get_by_role("dialog")
    assert "Refuse every order of every bot" in dialog.inner_text()
    assert "Stops and other protective orders" in dialog.inner_text()
    go = dialog.get_by_role("button", name="Halt all trading")
    visitor.fill(reason="it looks wrong")
    assert go.is_disabled(), "without the name of the scope"
    visitor.fill(confirm="Portfolio")
    assert go.is_disabled(), "the name is written as it is shown"
    visitor.fill(confirm="portfolio")
    go.click()
    page.locator(".verdict.bad strong").get_by_text("Halted").wait_for()
    assert service.manager.state.mode is TradingMode.HALTED
    hold = last(service, "HoldSet")["hold"]
    assert (hold["reason"], hold["actor"]) == ("it looks wrong", "browser (token browser)")
    page.locator(".blocked").get_by_text("Halted by emergency_stop: it looks wrong").wait_for()
    page.get_by_role("button", name="Resume").click()
    assert "End the halt set by browser" in dialog.inner_text()
    assert "high-water mark" in dialog.inner_text()
    visitor.fill(reason="seen", confirm="portfolio")
    dialog.get_by_role("button", name="Resume trading").click()
    page.get_by_role("button", name="Halt everything").wait_for()
    assert service.manager.state.mode is TradingMode.ACTIVE
    assert last(service, "HoldReleased")["reason"] == "seen"
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.id") == "main", "what opened it is gone"


def test_by_keys_alone(visit, service):
    """From the link to the view, through a stop, and back: no mouse."""
    visitor = visit(service).enter(service)
    page, keys = visitor.page, visitor.page.keyboard
    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the view"
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    keys.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    keys.press("g")
    keys.press("b")
    page.get_by_role("heading", name="sleeper").wait_for()
    keys.press("?")
    page.get_by_role("dialog").get_by_text("Halt everything (asks first)").wait_for()
    keys.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    keys.press("r")
    page.get_by_role("heading", name="Reduce only").wait_for()
    assert page.evaluate("document.activeElement.name") == "reason"
    keys.type("h is typed, not pressed")
    keys.press("Enter")
    page.locator(".vital").get_by_text("Reducing").wait_for()
    page.get_by_role("dialog").wait_for(state="hidden")
    assert last(service, "HoldSet")["hold"]["reason"] == "h is typed, not pressed"
    keys.press("e")
    page.get_by_role("heading", name="Resume trading").wait_for()
    keys.type("over")
    keys.press("Tab")
    keys.type("portfolio")
    keys.press("Enter")
    page.locator(".vital").get_by_text("Active").wait_for()
    page.get_by_role("dialog").wait_for(state="hidden")
    keys.press("g")
    keys.press("o")
    page.locator(".decisions button").first.focus()
    keys.press("Enter")
    page.get_by_role("heading", name="Why?").wait_for()
    keys.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.evaluate("document.activeElement.closest('.decisions') !== null"), "the focus came back"


def test_bots_are_switched_off_and_on(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.go("bots")
    card = page.get_by_role("article", name=BOT)
    card.get_by_role("button", name="Disable").click()
    visitor.fill(reason="it loses", confirm=BOT)
    page.get_by_role("dialog").get_by_role("button", name=f"Disable {BOT}").click()
    card.get_by_text("it loses").wait_for()
    assert not service.manager.state.bots[BOT].enabled
    card.get_by_role("button", name="Enable").click()
    visitor.fill(reason="mended", confirm=BOT)
    page.get_by_role("dialog").get_by_role("button", name=f"Enable {BOT}").click()
    card.get_by_role("button", name="Disable").wait_for()
    assert service.manager.state.bots[BOT].enabled


def test_a_held_bot_is_let_go(visit, service):
    service.manager.set_mode(TradingMode.REDUCING, "odd", scope="bot", name=BOT, actor="me")
    visitor = visit(service).enter(service)
    visitor.page.get_by_role("button", name="Let it trade").click()
    assert "odd" in visitor.page.get_by_role("dialog").inner_text()
    visitor.fill(reason="looked at", confirm=BOT)
    visitor.page.get_by_role("dialog").get_by_role("button", name="Let it trade").click()
    visitor.page.get_by_role("button", name="Let it trade").wait_for(state="hidden")
    assert not service.manager.state.holds


def test_what_trades_for_no_strategy_is_named_and_let_go(visit, service):
    service.manager.register_bot("plain")
    service.manager.set_mode(TradingMode.HALTED, "odd", scope="strategy", name="", actor="me")
    visitor = visit(service).enter(service)
    page = visitor.page
    page.get_by_text("what trades for no strategy may neither open nor close: odd").first.wait_for()
    page.get_by_role("button", name="Let it trade").click()
    visitor.fill(reason="looked at", confirm="no strategy")
    page.get_by_role("dialog").get_by_role("button", name="Let it trade").click()
    page.get_by_text("What trades for no strategy may open again.").wait_for()
    assert not service.manager.state.holds


def test_an_alert_is_resolved_and_a_rule_is_added_and_a_wrong_one_is_named(visit, service):
    service.manager.alert_manager.raise_alert("system_error", "critical", "a lost order", key="order")
    visitor = visit(service).enter(service)
    page = visitor.go("alerts")
    row = page.locator("[data-panel=active] li", has_text="a lost order")
    assert "seen once · told by" in row.inner_text()
    row.get_by_role("button", name="Resolve").click()
    visitor.fill(reason="found at the broker")
    page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    row.wait_for(state="hidden")
    assert last(service, "AlertTold")["alert"]["message"].endswith(": found at the broker).")
    page.get_by_role("button", name="New rule").click()
    condition = page.get_by_label("Condition")
    visitor.fill(rule_id="mine", name="Mine", reason="nights", hold="30")
    condition.fill("portfolio_hate > 1")
    page.get_by_role("button", name="Watch it").click()
    page.get_by_role("alert").get_by_text("portfolio_heat").wait_for()
    condition.fill("portfolio_heat > 1")
    page.get_by_role("button", name="Watch it").click()
    page.locator("[data-panel=rules]").get_by_text("Mine", exact=True).wait_for()
    made = next(rule for rule in service.manager.alert_manager.rules if rule.rule_id == "mine")
    assert (made.hold, made.channels) == (30.0, ())
    assert last(service, "RuleChanged")["reason"] == "nights"
    told = page.locator("tr").filter(has=page.get_by_text("Mine", exact=True)).inner_text()
    assert "by the routes: nobody beside this page and the log" in told


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
def test_an_alert_is_taken_on_silenced_and_told_again(visit, service, viewport):
    fired = service.manager.alert_manager.raise_alert("system_error", "critical", "it broke", key="disk")
    visitor = visit(service, **({"viewport": viewport} if viewport else {})).enter(service)
    page = visitor.go("alerts")
    row = page.locator("[data-panel=active] li").filter(has_text="it broke")
    row.get_by_role("button", name="Acknowledge").click()
    visitor.fill(reason="I look after it")
    page.get_by_role("dialog").get_by_role("button", name="Acknowledge").click()
    row.get_by_text("acknowledged by browser (token browser): I look after it").wait_for()
    told = last(service, "AlertTold")["alert"]
    assert (told["comment"], told["acknowledged_by"]) == ("I look after it", "browser (token browser)")
    row.get_by_role("button", name="Silence").click()
    page.locator("dialog select").select_option("3600")
    visitor.fill(reason="known")
    page.get_by_role("dialog").get_by_role("button", name="Silence").click()
    row.get_by_text("Silenced").wait_for()
    silence = last(service, "SilenceSet")["silence"]
    assert (silence["rule_id"], silence["reason"]) == (fired.rule_id, "known")
    row.get_by_role("button", name="Unsilence").click()
    page.get_by_role("dialog").get_by_role("button", name="End it").click()
    row.get_by_text("Silenced").wait_for(state="hidden")
    assert last(service, "SilenceEnded")["silence_id"] == silence["silence_id"]
    assert not service.manager.alert_manager.silences


def test_a_rule_is_tried_and_changed(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.go("alerts")
    old = next(one for one in service.manager.alert_manager.rules if one.rule_id == "heat_warning")
    page.locator("tr").filter(has_text=old.name).get_by_role("button", name="Edit").click()
    condition, trial = page.get_by_label("Condition"), page.get_by_role("button", name="Try it on the book")
    assert condition.input_value() == old.condition
    condition.fill("portfolio_heat >= 0")
    version = service.manager.state.version
    trial.click()
    page.locator(".tried").get_by_text("would fire now").wait_for()
    condition.fill("portfolio_heat >= 99")
    trial.click()
    page.locator(".tried").get_by_text("would not fire now").wait_for()
    assert service.manager.state.version == version, "a trial changes nothing"
    visitor.fill(reason="too early")
    page.get_by_role("button", name="Keep it so").click()
    page.locator("[data-panel=rules] code").get_by_text("portfolio_heat >= 99").wait_for()
    changed = last(service, "RuleChanged")
    assert (changed["rule_id"], changed["rule"]["condition"]) == ("heat_warning", "portfolio_heat >= 99")
    assert changed["actor"] == "browser (token browser)"


def test_a_changed_rule_keeps_what_nobody_changed(visit, service):
    alerts = service.manager.alert_manager
    kind, severity = AlertType.DATA_QUALITY, AlertSeverity.INFO
    old = AlertRule(
        "full",
        "Full",
        kind,
        severity,
        "bot_exposure > 0.5",
        ["email", "log"],
        60.0,
        90.0,
        hold=5.0,
        enabled=False,
        message="{bot} holds {bot_exposure}",
        release=0.4,
        scope="bot",
        meaning="m",
        did="d",
        todo="t",
    )
    alerts.add_custom_rule(old)
    visitor = visit(service).enter(service)
    page = visitor.go("alerts")
    page.locator("tr").filter(has_text="Full").get_by_role("button", name="Edit").click()
    page.get_by_label("Condition").fill("bot_exposure > 0.3")
    page.get_by_role("status").get_by_text("contradict each other").wait_for()
    visitor.fill(release="bot_exposure < 0.2", reason="less of it")
    page.get_by_text("contradict each other").wait_for(state="hidden")
    page.get_by_role("button", name="Keep it so").click()
    page.locator("[data-panel=rules] code").get_by_text("bot_exposure > 0.3").wait_for()
    new = next(rule for rule in alerts.rules if rule.rule_id == "full")
    assert new == replace(old, condition="bot_exposure > 0.3", release="bot_exposure < 0.2")
    assert last(service, "RuleChanged")["reason"] == "less of it"


def test_who_acts_says_a_name(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.page
    page.get_by_role("button", name="Reduce only").click()
    visitor.fill(reason="noise", person="Anna Berg")
    page.get_by_role("dialog").get_by_role("button", name="Reduce only").click()
    page.get_by_role("button", name="Signed in as Anna Berg").wait_for()
    page.locator(".vital").get_by_text("Reducing").wait_for()
    assert last(service, "HoldSet")["hold"]["actor"] == "Anna Berg (token browser)"


def test_an_order_is_only_tried(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.go("whatif")
    page.get_by_label("Symbol").fill("aapl")
    page.get_by_label("Size, in money").fill("9000")
    ticket = page.locator("[data-panel=ticket]")
    assert "an order of the account, by hand: no bot's budget" in ticket.inner_text()
    page.get_by_label("Bot").select_option(BOT)
    ticket.get_by_text(f"Judged as an order of {BOT}.").wait_for()
    service.manager.record_cash("dividend", 1.0)  # what changes meanwhile wipes out nothing that was typed
    version = service.manager.state.version
    page.get_by_text(f"state {version}").wait_for()
    page.get_by_role("button", name="Try it").click()
    panel = page.locator("[data-panel=judged]")
    panel.get_by_text("What held it back").wait_for()
    oracle = service.call(
        "POST", "what-if", {"symbol": "AAPL", "action": "buy", "size": 9000, "bot_name": BOT}
    ).json
    assert panel.locator(".findings li").count() == len(oracle["findings"])
    left = [one for one in oracle["findings"] if one["code"] == "MIN_TRADE_SIZE"]
    assert [one["measured"] for one in left] == [0.0], "nothing was left that could be too small"
    passed = sum(one["passed"] for one in oracle["findings"]) - len(left)
    assert panel.get_by_text(f"{passed} checks passed, 1 not reached").count() == 1
    assert f"If it were asked now: {shown_money(oracle['recommended_size'])}" in panel.inner_text()
    assert "symbol=AAPL" in page.url
    assert service.manager.state.version == version


def test_scenarios_of_ones_own(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.go("stress")
    own, reverse = page.locator("[data-panel=own]"), page.locator("[data-panel=reverse]")
    own.get_by_label("Symbol, sector or class").fill("KO")
    own.get_by_label("Moves by, %", exact=True).fill("-50")
    own.get_by_role("button", name="Try it").click()
    held = next(row for row in service.call("GET", "heatmap").json["positions"] if row["symbol"] == "KO")
    version = service.manager.state.version
    own.get_by_text(f"−{held['value'] / 2:,.2f}").first.wait_for()
    assert service.manager.state.version == version, "a scenario changes nothing"
    own.get_by_label("Symbol, sector or class").fill("NOSUCH")
    own.get_by_role("button", name="Try it").click()
    own.get_by_role("alert").get_by_text("NOSUCH").wait_for()
    reverse.get_by_role("button", name="Search").click()
    reverse.get_by_text("breaks drawdown").wait_for()


def test_who_may_only_look_is_told_why(visit, service):
    visitor = visit(service)
    page = visitor.go("overview")
    page.get_by_text("You are not signed in.").wait_for()
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label("Token").fill("risk_wrong-wrong-wrong-wrong-wrong-wrong")
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").get_by_text("not known here").wait_for()
    page.get_by_label("Token").fill(service.secrets["read"])
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    halt = page.get_by_role("button", name="Halt everything")
    halt.wait_for()
    assert halt.get_attribute("aria-disabled") == "true"
    halt.click(force=True)
    page.locator(".toasts").get_by_text("takes the scope operate").wait_for()
    assert page.get_by_role("dialog").count() == 0
    version = service.manager.state.version
    forged = page.evaluate(
        "fetch('emergency-stop', {method: 'POST', headers: {'Content-Type': 'application/json'},"
        ' body: \'{"reason": "x"}\'}).then(r => r.status)'
    )
    assert forged == 403
    assert service.manager.state.mode is TradingMode.ACTIVE
    assert service.manager.state.version <= version + 1  # the refused act is noted
    cookies = visitor.context.cookies()
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Strict")]
    read = next(token for token in service.tokens.tokens() if token.name == "read")
    service.tokens.revoke(read.token_id)
    ended = page.evaluate(
        "async () => { for (let i = 0; i < 100; i++) { if ((await fetch('pulse')).status === 401) "
        "return true; await new Promise(done => setTimeout(done, 100)); } return false; }"
    )
    assert ended, "a revoked token ends its sessions"


# -- live -------------------------------------------------------------------------------------------


def test_what_others_do_is_seen_at_once_and_nothing_is_drawn_anew(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.page
    page.evaluate("document.querySelector('.vitals').dataset.kept = 'yes'")
    service.manager.emergency_stop("from elsewhere", actor="somebody")
    page.locator(".verdict.bad").get_by_text("from elsewhere").wait_for()
    assert page.locator(".vitals").get_attribute("data-kept") == "yes"
    assert page.evaluate("document.querySelector('.feeds').innerText").startswith("Live")


def test_ten_tabs_share_one_stream(visit, service):
    visitor = visit(service).enter(service)
    tabs = [visitor.page, *(visitor.open() for _ in range(9))]
    for tab in tabs[1:]:
        tab.goto(f"{visitor.address}/api/risk/dashboard#/limits")
    service.manager.set_mode(TradingMode.REDUCING, "all see it", scope="portfolio", name="", actor="me")
    for tab in tabs:
        tab.locator(".vital").get_by_text("Reducing").wait_for()
    assert service.app.extensions[LIVE].listeners == 1


def test_without_streams_it_asks_and_is_no_less_true(visit, service):
    service.app.extensions[LIVE].close()
    visitor = visit(service).enter(service)
    visitor.page.get_by_text("Asking every 2 s").wait_for()
    service.manager.emergency_stop("seen by asking", actor="somebody")
    visitor.page.locator(".verdict.bad").get_by_text("seen by asking").wait_for()


def test_a_server_that_is_gone_is_said_and_comes_back(visit, service):
    """Nothing is heard: what is shown counts as old. The server starts again: the page goes on by itself."""
    visitor = visit(service)
    visitor.page.clock.install()
    visitor.enter(service)
    page = visitor.page
    page.locator(".verdict.warning").wait_for()
    service.server.stop()
    service._thread.join(20)
    page.clock.fast_forward(25_000)
    page.locator(".verdict.unknown").get_by_text("Not live").wait_for()
    page.locator(".feeds").get_by_text("STALE").first.wait_for()
    service.serve(Server(service.app, port=service.port))
    page.clock.fast_forward(5_000)
    page.locator(".verdict.warning").wait_for()


def test_what_is_being_closed_is_ended_on_the_page(visit, service):
    manager = service.manager
    manager.protocol.closing.has_broker = True
    name = manager.liquidate("everything", "a mistake", actor="ann").liquidation_id
    visitor = visit(service).enter(service)
    panel = visitor.page.locator("[data-panel=closing]")
    panel.get_by_text("orders are over").wait_for()  # on the overview too, above all else
    top = panel.bounding_box()["y"]
    assert top < visitor.page.get_by_role("heading", name="What is wrong").bounding_box()["y"]
    visitor.page.goto(f"{visitor.address}/api/risk/dashboard#/heatmap")
    panel.get_by_role("button", name="End").click()
    visitor.fill(reason="the wrong book", confirm="everything")
    visitor.page.get_by_role("dialog").get_by_role("button", name="End it").click()
    visitor.page.locator("[data-panel=closing] em").get_by_text("ends it").wait_for()
    one = manager.state.liquidations[name]
    assert (one.stop_reason, one.stopped_by) == ("the wrong book", "browser (token browser)")


def test_positions_are_closed_after_a_look_at_the_plan(visit, service):
    visitor = visit(service).enter(service)
    page = visitor.page
    plan = service.call("POST", "liquidation/plan", {"scope": "everything"}, "read").json
    orders = sum(len(step["orders"]) for step in plan["steps"])
    page.get_by_role("button", name="Flatten").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"{orders} orders in {len(plan['steps'])} steps").wait_for()
    assert dialog.evaluate("dialog => dialog.scrollTop") == 0, "what it does stands first"
    assert dialog.get_by_role("region", name="Orders of the plan").locator("tbody tr").count() == orders
    assert not service.manager.state.liquidations
    visitor.fill(reason="leaving", confirm="everything")
    dialog.get_by_role("button", name=f"Flatten {len(service.manager.state.positions)} positions").click()
    page.get_by_text("Booked as closed at our marks").wait_for()
    begun = next(iter(service.manager.state.liquidations.values()))
    assert (begun.reason, begun.actor) == ("leaving", "browser (token browser)")


def test_settings_that_were_changed_are_told_by_name(visit, service):
    changes = {"portfolio_limits": {"max_single_position": 0.07}}
    assert service.call("PATCH", "config", {"changes": changes, "reason": "less of one name"}).status == 200
    page = visit(service).enter(service).page
    page.locator(".trail").get_by_text("portfolio_limits.max_single_position 0.07, started with").wait_for()
