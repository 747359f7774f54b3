"""The same store in PostgreSQL: killed server, killed engine, lost answers, two engines that both want it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from typer.testing import CliRunner, Result

from risk_management.cli.main import app
from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import (
    ConfigurationError,
    StoreCorrupt,
    StoreError,
    StoreInUse,
    StoreTooNew,
    StoreUnavailable,
)
from risk_management.model.access import Access
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.store.backup import back_up, restore
from risk_management.store.database import connect, writer
from risk_management.store.lease import holder_of
from risk_management.store.place import place_of
from risk_management.store.reader import StoreReader
from risk_management.store.schema import LEASE, METADATA
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.tokens import TokenStore
from risk_management.store.verify import verify
from risk_management.tests.store.checks import problems
from risk_management.tests.store.server import Postgres
from risk_management.tests.store.test_kills import ended, killed, soaked, wait_until
from risk_management.tests.store.worker import started, told
from risk_management.tests.store.workload import Act, Bot, missing, run
from risk_management.tests.store.world import small_foundation

pytestmark = pytest.mark.usefixtures("_at_home")


KILLED = """
import os, pathlib, sys
from risk_management.store import backup, lease
lease.SECONDS = 1.0
backup.transfer = lambda *_: os._exit(9)
backup.restore(pathlib.Path(sys.argv[1]), sys.argv[2])
"""


def opened(store: str) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(small_foundation(), journal=SqlJournal(store))


def lived(store: str, acts: int = 120) -> tuple[list[Act], bytes]:
    """A store with two lives in it: what was answered, and how its book stood at the end."""
    answered: list[Act] = []
    for seed in range(2):
        manager = opened(store)
        run(Bot(manager, "a", seed), answered.append, acts // 2)
        state = snapshot_bytes(manager.book.standing)
        manager.close()
    return answered, state


def held(manager: AdvancedRiskManager, mode: TradingMode, reason: str) -> None:
    manager.set_mode(mode, reason, scope=Scope.PORTFOLIO, name="", actor="anna")


def go_on(manager: AdvancedRiskManager) -> None:
    """The store is reached again, and a person ends the stops of meanwhile."""
    wait_until(manager.mend_store)
    held(manager, TradingMode.ACTIVE, "go on")
    manager.release_emergency("anna", "go on")


def assert_kept(manager: AdvancedRiskManager, store: str) -> None:
    """What is taken up is what stood when it ended."""
    state = snapshot_bytes(manager.book.standing)
    manager.close()
    assert state_of(store) == state


def state_of(store: str) -> bytes:
    journal = SqlJournal(store)
    try:
        return snapshot_bytes(journal.recover())
    finally:
        journal.close()


# -- the same store --------------------------------------------------------------------------------


def test_it_is_taken_up_as_it_was_left(store):
    answered, state = lived(store)
    assert state_of(store) == state
    assert problems(store, answered) == []


def test_the_tables_are_those_of_the_schema(store):
    lived(store, 4)
    engine = connect(store)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = [d for d in compare_metadata(context, METADATA) if getattr(d[1], "name", "") != LEASE.name]
        assert found == []
    engine.dispose()


def test_a_book_moves_from_a_file_into_it_and_back_with_the_same_hashes(server, tmp_path):
    file = str(tmp_path / "small.db")
    answered, state = lived(file)
    assert back_up(file, tmp_path / "copy.db").is_clean
    moved = server.database()
    assert restore(tmp_path / "copy.db", moved) is None
    assert state_of(moved) == state
    with StoreReader.of_store(file) as old, StoreReader.of_store(moved) as new:
        assert list(old.entries()) == list(new.entries())
        assert verify(new).is_clean
    assert back_up(moved, tmp_path / "back.db").is_clean
    assert state_of(str(tmp_path / "back.db")) == state
    assert problems(moved, answered) == []


def test_a_book_that_moved_only_closes_until_its_positions_were_compared(server, tmp_path):
    file = str(tmp_path / "small.db")
    lived(file, 20)
    back_up(file, tmp_path / "copy.db")
    moved = server.database()
    restore(tmp_path / "copy.db", moved)
    manager = opened(moved)
    assert manager.state.mode is not TradingMode.ACTIVE
    manager.close()


def test_a_book_that_was_restored_only_closes_on_any_machine(server, store, tmp_path, monkeypatch):
    """Another machine had served the same database: its own signed end is one of the backup's."""
    lived(store, 20)
    with monkeypatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
        opened(store).close()
        back_up(store, tmp_path / "copy.db")
        name = place_of(store).url.database
        server.ask(f"DROP DATABASE {name} WITH (FORCE)", autocommit=True)
        server.ask(f"CREATE DATABASE {name}", autocommit=True)
        restore(tmp_path / "copy.db", store)
        SqlJournal(store).close()  # a start that fails behind the lease
    manager = opened(store)
    assert (Scope.PORTFOLIO, "", "unreconciled") in manager.state.holds
    manager.close()


