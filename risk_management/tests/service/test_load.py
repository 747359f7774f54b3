"""Bounded under load: what is beyond capacity is refused, nothing is approved by it, memory does not grow.

Times depend on the machine: they are figures of the report, and nothing here asserts them.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.access import Access
from risk_management.service.server import CONNECTIONS
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.tokens import TokenStore
from risk_management.tests.service.test_server import Process

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")

FREE_RATES = """
[order_config]
max_orders_per_minute = 100000
max_orders_per_minute_total = 1000000
duplicate_window = 0.0
"""
SMALL = 50.0
LARGEST_GROWTH = 30.0
"""Megabytes."""


def resident(process: int | str = "self") -> float:
    """Megabytes of memory that a process holds now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def milliseconds(taken: list[float], share: float) -> str:
    return f"{1000.0 * float(np.quantile(taken, share)):.1f} ms" if taken else "none"


class Caller:
    """One connection to the service, opened again when it was closed."""

    def __init__(self, port: int, token: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict, float]:
        begun = time.perf_counter()
        try:
            self._line.request(
                method, f"/api/risk/{path}", None if body is None else json.dumps(body), self._headers
            )
            answer = self._line.getresponse()
            data = json.loads(answer.read())
        except (http.client.RemoteDisconnected, ConnectionResetError):
            self.close()  # it was idle while others waited for a place
            return self.call(method, path, body)
        return answer.status, data, time.perf_counter() - begun

    def close(self) -> None:
        self._line.close()


@pytest.fixture
def served(tmp_path):
    """`risk serve` in a process of its own, and callers of it."""
    settings = tmp_path / "risk.toml"
    settings.write_text(FREE_RATES)
    settings.chmod(0o600)
    store = tmp_path / "risk.db"
    with ExitStack() as ending:
        process = Process(store, "--config", str(settings))
        ending.callback(process.process.communicate, timeout=60)
        ending.callback(process.process.kill)
        tokens = TokenStore(str(store))
        ending.callback(tokens.close)
        _, secret = tokens.create("load", Access.OPERATE, actor="test")

        def caller() -> Caller:
            made = Caller(process.port, secret)
            ending.callback(made.close)
            return made

        first = caller()
        assert first.call("PUT", "bots/load", {"strategy_type": "s"})[0] == 200
        yield process.process.pid, caller, process.port


def order(name: str) -> dict:
    return {"bot_name": "load", "symbol": "KO", "action": "buy", "size": SMALL, "request_id": name}


def all_at_once(threads: int, work) -> None:
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@pytest.mark.parametrize(
    ("threads", "seconds"), [(80, 3.0), pytest.param(160, 600.0, marks=pytest.mark.soak)]
)
def test_ten_times_what_can_be_served(served, threads, seconds, record_property):
    """Every thread asks again at once: five times the places and more, for the whole time."""
    pid, caller, _ = served
    seen, lock = Counter(), threading.Lock()
    taken: dict[int, list[float]] = {200: [], 503: []}
    approved = set()
    callers = [caller() for _ in range(threads)]

    def storm(number: int, until: float, keep: bool) -> None:
        turn = 0
        while time.monotonic() < until:
            name = f"{number}-{until}-{turn}"
            status, said, spent = callers[number].call("POST", "trades", order(name))
            with lock:
                seen[status] += 1
                if keep and len(taken[status]) < 200_000:
                    taken[status].append(spent)
            if status == 200 and said["approved"]:
                if turn % 3 == 0 and callers[number].call("DELETE", f"trades/{name}")[0] == 200:
                    turn += 1
                    continue
                with lock:
                    approved.add(name)
            turn += 1

    warm = time.monotonic() + min(seconds / 3.0, 120.0)  # what is remembered has a bound, and is to reach it
    all_at_once(threads, lambda number: storm(number, warm, keep=False))
    before = resident(pid)
    until = time.monotonic() + seconds
    all_at_once(threads, lambda number: storm(number, until, keep=True))
    grown = resident(pid) - before
    assert set(seen) == {200, 503}
    after = caller()
    state = after.call("GET", "state")[1]
    held = {one["request_id"]: one["opening"] for one in state["reservations"]}
    assert approved
    assert approved <= set(held)  # what was approved counts, to the last one
    assert sum(held.values()) <= 0.15 * state["equity"] + 1e-6  # of one name
    for number in range(20):
        assert after.call("POST", "trades", order(f"after-{number}"))[0] == 200
    assert grown < LARGEST_GROWTH
    record_property(
        "figure",
        f"{threads} callers for {seconds:.0f} s: {seen[200]:,} judged (median "
        f"{milliseconds(taken[200], 0.5)}), "
        f"{seen[503]:,} refused with 503 (median {milliseconds(taken[503], 0.5)}, 99 % within "
        f"{milliseconds(taken[503], 0.99)}), 0 beyond the limit, memory {grown:+.1f} MB",
    )


