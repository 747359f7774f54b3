"""Every view, wide and on a phone, dark and light: what the API says, for those who can't see it too."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from risk_management.alerts.risk_alerts import AlertRule, AlertSeverity, AlertType
from risk_management.model.portfolio import TradingMode
from risk_management.tests.page.conftest import BOT, PHONE, WIDE, Visitor, shown_money, stocked

VIEWS = {
    "overview": ("Nearest limits", ["equity", "drawdown", "decisions"]),
    "limits": ("Headroom of every limit", []),
    "heatmap": ("Approved, not filled", ["positions", "heat"]),
    "var": ("By method, side by side", ["var_methods", "distribution", "var_components", "var_backtest"]),
    "stress": ("All scenarios", ["stress", "reverse_stress"]),
    "correlation": ("Clusters", ["correlation"]),
    "alerts": ("Rules", []),
    "bots": ("sleeper", ["bots"]),
    "whatif": ("What would be decided", []),
    "audit": ("Audit trail", []),
}
"""The seven specified views, and limits, what-if and the journal: a heading and the figures of each."""


@pytest.fixture(scope="module")
def visitors(chromium, served):
    """One visitor for each look; they go from view to view."""
    made = {
        name: Visitor(chromium, f"http://127.0.0.1:{served.port}", **look).enter(served)
        for name, look in {
            "wide": {"viewport": WIDE, "color_scheme": "dark"},
            "phone": {"viewport": PHONE, "color_scheme": "light", "has_touch": True},
        }.items()
    }
    yield made
    for one in made.values():
        one.close()
    assert [text for one in made.values() for text in one.wrong] == []


@pytest.mark.parametrize("look", ["wide", "phone"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view(visitors, view, look):
    visitor = visitors[look]
    page = visitor.go(view)
    heading, figures = VIEWS[view]
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    for name in figures:
        page.locator(f"[data-drawn={name}] .main-svg").first.wait_for()
        page.locator(f"[data-panel=figure-{name}] .finding").wait_for()
    assert page.locator(".fault").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is wider than the screen"
    assert page.get_by_role("region", name="Vital signs").locator(".vital").count() == 7
    assert visitor.axe() == []


def test_the_vital_signs_are_those_of_the_api(visitors, served):
    status = served.call("GET", "pulse").json["status"]
    row = visitors["wide"].go("overview").locator(".vitals").inner_text()
    assert f"{status['equity']:,.0f}" in row
    assert f"{status['score']:.0f}\n" in row
    assert f"{100 * status['drawdown']:.1f} %" in row
    assert "Active" in row
    assert "sample data, for demonstration" in row


def test_a_panel_is_taken_away(visitors, served):
    page = visitors["wide"].go("heatmap")
    rows = served.call("GET", "heatmap").json["positions"]
    for kind in ("CSV", "JSON"):
        page.get_by_role("button", name="Take Positions away", exact=True).click()
        with page.expect_download() as taken:
            page.get_by_role("menuitem", name=kind).click()
        text = Path(taken.value.path()).read_bytes().decode()
        known = list(csv.DictReader(io.StringIO(text))) if kind == "CSV" else json.loads(text)
        assert [row["symbol"] for row in known] == [row["symbol"] for row in rows]
        assert [float(row["value"]) for row in known] == pytest.approx([row["value"] for row in rows])
    page.locator("[data-drawn=heat] .main-svg").first.wait_for()
    page.get_by_role("button", name="Take Heat by cluster away").click()
    with page.expect_download() as taken:
        page.get_by_role("menuitem", name="PNG").click()
    assert Path(taken.value.path()).read_bytes().startswith(b"\x89PNG")


def test_what_is_looked_at_stands_in_the_address(visitors):
    page = visitors["wide"].go("heatmap")
    page.get_by_role("button", name="MSFT", exact=True).click()
    page.get_by_role("heading", name="MSFT, long").wait_for()
    page.get_by_role("button", name="strategy", exact=True).click()
    page.get_by_title("Times in UTC").click()
    address = page.url
    assert all(word in address for word in ("symbol=MSFT", "group=strategy", "tz=local"))
    page.goto("about:blank")
    page.goto(address)
    page.get_by_role("heading", name="MSFT, long").wait_for()
    assert page.get_by_title("Times in UTC").inner_text() == "Local"
    assert page.get_by_role("button", name="strategy", exact=True).get_attribute("aria-pressed") == "true"


def test_why_an_order_was_cut_or_refused(visitors, served):
    page = visitors["wide"].go("overview")
    asked = served.call("GET", "trades/too-much").json
    page.locator(".decisions button").filter(has_text="buy AAPL").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("What held it back").wait_for()
    first = dialog.locator(".findings li").first.inner_text()
    assert "binding" in first
    assert asked["binding"]["check"].replace("_", " ") in first.lower()
    assert f"Would pass\n{shown_money(asked['binding']['cap'])}" in first
    dialog.get_by_text("checks passed").click()
    shown = dialog.locator(".findings li").count()
    assert shown == len(asked["findings"])
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_a_chosen_scenario_says_where_its_figures_come_from(visitors):
    page = visitors["wide"].go("stress?scenario=ten_days_2008")
    page.get_by_text("Where the figures come from").click()
    page.get_by_role("heading", name="The worst ten days of 2008").wait_for()
    assert page.locator(".sources li").count() >= 1


def test_the_journal_is_searched_and_found_whole(visitors):
    page = visitors["wide"].go("audit")
    page.get_by_placeholder("A name, symbol").fill("on holiday")
    page.keyboard.press("Enter")
    page.get_by_text("Bot sleeper disabled: on holiday").wait_for()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("button", name="Is it whole?").click()
    page.locator(".whole .badge.ok").wait_for()


def test_a_pair_is_picked_in_the_matrix(visitors):
    page = visitors["wide"].go("correlation")
    page.locator("[data-drawn=correlation] .main-svg").first.wait_for()
    box = page.locator(
        "[data-drawn=correlation] .hm, [data-drawn=correlation] .heatmaplayer"
    ).first.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 6)
    page.locator("[data-drawn=pair] .main-svg").first.wait_for()
    assert "pair=" in page.url
    assert "over the last 60 days" in page.locator("[data-panel=figure-pair] .finding").inner_text()


def test_on_a_phone_the_stop_and_the_view_are_in_sight(visitors):
    page = visitors["phone"].go("stress")
    page.get_by_role("heading", name="All scenarios", exact=True).wait_for()
    in_sight = (
        "(one, box = one.getBoundingClientRect()) => box.top >= 0 && box.bottom <= innerHeight"
        " && box.left >= 0 && box.right <= innerWidth"
    )
    halt, here = (
        page.get_by_role("button", name="Halt …"),
        page.locator("nav").get_by_role("button", name="Stress"),
    )
    page.mouse.wheel(0, 2000)
    assert halt.evaluate(f"one => ({in_sight})(one)")
    assert here.evaluate(f"one => ({in_sight})(one)")
    here.click()
    page.get_by_role("dialog").get_by_role("link", name="Bots").click()
    page.get_by_role("heading", name="sleeper").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_other_words_for_a_view_and_none_of_them(visitors):
    page = visitors["wide"].go("positions")
    page.get_by_role("heading", name="Approved, not filled").wait_for()
    visitors["wide"].go("nowhere").get_by_text("There is no view called “nowhere”").wait_for()


def test_that_no_bot_may_open_is_said(visit, own):
    service = stocked(own())
    manager = service.manager
    manager.alert_manager.raise_alert(
        "system_error", "critical", f"bot {BOT}: an odd fill", key=f"fill:{BOT}"
    )
    manager.set_mode(TradingMode.REDUCING, "an odd fill", scope="bot", name=BOT, actor="me")
    page = visit(service).enter(service).page
    assert "no bot may open" in page.locator(".vital").last.inner_text()
    wrong = page.get_by_role("region", name="What is wrong")
    lines = wrong.locator("li").all_inner_texts()
    assert [line.count("an odd fill") for line in lines if BOT in line] == [1], "once, with its reason"
    assert any("sleeper is off: on holiday" in line for line in lines)


def test_dark_and_light_are_kept(visitors):
    page = visitors["wide"].go("overview")
    page.get_by_role("button", name="Light theme").click()
    page.reload()
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_an_empty_book_says_how_to_begin(visit, own):
    service = own()
    visitor = visit(service).enter(service)
    page = visitor.page
    page.get_by_text("Nothing is held yet").wait_for()
    page.locator(".verdict.good").get_by_text("Safe").wait_for()
    for view, text in (
        ("heatmap", "Nothing is held"),
        ("correlation", "Nothing to compare"),
        ("stress", "no scenario costs anything"),
    ):
        visitor.go(view).get_by_text(text).first.wait_for()
        assert page.locator(".fault").count() == 0


def test_old_prices_are_never_shown_as_safe(visit, own):
    service = own()
    service.manager.add_position("KO", 500, 60.0)
    service.manager.update_prices({"KO": 60.0}, source="desk")
    visitor = visit(service).enter(service)
    visitor.page.locator(".verdict.good").wait_for()
    service.clock.advance(3600.0)
    visitor.page.locator(".verdict.unknown").get_by_text("Not sure").wait_for()
    visitor.page.locator(".feeds").get_by_text("STALE").first.wait_for()
    assert "desk" in visitor.page.locator(".verdict").inner_text()


def test_what_is_wrong_is_said_as_it_is_now_and_the_worst_first(visit, own):
    service = stocked(own())
    alerts = service.manager.alert_manager
    kind, severity = AlertType.POSITION_LIMIT, AlertSeverity.CRITICAL
    alerts.add_custom_rule(AlertRule("held", "Held", kind, severity, "gross_exposure > 0", []))
    service.manager.assess_overall_risk()
    fired = next(alert for alert in alerts.active if alert.rule_id == "held")
    alerts.acknowledge(fired.alert_id, "ann")
    alerts.raise_alert("system_error", "critical", "a lost order", key="order")
    service.manager.update_prices({"AAPL": 100.0, "MSFT": 150.0})
    page = visit(service).enter(service).page
    lines = page.locator("[aria-labelledby=q-wrong] li")
    now = 100 * service.manager.look().metrics["gross_exposure"]
    then = 100 * fired.values["gross_exposure"]
    mine = lines.filter(has_text="acknowledged by ann").inner_text()
    assert f"Now gross exposure is {now:.2f} %. When it was told, " in mine
    assert f"gross_exposure is {then:.2f}%" in mine
    words = [text.split()[1] for text in lines.all_inner_texts() if "more" not in text]
    assert words == sorted(words, key=["Act", "Old", "Watch"].index)
    assert {"Act", "Watch"} <= set(words)


def test_a_table_wider_than_a_phone_says_that_there_is_more(visit, served):
    visitor = visit(served, viewport=PHONE).enter(served)
    for view, panel in (("limits", "all-limits"), ("audit", "audit")):
        shown = visitor.go(view).locator(f"[data-panel={panel}]")
        shown.get_by_text("More to the right").wait_for()
        assert shown.locator(".scroll").evaluate("box => box.scrollWidth > box.clientWidth")
