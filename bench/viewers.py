"""Who looks at the page: what fifty viewers cost the server, and how fast a browser shows what happened.

python -m bench.viewers              prints the tables of docs/dashboard.md
python -m bench.viewers --no-browser leaves out what takes Chromium and playwright
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from bench.http import Serving, serving

SECONDS: Final = 20
"""Of a measurement; the price of what is held changes once in each."""
POLL: Final = 2.0
"""Seconds after which a page without a stream asks again."""
UNITS, PRICE, STEP, OTHER = 40.0, 150.0, 0.05, 60.0
PATIENCE: Final = 30_000
VIEWS: Final = ("overview", "heatmap", "var", "stress", "correlation", "bots")


class Desk:
    """The one who changes the book: a tick a second, each with an equity of its own."""

    def __init__(self, served: Serving) -> None:
        self.served = served
        self._ticks = 0
        self.sent: dict[int, float] = {}
        self.tick()
        self._buy("AAPL", UNITS * (PRICE + STEP), PRICE + STEP)
        self._buy("KO", 1000.0, OTHER)
        self._first = self._call("GET", "state")["equity"]

    def _buy(self, symbol: str, size: float, price: float) -> None:
        order = {"symbol": symbol, "action": "buy", "size": size, "bot_name": "bench", "request_id": symbol}
        bought = self._call("POST", "trades", order)
        fill = {"executed_size": bought["recommended_size"], "executed_price": price, "final": True}
        self._call("POST", f"trades/{symbol}/executions", fill)

    def tick(self) -> int:
        """Move the price; the number of the tick."""
        self._ticks += 1
        self.sent[self._ticks] = time.monotonic()
        self._call("POST", "prices", {"prices": {"AAPL": PRICE + STEP * self._ticks, "KO": OTHER}})
        return self._ticks

    def tick_of(self, equity: float) -> int:
        """Which tick an equity comes from."""
        return 1 + round((equity - self._first) / (UNITS * STEP))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self.served.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.served.token}", "Content-Type": "application/json"}
        connection.request(method, f"/api/risk/{path}", json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {text!r:.300}")
        return json.loads(text)


class Viewer(Thread):
    """One open page: a stream, or where there are enough of them a question every two seconds."""

    def __init__(self, desk: Desk, done: Event, late: float) -> None:
        super().__init__(daemon=True)
        self.desk, self.done, self.late = desk, done, late
        self.streams = False
        self.heard: dict[int, float] = {}

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.desk.served.port, timeout=20)
        headers = {"Authorization": f"Bearer {self.desk.served.token}"}
        connection.request("GET", "/api/risk/stream", headers=headers)
        answer = connection.getresponse()
        self.streams = answer.status == 200
        if self.streams:
            self._listen(answer)
            return
        answer.read()
        self.done.wait(self.late)
        while not self.done.wait(POLL):
            connection.request("GET", "/api/risk/pulse", headers=headers)
            asked = connection.getresponse()
            text = asked.read()
            headers["If-None-Match"] = asked.headers.get("ETag", "")
            if asked.status == 200:
                self._note(json.loads(text))

    def _listen(self, answer: HTTPResponse) -> None:
        while not self.done.is_set():
            line = answer.readline()
            if line.startswith(b"data: {") and len(line) > 20:
                self._note(json.loads(line[6:]))

    def _note(self, pulse: dict[str, Any]) -> None:
        self.heard.setdefault(self.desk.tick_of(pulse["status"]["equity"]), time.monotonic())


def watched(desk: Desk, viewers: int) -> tuple[float, list[Viewer]]:
    """Share of one core that the server takes with so many viewers, and the viewers with what they heard."""
    done = Event()
    pages = [Viewer(desk, done, POLL * number / viewers) for number in range(viewers)]
    for page in pages:
        page.start()
    time.sleep(POLL)
    before, began = _cpu(desk.served.pid), time.monotonic()
    for second in range(SECONDS):
        time.sleep(max(0.0, began + second - time.monotonic()))
        desk.tick()
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    share = (_cpu(desk.served.pid) - before) / (time.monotonic() - began)
    done.set()
    return share, pages


def _cpu(pid: int) -> float:
    """Seconds that a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def delays(desk: Desk, pages: list[Viewer]) -> list[float]:
    """Seconds from a tick's sending to each page that heard it."""
    return sorted(at - desk.sent[tick] for page in pages for tick, at in page.heard.items() if tick > 1)


