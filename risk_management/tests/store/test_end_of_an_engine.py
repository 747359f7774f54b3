"""An engine that ended, or was passed over, is out of it; what it answered in its life stays answered."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread

import pytest

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import book
from risk_management.core.commit import GroupCommit, Unit
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.standing import Standing
from risk_management.errors import EngineEnded, StoreUnavailable
from risk_management.integration.trading_integration import TradingSystemIntegration
from risk_management.model.events import Filled, HoldReleased, TradeDecided
from risk_management.model.money import SCALE
from risk_management.model.portfolio import TradingMode
from risk_management.store import known_ids
from risk_management.store.lease import holder_of
from risk_management.store.place import place_of
from risk_management.store.reader import StoreReader
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.verify import verify
from risk_management.tests.store.test_kills import wait_until
from risk_management.tests.store.test_lost_server import asked, holding
from risk_management.tests.store.test_postgres import held, opened

pytestmark = pytest.mark.usefixtures("_at_home")


@pytest.fixture(params=["file", "server"])
def place(request, server, tmp_path) -> str:
    return str(tmp_path / "book.db") if request.param == "file" else server.database()


def lose(manager: AdvancedRiskManager, patch: pytest.MonkeyPatch) -> None:
    """The store fails from now on, for reading too."""

    def away(*_, **__):
        raise StoreUnavailable("it is away")

    patch.setattr(SqlJournal, "reopen", away)
    patch.setattr(StoreReader, "_named", away)
    manager.book.journal._broken = "it is away"
    with pytest.raises(StoreUnavailable):
        manager.update_prices({"AAA": 100.0})


def test_who_ended_decides_nothing_more(place):
    """A bot of a process that lives on must not sell what another engine sells by now."""
    manager = holding(place)
    manager.close()
    manager.close()
    for act in (
        lambda: asked(manager, "sell"),
        lambda: manager.emergency_stop("late", actor="anna"),
        lambda: manager.execute_trade(FillReport("first", 100.0, 100.0, execution_id="late")),
        lambda: manager.update_prices({"AAA": 99.0}),
    ):
        with pytest.raises(EngineEnded, match="gave the book back"):
            act()
    assert manager.book.may_be_taken
    assert manager.mend_store() is False
    second = opened(place)
    assert second.state.mode is TradingMode.ACTIVE
    second.close()


def test_two_may_end_it_at_once(place):
    manager = holding(place)
    with ThreadPoolExecutor(4) as callers:
        for ended in [callers.submit(manager.close) for _ in range(4)]:
            assert ended.result(timeout=30) is None
    opened(place).close()


def test_what_was_begun_when_it_ended_is_written_or_refused(place):
    """Bots and a person go on while it ends: whoever was answered is in the store, which is whole."""
    manager, answered, go_on = holding(place), [], Event()

    def bot(number: int) -> None:
        go_on.wait()
        for turn in range(1000):
            try:
                answered.append(asked(manager, "sell", f"{number}-{turn}"))
            except EngineEnded:
                return

    threads = [Thread(target=bot, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    go_on.set()
    wait_until(lambda: len(answered) > 20)
    manager.close()
    for thread in threads:
        thread.join()
    assert all(decision.durable for decision in answered)
    with StoreReader.of_store(place) as reader:
        assert verify(reader).is_clean
        assert all(reader.decided(decision.request_id) for decision in answered)


def test_what_waits_for_the_disk_when_it_ends_is_written_by_who_ends_it(place, monkeypatch):
    """A bot is decided and has not come to its turn at the disk: the end must not leave it behind."""
    manager, is_decided, may_wait = holding(place), Event(), Event()
    wait = GroupCommit.wait

    def held_up(commit: GroupCommit, unit: Unit) -> None:
        is_decided.set()
        assert may_wait.wait(30)
        wait(commit, unit)

    monkeypatch.setattr(GroupCommit, "wait", held_up)
    with ThreadPoolExecutor(1) as bots:
        bot = bots.submit(asked, manager, "sell", "late")
        assert is_decided.wait(30)
        manager.close()
        with StoreReader.of_store(place) as reader:
            assert reader.decided("late") is not None
            assert verify(reader).is_clean
        may_wait.set()
        assert bot.result(timeout=30).durable


class _Late:
    """A lock of which somebody else has the turn just before whoever comes first."""

    def __init__(self, lock, somebody):
        self._lock, self._somebody = lock, [somebody]

    def __enter__(self):
        if self._somebody:
            self._somebody.pop()()
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


@pytest.mark.parametrize(("act", "answer"), [("close", False), ("mend_store", True)])
def test_who_comes_late_to_mend_a_store_does_nothing_to_it(place, monkeypatch, act, answer):
    """Neither to one that was given back meanwhile, nor to one that another has mended."""
    manager = holding(place)
    with monkeypatch.context() as patch:
        lose(manager, patch)
        assert asked(manager, "sell", "out").approved
    commit = manager.book._commit
    commit.turn = _Late(commit.turn, getattr(manager, act))
    assert manager.mend_store() is answer
    if answer:
        assert asked(manager, "sell", "then").durable
        manager.close()
    with StoreReader.of_store(place) as reader:
        assert verify(reader).is_clean
        assert sum(isinstance(event, HoldReleased) for event in reader.events()) == 1
        assert reader.decided("out") is not None
    again = opened(place)
    assert again.state.mode is TradingMode.ACTIVE
    again.close()


def test_an_interrupted_write_did_not_happen(place, monkeypatch):
    """Ctrl-C comes between any two steps; here where all is on disk, and nobody is answered."""
    manager, sign = holding(place), SqlJournal._sign

    def interrupted(journal):
        sign(journal)
        monkeypatch.setattr(SqlJournal, "_sign", sign)
        raise KeyboardInterrupt

    monkeypatch.setattr(SqlJournal, "_sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asked(manager, "buy", "lost")
    assert manager.desk.decision("lost") is None
    wait_until(manager.mend_store)
    again = asked(manager, "buy", "lost")
    assert again.approved
    assert again.durable
    manager.close()
    with StoreReader.of_store(place) as reader:
        assert verify(reader).is_clean
        assert [e.request_id for e in reader.events() if isinstance(e, TradeDecided)] == ["first", "lost"]
    opened(place).close()


@pytest.mark.parametrize("form", ["book.db", "sqlite:///book.db"])
def test_a_store_is_mended_where_it_is_wherever_its_process_stands(tmp_path, monkeypatch, form):
    """A bot's program may go into another folder: no second book begins there."""
    monkeypatch.chdir(tmp_path)
    manager = holding(form)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with monkeypatch.context() as patch:
        lose(manager, patch)
        assert asked(manager, "sell", "out").approved
    assert manager.mend_store()
    assert asked(manager, "sell", "then").durable
    manager.close()
    assert list((tmp_path / "other").iterdir()) == []