def test_a_restore_that_was_killed_is_done_again_before_an_engine_begins(server, tmp_path):
    file = str(tmp_path / "small.db")
    _, state = lived(file, 20)
    back_up(file, tmp_path / "copy.db")
    moved = server.database()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "copy.db"), moved], check=False)
    assert killed.returncode == 9
    wait_until(lambda: holder_of(place_of(moved)) is None)
    for _ in range(2):
        with pytest.raises(StoreCorrupt, match="did not come to its end: do it again"):
            opened(moved)
    restore(tmp_path / "copy.db", moved)
    assert state_of(moved) == state


def test_a_database_that_holds_a_book_is_not_written_over(store, tmp_path):
    _, state = lived(store)
    back_up(store, tmp_path / "copy.db")
    for force in (False, True):
        with pytest.raises(StoreUnavailable, match="holds a book already"):
            restore(tmp_path / "copy.db", store, force=force)
    assert state_of(store) == state


def test_a_damaged_backup_fills_nothing(server, tmp_path):
    file = tmp_path / "small.db"
    lived(str(file), 20)
    back_up(str(file), tmp_path / "copy.db")
    damaged = (tmp_path / "copy.db").read_bytes().replace(b"AAA", b"BBB")
    (tmp_path / "copy.db").write_bytes(damaged)
    moved = server.database()
    with pytest.raises(StoreCorrupt):
        restore(tmp_path / "copy.db", moved)
    manager = opened(moved)  # still empty
    assert manager.state.version <= 1
    manager.close()


def test_the_journal_refuses_changes(server, store):
    lived(store, 10)
    for statement in ("UPDATE journal SET actor = 'x'", "DELETE FROM journal", "TRUNCATE journal CASCADE"):
        with pytest.raises(Exception, match="append-only"):
            server.ask(statement, place_of(store).url.database)


def test_a_change_by_an_owner_of_the_database_is_found(server, store):
    lived(store, 30)
    name = place_of(store).url.database
    server.ask("ALTER TABLE journal DISABLE TRIGGER ALL", name)
    server.ask("UPDATE journal SET body = replace(body, '\"AAA\"', '\"CCC\"') WHERE seq = 12", name)
    server.ask("UPDATE journal SET actor = actor || '.' WHERE seq = 12", name)
    with StoreReader.of_store(store) as reader:
        assert verify(reader).first_bad == 12
    server.ask("DELETE FROM outbox", name)
    for table in ("requests", "executions", "snapshots"):
        server.ask(f"DELETE FROM {table}", name)
    server.ask("DELETE FROM journal WHERE seq > 11", name)
    with pytest.raises(StoreCorrupt, match="it was cut"):
        SqlJournal(store)


def test_words_are_kept_as_they_were_typed(store):
    manager = opened(store)
    manager.register_bot("a", "s")
    word = "naïve 'quoted' \"twice\" %s %(x)s {0} \\ 漢字"
    manager.emergency_stop(word, actor="anna")
    assert_kept(manager, store)
    with StoreReader.of_store(store) as reader:
        assert "HoldSet" in {entry.kind for entry in reader.search(5, text="%S %(X")}


def test_tokens_are_made_beside_an_engine_and_end_within_a_second(store):
    clock = ManualClock(small_foundation().clock.now())
    tokens = TokenStore(store, clock)
    manager = opened(store)
    beside = TokenStore(store, clock)
    made, secret = beside.create("RSI2", Access.TRADE, bot="RSI2", actor="anna")
    assert tokens.find(secret) == made
    beside.revoke(made.token_id)
    clock.advance(1.1)
    assert tokens.find(secret) is None
    manager.close()
    tokens.close()
    beside.close()


# -- what is no store ------------------------------------------------------------------------------


def test_a_database_of_somebody_else_is_left_as_it_is(server, store):
    name = place_of(store).url.database
    server.ask("CREATE TABLE theirs (x int)", name)
    with pytest.raises(StoreCorrupt, match="belongs to something else"):
        SqlJournal(store)
    assert server.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name) == [("theirs",)]


