"""A process that works on a store until it is killed, and writes down what was answered.

It is forked from a server that has everything imported, so that a kill costs milliseconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store import lease, sql_journal
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.failpoints import FAILPOINTS
from risk_management.tests.store.workload import Act, Bot, run
from risk_management.tests.store.world import small_foundation

SHORT = (1.5, 0.25)
"""Seconds of a lease in tests, and between renewals."""


@cache
def forks() -> Any:
    """The server that workers are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.preloaded"])
    return context


def started(store: Path | str, acts: Path, seed: int, **options: Any) -> Any:
    """A worker that runs already."""
    process = forks().Process(target=work, args=(str(store), str(acts), seed), kwargs=options)
    process.start()
    return process


def work(
    store: str,
    acts: str,
    seed: int,
    *,
    bots: int = 3,
    number: int = 10**9,
    failpoint: str | None = None,
    when: int = 1,
    wait_for: str | None = None,
    snapshot_every: int = 40,
    home: str | None = None,
) -> None:
    """Take up the store and act, each bot in a thread of its own; every answered act is one line."""
    os.setsid()
    while wait_for is not None and not Path(wait_for).exists():  # until a tracer hangs on
        time.sleep(0.001)
    sql_journal.SNAPSHOT_EVERY = snapshot_every
    if home is not None:  # of a database's worker: its files, and a lease that tests needn't wait for
        os.environ["XDG_DATA_HOME"] = home
        lease.SECONDS, lease.RENEWED_EVERY = SHORT
    if failpoint is not None:
        FAILPOINTS[failpoint](when)
    told = _writer(acts)
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(store))
    if bots == 1:  # a tracer counts the calls of each thread
        run(Bot(manager, "b0", seed), told, number)
        manager.close()
        return
    threads = [Thread(target=run, args=(Bot(manager, f"b{n}", seed), told, number)) for n in range(bots)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    manager.close()


def _writer(path: str) -> Callable[[Act], None]:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    lock = Lock()

    def tell(act: Act) -> None:
        with lock:  # what was written is with the kernel: a kill of the process can't take it back
            os.write(number, json.dumps(act).encode() + b"\n")

    return tell


def told(path: Path) -> list[Act]:
    """All acts that were answered."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [Act(*json.loads(line)) for line in lines]
