"""Make the pictures of docs/figures.md and docs/report.md, drawn by a headless Chromium.

python tools/build_figures.py                  write them; a demo of 2020 is run first, a minute or two
python tools/build_figures.py --store FILE     take the store of a finished `risk demo --serve --period 2020`

They need `playwright` (in the test extra) and the Debian package `chromium`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import Browser, sync_playwright

from risk_management import plots
from risk_management.cli._stored import stored_manager
from risk_management.clock import ManualClock
from risk_management.core.foundation import lay_foundation
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.demo.market import STOCKS, Market
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.report import as_html, gathered
from risk_management.store.reader import StoreReader

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTH = 720
LARGEST = 150_000
"""Bytes of a picture."""
BOOK = (
    ("SPY", 2400.0, "core", 120.0),
    ("AAPL", 1300.0, "momentum", 110.0),
    ("MSFT", 1200.0, "momentum", None),
    ("JPM", -900.0, "pairs", None),
    ("BAC", 900.0, "pairs", None),
    ("KO", 800.0, "value", 40.0),
    ("JNJ", 800.0, "value", None),
    ("XOM", 700.0, "value", 60.0),
)
"""Symbol, money, strategy and money lost at the stop."""
HELD_DAYS = 10
HISTORY = ("equity", "drawdown", "decisions", "bots")
"""Drawn from the store of the demo."""


def sample_book() -> AdvancedRiskManager:
    """Bought ten days before the sample ends, at its closes, and marked at its last ones."""
    market, foundation = Market.sample(), lay_foundation()
    manager = AdvancedRiskManager.on(replace(foundation, clock=ManualClock(foundation.clock.now())))
    first = dict(zip(STOCKS, market.closes[-1 - HELD_DAYS].tolist(), strict=True))
    last = dict(zip(STOCKS, market.closes[-1].tolist(), strict=True))
    for symbol, size, strategy, risk in BOOK:
        # the index fund has returns of its index, and no price of its own
        manager.add_position(symbol, size, first.get(symbol, 100.0), strategy, risk)
    marks = {symbol: last[symbol] for symbol, *_ in BOOK if symbol in last}
    manager.update_prices(marks, source="sample", daily=True)
    manager.assess_overall_risk()
    return manager


@contextmanager
def demo_store(given: Path | None) -> Iterator[Path]:
    """The store of a finished demo; run here where none is given."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="risk-demo-") as folder:
        words = ["demo", "--serve", "--period", "2020", "--speed", "1000", "--port", "0", "--store", folder]
        command = [str(Path(sys.executable).with_name("risk")), *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            for line in running.stdout:
                print(line.rstrip())
                if line.startswith("The replay is over"):
                    running.terminate()
        yield Path(folder) / "risk.db"


def shoot_figure(browser: Browser, made: go.Figure, file: Path, folder: Path) -> None:
    page_file = folder / "figure.html"
    made.write_html(page_file, include_plotlyjs=True, config=plots.CONFIG)
    height = int(made.layout.height)
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(page_file.as_uri())
    page.add_style_tag(content="body { margin: 0 }")
    page.wait_for_selector("svg.main-svg")
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    page.wait_for_timeout(400)
    page.screenshot(path=file, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    page.close()


def shoot_report(browser: Browser, text: str, file: Path, folder: Path) -> None:
    page_file = folder / "report.html"
    page_file.write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 1000, "height": 900}, color_scheme="light")
    page.goto(page_file.as_uri())
    page.wait_for_selector("html[data-drawn]", state="attached")
    page.screenshot(path=file)
    page.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--store", type=Path)
    given = parser.parse_args().store
    manager = sample_book()
    book = RiskDashboardAPI(manager)
    with (
        demo_store(given) as store,
        StoreReader.of_store(str(store)) as reader,
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as driver,
    ):
        past = RiskDashboardAPI(stored_manager(reader), reader=reader)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name in plots.names():
            made = plots.figure(name, past if name in HISTORY else book, theme="light")
            shoot_figure(browser, made, IMAGES / f"figure-{name.replace('_', '-')}.png", Path(folder))
        text = as_html(gathered(book, "the sample book", manager.clock.now()))
        shoot_report(browser, text, IMAGES / "report.png", Path(folder))
        browser.close()
    large = [
        file.name
        for file in (*IMAGES.glob("figure-*.png"), IMAGES / "report.png")
        if file.stat().st_size > LARGEST
    ]
    if large:
        print(f"larger than {LARGEST:,} bytes: {', '.join(large)}")
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main())