def test_a_newer_store_is_refused(server, store):
    lived(store, 4)
    server.ask("UPDATE alembic_version SET version_num = '9999'", place_of(store).url.database)
    with pytest.raises(StoreTooNew, match="newer version"):
        SqlJournal(store)


def test_a_server_that_is_not_there_is_one_line(tmp_path):
    store = f"postgresql://anna@/book?host={tmp_path}"
    for attempt in (SqlJournal, TokenStore, StoreReader.of_store):
        with pytest.raises(StoreUnavailable, match="check the server and the address") as raised:
            attempt(store)
        assert "\n" not in str(raised.value)
        assert "SELECT" not in str(raised.value)


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "risk_management.store.postgres", raising=False)
    with pytest.raises(ConfigurationError, match=r"risk-management\[postgres\]"):
        SqlJournal("postgresql://anna@/book")


# -- from the command line -------------------------------------------------------------------------


def test_the_commands_work_on_it(store, tmp_path):
    def risk(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--store", store])

    assert "there is no store" in risk("token", "list").output
    manager = opened(store)
    traded(manager)
    assert risk("token", "create", "--bot", "a").exit_code == 0
    doctor = risk("doctor").output.replace("\n", " ")
    assert "fsync and full_page_writes on" in doctor
    assert f"process {os.getpid()} on" in doctor
    assert risk("serve", "--port", "0", "--accept-new-settings").exit_code == 73
    manager.close()
    assert risk("audit", "verify", "--decisions").exit_code == 0
    assert "first" in risk("audit", "why", "first").output
    assert risk("watch", "--once").exit_code == 0
    assert risk("backup", str(tmp_path / "copy.db")).exit_code == 0
    assert "holds a book already" in risk("restore", str(tmp_path / "copy.db")).output
    assert "name one" in risk("import", str(tmp_path / "none.csv")).output


def test_doctor_tells_a_server_that_is_not_there(tmp_path):
    said = CliRunner().invoke(app, ["doctor", "--store", f"postgresql://anna@/book?host={tmp_path}"])
    assert said.exit_code == 1
    assert "check the server" in said.output.replace("\n", " ")


# -- one engine ------------------------------------------------------------------------------------


def test_a_second_engine_is_refused_while_the_first_lives(store, tmp_path, monkeypatch):
    manager = opened(store)
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        SqlJournal(store)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
        SqlJournal(store)
    assert holder_of(place_of(store)) is not None
    manager.close()
    assert holder_of(place_of(store)) is None
    journal = SqlJournal(store)  # given back: nobody waits
    journal.close()


@pytest.mark.parametrize(("seed", "kills"), soaked((0, 5), large=[(1, 100)]))
def test_nothing_is_lost_by_kill_9_of_the_engine(server, tmp_path, seed, kills, record_property):
    home = os.environ["XDG_DATA_HOME"]
    record_property("figure", killed(tmp_path, seed, kills, lambda _: server.database(), home=home))


@pytest.mark.parametrize(("seed", "kills"), soaked((0, 3), large=[(1, 100)]))
def test_nothing_is_lost_by_kill_9_of_the_server(tmp_path, seed, kills, record_property, caplog):
    """Three bots act on through it: the engine closes in memory, and writes that down when it can."""
    caplog.set_level("CRITICAL")
    server, chance = Postgres(tmp_path), random.Random(seed)
    store, answered = server.database(), []
    manager = opened(store)
    for kill in range(kills):
        bots = [Bot(manager, f"b{n}", 100 * seed + kill) for n in range(3)]
        threads = [Thread(target=acting, args=(bot, answered)) for bot in bots]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.0, 0.1))
        server.kill()
        for thread in threads:
            thread.join()
        with suppress(StoreUnavailable):
            held(manager, TradingMode.REDUCING, "a write while it is down")
        assert manager.book.outage
        server.start()
        go_on(manager)
    assert_kept(manager, store)
    assert problems(store, answered) == []
    server.end()
    record_property("figure", f"{kills} kills, {len(answered)} acknowledged acts, 0 lost")


def acting(bot: Bot, answered: list[Act]) -> None:
    def note(act: Act) -> None:
        answered.append(act)

    for _ in range(40):
        with suppress(StoreUnavailable):  # told that it did not happen
            run(bot, note, 1)