def test_an_interruption_anywhere_in_a_batch_leaves_no_caller_waiting_and_none_told_wrong(tmp_path):
    """Ctrl-C before every second line in turn, while another thread waits in the same batch."""
    lines = 0
    while lines is not None:
        lines = _interrupted_at(lines, tmp_path / f"book{lines}.db")


def _interrupted_at(line: int, file: Path) -> int | None:
    """Interrupt the writer before its line of this number; the next one, None once there is none."""
    manager, is_queued, may_wait, passed = holding(str(file)), Event(), Event(), [0]
    commit = manager.book._commit
    wait = commit.wait

    def held_up(unit: Unit) -> None:
        if current_thread() is not main_thread():
            is_queued.set()
            assert may_wait.wait(30)
        wait(unit)

    def trace(frame, event, _):
        if event == "line" and frame.f_code.co_name in ("_write", "_sign", "_remember", "_kept"):
            passed[0] += 1
            if passed[0] == line + 1:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    def write() -> None:
        sys.settrace(trace)
        try:
            write_itself()
        finally:
            sys.settrace(None)

    write_itself, commit.wait, commit._write = commit._write, held_up, write
    with ThreadPoolExecutor(1) as bots:
        other = bots.submit(asked, manager, "sell", "theirs")
        assert is_queued.wait(30)
        with suppress(KeyboardInterrupt):
            asked(manager, "sell", "ours")
        may_wait.set()
        theirs = other.result(timeout=30)
    was_interrupted = passed[0] > line
    assert manager.mend_store()
    manager.close()
    with StoreReader.of_store(str(file)) as reader:
        assert verify(reader).is_clean
        kept = reader.decided("theirs")
        if kept is None:
            assert not theirs.durable
        else:
            assert reader.event(kept).decision.approved == theirs.approved
    return line + 2 if was_interrupted else None


