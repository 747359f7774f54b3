"""Killed anywhere: what was acknowledged is there, all else is wholly there or wholly absent."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from risk_management.tests.store.checks import problems
from risk_management.tests.store.failpoints import FAILPOINTS
from risk_management.tests.store.worker import started, told

NEEDS_STRACE = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace is not installed: apt-get install strace"
)
PATIENCE = 60.0


def soaked(*small, large):
    """The sizes of every day, and those of a release in parts that can be resumed."""
    return [*small, *(pytest.param(*sizes, marks=pytest.mark.soak) for sizes in large)]


def ended(process) -> int:
    process.join(PATIENCE)
    assert process.exitcode is not None, "the worker hangs"
    return process.exitcode


def wait_until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.001)


def killed(folder: Path, seed: int, kills: int, store_of, **options) -> str:
    """Worker after worker, killed at random, ten lives a store: nothing is lost. Says how much there was."""
    chance, acknowledged = random.Random(seed), 0
    for kill in range(kills):
        if kill % 10 == 0:
            place = folder / str(kill // 10)
            place.mkdir()
            store, acts = store_of(place), place / "acts"
        before = len(told(acts))
        process = started(store, acts, seed=1000 * seed + kill, **options)
        wait_until(lambda: len(told(acts)) > before or not process.is_alive())  # noqa: B023
        time.sleep(chance.uniform(0.0, 0.08))
        os.kill(process.pid, signal.SIGKILL)
        assert ended(process) == -signal.SIGKILL
        known = told(acts)
        acknowledged += len(known) - before
        assert problems(store, known) == []
    assert acknowledged >= kills
    return f"{kills} kills, {acknowledged} acknowledged acts, 0 lost"


@pytest.mark.parametrize(("seed", "kills"), soaked((0, 30), large=[(n, 100) for n in range(1, 11)]))
def test_nothing_is_lost_by_kill_9(tmp_path, seed, kills, record_property):
    record_property("figure", killed(tmp_path, seed, kills, lambda place: place / "store.db"))


def traced(store: Path, acts: Path, inject: str, go: Path, **options) -> int:
    """A worker with a tracer on it that injects something; how it ended."""
    process = started(store, acts, wait_for=str(go), bots=1, **options)
    calls = inject.partition(":")[0]
    tracer = subprocess.Popen(
        # what it traces goes nowhere: a pipe that nobody reads would hold it and the worker up
        [
            "strace",
            "-f",
            "-p",
            str(process.pid),
            "-o",
            os.devnull,
            "-e",
            f"trace={calls}",
            "-e",
            f"inject={inject}",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    line = tracer.stderr.readline()
    assert "attached" in line, line
    go.touch()
    code = ended(process)
    tracer.communicate(timeout=PATIENCE)
    return code


@NEEDS_STRACE
@pytest.mark.parametrize(
    ("first", "last"), soaked((1, 100), large=[(n, n + 99) for n in range(101, 1001, 100)])
)
def test_nothing_is_lost_by_a_kill_at_any_system_call(tmp_path, first, last, record_property):
    """From the making of the store on: the first calls are those of its migrations."""
    done = 0
    for k in range(first, last + 1):
        folder = tmp_path / str(k)
        folder.mkdir()
        store, acts = folder / "store.db", folder / "acts"
        inject = f"pwrite64,fdatasync:signal=KILL:when={k}"
        code = traced(store, acts, inject, folder / "go", seed=k, number=last // 4 + 10)
        assert code == -signal.SIGKILL
        assert problems(store, told(acts)) == [], f"call {k}"
        done += 1
        shutil.rmtree(folder)
    record_property("figure", f"{done} system calls, 0 lost")


ONCE_A_LIFE = {
    "before a model is stored",
    "while a store is opened",
    "while the store is closed",
}


@pytest.mark.parametrize("name", [name for name in FAILPOINTS if not name.startswith("mutant")])
def test_nothing_is_lost_at_a_named_place(tmp_path, name):
    store, acts = tmp_path / "store.db", tmp_path / "acts"
    options = {"snapshot_every": 8, "number": 15, "bots": 2}
    if name != "before a model is stored":  # that is in a store's first life alone
        assert ended(started(store, acts, seed=1, **options)) == 0
    when = 1 if name in ONCE_A_LIFE else 2
    killed = started(store, acts, seed=2, failpoint=name, when=when, **options)
    assert ended(killed) == -signal.SIGKILL
    before = told(acts)
    assert problems(store, before) == []
    assert ended(started(store, acts, seed=3, **options)) == 0
    assert problems(store, told(acts)) == []
    assert len(told(acts)) > len(before)


def test_the_kill_loop_would_see_an_answer_that_comes_too_early(tmp_path):
    """With the wait for the disk taken out, the same look at the same store finds what is lost."""
    store, acts = tmp_path / "store.db", tmp_path / "acts"
    killed = started(store, acts, seed=1, failpoint="mutant: answers at once", when=30, bots=1)
    assert ended(killed) == -signal.SIGKILL
    assert any("is lost" in text for text in problems(store, told(acts)))
