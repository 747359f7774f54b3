"""A full disk and one whose sync fails: refused, nothing acknowledged lost, and the latch is written."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess

import pytest

from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreError, StoreUnavailable
from risk_management.model.portfolio import TradingMode
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.checks import problems
from risk_management.tests.store.test_kills import NEEDS_STRACE, traced
from risk_management.tests.store.worker import told
from risk_management.tests.store.workload import Act, Bot, run
from risk_management.tests.store.world import small_foundation

NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="only root mounts a small disk"
)


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=False)
    if made.returncode:
        pytest.skip("a small disk can't be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@NEEDS_ROOT
def test_a_full_disk_refuses_and_loses_nothing(small_disk, caplog):
    caplog.set_level(logging.CRITICAL)
    store, acts = small_disk / "s.db", []
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    run(Bot(manager, "a", 1), acts.append, 40)
    before = len(acts)
    manager.release_emergency("a person", "begin anew")
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 8192))

    with pytest.raises(StoreUnavailable, match="full"):
        write_until_it_fails(manager, acts)
    assert manager.state.mode is TradingMode.REDUCING
    assert "full" in manager.book.outage
    opening = manager.request_trade(OrderTicket("AAA", "buy", 500.0, "s", "a"))
    assert not opening.approved
    assert not opening.durable
    assert not manager.emergency_stop("the disk is full", actor="anna")
    assert manager.state.mode is TradingMode.HALTED
    assert manager.book.journal.latched()["stopped"].startswith("anna: emergency_stop: the disk is full")
    assert not manager.mend_store()
    assert problems_of_a_copy(small_disk, acts) == []

    (small_disk / "ballast").unlink()
    assert manager.mend_store()
    assert manager.book.outage == ""
    assert manager.state.mode is TradingMode.HALTED
    assert manager.book.journal.latched() == {}
    run(Bot(manager, "b", 1), acts.append, 10)
    manager.close()
    assert problems(store, acts) == []
    assert len(acts) > before


def write_until_it_fails(manager, acts) -> None:
    for number in range(1, 1000):
        manager.record_cash("deposit", 10.0, symbol="full")
        acts.append(Act("CashMoved", "full", number))


def problems_of_a_copy(folder, acts) -> list[str]:
    """What a start would find after a kill at this moment."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("ballast"))
    try:
        return problems(copy / "s.db", acts)
    finally:
        shutil.rmtree(copy)


@NEEDS_ROOT
def test_a_stop_on_a_full_disk_holds_after_a_restart(small_disk):
    store = small_disk / "s.db"
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    (small_disk / "ballast").write_bytes(b"x" * (shutil.disk_usage(small_disk).free))
    manager.emergency_stop("fire", actor="anna")
    assert manager.book.outage
    manager.book.journal.close()  # as a kill leaves it
    (small_disk / "ballast").unlink()
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    causes = {hold.cause: hold for hold in manager.state.holds.values()}
    assert causes["emergency_stop"].mode is TradingMode.HALTED
    assert "anna: emergency_stop: fire" in causes["emergency_stop"].reason
    assert causes["unreconciled"].mode is TradingMode.REDUCING
    manager.release_emergency("anna", "the fire is out, positions compared")
    manager.close()
    manager = AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(str(store)))
    assert manager.state.mode is TradingMode.ACTIVE  # what was released does not come back
    manager.close()


@NEEDS_STRACE
@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC"])
@pytest.mark.parametrize("when", ["40+", "61", "75..90", "100..101"])
def test_a_disk_that_fails_loses_nothing_that_was_acknowledged(tmp_path, fault, when):
    """The calls of one kind fail from some point on, once, or for a while; then the worker is looked at."""
    store, acts = tmp_path / "s.db", tmp_path / "acts"
    if fault.startswith("fdatasync"):
        when = {"40+": "12+", "61": "20", "75..90": "25..30", "100..101": "33..34"}[when]
    code = traced(store, acts, f"{fault}:when={when}", tmp_path / "go", seed=1, number=60)
    assert code in {0, 1}  # a start that meets the fault is refused
    try:
        assert problems(store, told(acts)) == []
    except StoreError as problem:
        pytest.fail(f"it does not open: {problem}")