@pytest.mark.parametrize("seconds", [2.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_three_hundred_requests_a_second(served, seconds, record_property):
    """150 approvals at a fixed pace by 8 callers; each is cancelled, so that the next one fits as well."""
    _, caller, _ = served
    rate, threads = 150.0, 8
    callers, taken, lock = [caller() for _ in range(threads)], [], threading.Lock()
    start = time.monotonic() + 0.2

    def pace(number: int) -> None:
        turn = number
        while turn < rate * seconds:
            due = start + turn / rate
            time.sleep(max(0.0, due - time.monotonic()))
            name = f"pace-{turn}"
            status, said, _ = callers[number].call("POST", "trades", order(name))
            spent = time.monotonic() - due  # with the time that it stood in line behind others
            assert (status, said["approved"]) == (200, True), said
            with lock:
                taken.append(spent)
            assert callers[number].call("DELETE", f"trades/{name}")[0] == 200
            turn += threads

    failed = []

    def work(number: int) -> None:
        try:
            pace(number)
        except AssertionError as problem:
            failed.append(problem)

    all_at_once(threads, work)
    assert not failed
    assert len(taken) == rate * seconds
    reached = len(taken) / (time.monotonic() - start)
    record_property(
        "figure",
        f"{len(taken):,} approvals due at {rate:.0f} a second and as many cancels, {reached:.0f} reached: "
        f"median {milliseconds(taken, 0.5)}, 99 % within {milliseconds(taken, 0.99)}",
    )


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.soak)])
def test_a_thousand_idle_sockets_and_slow_requests(served, rounds, record_property):
    """Twice the places are taken by sockets that say nothing or drip a request: orders are answered."""
    pid, caller, port = served
    slowest = 0.0
    before = resident(pid)
    for number in range(rounds):
        with ExitStack() as sockets:
            for place in range(2 * CONNECTIONS):
                one = sockets.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                if place % 2:
                    one.sendall(
                        b"POST /api/risk/trades HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n"
                    )
            status, _, spent = caller().call("POST", "trades", order(f"idle-{number}"))
            assert status == 200
            slowest = max(slowest, spent)
    assert resident(pid) - before < LARGEST_GROWTH
    record_property(
        "figure",
        f"{rounds} x {2 * CONNECTIONS} sockets, half of them dripping: a new caller waits at most "
        f"{slowest:.1f} s",
    )


@pytest.mark.parametrize(
    ("hours", "pause"),
    [
        (0.05, 2.0),
        pytest.param(6.0, 2.0, marks=pytest.mark.soak),
        pytest.param(24.0, 8.0, marks=pytest.mark.soak),  # every 2 s it would take more than an hour
    ],
)
def test_a_day_of_twenty_bots(foundation, tmp_path, hours, pause, record_property):
    """Each bot asks again after a simulated pause, in one process on a store; memory is read on the way."""
    rates = {"max_orders_per_minute": 1000, "max_orders_per_minute_total": 10_000, "duplicate_window": 0.0}
    config = foundation.config.update(order_config=rates)
    clock = ManualClock(foundation.clock.now())
    journal = SqlJournal(str(tmp_path / "day.db"))
    manager = AdvancedRiskManager.on(replace(foundation, config=config, clock=clock), journal=journal)
    chance, counts = random.Random(24), Counter()
    prices = {"SPY": 380.0, "AAPL": 126.0, "JPM": 132.0, "XOM": 108.0, "KO": 63.0, "AMD": 62.0}
    for bot in range(20):
        manager.register_bot(f"bot-{bot}", f"s-{bot % 5}")
    begun, sizes = time.monotonic(), []
    steps = int(hours * 3600 / pause)
    for step in range(steps):
        if step % int(30 / pause) == 0:
            for symbol in prices:
                prices[symbol] *= 1.0 + chance.gauss(0.0, 1e-5)
            manager.update_prices(prices)
        for bot in range(20):
            one_order(manager, chance, f"bot-{bot}", f"{step}-{bot}", prices, counts)
        if step % int(300 / pause) == 0:
            manager.assess_overall_risk()
        clock.advance(pause)
        if step % max(1, steps // 20) == 0:
            sizes.append(resident())
    seconds = time.monotonic() - begun
    grown = max(sizes) - sizes[len(sizes) // 10]
    manager.close()
    assert counts["asked"] == 20 * steps
    assert min(counts["approved"], counts["filled"]) > counts["asked"] // 100
    assert grown < LARGEST_GROWTH, sizes
    record_property(
        "figure",
        f"{hours:g} simulated hours, one request of 20 bots each {pause:g} s: "
        f"{counts['asked']:,} ({counts['approved']:,} approved, "
        f"{counts['filled']:,} filled) in {seconds:,.0f} s: memory {grown:+.1f} MB after the first tenth",
    )


def one_order(manager, chance, bot, name, prices, counts) -> None:
    held = [p for p in manager.state.positions.values() if p.key.bot == bot]
    if held and chance.random() < 0.6:
        symbol, action, size = held[0].symbol, "sell", 1e6
    else:
        symbol, action, size = chance.choice(list(prices)), "buy", chance.uniform(5.0, 120.0)
    ticket = OrderTicket(symbol, action, size, "", bot, request_id=name, reduce_only=action == "sell")
    decision = manager.request_trade(ticket)
    counts["asked"] += 1
    if not decision.approved:
        return
    counts["approved"] += 1
    if chance.random() < 0.2:
        manager.desk.cancel(name)
        return
    manager.execute_trade(FillReport(name, decision.recommended_size, prices[symbol], final=True))
    counts["filled"] += 1
