"""From what happens to the book to a service on this machine, with a store and without one."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

import pytest

from risk_management.alerts.outbox import RowState
from risk_management.alerts.risk_alerts import AlertChannel, AlertSeverity, AlertType
from risk_management.clock import SystemClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreUnavailable
from risk_management.integration.alerting import Alerting
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.alerts.services import http_service
from risk_management.tests.store.world import small_foundation

PATIENCE = 30.0


def until(true) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def started(url: str, journal=None, **more) -> AdvancedRiskManager:
    foundation = small_foundation()
    config = foundation.config.update(
        alert_config={"webhook_url": f"{url}/hook", "private_hosts": ("127.0.0.1",), **more}
    )
    return AdvancedRiskManager.on(replace(foundation, config=config, clock=SystemClock()), journal=journal)


@pytest.fixture(params=["memory", "store"])
def journal(request, tmp_path):
    return SqlJournal(str(tmp_path / "s.db")) if request.param == "store" else None


def test_an_alert_goes_out(journal):
    with http_service() as service:
        manager = started(service.url, journal)
        alerting = Alerting(manager)
        alerting.start()
        manager.emergency_stop("a drill")
        until(lambda: service.taken)
        manager.release_emergency("me", "over")
        until(lambda: len(service.taken) == 2)
        alerting.close()
        manager.close()
    first, second = (taken.json for taken in service.taken)
    assert first["severity"] == "emergency"
    assert "a drill" in first["text"]
    assert first["title"].startswith("[paper] EMERGENCY: ")
    assert (first["alert"]["state"], second["alert"]["state"]) == ("firing", "resolved")
    assert first["key"] != second["key"]


def test_what_an_earlier_process_left_is_sent_by_the_next(tmp_path):
    with http_service() as service:
        store = str(tmp_path / "s.db")
        manager = started(service.url, SqlJournal(store))
        manager.emergency_stop("nobody sends yet")
        [counts] = manager.outbox.counts()
        assert (counts.channel, counts.pending) == ("webhook", 1)
        manager.close()
        manager = started(service.url, SqlJournal(store))
        alerting = Alerting(manager)
        alerting.start()
        until(lambda: manager.outbox.counts()[0].sent == 1)
        alerting.close()
        manager.close()
    assert [taken.json["severity"] for taken in service.taken] == ["emergency"]


def test_the_row_stands_in_the_transaction_of_its_cause(tmp_path, monkeypatch):
    """Where the outbox can't take its row, nothing of the alert is on disk either."""
    from risk_management.store import sql_journal  # noqa: PLC0415

    with http_service() as service:
        manager = started(service.url, SqlJournal(str(tmp_path / "s.db")))
        append = sql_journal.append

        def fails(connection, statement, rows):
            if rows and statement is sql_journal.PUT:
                raise sqlite3.OperationalError("disk I/O error")
            append(connection, statement, rows)

        monkeypatch.setattr(sql_journal, "append", fails)
        manager.alert_manager.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, "x", key="x")
        monkeypatch.setattr(sql_journal, "append", append)
        path = tmp_path / "s.db"
        connection = sqlite3.connect(path)
        asked = (
            "SELECT (SELECT count(*) FROM journal WHERE kind = 'AlertTold'), (SELECT count(*) FROM outbox)"
        )
        assert connection.execute(asked).fetchone() == (0, 0)
        assert manager.book.mend()
        manager.alert_manager.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, "y", key="y")
        told, rows = connection.execute(asked).fetchone()
        connection.close()
        assert told == rows >= 1
        manager.close()


def test_that_the_store_fails_is_told_at_once_and_once(tmp_path, monkeypatch):
    with http_service() as service:
        journal = SqlJournal(str(tmp_path / "s.db"))
        manager = started(service.url, journal)
        alerting = Alerting(manager)
        alerting.start()

        def no_disk(*_words):
            raise StoreUnavailable("no disk")

        with monkeypatch.context() as patch:
            patch.setattr(journal, "write", no_disk)
            patch.setattr(journal, "reopen", no_disk)
            patch.setattr(journal.outbox, "put", no_disk)
            with pytest.raises(StoreUnavailable):
                manager.record_cash("fee", -1.0)
            manager.assess_overall_risk()
            until(lambda: any("store can't be written" in taken.json["text"] for taken in service.taken))
        assert manager.mend_store()
        manager.assess_overall_risk()
        until(lambda: any(taken.json["alert"]["state"] == "resolved" for taken in service.taken))
        until(lambda: manager.outbox.counts()[0].pending == 0)
        alerting.close()
        manager.close()
    keys = [taken.json["key"] for taken in service.taken]
    assert len(keys) == len(set(keys))  # what was told from memory came once, although its row came later


def test_a_channel_in_trouble_is_told_on_another_and_is_over_when_it_works(tmp_path):
    with http_service(lambda taken: 404 if "/hook" in taken.path else None) as service:
        slack = {"slack_webhook_url": f"{service.url}/slack"}
        manager = started(service.url, SqlJournal(str(tmp_path / "s.db")), **slack)
        alerting = Alerting(manager)
        alerting.start()
        alerts = manager.alert_manager
        alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, "hello", key="one")
        until(lambda: any(alert.rule_id == "channel:webhook" for alert in alerts.active))
        until(lambda: any("channel webhook does not take" in str(taken.json) for taken in service.taken))
        assert {row.channel for row in manager.outbox.rows(RowState.FAILED, 9)} == {"webhook"}
        service.plan = lambda _taken: None
        manager.outbox.retry()
        alerting._delivery.wake()
        until(lambda: all(alert.rule_id != "channel:webhook" for alert in alerts.active))
        alerting.close()
        manager.close()


def test_other_settings_are_taken_up(tmp_path):
    with http_service() as first, http_service() as second:
        manager = started(first.url, SqlJournal(str(tmp_path / "s.db")))
        alerting = Alerting(manager)
        alerting.start()
        manager.reconfigure(manager.config.update(alert_config={"webhook_url": f"{second.url}/hook"}))
        alerting.refresh()
        manager.emergency_stop("x")
        until(lambda: second.taken)
        alerting.close()
        manager.close()
    assert first.taken == []


def test_a_channel_that_is_attached_needs_no_sender(tmp_path):
    with http_service() as service:
        manager = started(service.url, SqlJournal(str(tmp_path / "s.db")))
        heard = []
        manager.alert_manager.attach(AlertChannel.SLACK, heard.append)
        alerting = Alerting(manager)
        alerting.start()
        manager.emergency_stop("x")
        assert len(heard) == 1
        alerting.refresh()
        assert {one.channel: one.failed for one in manager.outbox.counts()} == {"slack": 0, "webhook": 0}
        alerting.close()
        manager.close()
