"""The served demo in a process of its own: killed and started again it goes on, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import random
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.demo.market import PERIODS, STOCKS
from risk_management.demo.replay_clock import ReplayClock
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey
from risk_management.store.reader import StoreReader
from risk_management.store.sql_journal import SqlJournal

RISK = str(Path(sys.executable).with_name("risk"))
LOST = (OSError, http.client.HTTPException)
SLOWEST = 0.001
"""Days a second at which a replay takes up its day and does nothing more while a test looks."""


class Demo:
    """`risk demo --serve` on a folder, and a visitor that trades beside its bots."""

    def __init__(self, folder: Path, speed: float) -> None:
        command = [RISK, "demo", "--serve", "--port", "0", "--speed", str(speed), "--store", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""
        while "equity" not in self.said and (line := self.process.stdout.readline()):
            self.said += line
        assert "equity" in self.said, self.said
        self.port = int(self.said.partition("http://127.0.0.1:")[2].partition("/")[0])
        self.token = (folder / "operator.header").read_text().split()[-1]
        self.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.line.request(method, f"/api/risk/{path}", None if body is None else json.dumps(body), headers)
        answer = self.line.getresponse()
        return answer.status, answer.read()

    def state(self) -> dict:
        return json.loads(self.call("GET", "state")[1])

    def end(self, how: int) -> str:
        self.process.send_signal(how)
        said, _ = self.process.communicate(timeout=60)
        self.line.close()
        return self.said + said


class Visitor:
    """Trades over HTTP until its server is gone; what was answered is remembered."""

    def __init__(self, prices: dict[str, float]) -> None:
        self.prices = prices
        self.asked: dict[str, tuple[dict, bytes]] = {}
        self.filled: dict[str, tuple[str, dict]] = {}

    def trade(self, demo: Demo, seed: int, enough: threading.Event, least: int) -> None:
        chance, until = random.Random(seed), len(self.asked) + least
        try:
            demo.call("PUT", "bots/visitor", {"strategy_type": "visit", "max_position_size": 1500})
            for turn in range(100_000):
                words = {
                    "bot_name": "visitor",
                    "symbol": chance.choice(list(self.prices)),
                    "action": chance.choice(("buy", "buy", "sell")),
                    "size": round(chance.uniform(20.0, 200.0), 2),
                    "request_id": f"visit-{seed}-{turn}",
                }
                status, body = demo.call("POST", "trades", words)
                if status == 200:
                    self.asked[words["request_id"]] = (words, body)
                    if json.loads(body)["approved"]:
                        self._report(demo, words, json.loads(body)["recommended_size"], chance)
                if len(self.asked) >= until:
                    enough.set()
        except LOST:
            return

    def _report(self, demo: Demo, words: dict, size: float, chance: random.Random) -> None:
        name = words["request_id"]
        path = f"trades/{name}/executions"
        fill = {"executed_size": size, "executed_price": self.prices[words["symbol"]], "execution_id": name}
        if chance.random() < 0.3:
            demo.call("DELETE", f"trades/{name}")
        elif demo.call("POST", path, fill)[0] == 200:
            self.filled[name] = (path, fill)


@pytest.fixture
def demo(tmp_path):
    with ExitStack() as ending:

        def start(speed: float) -> Demo:
            made = Demo(tmp_path, speed)
            ending.callback(made.process.communicate, timeout=60)
            ending.callback(made.process.kill)
            return made

        yield start


def on_disk(folder: Path):
    """The state that the store holds, and whether its last day got as far as its assessment."""
    journal = SqlJournal(str(folder / "risk.db"))
    state = journal.recover().state
    last = {kind: journal.reader.newest(1, kind=kind)[0].seq for kind in ("QuotesReceived", "Marked")}
    journal.close()
    return state, last["Marked"] > last["QuotesReceived"]


def of_the_visitor(positions: dict) -> dict:
    return {key: units for key, units in positions.items() if key[3] == "visitor"}


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.soak)])
def test_killed_again_and_again_it_goes_on(demo, market, tmp_path, rounds, record_property):
    """Each round two kills: one among orders, one of the process that the answers were compared in; the very
    last of these is ended by Ctrl-C instead.
    """
    closes = market.closes[market.rows(PERIODS[1])[0]]
    visitor = Visitor({symbol: float(closes[STOCKS.index(symbol)]) for symbol in ("KO", "PG", "WMT")})
    compared, days = 0, []
    for number in range(rounds):
        running, enough = demo(8.0), threading.Event()
        trading = threading.Thread(target=visitor.trade, args=(running, number, enough, 60))
        trading.start()
        assert enough.wait(120)
        running.process.kill()
        trading.join(60)
        running.end(signal.SIGKILL)
        verified = CliRunner().invoke(app, ["audit", "verify", "--store", str(tmp_path / "risk.db")])
        assert verified.exit_code == 0 or "stand behind the signed end: a kill" in verified.output
        before, is_day_done = on_disk(tmp_path)
        again = demo(SLOWEST)
        with StoreReader.of_store(str(tmp_path / "risk.db")) as reader:
            assert reader.tail().seq > before.version
        after = again.state()
        assert after["as_of"][:10] == before.as_of.isoformat()[:10]
        held = {tuple(key): p.quantity / SCALE for key, p in before.positions.items()}
        found = {tuple(p[k] for k in PositionKey._fields): p["quantity"] for p in after["positions"]}
        assert of_the_visitor(found) == of_the_visitor(held)
        if is_day_done:  # else the start has filled what waited for its close
            assert found == held
            assert after["equity"] == pytest.approx(before.equity, abs=1e-6)
            compared += 1
        for words, body in visitor.asked.values():
            assert again.call("POST", "trades", words) == (200, body)
        for path, fill in visitor.filled.values():
            status, said = again.call("POST", path, fill)
            assert (status, json.loads(said)["duplicate"]) == (200, True)
        days.append(after["as_of"])
        assert "goes on at" in again.said
        said = again.end(signal.SIGKILL if number < rounds - 1 else signal.SIGINT)
    assert days == sorted(days)
    assert again.process.returncode == 0
    assert "Traceback" not in said
    assert "the state is kept" in said
    verified = CliRunner().invoke(
        app, ["audit", "verify", "--decisions", "--store", str(tmp_path / "risk.db")]
    )
    assert verified.exit_code == 0, verified.output
    record_property(
        "figure",
        f"{2 * rounds - 1} kills, {len(visitor.asked)} answers and {len(visitor.filled)} fills, 0 lost; "
        f"{compared} whole books compared, to {days[-1][:10]}",
    )


def test_another_period_does_not_go_on_with_a_store(demo, tmp_path):
    demo(SLOWEST).end(signal.SIGTERM)
    asked = ["demo", "--serve", "--period", "2008", "--port", "0", "--store", str(tmp_path)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert "name another --store or --period" in done.stderr
    assert PERIODS[1].start in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--serve", "--quick"],
        ["--serve", "--json"],
        ["--speed", "2"],
        ["--port", "0"],
        ["--serve", "--speed", "0"],
    ],
)
def test_words_that_do_not_go_together(words):
    assert CliRunner().invoke(app, ["demo", *words]).exit_code == 2


def test_the_clock_of_a_replay_skips_and_never_goes_back():
    start = datetime(2020, 3, 2, 21, tzinfo=UTC)
    clock = ReplayClock(start)
    first = clock.monotonic()
    assert start <= clock.now() < start + timedelta(minutes=1)
    clock.move_to(start + timedelta(days=1))
    assert clock.now() >= start + timedelta(days=1)
    assert 86_300 < clock.monotonic() - first < 86_500
    clock.move_to(start)
    assert clock.now() >= start + timedelta(days=1)
