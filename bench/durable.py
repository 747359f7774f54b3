"""Decisions that are on disk when they are answered, beside the disk alone."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Thread

from bench.books import Desk, foundation
from bench.timing import Row
from risk_management.core.commit import GroupCommit, Unit
from risk_management.core.order_desk import OrderTicket
from risk_management.store.sql_journal import SqlJournal

CALLERS = (1, 8, 32)
DECISIONS = 2_000
ROUNDS = 3
BODY = "x" * 3_000
NAMES = 50


class BareJournal:
    """One row a decision into one table, through the same group commit: what the disk alone would give."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE journal (seq INTEGER PRIMARY KEY, body TEXT)")
        self._seq = itertools.count()

    def write(self, events, _after) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        rows = [(next(self._seq), event) for event in events]
        self._connection.executemany("INSERT INTO journal VALUES (?, ?)", rows)
        self._connection.execute("COMMIT")


def durable_rows() -> Iterator[Row]:
    """Durable decisions with several callers in process, beside bare durable writes with as many."""
    with tempfile.TemporaryDirectory() as folder:
        ask = _asking(Path(folder))
        write = _writing(Path(folder))
        for callers in CALLERS:
            ours, theirs = [], []
            for _ in range(ROUNDS):
                ours.append(_per_call(ask, callers))
                theirs.append(_per_call(write, callers))
            many = callers == max(CALLERS)
            yield Row(
                f"durable decision, {callers} caller{'s' * (callers > 1)}",
                sorted(ours)[ROUNDS // 2],
                float("nan"),
                sorted(theirs)[ROUNDS // 2],
                "a bare row through the same group commit",
                budget=2.0 if many else None,
                note=f"{1e6 / min(ours):,.0f} decisions a second at best"
                + (", wanted 10,000" if many else ""),
            )


def _asking(folder: Path) -> Callable[[str], None]:
    """Ask for an order that is approved in full, and free the caller's last one in the same unit."""
    desk = Desk(foundation(NAMES), journal=SqlJournal(str(folder / "book.db")))
    last: dict[str, str] = {}

    def ask(name: str) -> None:
        caller, turn = name.split("/")
        with desk.book.lock:
            desk.clock.advance(0.01)
            if caller in last:
                desk.desk.cancel(last[caller])
            size = 100.0 + int(turn) % 97
            ticket = OrderTicket(desk.symbols[3], "buy", size, "s3", caller, request_id=name)
            if not desk.desk.request(ticket).approved:
                raise RuntimeError("the order of the bench must be approved")
            last[caller] = name

    return ask


def _writing(folder: Path) -> Callable[[str], None]:
    commit = GroupCommit(BareJournal(folder / "bare.db"), lambda _: None, lambda *_: None)

    def write(_name: str) -> None:
        unit = Unit((BODY,), None)
        commit.add(unit)
        commit.wait(unit)

    return write


def _per_call(work: Callable[[str], None], callers: int) -> float:
    """Microseconds of wall time a call, with several callers at once."""
    barrier, each, stamp = Barrier(callers + 1), DECISIONS // callers, time.perf_counter_ns()

    def caller(number: int) -> None:
        barrier.wait()
        for turn in range(each):
            work(f"caller{number}/{stamp + turn}")

    threads = [Thread(target=caller, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    barrier.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    return 1e6 * (time.perf_counter() - begun) / (each * callers)
