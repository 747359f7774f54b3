"""A server that is gone, stands still, or is another one: nothing waits for ever, nothing is done twice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import load_risk_config
from risk_management.core import book
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError, StoreUnavailable
from risk_management.model.access import Access
from risk_management.model.money import SCALE
from risk_management.model.portfolio import TAKEN_OVER, Scope, TradingMode
from risk_management.model.trade import TradeDecision
from risk_management.store import lease, postgres
from risk_management.store.backup import restore
from risk_management.store.database import QUICK
from risk_management.store.lease import holder_of
from risk_management.store.outbox import SqlOutbox
from risk_management.store.place import place_of
from risk_management.store.reader import StoreReader
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.tokens import TokenStore
from risk_management.store.verify import verify
from risk_management.tests.store.server import Postgres, Wire
from risk_management.tests.store.test_kills import wait_until
from risk_management.tests.store.test_postgres import assert_kept, opened, traded
from risk_management.tests.store.world import small_foundation

pytestmark = pytest.mark.usefixtures("_at_home")

PATIENCE = 0.5


@pytest.fixture(autouse=True)
def _quick(monkeypatch, caplog):
    caplog.set_level("CRITICAL")
    monkeypatch.setattr(postgres._Limited, "patience", PATIENCE)


def holding(store: str) -> AdvancedRiskManager:
    """An engine whose bot holds ten units."""
    manager = opened(store)
    request_id = traded(manager)
    assert manager.execute_trade(FillReport(request_id, 1000.0, 100.0, execution_id="e1")).durable
    return manager


def asked(manager: AdvancedRiskManager, side: str, name: str | None = None) -> TradeDecision:
    return manager.request_trade(OrderTicket("AAA", side, 100.0, "s", "a", request_id=name))


# -- it stands still -------------------------------------------------------------------------------


def test_a_server_that_stands_still_keeps_nobody_waiting(server, store, monkeypatch):
    """Everybody is answered, also those who came at once; what closes passes, what opens does not."""
    monkeypatch.setattr(lease, "SECONDS", 60.0)
    manager = holding(store)
    with ThreadPoolExecutor(8) as callers, server.standing_still():
        answers = [callers.submit(asked, manager, side) for side in ("sell", "buy") * 4]
        said = [answer.result(timeout=30) for answer in answers]
        assert not any(decision.approved and decision.durable for decision in said)
        assert asked(manager, "sell").approved
        assert not asked(manager, "buy").approved
    wait_until(manager.mend_store)
    assert asked(manager, "buy").durable
    assert_kept(manager, store)


def test_a_slow_server_is_given_up_by_the_whole_act(server, store, tmp_path, monkeypatch):
    """Each of its answers comes in time, and all of them together would take three times as long."""
    monkeypatch.setattr(lease, "SECONDS", 60.0)
    wire = Wire(tmp_path / "wire", server)
    manager = holding(wire.through(store))
    wire.delay = 0.8 * QUICK
    with ThreadPoolExecutor(4) as callers:
        said = [answer.result() for answer in [callers.submit(asked, manager, "sell") for _ in range(4)]]
        assert manager.emergency_stop("enough", actor="anna") is False
    assert not any(decision.durable for decision in said)
    assert "enough" in manager.book.journal.latched()["stopped"]
    wire.delay = 0.0
    wait_until(manager.mend_store)
    assert manager.state.mode is TradingMode.HALTED
    manager.close()
    wire.cut()


def test_the_outbox_of_a_server_that_stands_still_refuses_at_once_after_the_first_wait(server, store):
    manager = holding(store)
    outbox = manager.book.journal.outbox
    outbox.counts()
    with server.standing_still():
        refused = 0
        for _ in range(50):
            with pytest.raises(StoreUnavailable) as raised:
                outbox.due("mail", 0.0, 1)
            refused += "a moment ago" in str(raised.value)
        assert refused == 49
    wait_until(manager.mend_store)
    manager.close()


def test_a_long_outage_is_written_down_piece_by_piece(server, store, monkeypatch):
    """Nobody waits for it meanwhile, and what fails on the way goes on from there."""
    monkeypatch.setattr(book, "PIECE", 20)
    manager = holding(store)
    lose_answer(manager.book.journal)
    for number in range(200):
        with suppress(StoreUnavailable):
            manager.update_prices({"AAA": 100.0 + number / 100.0})
    journal, sizes = manager.book.journal, []
    real = journal.write

    def write(events, after) -> None:
        sizes.append(len(events))
        is_free = manager.book.lock.quiet.acquire(blocking=False)
        assert is_free or after is not None
        if is_free:
            manager.book.lock.quiet.release()
        if len(sizes) == 3:
            raise StoreUnavailable("once more")
        real(events, after)

    monkeypatch.setattr(journal, "write", write)
    assert not manager.mend_store()
    assert manager.mend_store()
    assert max(sizes) <= 21
    assert_kept(manager, store)


def test_the_stop_needs_no_server(server, store):
    manager = holding(store)
    with server.standing_still():
        assert manager.emergency_stop("enough", actor="anna") is False  # it is not on disk
        assert manager.state.mode is TradingMode.HALTED
        assert "enough" in manager.book.journal.latched()["stopped"]
        assert not asked(manager, "buy").approved
    wait_until(manager.mend_store)
    assert manager.state.mode is TradingMode.HALTED
    assert_kept(manager, store)
    again = opened(store)
    assert again.state.mode is TradingMode.HALTED
    again.close()


def test_a_server_that_stands_still_refuses_looks_and_tokens_in_time(server, store):
    manager = holding(store)
    tokens = TokenStore(store)
    made, secret = tokens.create("anna", Access.OPERATE, actor="anna")
    assert tokens.find(secret) == made
    with server.standing_still():
        for attempt in (
            lambda: StoreReader.of_store(store),
            tokens.tokens,
            lambda: tokens.revoke(made.token_id),
            lambda: SqlOutbox(store).counts(),
            lambda: SqlJournal(store.replace("/book", "/other")),
        ):
            with pytest.raises(StoreUnavailable) as raised:
                attempt()
            assert "\n" not in str(raised.value)
        assert tokens.find(secret) == made  # the stop of a person who is known must not need it
    tokens.close()
    wait_until(manager.mend_store)
    manager.close()


# -- it is gone, and another engine has the book ----------------------------------------------------


def test_an_engine_without_its_server_closes_until_another_may_have_the_book(tmp_path):
    server = Postgres(tmp_path)
    store = server.database()
    manager = holding(store)
    server.kill()
    first = asked(manager, "sell", "kept")
    assert (first.approved, first.durable) == (True, False)
    wait_until(manager.book.journal.may_be_taken)
    late = asked(manager, "sell")
    assert not late.approved
    assert manager.state.mode is TradingMode.HALTED
    version = manager.state.version
    assert not manager.mend_store()
    assert not asked(manager, "sell", "more").approved
    assert manager.state.version <= version + 2  # it is said once
    server.start()
    wait_until(manager.mend_store)  # nobody took it: it goes on as it was
    assert manager.state.mode is TradingMode.ACTIVE
    assert asked(manager, "sell", "kept").approved
    assert_kept(manager, store)
    server.end()


def test_a_book_that_another_machine_left_opens_nothing_before_a_person_looked(
    server, store, tmp_path, monkeypatch
):
    """The stop of its last engine lies in a file there: nobody here can know of it."""
    first = holding(store)
    with server.standing_still():
        assert first.emergency_stop("enough", actor="anna") is False
    left(first.book.journal)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    second = opened(store)
    assert second.state.mode is TradingMode.REDUCING
    assert f"process {os.getpid()}" in second.state.holds[Scope.PORTFOLIO, "", TAKEN_OVER].reason
    assert asked(second, "sell").approved
    second.reconcile({"AAA": 9.0}, cash=second.state.accounts["main"].cash / SCALE, actor="anna")
    assert not asked(second, "buy").approved
    left(second.book.journal)
    third = opened(store)  # the same machine once more: it is not forgotten
    assert third.state.mode is TradingMode.REDUCING
    third.release_emergency("anna", "looked")
    assert third.state.mode is TradingMode.ACTIVE
    third.close()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    again = opened(store)  # given back in order: there is nothing to look for
    assert (Scope.PORTFOLIO, "", TAKEN_OVER) not in again.state.holds
    again.close()


def test_what_an_engine_could_not_write_is_not_given_back_in_order(server, store, tmp_path, monkeypatch):
    """It ends in an outage of the journal alone: its stop and its closes are known to its machine only."""
    first = holding(store)
    with server.connected(place_of(store).url.database) as other:
        other.execute("LOCK TABLE journal IN SHARE MODE")
        assert first.emergency_stop("enough", actor="anna") is False
        first.close()
        other.rollback()
    monkeypatch.setitem(postgres.TIMEOUTS, "connect_timeout", 30)  # a busy machine is no server that is gone
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    refused = SqlJournal(store)  # its start fails behind the lease
    refused.close()
    second = opened(store)
    assert (Scope.PORTFOLIO, "", TAKEN_OVER) in second.state.holds
    second.close()


def test_a_takeover_whose_first_write_was_not_heard_of_is_still_one(store, tmp_path, monkeypatch):
    left(holding(store).book.journal)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    journal = SqlJournal(store)
    lose_answer(journal)
    with pytest.raises(StoreUnavailable):
        AdvancedRiskManager.on(small_foundation(), journal=journal)
    left(journal)
    second = opened(store)
    assert (Scope.PORTFOLIO, "", TAKEN_OVER) in second.state.holds
    second.close()


def test_a_kill_between_two_pieces_leaves_no_hold_that_nobody_can_end(either, monkeypatch):
    manager = holding(either)
    monkeypatch.setattr(book, "PIECE", 5)
    lose_answer(manager.book.journal)
    for number in range(20):
        with suppress(StoreUnavailable):
            manager.update_prices({"AAA": 100.0 + number / 100.0})
    manager.book.journal.reopen()
    manager.book.journal.write(manager.book._backlog[:5], None)
    left(manager.book.journal)
    again = opened(either)
    assert (Scope.PORTFOLIO, "", "store") not in again.state.holds
    assert again.state.mode is TradingMode.REDUCING  # until positions were compared
    again.close()


def test_two_engines_never_close_the_same_position(server, store, tmp_path, monkeypatch):
    """The first is cut off from the server and from nothing else; its bot asks on and on."""
    wire = Wire(tmp_path / "wire", server)
    first = holding(wire.through(store))
    wire.cut()
    sold = []

    def sell_on() -> bool:
        decision = asked(first, "sell")
        sold.append(decision.recommended_size if decision.approved else 0.0)
        return first.state.mode is TradingMode.HALTED

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    wait_until(sell_on)
    second = opened(store)
    assert asked(second, "sell").approved
    for _ in range(20):
        assert not asked(first, "sell").approved
    assert not first.mend_store()
    assert sum(sold) <= 1000.0
    assert_kept(second, store)
    first.close()


def test_an_engine_that_wakes_with_a_dead_connection_closes_nothing(server, store, tmp_path, monkeypatch):
    wire = Wire(tmp_path / "wire", server)
    first = holding(wire.through(store))
    monkeypatch.setattr(type(first.book.journal._lease), "_renew", lambda _: None)  # it is frozen ...
    wait_until(first.book.journal.may_be_taken)
    wire.cut()  # ... and wakes without a connection
    assert not asked(first, "sell").approved
    assert first.state.mode is TradingMode.HALTED
    first.close()


# -- it is another one than before -----------------------------------------------------------------


def test_an_older_dump_under_a_running_engine_is_not_written_to(server, store):
    manager = holding(store)
    end = manager.book.journal.reader.tail().seq
    name = place_of(store).url.database
    server.ask("ALTER TABLE journal DISABLE TRIGGER ALL", name)
    server.ask("DELETE FROM executions", name)
    server.ask(f"DELETE FROM journal WHERE seq = {end}", name)
    assert not asked(manager, "buy").approved
    assert not manager.mend_store()
    assert manager.state.mode is TradingMode.HALTED
    assert server.ask("SELECT max(seq) FROM journal", name) == [(end - 1,)]
    manager.close()


def test_connections_that_ended_while_nobody_used_them_are_no_failure(server, store):
    """A firewall or a pooler forgets them: the reader's is opened anew, and nobody hears of it."""
    manager = holding(store)
    own = manager.book.journal._connection.connection.driver_connection.info.backend_pid
    server.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE pid NOT IN ({own}, pg_backend_pid()) AND application_name = 'risk_management'"
    )
    assert asked(manager, "buy").durable
    assert not manager.book.outage
    manager.close()


