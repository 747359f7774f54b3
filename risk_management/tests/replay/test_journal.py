"""A journal decided again: under its own settings as it was; under others, what they would have done."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.standing import folded
from risk_management.errors import InvalidRequest, StoreCorrupt, StoreUnavailable
from risk_management.market_data.positions_file import PositionRow
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.replay.comparison import Change
from risk_management.replay.journal import replay_journal
from risk_management.replay.rerun import Rerun, settings_for
from risk_management.store.reader import StoreReader
from risk_management.store.recovery import recovered
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.core.test_everything_at_once import World


class KeptWorld(World):
    """Everything that may happen to a manager, kept in a store."""

    def __init__(self, foundation, seed, path, **changes):
        super().__init__(foundation, seed)
        ground = replace(foundation, clock=self.clock, config=foundation.config.update(**changes))
        self.manager = AdvancedRiskManager.on(ground, journal=SqlJournal(str(path)))
        self.manager.record_cash("deposit", 5000.0, account_id="second")
        self.manager.update_prices(self.prices)
        self.path = path

    def stop(self):
        actions = (
            super().stop,
            lambda: self.manager.set_mode(
                TradingMode.REDUCING, "drill", scope=Scope.SYMBOL, name="AAPL", actor="tester"
            ),
            lambda: self.manager.set_mode(
                TradingMode.ACTIVE, "over", scope=Scope.SYMBOL, name="AAPL", actor="tester"
            ),
            lambda: self.manager.set_bot_enabled("x", enabled=False, reason="drill"),
            lambda: self.manager.set_bot_enabled("x", enabled=True),
            lambda: self.manager.register_bot("y", "b", 3000.0),
            lambda: self.manager.report_equity(self.manager.state.equity * 1.001),
        )
        self.random.choice(actions)()


def rerun_of(path, config, first=0):
    """The walk itself, for a look at its inside."""
    with StoreReader.of_store(str(path)) as reader:
        start = recovered(reader, first - 1)
        events = map(reader.event, reader.entries(first - 1))
        if start is None:
            start = folded(None, next(events))
        rerun = Rerun(start, settings_for(config, start.config))
        for event in events:
            rerun.take(event)
    return rerun


@pytest.mark.parametrize("seed", range(8))
def test_under_its_own_settings_everything_is_as_it_was(foundation, tmp_path, seed):
    world = KeptWorld(foundation, seed, tmp_path / "s.db")
    for _ in range(400):
        world.step()
    manager = world.manager
    rerun = rerun_of(world.path, manager.config)
    assert len(rerun.decisions) > 50
    for decision in rerun.decisions:
        assert decision.change is Change.SAME, decision
        assert decision.outcome_was == decision.outcome
        assert decision.would_be == pytest.approx(decision.was, rel=1e-9)
    other = rerun.other.state
    assert rerun.was.state.version == manager.state.version
    assert other.equity == rerun.was.state.equity == manager.state.equity
    for name in (
        "accounts",
        "positions",
        "reservations",
        "bots",
        "holds",
        "drawdown",
        "var_halted",
        "quotes",
    ):
        assert getattr(other, name) == getattr(manager.state, name), name
    assert rerun.assumed == 0
    assert rerun.differences.rows(rerun.was.state, other) == ()
    manager.close()


def test_under_its_own_settings_from_any_entry_on(foundation, tmp_path):
    world = KeptWorld(foundation, 3, tmp_path / "s.db")
    for number in range(400):
        world.step()
        if number == 200:  # a restart in the middle
            world.manager.close()
            world.manager = AdvancedRiskManager.on(
                world.manager.foundation, journal=SqlJournal(str(world.path))
            )
    whole = replay_journal(str(world.path), world.manager.config)
    assert whole.differing == ()
    last = world.manager.state.version - 1
    for since in (1, last // 3, last // 2, last - 20):
        found = replay_journal(str(world.path), world.manager.config, since=str(since))
        assert found.differing == ()
        assert found.would.equity_end == pytest.approx(world.manager.state.equity, rel=1e-12)
        assert found.decisions == whole.decisions[len(whole.decisions) - len(found.decisions) :]
    world.manager.close()


FREE = {
    "portfolio_limits": {"max_risk_per_trade": 1.0},
    "order_config": {"max_orders_per_minute": 1000, "max_orders_per_minute_total": 1000},
}


class Account:
    """A manager with a store, whose orders are filled at once at our price."""

    def __init__(self, foundation, path, **changes):
        self.clock = ManualClock(foundation.clock.now())
        self.path = path
        config = foundation.config.update(environment="replay", **{**FREE, **changes})
        ground = replace(foundation, clock=self.clock, config=config)
        self.manager = AdvancedRiskManager.on(ground, journal=SqlJournal(str(path)))
        self.prices: dict[str, float] = {}

    def price(self, **prices):
        self.prices |= prices
        self.clock.advance(1.0)
        self.manager.update_prices(self.prices, daily=True)

    def ask(self, symbol, side, size, *, fee=0.0, fills=True, price=None):
        self.clock.advance(1.0)
        decision = self.manager.request_trade(OrderTicket(symbol, side, size, "s"))
        if decision.approved and fills:
            self.manager.execute_trade(
                FillReport(
                    decision.request_id,
                    decision.recommended_size,
                    price or self.prices[symbol],
                    fee=fee,
                    final=True,
                )
            )
        return decision

    def replayed(self, **changes):
        config = self.manager.config.update(**{**FREE, **changes})
        return replay_journal(str(self.path), config)


@pytest.fixture
def account(foundation, tmp_path):
    opened = []

    def make(**changes):
        opened.append(Account(foundation, tmp_path / f"{len(opened)}.db", **changes))
        return opened[-1]

    yield make
    for one in opened:
        one.manager.close()


def limits(single, **more):
    return {"portfolio_limits": {"max_risk_per_trade": 1.0, "max_single_position": single, **more}}


def test_three_orders_by_hand(account):
    """10,000; KO 20 units at 50, JPM 9 at 100, XOM 5 at 80. With 5 % a name: KO 10, JPM 5, XOM 5."""
    was = account()
    was.price(KO=50.0, JPM=100.0, XOM=80.0)
    was.ask("KO", "buy", 1000.0)
    was.ask("JPM", "buy", 900.0, fee=0.9)
    was.ask("XOM", "buy", 400.0)
    was.price(KO=45.0, JPM=104.0, XOM=81.0)
    was.manager.assess_overall_risk()
    found = was.replayed(**limits(0.05))
    assert [(d.symbol, d.was, round(d.would_be, 6), d.code, d.change) for d in found.decisions] == [
        ("KO", 1000.0, 500.0, "SINGLE_NAME_LIMIT", Change.CUT),
        ("JPM", 900.0, 500.0, "SINGLE_NAME_LIMIT", Change.CUT),
        ("XOM", 400.0, 400.0, "", Change.SAME),
    ]
    # 10 units of KO lost 5 each; 4 of JPM gained 4 each, and their fee was 0.4
    assert found.saved == pytest.approx(50.0, abs=1e-6)
    assert found.cost == pytest.approx(16.0 - 0.4, abs=1e-6)
    assert found.was.profit == pytest.approx(-100.0 + 36.0 - 0.9 + 5.0, abs=1e-6)
    assert found.would.profit == pytest.approx(-50.0 + 20.0 - 0.5 + 5.0, abs=1e-6)
    assert (found.was.fees, round(found.would.fees, 9)) == (0.9, 0.5)
    assert [(c.code, c.cut, round(c.less, 6)) for c in found.by_code] == [("SINGLE_NAME_LIMIT", 2, 900.0)]
    assert found.assumed == 0
    assert {(n.bot, n.symbol): (round(n.saved, 6), round(n.cost, 6)) for n in found.names} == {
        ("operator", "KO"): (50.0, 0.0),
        ("operator", "JPM"): (0.0, 15.6),
    }


def test_looser_limits_by_hand(account):
    """KO was cut to 500 and would be 1,000, filled at the same price; AMD was refused, and is assumed."""
    was = account(**limits(0.05, deny_symbols=("AMD",)))
    was.price(KO=50.0, AMD=60.0)
    assert was.ask("KO", "buy", 1000.0, price=50.5).recommended_size == pytest.approx(500.0)
    assert not was.ask("AMD", "buy", 600.0).approved
    was.price(KO=55.0, AMD=57.0)
    was.manager.assess_overall_risk()
    found = was.replayed(**limits(0.15, deny_symbols=()))
    assert [(d.symbol, d.change, d.reason) for d in found.decisions] == [
        ("KO", Change.RAISED, "SINGLE_NAME_LIMIT"),
        ("AMD", Change.ALLOWED, "SYMBOL_BLOCKED"),
    ]
    units = 500.0 / 50.5  # a fill in money is units at its price, and as many again
    assert found.saved == pytest.approx(units * (55.0 - 50.5), abs=1e-4)
    assert found.cost == pytest.approx(600.0 / 60.0 * 3.0, abs=1e-6)
    assert found.assumed == 2
    assert found.assumed_money == pytest.approx(500.0 + 600.0, abs=1e-3)
    assert any(note.startswith("Assumed: 2 fills of 1,100.00 USD") for note in found.notes)


def test_tighter_limits_never_allow_more(foundation, account):
    """Random orders that were approved in full: whatever differs is smaller, on both sides."""
    rnd = random.Random(5)
    was = account(**limits(1.0, max_sector_exposure=1.0, max_gross_exposure=3.0, max_leverage=3.0))
    prices = {"KO": 60.0, "JPM": 130.0, "XOM": 100.0, "AAPL": 125.0}
    was.price(**prices)
    for _ in range(60):
        symbol = rnd.choice(list(prices))
        was.ask(symbol, rnd.choice(("buy", "buy", "sell")), round(rnd.uniform(30.0, 400.0), 2))
        prices[symbol] *= 1.0 + rnd.gauss(0.0, 0.002)
        was.price(**prices)
    found = was.replayed(**limits(0.03))
    in_full = [d for d in found.decisions if not d.code_was]
    differing = [d for d in in_full if d.change not in (Change.SAME, Change.HELD)]
    assert len(differing) > 10
    assert all(d.would_be < d.was for d in differing)
    names = {d.symbol for d in found.decisions}
    assert names == set(prices)
    # identity: what the differences earned is the difference of the profits
    assert found.would.profit - found.was.profit == pytest.approx(found.saved - found.cost, abs=1e-6)


def test_a_close_follows_the_holding(account):
    """Half was bought: a sale of a share of what was held sells that share of it, and goes not short."""
    was = account()
    was.price(KO=50.0)
    was.ask("KO", "buy", 1000.0)
    was.price(KO=52.0)
    was.ask("KO", "sell", 260.0)  # 5 of 20 units
    was.ask("KO", "sell", 780.0)  # the other 15
    found = was.replayed(**limits(0.05))
    assert [round(d.would_be, 6) for d in found.decisions] == [500.0, 130.0, 390.0]
    assert [d.change for d in found.decisions] == [Change.CUT, Change.HELD, Change.HELD]
    assert found.would.profit == pytest.approx(20.0)
    assert (found.saved, found.cost) == (0.0, pytest.approx(20.0))
    assert found.by_code[0].less == pytest.approx(500.0)
    none = was.replayed(**limits(0.15, deny_symbols=("KO",)))
    assert [d.change for d in none.decisions] == [Change.STOPPED, Change.HELD, Change.HELD]
    assert none.would.profit == 0.0


def test_who_holds_otherwise_and_earns_the_same_did_not_hold_the_same(account):
    was = account()
    was.price(KO=50.0)
    was.ask("KO", "buy", 1000.0)
    found = was.replayed(**limits(0.05))
    assert found.differing
    assert found.sentences[1] == "It would have earned the same: nothing saved, nothing lost."
    same = was.replayed()
    assert same.sentences[1] == "What was held would have been the same: nothing saved, nothing lost."


def test_cash_of_a_symbol_follows_the_holding_and_a_mark_is_a_mark(account):
    """Half the units get half the dividend; a deposit, a fee and a high-water mark are what they were."""
    was = account()
    was.price(KO=50.0, JPM=100.0)
    row = PositionRow("JPM", 500.0, 100.0)
    was.manager.import_positions([row], high_water_mark=10_400.0)
    was.ask("KO", "buy", 1000.0)
    was.manager.record_cash("dividend", 30.0, symbol="KO")
    was.manager.record_cash("dividend", 8.0, symbol="JPM")
    was.manager.record_cash("fee", -3.0)
    was.manager.record_cash("deposit", 700.0)
    was.manager.report_equity(was.manager.state.equity + 12.0)
    was.manager.assess_overall_risk()
    assert was.manager.state.drawdown.drawdown > 0.03
    same = was.replayed()
    assert same.was == same.would
    found = was.replayed(**limits(0.05))
    assert found.was.profit == pytest.approx(30.0 + 8.0 - 3.0 + 12.0)
    assert found.would.profit == pytest.approx(15.0 + 8.0 - 3.0 + 12.0)
    assert found.would.fees == found.was.fees == 3.0
    assert found.would.equity_end == pytest.approx(10_000.0 + 700.0 + 32.0)
    assert found.sentences[1].endswith("15.00 USD less in all, -15.00 of it cash that moves no position.")


CALM = {
    "drawdown_config": {
        "max_portfolio_drawdown": 0.8,
        "daily_loss_limit": 0.9,
        "weekly_loss_limit": 0.9,
        "rolling_loss_limit": 0.9,
        "max_strategy_drawdown": 1.0,
    },
    "emergency_config": {"liquidation_drawdown": 0.9, "var_trim": 10.0, "var_halt": 2.0, "var_release": 1.9},
    "var_config": {"daily_var_limit": 0.9, "daily_es_limit": 0.95},
}
STERN = {
    "drawdown_config": {
        "max_portfolio_drawdown": 0.15,
        "daily_loss_limit": 0.9,
        "weekly_loss_limit": 0.9,
        "rolling_loss_limit": 0.9,
        "max_strategy_drawdown": 1.0,
    },
    "emergency_config": {"liquidation_drawdown": 0.25, "var_trim": 10.0, "var_halt": 2.0, "var_release": 1.9},
    "var_config": {"daily_var_limit": 0.9, "daily_es_limit": 0.95},
}


def _crash(account, **settings):
    """20 units of SPY at 450 fall to 320 and come back to 400; an order for KO waits meanwhile."""
    was = account(**settings)
    was.price(SPY=450.0, KO=50.0)
    was.manager.add_position("SPY", 9000.0, 450.0, "core")
    was.ask("KO", "buy", 100.0, fills=False)
    was.price(SPY=320.0, KO=50.0)
    was.manager.assess_overall_risk()
    was.price(SPY=400.0, KO=51.0)
    was.manager.assess_overall_risk()
    return was


def test_a_liquidation_that_would_not_have_been_is_not_copied(account):
    was = _crash(account, **STERN)
    assert not was.manager.state.positions
    assert was.replayed(**STERN).differing == ()
    assert was.replayed(**STERN).would == was.replayed(**STERN).was
    found = was.replayed(**CALM)
    assert (found.was.closed_by_system, found.would.closed_by_system) == (1, 0)
    assert (found.was.halted_days, found.would.halted_days) == (1, 0)
    # 20 units came back by 80 each, and the order that the stop took back is assumed: 2 units, 1 each
    assert found.saved == pytest.approx(20 * 80.0 + 2.0)
    assert found.cost == 0.0
    assert (found.assumed, found.assumed_money) == (1, pytest.approx(100.0))
    assert found.was.max_drawdown == pytest.approx(0.26)
    assert found.would.profit == pytest.approx(-20 * 50.0 + 2.0)


def test_a_liquidation_that_was_not_comes_out_of_the_replay(account):
    was = _crash(account, **CALM)
    assert was.manager.state.positions
    was.manager.execute_trade(
        FillReport(next(iter(was.manager.state.reservations)), 100.0, 51.0, final=True)
    )  # too late: the replay had taken it back
    found = was.replayed(**STERN)
    assert (found.was.closed_by_system, found.would.closed_by_system) == (0, 1)
    assert found.would.equity_end == pytest.approx(10_000.0 - 20 * 130.0)
    assert (found.saved, found.cost) == (0.0, pytest.approx(20 * 80.0))
    assert found.would.halted_days == 1
    said = " ".join(found.notes)
    assert "1 approvals would have been taken back" in said
    assert "The replay ends halted, where it was active; nobody released it" in said


def test_a_person_who_releases_releases_both(account):
    was = _crash(account, **STERN)
    was.manager.release_emergency("tester", "seen")
    was.price(SPY=401.0, KO=51.0)
    decision = was.ask("KO", "buy", 400.0)
    assert decision.approved, decision.explain()
    same = was.replayed(**STERN)
    assert same.differing == ()
    assert same.was == same.would


def test_a_release_ends_what_only_the_replay_stopped(account):
    """A person lets go of every latched stop at once: the replay's liquidation is among them."""
    was = _crash(account, **CALM)
    was.manager.emergency_stop("drill", actor="tester")
    was.price(SPY=399.0, KO=51.0)
    was.manager.release_emergency("tester", "the drill is over")
    was.price(SPY=401.0, KO=51.0)
    assert was.ask("KO", "buy", 400.0).approved
    found = was.replayed(**STERN)
    assert found.would.closed_by_system == 1
    assert [d.would_be for d in found.decisions] == pytest.approx(
        [100.0, 400.0 * 0.25], abs=1e-4
    )  # the tranche
    assert not any("nobody released" in note for note in found.notes)


