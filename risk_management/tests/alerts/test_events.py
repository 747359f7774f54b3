"""An alert is an event of the book: kept in the unit of its cause, told when the lock is left."""

from __future__ import annotations

import pytest

from risk_management.alerts.risk_alerts import Alert, AlertSeverity, AlertState, AlertType
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreUnavailable
from risk_management.model.events import AlertTold, CashMoved, Event, HoldSet
from risk_management.tests.store.world import small_foundation


class Units:
    """A journal that keeps what is written together, and fails when it is told to."""

    def __init__(self) -> None:
        self.units: list[list[Event]] = []
        self.fails = False

    def write(self, events, after) -> None:
        if self.fails:
            raise StoreUnavailable("no space left")
        self.units.append(list(events))

    ends_at = -1

    def recover(self) -> None:
        return None

    def may_be_taken(self) -> bool:
        return False

    def reopen(self) -> None:
        pass

    def latched(self) -> dict[str, str]:
        return {}

    def latch(self, **_) -> None:
        pass

    @property
    def told(self) -> list[AlertTold]:
        return [event for unit in self.units for event in unit if isinstance(event, AlertTold)]


@pytest.fixture
def units() -> Units:
    return Units()


@pytest.fixture
def manager(units: Units) -> AdvancedRiskManager:
    return AdvancedRiskManager.on(small_foundation(), journal=units)


def raised(manager: AdvancedRiskManager, text: str = "it broke") -> Alert | None:
    return manager.alert_manager.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, key="disk")


def test_an_alert_is_written_in_the_unit_of_what_caused_it(manager, units):
    with manager.book.lock:
        manager.record_cash("deposit", 5.0)
        raised(manager)
    (event,) = units.told
    assert [CashMoved, AlertTold] == [type(e) for e in units.units[-1]]
    assert (event.alert.rule_id, event.alert.state, event.actor) == ("disk", AlertState.FIRING, "system")
    assert manager.alert_manager.history == (event.alert,)


def test_nobody_is_told_under_the_lock_nor_before_it_is_on_disk(manager, units):
    seen = []
    manager.alert_manager.subscribe(
        lambda alert: seen.append((manager.book.lock.is_mine, [e.alert for e in units.told] == [alert]))
    )
    with manager.book.lock:
        with manager.book.lock:
            raised(manager)
        assert seen == []
    assert seen == [(False, True)]


def test_an_alert_whose_unit_was_lost_is_not_told_and_one_alone_is_kept_in_memory(manager, units):
    units.fails = True
    with pytest.raises(StoreUnavailable), manager.book.lock:
        raised(manager)
    assert manager.alert_manager.history == ()
    assert raised(manager, "still") is not None  # the book lives in memory now
    assert [a.message for a in manager.alert_manager.history] == ["still"]
    units.fails = False
    assert manager.book.mend()
    assert [e.alert.message for e in units.told] == ["still"]


def test_an_alert_never_raises_into_what_caused_it(manager, units):
    units.fails = True
    assert raised(manager).message == "it broke"
    assert manager.book.outage
    units.fails = False
    manager.book.mend()
    assert [type(e) for e in units.units[-1]][:2] == [HoldSet, AlertTold]


def test_who_acknowledges_is_the_actor(manager, units):
    fired = raised(manager)
    manager.alert_manager.acknowledge(fired.alert_id, "ann")
    assert [(e.actor, e.alert.state) for e in units.told] == [("system", "firing"), ("ann", "acknowledged")]