# -- a commit that was not heard of, and a kill before that was found out ----------------------------


def lose_answer(journal: SqlJournal, later: int = 0) -> None:
    """The next commit, or a later one, happens, and the engine hears of a broken connection."""
    connection = journal._connection
    real, left = connection.begin, [later]

    @contextmanager
    def begin():
        with real():
            yield
        left[0] -= 1
        if left[0] < 0:
            connection.begin = real
            raise DBAPIError(None, None, Exception("server closed the connection unexpectedly"))

    connection.begin = begin


@pytest.fixture(params=["file", "server"])
def either(request, tmp_path) -> str:
    return str(tmp_path / "book.db") if request.param == "file" else request.getfixturevalue("store")


def test_a_fill_whose_commit_was_not_heard_of_counts_once(either):
    manager = opened(either)
    request_id = traded(manager)
    lose_answer(manager.book.journal)
    done = manager.execute_trade(FillReport(request_id, 1000.0, 100.0, execution_id="e1"))
    assert not done.durable
    with StoreReader.of_store(either) as reader:
        assert reader.filled("e1") is not None  # it is there, and nobody was told so
    assert manager.mend_store()
    (held,) = manager.state.positions.values()
    assert held.quantity == 10 * SCALE
    with StoreReader.of_store(either) as reader:
        assert len(reader.of_kinds("Filled")) == 1
        assert verify(reader).is_clean
    assert_kept(manager, either)


