"""Ctrl-C, signal handlers and forks: none keeps a lock, waits for itself or serves a book beside another."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread

import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import uncut as uncut_module
from risk_management.core.commit import Transaction
from risk_management.core.standing import Standing
from risk_management.core.uncut import uncut
from risk_management.errors import EngineEnded
from risk_management.integration.trading_integration import TradingSystemIntegration
from risk_management.model.portfolio import TradingMode
from risk_management.store import sql_journal
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.test_end_of_an_engine import lose
from risk_management.tests.store.test_kills import wait_until
from risk_management.tests.store.test_lost_server import asked, holding
from risk_management.tests.store.test_postgres import opened

pytestmark = pytest.mark.usefixtures("_at_home")


def test_who_is_interrupted_while_he_waits_for_the_lock_does_not_keep_it():
    """The signal comes while he waits, and is raised when he has the lock: then he must not have it."""
    lock, is_held = Transaction(lambda: None, lambda: None), Event()

    def hold() -> None:
        with lock:
            is_held.set()
            assert not Event().wait(0.2)  # the other waits by now
            _thread.interrupt_main()

    holder = Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    with pytest.raises(KeyboardInterrupt), lock:
        Event().wait(0.5)  # where the other was late, it comes here
    holder.join()
    with ThreadPoolExecutor(1) as other:
        assert other.submit(lock.quiet.acquire, timeout=5).result()
        other.submit(lock.quiet.release).result()


def test_who_presses_ctrl_c_twice_is_told_the_truth_too(tmp_path, monkeypatch):
    """The first comes between commit and answer, the second while it is noted that nobody was told."""
    manager = holding(str(tmp_path / "book.db"))
    with monkeypatch.context() as patch:

        def first(_):
            raise KeyboardInterrupt

        def second(journal, unanswered):
            signal.raise_signal(signal.SIGINT)
            note(journal, unanswered)

        note = SqlJournal._note

        patch.setattr(SqlJournal, "_sign", first)
        patch.setattr(SqlJournal, "_note", second)
        with pytest.raises(KeyboardInterrupt):
            asked(manager, "sell", "cut")
    assert "cut" not in manager.state.reservations
    wait_until(manager.mend_store)
    assert asked(manager, "buy", "cut").approved  # another one under its id
    manager.close()
    second_life = opened(str(tmp_path / "book.db"))
    assert second_life.state.reservations["cut"].side > 0
    second_life.close()


@pytest.fixture
def in_a_write(monkeypatch):
    """Have a signal handler do something in the midst of the next write, on top of the one who writes."""

    def arm(act) -> None:
        write = sql_journal.append

        def signalled(*said) -> None:
            if threading.current_thread() is not threading.main_thread():
                return write(*said)
            monkeypatch.setattr(sql_journal, "append", write)
            signal.raise_signal(signal.SIGUSR1)
            return write(*said)

        before = signal.signal(signal.SIGUSR1, lambda *_: act())
        befores.append(before)
        monkeypatch.setattr(sql_journal, "append", signalled)

    befores: list[object] = []
    yield arm
    for before in befores:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_handler_may_end_the_engine(tmp_path, in_a_write):
    """The usual handler of SIGTERM comes on top of an act: that is whole, and then the book is given back."""
    place = str(tmp_path / "book.db")
    manager = holding(place)
    in_a_write(manager.close)
    decision = asked(manager, "sell", "last")
    assert decision.approved
    assert decision.durable
    assert manager.book.has_ended
    with pytest.raises(EngineEnded):
        asked(manager, "sell", "late")
    second = opened(place)
    assert "last" in second.state.reservations
    second.close()


def test_what_a_handler_did_in_the_midst_of_an_act_is_not_overwritten_by_it(tmp_path, monkeypatch):
    """It must not; where it does all the same, memory and store hold both."""
    place = str(tmp_path / "book.db")
    manager = holding(place)
    after = Standing.after

    def signalled(standing, event):
        monkeypatch.setattr(Standing, "after", after)
        made = after(standing, event)
        signal.raise_signal(signal.SIGUSR1)
        return made

    before = signal.signal(signal.SIGUSR1, lambda *_: manager.emergency_stop("signal", actor="anna"))
    monkeypatch.setattr(Standing, "after", signalled)
    try:
        assert asked(manager, "sell", "cut").durable
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert manager.state.mode is TradingMode.HALTED
    assert "cut" in manager.state.reservations
    manager.close()
    second = opened(place)
    assert second.state.mode is TradingMode.HALTED
    assert set(second.state.reservations) == {"cut"}
    second.close()


@pytest.mark.parametrize("at", ["latch", "apply"])
def test_an_act_that_was_cut_off_is_whole_or_not_there(tmp_path, monkeypatch, at):
    """Ctrl-C comes where an event is put behind the others, or where a stop is noted in an outage."""
    place = str(tmp_path / "book.db")
    manager = holding(place)
    if at == "latch":
        latch = SqlJournal.latch

        def noted(journal, **said):
            monkeypatch.setattr(SqlJournal, "latch", latch)
            signal.raise_signal(signal.SIGUSR1)
            latch(journal, **said)

        with monkeypatch.context() as patch:
            lose(manager, patch)
            monkeypatch.setattr(SqlJournal, "latch", noted)
            before = signal.signal(signal.SIGUSR1, lambda *_: manager.close())
            try:
                with suppress(EngineEnded):  # what comes behind the stop finds the engine ended
                    manager.emergency_stop("fire", actor="anna")
            finally:
                signal.signal(signal.SIGUSR1, before)
        assert manager.book.has_ended
    else:

        class Cut(deque):
            def append(self, unit):
                super().append(unit)
                raise KeyboardInterrupt

        manager.book._commit.queue = Cut()
        with pytest.raises(KeyboardInterrupt):
            manager.emergency_stop("fire", actor="anna")
        manager.close()
    second = opened(place)
    assert second.state.mode is TradingMode.HALTED
    second.close()


def test_a_signal_handler_that_ends_the_program_ends_the_engine_in_order(tmp_path, in_a_write):
    place = str(tmp_path / "book.db")
    manager = holding(place)

    def end() -> None:
        manager.close()
        raise SystemExit

    in_a_write(end)
    with pytest.raises(SystemExit):
        asked(manager, "sell", "last")
    assert manager.book.has_ended
    second = opened(place)
    assert "last" not in second.state.reservations  # it was not answered
    assert second.state.mode is TradingMode.ACTIVE
    second.close()


def test_a_signal_handler_may_end_an_integration_that_watches(tmp_path, in_a_write):
    risk = TradingSystemIntegration(RiskManagementConfig().update(store=str(tmp_path / "book.db")))
    risk.start_monitoring()
    in_a_write(risk.close)
    risk.risk_manager.record_cash("deposit", 1000.0)
    assert risk.risk_manager.book.has_ended
    assert not risk.is_monitoring
    SqlJournal(str(tmp_path / "book.db")).close()


def test_a_stop_in_a_signal_handler_is_written_behind_what_it_came_on_top_of(tmp_path, in_a_write):
    place = str(tmp_path / "book.db")
    manager = holding(place)
    in_a_write(lambda: manager.emergency_stop("signal", actor="anna"))
    asked(manager, "sell", "last")
    assert manager.state.mode is TradingMode.HALTED
    second = Thread(target=manager.close)
    second.start()
    second.join(30)
    again = opened(place)
    assert again.state.mode is TradingMode.HALTED
    again.close()


def test_who_is_interrupted_while_a_thread_begins_leaves_none_behind(monkeypatch):
    class Interrupted(ThreadPoolExecutor):
        def submit(self, *said):
            super().submit(*said)
            raise KeyboardInterrupt

    monkeypatch.setattr(uncut_module, "ThreadPoolExecutor", Interrupted)
    is_done = Event()
    with pytest.raises(KeyboardInterrupt) as caught:
        uncut(is_done.set)
    assert is_done.wait(30)
    for thread in threading.enumerate():
        if thread.name.startswith("risk-uncut"):
            thread.join(30)
            assert not thread.is_alive(), caught  # which holds the pool, as a program's traceback does


def _in_a_fork(act) -> str:
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(30)
        try:
            os.write(writes, act().encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def test_a_forked_child_is_no_second_engine(tmp_path):
    """Nor does it wait for a lock whose holder it does not have."""
    place = str(tmp_path / "book.db")
    manager = holding(place)

    def sell_and_end() -> str:
        with pytest.raises(EngineEnded):
            asked(manager, "sell", "child")
        with pytest.raises(EngineEnded):
            manager.emergency_stop("child", actor="anna")
        assert not manager.mend_store()
        manager.close()
        return "it has ended"

    is_held, may_go = Event(), Event()

    def hold() -> None:
        with manager.book._commit.turn, manager.book.lock.quiet:
            is_held.set()
            assert may_go.wait(60)

    holder = Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    assert _in_a_fork(sell_and_end) == "it has ended"
    may_go.set()
    holder.join()
    assert asked(manager, "sell", "parent").durable
    manager.close()
    second = opened(place)
    assert set(second.state.reservations) == {"parent"}
    assert second.state.mode is TradingMode.ACTIVE
    second.close()


def test_a_child_that_lives_on_keeps_no_book_of_a_parent_that_was_killed(tmp_path):
    place = str(tmp_path / "book.db")
    reads, writes = os.pipe()
    engine = os.fork()
    if not engine:
        signal.alarm(60)
        holding(place)
        child = os.fork()
        if child:
            os.write(writes, f"{child}\n".encode())
        signal.pause()
    os.close(writes)
    with os.fdopen(reads) as answer:
        child = int(answer.readline())
        os.kill(engine, signal.SIGKILL)
        os.waitpid(engine, 0)
        try:
            manager = opened(place)
            manager.close()
        finally:
            os.kill(child, signal.SIGKILL)