# -- the store is only read ------------------------------------------------------------------------


def _digests(path):
    """Every file of a store but the shared memory of its log, in which readers note where they read."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(path.parent.iterdir())
        if not p.name.endswith("-shm")
    }


WRITER = """
import sys
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
manager = AdvancedRiskManager(RiskManagementConfig().update(store=sys.argv[1]))
manager.update_prices({"KO": 50.0})
for _ in range(3):
    manager.request_trade(OrderTicket("KO", "buy", 100.0 + _))
print("ready", flush=True)
if sys.stdin.readline() == "die\\n":
    import os
    os._exit(1)
manager.request_trade(OrderTicket("KO", "buy", 500.0))
manager.close()
"""


@pytest.mark.parametrize("end", ["close", "die"])
def test_a_store_that_another_process_works_on(foundation, tmp_path, end):
    path = tmp_path / "store" / "s.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout.readline() == "ready\n"
        before = _digests(path)
        found = replay_journal(str(path), foundation.config)
        assert len(found.decisions) == 3
        assert _digests(path) == before
        engine.communicate(f"{end}\n")
    before = _digests(path)
    names = {p.name for p in path.parent.iterdir()}
    found = replay_journal(str(path), foundation.config)
    assert len(found.decisions) == (4 if end == "close" else 3)
    assert _digests(path) == before
    if end == "close":
        assert {p.name for p in path.parent.iterdir()} == names


def test_a_store_that_was_tampered_with_is_named(account, tmp_path):
    was = _crash(account, **STERN)
    was.manager.close()
    with closing(sqlite3.connect(was.path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE journal SET body = replace(body, '320.0', '321.0') WHERE seq > 3")
        connection.commit()
    with pytest.raises(StoreCorrupt, match=r"entry [0-9]+ of the journal was changed"):
        was.replayed(**CALM)
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        replay_journal(str(tmp_path / "none.db"), was.manager.config)
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 20)
    with pytest.raises(StoreCorrupt, match="is not a database"):
        replay_journal(str(tmp_path / "text.db"), was.manager.config)


# -- the period ------------------------------------------------------------------------------------


def test_periods(account):
    was = account()
    was.price(KO=50.0)
    was.ask("KO", "buy", 100.0)
    day = was.clock.now().date()
    was.clock.move_to(was.clock.now() + timedelta(days=2))
    was.price(KO=51.0)
    was.ask("KO", "buy", 120.0)
    was.manager.assess_overall_risk()

    def sizes(**period):
        found = replay_journal(str(was.path), was.manager.config, **period)
        return [d.asked for d in found.decisions]

    assert sizes() == [100.0, 120.0]
    assert sizes(until=str(day)) == [100.0]
    assert sizes(since=str(day), until=str(day)) == [100.0]
    assert sizes(since=str(day + timedelta(days=1))) == [120.0]
    assert sizes(since=was.clock.now().isoformat()) == [120.0]
    assert sizes(since="0", until="999") == [100.0, 120.0]
    for period in (
        {"since": str(day + timedelta(days=9))},
        {"until": str(day - timedelta(days=9))},
        {"since": "5", "until": "4"},
        {"since": "yesterday"},
        {"until": "2022-13-01"},
        {"since": "99999999999999999999"},
    ):
        with pytest.raises(InvalidRequest) as caught:
            sizes(**period)
        assert caught.value.code == "INVALID_PERIOD", period


def test_nothing_later_is_read(foundation, tmp_path):
    """Later prices, fills and cash of another world change no earlier decision and no earlier equity."""
    world = KeptWorld(foundation, 11, tmp_path / "s.db")
    for _ in range(300):
        world.step()
    with StoreReader.of_store(str(world.path)) as reader:
        events = list(map(reader.event, reader.entries()))
    config = foundation.config.update(**limits(0.04))

    def walk(chosen):
        start = folded(None, chosen[0])
        rerun = Rerun(start, settings_for(config, start.config))
        for event in chosen[1:]:
            rerun.take(event)
        return rerun

    whole = walk(events)
    assert any(d.change is not Change.SAME for d in whole.decisions)
    for cut in (60, 200, len(events) - 30):
        part = walk(events[:cut])
        assert part.decisions == whole.decisions[: len(part.decisions)]
        other_end = walk([*events[:cut], *reversed(events[cut:])])
        assert other_end.decisions[: len(part.decisions)] == part.decisions
    world.manager.close()