def test_an_approval_that_nobody_heard_of_reserves_nothing(either):
    manager = opened(either)
    traded(manager)
    lose_answer(manager.book.journal)
    decision = asked(manager, "buy", "second")
    assert (decision.approved, decision.durable) == (False, False)
    assert manager.mend_store()
    assert not asked(manager, "buy", "second").approved  # the same answer
    assert list(manager.state.reservations) == ["first"]
    assert_kept(manager, either)


def test_what_nobody_heard_of_is_out_after_a_kill_too(either):
    """Killed before the store was tried again: the next start knows what its callers were told."""
    manager = opened(either)
    traded(manager)
    before = snapshot_bytes(manager.book.standing)
    lose_answer(manager.book.journal)
    asked(manager, "buy", "second")
    with StoreReader.of_store(either) as reader:
        assert reader.decided("second") is not None
    left(manager.book.journal)
    journal = SqlJournal(either)
    assert snapshot_bytes(journal.recover()) == before
    assert verify(journal.reader).is_clean
    assert journal.decided("second") is None
    journal.close()


def test_what_was_answered_after_a_failure_stays_after_a_kill(either):
    manager = opened(either)
    traded(manager)
    lose_answer(manager.book.journal)
    asked(manager, "buy", "second")
    assert manager.mend_store()
    assert asked(manager, "buy", "third").durable
    state = snapshot_bytes(manager.book.standing)
    left(manager.book.journal)
    journal = SqlJournal(either)
    assert snapshot_bytes(journal.recover()) == state
    journal.close()