def server_rows(desk: Desk) -> Iterator[str]:
    yield "| viewers | server, of one core | more per viewer | push, median | push, 99 % | asked, median |"
    yield "|---:|---:|---:|---:|---:|---:|"
    idle = 0.0
    for count in (0, 1, 16, 50):
        share, pages = watched(desk, count)
        idle = share if not count else idle
        told = delays(desk, [page for page in pages if page.streams])
        asked = delays(desk, [page for page in pages if not page.streams])
        more = f"{1e3 * (share - idle) / count:.1f} ms a second" if count else "-"
        worst = _seconds(told[int(0.99 * (len(told) - 1))] if told else None)
        row = (count, f"{share:.1%}", more, _seconds(_median(told)), worst, _seconds(_median(asked)))
        yield f"| {' | '.join(map(str, row))} |"


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def browser_rows(desk: Desk) -> Iterator[str]:
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        home = f"http://127.0.0.1:{desk.served.port}/api/risk/dashboard"
        page = context.new_page()
        page.goto(home)
        if page.evaluate(SIGN_IN, desk.served.token) != 200:
            raise RuntimeError("the page was not signed in")
        yield "| view | first visit, first chart | warm reload, first chart | all charts |"
        yield "|---|---:|---:|---:|"
        for view in VIEWS:
            cold = _charts(page, f"{home}?{view}#/{view}")
            warm = sorted(_charts(page, None) for _ in range(5))[2]
            row = (view, *(f"{1e-3 * one:.2f} s" for one in (cold[0], warm[0], warm[1])))
            yield f"| {' | '.join(row)} |"
        yield ""
        tabs = [context.new_page() for _ in range(10)]
        for tab in tabs:
            tab.goto(f"{home}#/overview")
            tab.locator("[data-drawn=equity], [data-drawn=decisions]").first.wait_for(timeout=PATIENCE)
            tab.evaluate(SEES)
        took: list[float] = []
        for _ in range(10):
            sent = time.time() * 1e3
            desk.tick()
            time.sleep(1.5)
            took += [
                seen - sent for tab in tabs for seen in tab.evaluate("window.seen.splice(0).slice(0, 1)")
            ]
        took.sort()
        yield (
            f"Ten tabs of one browser, one stream: equity shown in {len(took)} of 100 tabs and ticks, "
            f"{1e-3 * statistics.median(took):.2f} s after the tick "
            f"(median), {1e-3 * took[-1]:.2f} s at most."
        )
        browser.close()


SIGN_IN: Final = """token => fetch('session', {method: 'POST', body: '{}',
  headers: {Authorization: `Bearer ${token}`, 'Content-Type': 'application/json'}}).then(one => one.status)"""
SEES: Final = """() => { window.seen = []; let last = '';
  new MutationObserver(() => { const text = document.querySelector('.vital dd').textContent;
    if (text !== last) { last = text; window.seen.push(Date.now()); } })
  .observe(document.querySelector('.vitals'), {subtree: true, characterData: true, childList: true}); }"""
"""Notes when the equity that is shown changes."""
DRAWN: Final = """() => [...document.querySelectorAll('.plot')].filter(one => one.dataset.drawnAt)
  .map(one => Number(one.dataset.drawnAt))"""


def _charts(page: Any, address: str | None) -> tuple[float, float]:
    """Milliseconds from the start of a load to the first and the last chart that is drawn."""
    if address is None:
        page.reload()
    else:
        page.goto(address)
    deadline = time.monotonic() + PATIENCE / 1e3
    while time.monotonic() < deadline:
        drawn = page.evaluate(DRAWN)
        if drawn and len(drawn) == page.locator(".plot").count():
            return min(drawn), max(drawn)
        page.wait_for_timeout(50)
    raise RuntimeError(f"no chart was drawn on {page.url}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.viewers", description=__doc__)
    parser.add_argument("--no-browser", action="store_true")
    wanted = parser.parse_args()
    with serving() as served:
        desk = Desk(served)
        for row in server_rows(desk):
            print(row, flush=True)
        if not wanted.no_browser:
            print()
            for row in browser_rows(desk):
                print(row, flush=True)


if __name__ == "__main__":
    main()