def test_an_interrupted_mend_writes_everything_once(place, monkeypatch):
    """Ctrl-C comes when all is written and nothing is forgotten yet."""
    manager, latch = holding(place), SqlJournal.latch
    with monkeypatch.context() as patch:
        lose(manager, patch)
        sold = asked(manager, "sell", "out")
        manager.execute_trade(FillReport(sold.request_id, 100.0, 100.0, execution_id="e9"))
    held = {key: position.quantity for key, position in manager.state.positions.items()}

    def interrupted(journal, **said):
        monkeypatch.setattr(SqlJournal, "latch", latch)
        os.kill(os.getpid(), signal.SIGINT)
        latch(journal, **said)

    monkeypatch.setattr(SqlJournal, "latch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        manager.mend_store()
    wait_until(manager.mend_store)
    manager.close()
    with StoreReader.of_store(place) as reader:
        assert verify(reader).is_clean
        booked = [event.execution_id for event in reader.events() if isinstance(event, Filled)]
    assert booked == ["e1", "e9"]
    again = opened(place)
    assert {key: position.quantity for key, position in again.state.positions.items()} == held
    again.close()


def test_fills_that_were_never_written_are_named_at_the_end(tmp_path, monkeypatch, caplog):
    manager = holding(str(tmp_path / "book.db"))
    lose(manager, monkeypatch)
    sold = asked(manager, "sell", "out")
    assert not manager.execute_trade(FillReport(sold.request_id, 100.0, 100.0, execution_id="e9")).durable
    manager.close()
    assert "the fill of -1 AAA (e9) was not written" in caplog.text


def test_who_was_passed_over_never_takes_it_again(store, tmp_path, monkeypatch):
    """The other one gave it back in order: who starts next goes on from there, and is told nothing else."""
    first = holding(store)
    first.book.journal._lease._ended.set()  # it renews nothing, as if it were frozen
    wait_until(lambda: holder_of(place_of(store)) is None)
    with monkeypatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
        second = opened(store)
        second.release_emergency("anna", "compared")
        second.close()
        first.book.journal._lease._ended.clear()
        with pytest.raises(StoreUnavailable):
            first.update_prices({"AAA": 101.0})
        assert not first.mend_store()
        assert first.state.mode is TradingMode.HALTED
        third = opened(store)
        assert third.state.mode is TradingMode.ACTIVE
        third.close()
    first.close()


# -- many who ask ----------------------------------------------------------------------------------


def test_a_bot_that_asks_on_and_on_keeps_no_book_from_its_store(tmp_path, monkeypatch):
    """More comes than is written: then everybody waits for a few pieces, and what is left gets less."""
    manager, ended, write = holding(str(tmp_path / "book.db")), Event(), SqlJournal.write

    def slow(journal, events, after):
        ended.wait(0.02)
        write(journal, events, after)

    def bot() -> None:
        while not ended.is_set():
            asked(manager, "buy")

    with monkeypatch.context() as patch:
        lose(manager, patch)
        other = Thread(target=bot)
        other.start()
        wait_until(lambda: len(manager.book._backlog) > 400)
    monkeypatch.setattr(SqlJournal, "write", slow)
    with ThreadPoolExecutor(1) as mender:
        is_mended = mender.submit(manager.mend_store)
        try:
            assert is_mended.result(timeout=60)
        finally:
            ended.set()
            other.join()
    manager.close()
    with StoreReader.of_store(str(tmp_path / "book.db")) as reader:
        assert verify(reader).is_clean


def test_who_is_inside_the_lock_may_mend_all_the_same(tmp_path, monkeypatch):
    manager = holding(str(tmp_path / "book.db"))
    with monkeypatch.context() as patch:
        lose(manager, patch)
    with manager.book.lock:
        assert manager.mend_store()
    assert asked(manager, "sell").durable
    manager.close()


def test_what_closes_has_room_when_refusals_have_none_left(tmp_path, monkeypatch):
    manager = holding(str(tmp_path / "book.db"))
    open_one = asked(manager, "sell", "open")
    monkeypatch.setattr(book, "MOST_IN_MEMORY", 20)
    with monkeypatch.context() as patch:
        lose(manager, patch)
        while len(manager.book._backlog) < 20:
            assert not asked(manager, "buy").approved
        with pytest.raises(StoreUnavailable, match="too much happened"):
            asked(manager, "buy")
        assert asked(manager, "sell", "close").approved
        report = FillReport(open_one.request_id, 100.0, 100.0, execution_id="e9")
        assert manager.execute_trade(report).booked == 100.0
        manager.desk.cancel("close")
        assert not manager.emergency_stop("fire", actor="anna")
    manager.close()


def test_a_fill_that_alarms_is_booked_once_where_the_room_ends(tmp_path, monkeypatch):
    """What people are told of it has no room of its own to be refused: the fill would be booked again."""
    manager = holding(str(tmp_path / "book.db"))
    assert asked(manager, "sell", "open").approved
    with monkeypatch.context() as patch:
        lose(manager, patch)
        held = {key.symbol: one.quantity for key, one in manager.state.positions.items()}
        patch.setattr(book, "MOST_IN_MEMORY", (len(manager.book._backlog) + 1) / book.ROOM)
        done = manager.execute_trade(FillReport("open", 20.0, 92.0, final=False))
        assert done.flags == ("OFF_PRICE",)
        assert not done.duplicate
        (after,) = manager.state.positions.values()
        assert after.quantity - held["AAA"] == round(-20.0 / 92.0 * SCALE)
        with pytest.raises(StoreUnavailable, match="too much happened"):
            manager.execute_trade(FillReport("open", 20.0, 100.0, final=False))
        assert list(manager.state.positions.values()) == [after]
    manager.close()


def test_whoever_mends_a_store_that_does_not_answer_keeps_nobody_waiting(tmp_path, monkeypatch):
    """Where a bot asks on and on, others are slowed and not kept out: the stop comes through."""
    manager = holding(str(tmp_path / "book.db"))
    with monkeypatch.context() as patch:
        lose(manager, patch)
        is_asked, may_answer = Event(), Event()

        def still(_):
            is_asked.set()
            assert may_answer.wait(60)
            raise StoreUnavailable("it is away")

        patch.setattr(SqlJournal, "reopen", still)
        patch.setattr(manager.book, "_wait", 0.05)
        mending = Thread(target=manager.mend_store)
        mending.start()
        assert is_asked.wait(30)
        stop = Thread(target=manager.emergency_stop, args=("fire",), kwargs={"actor": "anna"})
        stop.start()
        stop.join(30)
        assert manager.state.mode is TradingMode.HALTED
        assert not may_answer.is_set()
        may_answer.set()
        mending.join(30)
    assert manager.mend_store()
    manager.close()


def test_answers_of_an_outage_are_looked_up_when_they_are_asked_for(tmp_path, monkeypatch):
    """Thousands were given: while they were looked up everybody waited, the stop too."""
    manager = holding(str(tmp_path / "book.db"))
    with monkeypatch.context() as patch:
        lose(manager, patch)
        for number in range(30):
            assert not asked(manager, "buy", f"r{number}").approved
    looks = []
    find = SqlJournal.decided
    monkeypatch.setattr(SqlJournal, "decided", lambda j, name: looks.append(name) or find(j, name))
    assert manager.mend_store()
    assert not looks
    for _ in range(2):
        assert manager.desk.decision("r7").rejection_reasons
    assert looks == ["r7"]
    manager.close()


def test_a_server_that_takes_only_little_in_time_is_written_little_at_once(tmp_path, monkeypatch):
    manager = holding(str(tmp_path / "book.db"))
    with monkeypatch.context() as patch:
        lose(manager, patch)
        for _ in range(300):
            asked(manager, "buy")
    write = SqlJournal.write

    def slow(journal, events, after):
        if len(events) > 60:
            journal._broken = "no answer in 2 s"
            raise StoreUnavailable(journal._broken)
        write(journal, events, after)

    monkeypatch.setattr(SqlJournal, "write", slow)
    tries = next(n for n in range(1, 9) if manager.mend_store())
    assert tries == 3  # 200, 100, 50
    assert manager.book._piece == book.PIECE
    manager.close()


def test_a_folder_that_was_away_for_a_moment_ends_nothing(tmp_path):
    """A volume that was unmounted is no removed lock: what closes passes, and all goes on when it is back."""
    home = tmp_path / "volume"
    home.mkdir()
    manager = holding(str(home / "book.db"))
    home.rename(tmp_path / "away")
    away = asked(manager, "sell")
    assert away.approved
    assert not away.durable
    assert "gone" in manager.book.outage
    assert not manager.book.may_be_taken
    (tmp_path / "away").rename(home)
    assert manager.mend_store()
    lock = home / "book.db.lock"
    lock.rename(tmp_path / "lock")
    assert not asked(manager, "sell").approved  # somebody may start another engine by now
    assert manager.book.may_be_taken
    (tmp_path / "lock").rename(lock)
    assert manager.mend_store()
    assert not manager.book.may_be_taken
    assert asked(manager, "buy").approved
    manager.close()


# -- the same id -----------------------------------------------------------------------------------


def test_an_earlier_life_s_ids_are_nothing_new_while_the_store_can_t_be_read(place, monkeypatch):
    manager = holding(place)
    held(manager, TradingMode.HALTED, "wait")
    assert asked(manager, "sell", "refused").durable
    held(manager, TradingMode.ACTIVE, "go on")
    manager.close()
    manager = opened(place)
    with monkeypatch.context() as patch:
        lose(manager, patch)
        for name in ("first", "refused"):
            with pytest.raises(StoreUnavailable, match="was answered before"):
                manager.request_trade(OrderTicket("AAA", "sell", 100.0, "s", "a", request_id=name))
        with pytest.raises(StoreUnavailable, match="was answered before"):
            manager.desk.decision("refused")
        assert asked(manager, "sell", "new").approved  # what closes passes
    wait_until(manager.mend_store)
    assert not asked(manager, "sell", "refused").approved
    manager.close()


def test_an_execution_that_the_state_forgot_is_not_booked_twice(place, monkeypatch):
    manager = holding(place)
    held = manager.state.positions
    lose(manager, monkeypatch)
    standing = manager.book.standing
    state = replace(standing.state, executions=type(standing.state.executions)())  # as after many others
    manager.book._head = manager.book._durable = Standing.of(state, standing.config, standing.given)
    report = FillReport("first", 1000.0, 100.0, execution_id="e1")
    with pytest.raises(StoreUnavailable, match="was answered before"):
        manager.execute_trade(report)
    assert manager.state.positions == held
    manager.close()


def test_a_fill_told_again_in_an_outage_is_as_little_on_disk_as_before(tmp_path, monkeypatch):
    manager = holding(str(tmp_path / "book.db"))
    lose(manager, monkeypatch)
    sold = asked(manager, "sell", "out")
    report = FillReport(sold.request_id, 50.0, 100.0, execution_id="e2", final=False)
    again = [manager.execute_trade(report) for _ in range(2)]
    assert [(done.duplicate, done.durable) for done in again] == [(False, False), (True, False)]
    nothing = FillReport(sold.request_id, 0.0, 0.0, success=False)
    assert not manager.execute_trade(nothing).durable
    assert sum(p.quantity for p in manager.state.positions.values()) == round(9.5 * SCALE)
    manager.close()


def test_only_so_many_ids_are_kept_and_older_ones_are_looked_up(tmp_path, monkeypatch):
    monkeypatch.setattr(known_ids, "MOST", 10)
    manager = holding(str(tmp_path / "book.db"))
    for turn in range(15):
        asked(manager, "sell", f"n{turn}")
    ids = manager.book.journal._requests
    assert not ids.is_whole
    assert "n14" in ids
    assert "first" not in ids
    manager.desk._answers._known.clear()
    assert manager.desk.decision("first").approved
    manager.close()
    again = opened(str(tmp_path / "book.db"))
    assert not again.book.journal._requests.is_whole
    assert again.desk.decision("n0") is not None
    assert again.desk.decision("never") is None
    again.close()


# -- the stop --------------------------------------------------------------------------------------


def test_a_stop_is_noted_when_it_is_answered_whoever_applied_it(tmp_path, monkeypatch):
    """Others come into the lock all the time, and may apply the hold of a stop in its caller's place."""
    manager, ended = holding(str(tmp_path / "book.db")), Event()
    lose(manager, monkeypatch)

    def bot() -> None:
        while not ended.is_set():
            asked(manager, "sell")

    others = [Thread(target=bot) for _ in range(3)]
    for thread in others:
        thread.start()
    for number in range(100):
        assert not manager.emergency_stop(f"fire {number}", actor="anna")
        assert manager.book.journal.latched()["stopped"].endswith(f"fire {number}")
    ended.set()
    for thread in others:
        thread.join()
    manager.close()


# -- an end that goes wrong ------------------------------------------------------------------------


def test_whatever_raises_at_the_end_the_book_is_given_back(place, monkeypatch):
    manager = holding(place)

    def broken(_):
        raise OSError("EIO")

    with monkeypatch.context() as patch:
        patch.setattr(SqlJournal, "latched", broken)
        manager.close()
    assert manager.book.has_ended
    opened(place).close()


def test_a_broker_that_can_t_be_closed_keeps_no_book(tmp_path, monkeypatch):
    risk = TradingSystemIntegration(
        RiskManagementConfig().update(store=str(tmp_path / "book.db"), broker_config={"name": "paper"})
    )

    def broken():
        raise OSError("the connection is gone")

    monkeypatch.setattr(risk.broker_link.broker, "close", broken)
    with pytest.raises(OSError, match="the connection is gone"):
        risk.close()
    assert risk.risk_manager.book.has_ended
    SqlJournal(str(tmp_path / "book.db")).close()


@pytest.mark.parametrize("is_another_there", [False, True])
def test_a_file_that_is_not_there_at_the_end_is_told(tmp_path, caplog, is_another_there):
    file, away = tmp_path / "book.db", tmp_path / "away.db"
    manager = holding(str(file))
    file.rename(away)
    if is_another_there:
        file.write_bytes(away.read_bytes())
    manager.close()
    assert "what was written is not in the store" in caplog.text
    assert "was replaced under the running engine" in manager.book.outage
    assert manager.book.has_ended