def test_the_same_write_once_more_is_there_for_good(either):
    """What failed is written again as it was, to the byte: its note from before must not take it out."""
    manager = opened(either)
    traded(manager)
    lose_answer(manager.book.journal)
    asked(manager, "buy", "second")
    journal = manager.book.journal
    real = journal._open

    def opened_once() -> None:
        real()
        journal._open = real
        lose_answer(journal, later=1)  # not of what takes out the first

    journal._open = opened_once
    assert not manager.book.mend()
    assert manager.book.mend()
    state = snapshot_bytes(manager.book.standing)
    left(manager.book.journal)
    journal = SqlJournal(either)
    assert snapshot_bytes(journal.recover()) == state
    journal.close()


def test_entries_of_somebody_else_are_never_taken_out(server, store):
    manager = opened(store)
    traded(manager)
    end = manager.book.journal.reader.tail().seq
    lose_answer(manager.book.journal)
    asked(manager, "buy", "second")
    server.ask(
        "INSERT INTO journal SELECT seq + 1, at, kind, actor, body, hash FROM journal "
        "ORDER BY seq DESC LIMIT 1",
        place_of(store).url.database,
    )
    assert not manager.mend_store()
    assert manager.state.mode is TradingMode.HALTED
    assert server.ask("SELECT max(seq) FROM journal", place_of(store).url.database)[0][0] > end + 1
    assert holder_of(place_of(store)) is None  # it is out of it: another engine needn't wait
    manager.close()