def test_connections_that_a_server_ends_are_opened_anew(server, store, caplog):
    caplog.set_level("CRITICAL")
    manager, answered = opened(store), []
    for seed in range(3):
        run(Bot(manager, "a", seed), answered.append, 20)
        server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with suppress(StoreUnavailable):
            held(manager, TradingMode.REDUCING, "a write meanwhile")
        go_on(manager)
    assert_kept(manager, store)
    assert problems(store, answered) == []


def traded(manager: AdvancedRiskManager) -> str:
    manager.register_bot("a", "s")
    manager.update_prices({"AAA": 100.0})
    decision = manager.request_trade(OrderTicket("AAA", "buy", 1000.0, "s", "a", request_id="first"))
    assert decision.approved
    return decision.request_id


# -- an engine that was passed over ----------------------------------------------------------------


def test_a_frozen_engine_that_was_passed_over_writes_nothing_more(store, tmp_path, monkeypatch):
    """Stopped past its lease; another takes over, and it wakes: the journal is as the other wrote it."""
    acts, home = tmp_path / "acts", tmp_path / "theirs"
    process = started(store, acts, seed=1, home=str(home))
    wait_until(lambda: len(told(acts)) > 20)
    os.kill(process.pid, signal.SIGSTOP)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    begun = time.monotonic()
    manager = opened(store)
    assert time.monotonic() - begun < 15.0
    answered: list[Act] = told(acts)
    mine: list[Act] = []
    run(Bot(manager, "mine", 1), mine.append, 40)
    os.kill(process.pid, signal.SIGCONT)
    known = len(answered)
    wait_until(lambda: len(told(acts)) > known + 20)
    run(Bot(manager, "mine", 2), mine.append, 40)
    os.kill(process.pid, signal.SIGKILL)
    ended(process)
    late = told(acts)[known:]
    assert [act for act in late if act.count and act.kind != "TradeDecided"] == []
    assert_kept(manager, store)
    assert problems(store, [*answered, *mine]) == []


def test_an_engine_that_was_passed_over_closes_nothing_and_says_who_has_it(store, caplog):
    caplog.set_level("CRITICAL")
    manager = opened(store)
    request_id = traded(manager)
    manager.execute_trade(FillReport(request_id, 1000.0, 100.0, execution_id="e1"))
    with writer(place_of(store)).begin() as connection:
        connection.execute(
            text(
                "UPDATE lease SET epoch = epoch + 1, holder = 'process 7 on another', process = 'x', "
                "expires = now() + interval '1 hour'"
            )
        )
    close = manager.request_trade(OrderTicket("AAA", "sell", 100.0, "s", "a"))
    assert not close.approved
    assert manager.state.mode is TradingMode.HALTED
    assert "process 7 on another" in manager.book.outage
    assert not manager.mend_store()
    assert manager.state.mode is TradingMode.HALTED
    version = manager.state.version
    assert not manager.mend_store()
    assert manager.state.version == version  # tried again and again, it is said once
    manager.close()
    with StoreReader.of_store(store) as reader:
        assert missing([], reader.events()) == []


def test_an_engine_that_stood_still_and_was_not_passed_over_goes_on(store, caplog):
    caplog.set_level("CRITICAL")
    manager = opened(store)
    request_id = traded(manager)
    with writer(place_of(store)).begin() as connection:
        connection.execute(text("UPDATE lease SET expires = to_timestamp(0)"))
    with suppress(StoreError):
        manager.execute_trade(FillReport(request_id, 1000.0, 100.0, execution_id="e1"))
    wait_until(manager.mend_store)
    assert not manager.book.outage
    assert_kept(manager, store)


@pytest.mark.parametrize("edit", ["DELETE FROM lease", "UPDATE lease SET epoch = epoch - 1"])
def test_a_lease_that_somebody_edited_is_nobodys(server, store, edit, caplog):
    """A row taken out by hand, or an older dump under a running engine: it writes and closes nothing more."""
    caplog.set_level("CRITICAL")
    manager = opened(store)
    traded(manager)
    end = manager.book.journal.reader.tail()
    server.ask(edit, place_of(store).url.database)
    decision = manager.request_trade(OrderTicket("AAA", "buy", 100.0, "s", "a"))
    assert (decision.approved, manager.state.mode) == (False, TradingMode.HALTED)
    with StoreReader.of_store(store) as reader:
        assert reader.tail() == end
    manager.close()
