"""The report: one file, complete in itself, that runs nothing of others and says the assessment's numbers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management import plots
from risk_management.cli.main import app
from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.model.vocabulary import VOCABULARY
from risk_management.report import as_html, gathered
from risk_management.report.pdf import NoBrowser, print_pdf

SECTIONS = (
    "safe", "limits", "positions", "heat", "correlation", "var", "stress", "drawdown", "bots", "decisions",
    "alerts", "data", "settings", "glossary",
)  # fmt: skip
BOOK = "symbol,quantity,price,strategy\nSPY,2,450,momentum\nAAPL,-3,180,value\nKO,10,60,value\n"
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


class Page(HTMLParser):
    """What a page holds: words, scripts, ids, and everything that points somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.points: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.policy = ""
        self.words: list[str] = []
        self._script: dict[str, str | None] | None = None
        self._quiet = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids |= {str(found["id"])} if "id" in found else set()
        self.points += [str(found[key]) for key in ("src", "href", "action", "data") if key in found]
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])
        self._script = found if tag == "script" else None
        self._quiet = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._script, self._quiet = None, False

    def handle_data(self, data):
        if self._script is not None:
            self.scripts.append((self._script, data))
        elif not self._quiet:
            self.words.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def api(foundation) -> RiskDashboardAPI:
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    manager.register_bot("<i>RSI2</i>", "mean_reversion", 3000)
    manager.add_position("SPY", 2000, 400.0, "momentum")
    manager.add_position("KO", 1800, 60.0, "</script><script>alert(1)</script>")
    manager.request_trade(OrderTicket("XOM", "buy", 300.0, bot_name="<i>RSI2</i>", strategy="mean_reversion"))
    manager.assess_overall_risk()
    return RiskDashboardAPI(manager)


@pytest.fixture(scope="module")
def text(api) -> str:
    return as_html(gathered(api, "<b>my</b> book", NOW, ["equity is taken <as> said"]))


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_every_section_and_figure_is_there(page):
    assert set(SECTIONS) <= page.ids
    assert {f"figure-{name}" for name in plots.names()} <= page.ids
    assert {f"#{name}" for name in SECTIONS} <= set(page.points)
    for word in VOCABULARY:
        assert word in page.said


def test_it_points_nowhere_and_runs_its_own_two_scripts_only(page):
    assert [point for point in page.points if not point.startswith("#")] == []
    (kind, data), *run = page.scripts
    assert kind["type"] == "application/json"
    hashes = [base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() for _, code in run]
    allowed = re.search(r"script-src ([^;]*);", page.policy)
    assert allowed is not None
    assert allowed.group(1).split() == [f"'sha256-{one}'" for one in hashes]
    assert "default-src 'none'" in page.policy
    stored = json.loads(data, parse_constant=pytest.fail)
    assert stored["figures"].keys() == set(plots.names())
    assert stored["config"]["showSendToCloud"] is False


def test_names_of_a_user_are_text(page):
    assert "<b>my</b> book" in page.said
    assert "<i>RSI2</i>" in page.said
    assert "equity is taken <as> said" in page.said
    assert page.tags.count("script") == 3, "the strategy's name opened none"


def test_it_says_the_numbers_of_the_assessment(api, page):
    looked = api.manager.look()
    assert f"{looked.equity:,.2f}" in page.said
    over = [use.name.replace("_", " ") for use in looked.limits if use.level == "breached"]
    assert over, "this book is meant to breach"
    assert f"breached: {', '.join(over)}. What adds to" in page.said
    assert "New trades are allowed" not in page.said
    for use in looked.limits:
        assert use.name.replace("_", " ") in page.said
    for said in looked.leans_on:
        assert said.rstrip(".") in page.said
    assert api.manager.config.digest() in page.said
    assert "written 2026-01-02 03:04 UTC" in page.said


def test_an_empty_book_has_a_report_too(foundation):
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    page = Page(as_html(gathered(RiskDashboardAPI(manager), "nothing", NOW)))
    assert "No limit is breached" in page.said
    assert "Nothing is held" in page.said