def left(journal: SqlJournal) -> None:
    """A process that ends at once gives nothing back but its lock and its connections."""
    journal._disconnect()
    journal._lock.release()
    if journal._lease is not None:
        journal._lease._ended.set()
        journal._lease._thread.join()
        journal._lease._engine.dispose()


# -- odd words --------------------------------------------------------------------------------------

ODD = ["a\0b", "half \ud800 a pair", "long " * 800]


@pytest.mark.parametrize("word", ODD)
def test_no_word_puts_a_store_out_of_use(either, word):
    manager = holding(either)
    assert manager.emergency_stop(word, actor=word) is True
    outbox = manager.book.journal.outbox
    outbox.postponed("none", "mail", word, 1.0)
    outbox.failed("none", "mail", word)
    outbox.noted("none", "mail", word)
    assert outbox.newest(word) is None
    with StoreReader.of_store(either) as reader:
        assert isinstance(reader.search(5, text=word), list)
        assert reader.newest(5, actor=word)
        assert reader.decided(word) is None
    manager.release_emergency("anna", "go on")
    assert_kept(manager, either)


def test_the_longest_id_has_room_for_its_fills(either):
    manager = opened(either)
    manager.register_bot("a", "s")
    manager.update_prices({"AAA": 100.0})
    name = "n" * 128
    assert asked(manager, "buy", name).durable
    for _ in range(2):
        assert manager.execute_trade(FillReport(name, 50.0, 100.0)).durable
    assert_kept(manager, either)


# -- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://anna:swordfish@db/book",
        "postgresql://anna@db/book?password=swordfish",
        "postgresql://anna@db/book?PASSWORD=swordfish",
        "postgresql://anna@db/book?sslpassword=swordfish",
        "postgresql://anna@db/dbname=book password=swordfish",
        "postgresql://anna@db/postgresql://anna:swordfish@db/book",
        "postgresql://anna@db/book?options=-c%20synchronous_commit=off",
        "postgresql:/anna:swordfish@db/book",
        "Postgres:anna:swordfish@db/book",
    ],
)
def test_an_address_holds_no_password_and_no_setting_of_ours(address):
    with pytest.raises(ConfigurationError) as raised:
        place_of(address)
    assert "swordfish" not in str(raised.value)


