"""What is remembered of alerts outlives a kill: a start tells nothing twice and forgets nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from risk_management.alerts import records
from risk_management.alerts.risk_alerts import AlertRule, AlertSeverity, AlertType
from risk_management.clock import ManualClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store.reader import StoreReader
from risk_management.store.snapshot import snapshot_bytes
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.checks import forget_snapshots
from risk_management.tests.store.world import small_foundation

HOT = {"portfolio_heat": 85.0}
RULE = AlertRule("mine", "Mine", "portfolio_heat", "critical", "portfolio_heat > 80", [], cooldown=300.0)


class Lifetime:
    """One store, and the processes that live on it."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "s.db"
        self.clock = ManualClock(small_foundation().clock.now())
        self.manager: AdvancedRiskManager
        self.start()

    def start(self, **settings: object) -> None:
        ground = small_foundation()
        config = ground.config.update(alert_config=settings)
        ground = replace(ground, clock=self.clock, config=config)
        self.manager = AdvancedRiskManager.on(ground, journal=SqlJournal(str(self.store)))

    def killed(self, **settings: object) -> None:
        """As by ``kill -9``: the lock goes with the process, nothing else is tidied up."""
        journal = self.manager.book.journal
        journal.close()  # without the state: no snapshot is kept
        self.start(**settings)

    @property
    def alerts(self):
        return self.manager.alert_manager


@pytest.fixture
def life(tmp_path: Path):
    made = Lifetime(tmp_path)
    yield made
    made.manager.book.journal.close()


def test_an_active_alert_is_not_fired_again_and_ends_under_its_id(life):
    life.alerts.add_custom_rule(RULE)
    (fired,) = [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"]
    life.killed()
    (active,) = [a for a in life.alerts.active if a.rule_id == "mine"]
    assert active == fired
    life.clock.advance(10.0)
    assert [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"] == []
    assert next(a for a in life.alerts.active if a.rule_id == "mine").count == 2
    (ended,) = [a for a in life.alerts.evaluate({"portfolio_heat": 1.0}) if a.rule_id == "mine"]
    assert (ended.alert_id, ended.state, ended.first_at) == (fired.alert_id, "resolved", fired.first_at)


def test_a_cool_down_and_an_acknowledgement_stand(life):
    life.alerts.add_custom_rule(RULE)
    (fired,) = [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"]
    life.alerts.acknowledge(fired.alert_id, "ann", "on it")
    life.killed()
    (active,) = [a for a in life.alerts.active if a.rule_id == "mine"]
    assert (active.acknowledged_by, active.comment, active.message) == ("ann", "on it", fired.message)
    life.clock.advance(10_000.0)
    assert [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"] == []
    life.alerts.evaluate({"portfolio_heat": 1.0})
    life.killed()
    life.clock.advance(299.0)
    assert [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"] == []
    life.clock.advance(1.0)
    assert [a.state for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"] == ["firing"]


def test_a_hold_that_began_goes_on(life):
    life.alerts.add_custom_rule(replace(RULE, hold=60.0))
    assert "mine" not in {a.rule_id for a in life.alerts.evaluate(HOT)}
    life.killed()
    life.clock.advance(60.0)
    (fired,) = [a for a in life.alerts.evaluate(HOT) if a.rule_id == "mine"]
    assert (fired.at - fired.first_at).total_seconds() == 60.0


def test_what_was_raised_is_there_and_can_be_resolved(life):
    raised = life.alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, "it broke", key="disk")
    life.killed()
    again = life.alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, "it broke", key="disk")
    assert (again.alert_id, again.count) == (raised.alert_id, 2)
    assert life.alerts.history == (raised,)  # the telling of the process before; nobody was told twice
    assert life.alerts.resolve("disk").state == "resolved"
    life.killed()
    assert life.alerts.active == ()
    # a raised alert in its cool-down is still told when that is over
    assert (
        life.alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, "again", key="disk") is None
    )
    life.killed()
    life.clock.advance(400.0)
    assert [a.message for a in life.alerts.evaluate({}) if a.rule_id == "disk"] == ["again"]


def test_what_is_about_something_else_is_told_at_once_after_a_restart(life):
    def told(about: str):
        kind, severity = AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL
        return life.alerts.raise_alert(kind, severity, f"{about} differs", key="BREAK", about=about)

    assert told("KO") is not None
    life.alerts.resolve("BREAK")
    life.killed()
    assert told("SPY") is not None


def test_rules_added_and_taken_out_at_run_time_stay_so(life):
    life.alerts.add_custom_rule(RULE, actor="ann")
    life.alerts.remove_rule("heat_warning", actor="ann")
    life.killed()
    ids = [rule.rule_id for rule in life.alerts.rules]
    assert ids[-1] == "mine"
    assert "heat_warning" not in ids
    life.alerts.add_custom_rule(RULE)  # as a script does at every start
    assert [rule.rule_id for rule in life.alerts.rules] == ids
    life.alerts.remove_rule("mine")
    life.killed()
    assert "mine" not in {rule.rule_id for rule in life.alerts.rules}
    with StoreReader.beside_writer(str(life.store)) as reader:
        assert [e.actor for e in reader.of_kinds("RuleChanged")][:2] == ["ann", "ann"]


def test_a_silence_stands_and_ends_by_itself(life):
    made = life.alerts.silence(600.0, "ann", "tests", rule_id="mine")
    life.killed()
    assert life.alerts.silences == (made,)
    life.clock.advance(600.0)
    assert life.alerts.silences == ()


def test_a_rule_of_the_store_that_can_not_be_used_is_told_and_all_others_watch(life, monkeypatch):
    life.alerts.add_custom_rule(RULE)
    known = {scope: words - {"portfolio_heat"} for scope, words in records._WORDS.items()}
    kept = [rule.rule_id for rule in life.alerts.rules if "portfolio_heat" not in rule.condition]
    monkeypatch.setattr(records, "_WORDS", known)
    monkeypatch.setattr("risk_management.alerts.risk_alerts.rules_of", lambda _: ())
    life.killed()
    assert life.alerts.rules == ()
    (text,) = life.alerts.warnings
    assert "'mine' of the store can't be used" in text
    assert kept


def test_a_snapshot_holds_it_and_a_replay_comes_to_the_same(life):
    life.alerts.add_custom_rule(RULE)
    life.alerts.evaluate(HOT)
    life.alerts.silence(600.0, "ann", "tests", bot="b")
    wanted = snapshot_bytes(life.manager.book.standing)
    life.manager.close()  # keeps a snapshot
    journal = SqlJournal(str(life.store))
    assert snapshot_bytes(journal.recover()) == wanted
    journal.close()
    forget_snapshots(life.store)
    journal = SqlJournal(str(life.store))
    assert snapshot_bytes(journal.recover()) == wanted
    journal.close()
    life.start()


def test_a_quiet_round_writes_nothing(life):
    quiet = dict.fromkeys(life.manager.look().metrics, 0.0)
    life.alerts.evaluate(quiet)
    version = life.manager.state.version
    for _ in range(50):
        life.clock.advance(1.0)
        life.alerts.evaluate(quiet)
    assert life.manager.state.version == version
    life.alerts.evaluate({**quiet, **HOT})
    fired = life.manager.state.version
    for _ in range(50):
        life.clock.advance(1.0)
        life.alerts.evaluate({**quiet, **HOT})
    assert life.manager.state.version == fired