def test_settings_that_differ_are_named_and_secrets_are_not(foundation):
    config = foundation.config.update(
        portfolio_limits={"max_single_position": 0.11}, alert_config={"telegram_bot_token": "123:very-secret"}
    )
    manager = AdvancedRiskManager.on(
        replace(foundation, config=config, clock=ManualClock(foundation.clock.now()))
    )
    content = gathered(RiskDashboardAPI(manager), "book", NOW)
    assert [row["name"] for row in content.settings["changed"]] == ["portfolio_limits.max_single_position"]
    assert "very-secret" not in as_html(content)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_draws_every_figure_asks_nobody_and_scrolls_one_way(text, tmp_path):
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - with the browser only

    file = tmp_path / "report.html"
    file.write_text(text, encoding="utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        seen = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        asked, wrong = [], []
        seen.on("request", lambda request: asked.append(request.url))
        seen.on("console", lambda message: wrong.append(message.text))
        seen.on("pageerror", lambda problem: wrong.append(str(problem)))
        seen.goto(file.as_uri())
        seen.wait_for_selector("html[data-drawn]", state="attached")
        assert seen.locator("[data-figure] svg.main-svg").count() >= len(plots.names())
        assert seen.evaluate("document.documentElement.scrollWidth") <= 390
        assert seen.evaluate("document.documentElement.dataset.theme") == "dark"
        seen.click("#theme")
        assert seen.evaluate("document.documentElement.dataset.theme") == "light"
        browser.close()
    assert asked == [file.as_uri()]
    assert wrong == []


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_it_is_printed(text, tmp_path):
    page, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(text, encoding="utf-8")
    print_pdf(page, paper)
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 100_000, "with its figures"


def test_without_a_browser_a_pdf_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBrowser, match=r"install chromium, or open .*report.html in any browser"):
        print_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


@pytest.fixture
def risk(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_of_a_file_of_positions(risk, tmp_path):
    Path("positions.csv").write_text(BOOK)
    answer = risk("report", "positions.csv", "-o", "mine.html")
    assert answer.exit_code == 3, answer.output
    assert "mine.html: the risk report of positions.csv" in answer.output
    page = Page(Path("mine.html").read_text(encoding="utf-8"))
    assert "equity is taken as the sum of the positions" in page.said
    assert Path("mine.html").stat().st_mode & 0o077 == 0, "for its owner's eyes"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.html", "positions.csv"]


def test_of_a_store_with_what_its_journal_holds(risk, foundation, tmp_path):
    store = str(tmp_path / "risk.db")
    clock = ManualClock(foundation.clock.now())
    manager = AdvancedRiskManager.on(
        replace(foundation, config=foundation.config.update(store=store), clock=clock)
    )
    manager.add_position("SPY", 2000, 400.0)
    manager.request_trade(OrderTicket("KO", "buy", 300.0, bot_name="RSI2", request_id="one"))
    manager.emergency_stop("to see it", actor="me")
    before = manager.state.version
    answer = risk("report", "--store", store, "--json")  # while it is open
    assert answer.exit_code == 0, answer.output
    active = [alert.message for alert in manager.alert_manager.active]
    assert active
    said = json.loads(answer.output, parse_constant=pytest.fail)
    assert said["views"]["metrics"]["state_version"] == before
    assert said["views"]["history"]["decisions"]["hours"][0]["approved"] == 1
    assert [row["symbol"] for row in said["views"]["heatmap"]["positions"]] == ["SPY"]
    assert [alert["message"] for alert in said["views"]["history"]["alerts"]["active"]] == active
    assert {"stop", "alert"} <= {mark["kind"] for mark in said["views"]["history"]["marks"]}
    assert "to see it" in said["views"]["metrics"]["holds"][0]["reason"]
    assert manager.state.version == before
    manager.close()


def test_without_a_book_it_says_how_to_give_one(risk):
    answer = risk("report")
    assert answer.exit_code == 2
    assert "risk report positions.csv" in answer.output
    assert risk("report", "--example", "--store", "x.db").exit_code == 2
    answer = risk("report", "--example", "-o", "no/such/folder/x.html")
    assert answer.exit_code == 2
    assert "can't be written" in answer.output