@pytest.mark.parametrize(
    "address", ["postgresql://a:swordfish@db/b", "postgresql://a@db/b?PASSWORD=swordfish"]
)
def test_settings_hold_no_password_of_a_store(monkeypatch, address):
    monkeypatch.setenv("RISK_STORE", address)
    with pytest.raises(ConfigurationError, match="PGPASSWORD") as raised:
        load_risk_config()
    assert "swordfish" not in str(raised.value)


def test_no_address_with_a_password_is_written_into_settings(tmp_path):
    file, address = tmp_path / "risk.toml", "postgresql://anna:swordfish@db/book"
    words = ["init", str(file), "--yes", "--capital", "1000", "--store"]
    refused = CliRunner().invoke(app, [*words, address])
    assert refused.exit_code == 1
    assert "PGPASSWORD" in refused.output
    assert not file.exists()
    assert "swordfish" not in refused.output
    made = CliRunner().invoke(app, [*words, "postgresql://anna@db/book", "--broker", "paper"])
    assert made.exit_code == 0
    assert "risk import" not in made.output  # it works on files
    assert str(tmp_path / "risk-paper.db") in file.read_text()


def test_the_signed_end_of_another_machine_is_no_change_of_the_journal(server, store, tmp_path, monkeypatch):
    holding(store).close()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    for look in (["audit", "verify"], ["doctor"]):
        said = CliRunner().invoke(app, [*look, "--store", store])
        assert "another machine served it last" in " ".join(said.output.split())
        assert "NOT what was written" not in said.output
    made = CliRunner().invoke(app, ["backup", str(tmp_path / "copy.db"), "--store", store])
    assert made.exit_code == 0, made.output
    assert "another machine served it last" in " ".join(made.output.split())
    moved = server.database()
    restore(tmp_path / "copy.db", moved)
    with StoreReader.of_store(store) as reader, StoreReader.of_store(moved) as there:
        assert list(reader.entries()) == list(there.entries())
        assert verify(there).is_clean
    holding_again = opened(store)
    holding_again.close()
    with StoreReader.of_store(store) as reader:
        assert verify(reader).is_clean
        assert not verify(reader).note


def test_doctor_says_where_no_store_can_be_made(server, tmp_path):
    plain, foreign = server.database(), server.database()
    server.ask("CREATE ROLE visitor LOGIN", autocommit=True)
    server.ask("CREATE TABLE theirs (x int)", place_of(foreign).url.database)
    visitor = plain.replace("postgres@", "visitor@")
    for address, words in ((visitor, "OWNER TO"), (foreign, "belongs to something else")):
        said = CliRunner().invoke(app, ["doctor", "--store", address])
        assert said.exit_code == 1
        assert words in " ".join(said.output.split())
    with pytest.raises(StoreUnavailable, match="OWNER TO"):
        SqlJournal(visitor)
    with pytest.raises(StoreUnavailable, match="createdb --owner"):
        SqlJournal(plain.replace("/book", "/nobody"))


def test_a_token_that_was_never_used_is_known_when_the_server_stands_still(server, store):
    manager = holding(store)
    maker = TokenStore(store)
    made, secret = maker.create("anna", Access.OPERATE, actor="a\0\ud800")
    maker.close()
    fresh = TokenStore(store)
    with server.standing_still():
        assert fresh.find(secret) == made  # of a person who presses the stop right after a start
        with pytest.raises(StoreUnavailable, match="ask again"):
            fresh.find("risk_another")
    fresh.close()
    wait_until(manager.mend_store)
    manager.close()


def test_what_lies_beside_a_database_is_found_by_whoever_reaches_it():
    """A stop that was latched under one address holds under another one of the same database."""
    places = {
        place_of(f"postgresql://{address}").beside
        for address in (
            "db.example/book",
            "anna@db.example/book",
            "ben@db.example:5432/book?sslmode=require",
            "db.example/book?port=5432",
        )
    }
    assert len(places) == 1
    others = ("db.example/book2", "db.example:5433/book", "db2.example/book")
    assert len({place_of(f"postgresql://{one}").beside for one in others} | places) == 4
