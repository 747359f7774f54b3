"""A real Chromium before a real server: what a person sees, with every mistake of the page a failure."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from risk_management.core.order_desk import OrderTicket
from risk_management.tests.service.conftest import BOT, Service

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).with_name("axe.min.js")
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 20_000
"""Milliseconds until what should be there counts as missing, on a busy machine too."""


@pytest.fixture(scope="package")
def chromium():
    """One browser for all tests; each page has a profile of its own."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="install the extra 'test'")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def stocked(service: Service) -> Service:
    """A book with something of everything: holdings, a stop, a bot that asked, one that is off, an alert."""
    manager = service.manager
    manager.register_bot("sleeper", "trend")
    manager.add_position("AAPL", 900, 150.0, "value", bot_name=BOT)
    manager.add_position("MSFT", 700, 250.0, "value", risk_amount=60, bot_name=BOT)
    manager.add_position("KO", 800, 60.0, "mean_reversion")
    manager.update_prices({"AAPL": 156.0, "KO": 58.0, "MSFT": 250.0})
    manager.request_trade(OrderTicket("XOM", "buy", 300.0, bot_name=BOT, request_id="first"))
    manager.request_trade(OrderTicket("AAPL", "buy", 5000.0, bot_name=BOT, request_id="too-much"))
    manager.set_bot_enabled("sleeper", enabled=False, reason="on holiday")
    manager.assess_overall_risk()
    return service


@pytest.fixture(scope="module")
def served(foundation, tmp_path_factory):
    """A stocked service for the tests of a module."""
    made = stocked(Service(foundation, tmp_path_factory.mktemp("page") / "risk.db", streams=16))
    yield made
    made.close()


@pytest.fixture
def own(foundation, tmp_path):
    """Makes services of a test's own."""
    made: list[Service] = []

    def make(**changes) -> Service:
        made.append(Service(foundation, tmp_path / f"risk{len(made)}.db", streams=16, **changes))
        return made[-1]

    yield make
    for one in made:
        one.close()


def shown_money(amount: float) -> str:
    """A size as the page writes it."""
    if amount < 0.005:
        return "nothing"
    return f"{amount:,.2f}" if amount < 1000 else f"{amount:,.0f}"


class Visitor:
    """A browser with a profile of its own, before one address; what goes wrong in it is kept."""

    def __init__(self, chromium, address: str, **look) -> None:
        look = {"viewport": WIDE, "color_scheme": "dark", "reduced_motion": "reduce", **look}
        self.address, self.wrong = address, []
        self.context = chromium.new_context(**look)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.open()

    def open(self):
        page = self.context.new_page()
        host = urlsplit(self.address).netloc
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("request", lambda asked: self._asked(asked.url, host))
        return page

    def _heard(self, message) -> None:
        # what the server refuses is told as an error too, and is what many tests ask for
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrong.append(f"console: {message.text}")

    def _asked(self, url: str, host: str) -> None:
        if not url.startswith(("data:", "blob:")) and urlsplit(url).netloc != host:
            self.wrong.append(f"a foreign host is asked: {url}")

    def enter(self, service: Service) -> Visitor:
        """Come in by the printed link, which lands on the page."""
        self.page.goto(f"{self.address}/login?code={service.sessions.code()}")
        self.page.get_by_role("heading", name="What is wrong").wait_for()
        self.page.get_by_role("button", name="Signed in as").wait_for()
        return self

    def go(self, view: str):
        self.page.goto(f"{self.address}/api/risk/dashboard#/{view}")
        return self.page

    def fill(self, **fields) -> None:
        for label, text in fields.items():
            self.page.locator(f"dialog input[name={label}]").fill(text)

    def axe(self) -> list[str]:
        """Serious and critical findings of axe-core on what is shown."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        found = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.filter(v => "
            "['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.nodes.slice(0, 3)"
            ".map(n => n.html.slice(0, 160) + ' ' + n.failureSummary.slice(0, 200)).join(' | ')))"
        )
        return list(found)

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def visit(chromium):
    """Makes visitors; at the end none may have met a mistake of the page."""
    made: list[Visitor] = []

    def come(service_or_address, **look) -> Visitor:
        address = (
            service_or_address
            if isinstance(service_or_address, str)
            else f"http://127.0.0.1:{service_or_address.port}"
        )
        made.append(Visitor(chromium, address, **look))
        return made[-1]

    yield come
    for one in made:
        one.close()
    assert [text for one in made for text in one.wrong] == []
