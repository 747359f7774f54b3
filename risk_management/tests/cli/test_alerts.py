"""`risk alerts`: a test message to real servers, and what the outbox of a store says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.store.outbox import SqlOutbox
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.alerts.services import http_service
from risk_management.tests.store.world import small_foundation

CANARY = "canary-91be"


def run(*words):
    return CliRunner().invoke(app, ["alerts", *map(str, words)], env={"COLUMNS": "200"})


@pytest.fixture
def service(tmp_path, monkeypatch):
    with http_service(lambda taken: 401 if "/bot" in taken.path else None) as found:
        file = tmp_path / "risk.toml"
        file.write_text(
            f'[alert_config]\nprivate_hosts = ["127.0.0.1"]\ntelegram_api_url = "{found.url}"\n'
            f'webhook_url = "{found.url}/hook/{CANARY}"\n'
        )
        monkeypatch.setenv("RISK_CONFIG", str(file))
        monkeypatch.setenv("TELEGRAM_BOT_TOKEN", f"1:{CANARY}")
        monkeypatch.setenv("TELEGRAM_CHAT_ID", "7")
        yield found


def test_one_message_to_each_channel(service):
    done = run("test", "--json")
    assert done.exit_code == 1
    assert CANARY not in done.output
    rows = {row["channel"]: row for row in json.loads(done.stdout)["channels"]}
    assert rows["webhook"]["outcome"] == "delivered"
    assert rows["telegram"]["outcome"] == "refused"
    assert "TELEGRAM_BOT_TOKEN" in rows["telegram"]["remedy"]
    assert [taken.json["title"] for taken in service.taken] == ["[paper] Test of the channel webhook"]
    shown = run("test")
    assert "HTTP 401; check TELEGRAM_BOT_TOKEN" in " ".join(shown.output.split())
    assert CANARY not in shown.output


def test_one_channel_alone(service):
    assert run("test", "--channel", "webhook").exit_code == 0
    assert len(service.taken) == 1
    wrong = run("test", "--channel", "slack")
    assert wrong.exit_code == 2
    assert "configured are telegram, webhook" in " ".join(wrong.output.replace("│", " ").split())


def test_nothing_is_configured():
    done = run("test")
    assert done.exit_code == 0
    assert "the log alone" in done.output


def test_status_retry_and_dismiss(tmp_path, service):
    store = tmp_path / "s.db"
    foundation = small_foundation()
    config = foundation.config.update(alert_config={"webhook_url": "https://example.com/x"})
    from dataclasses import replace  # noqa: PLC0415

    manager = AdvancedRiskManager.on(replace(foundation, config=config), journal=SqlJournal(str(store)))
    manager.emergency_stop("a drill")
    waiting = run("status", "--store", store, "--json")  # beside the engine
    assert waiting.exit_code == 0
    said = json.loads(waiting.stdout)
    [webhook] = [one for one in said["channels"] if one["channel"] == "webhook"]
    assert (webhook["pending"], webhook["failed"], webhook["configured"]) == (1, 0, True)
    [due] = manager.outbox.due("webhook", float("inf"), 9)
    manager.outbox.failed(due.message.key, "webhook", "HTTP 404")
    failed = run("status", "--store", store)
    assert failed.exit_code == 3
    assert "HTTP 404" in failed.output
    assert "risk alerts retry" in failed.output
    assert run("retry", "--store", store).output == "1 messages wait to be sent again.\n"
    assert run("status", "--store", store).exit_code == 0
    manager.outbox.failed(due.message.key, "webhook", "HTTP 404")
    assert run("dismiss", "--store", store, "--channel", "slack").output.startswith("0 ")
    assert run("dismiss", "--store", store).output.startswith("1 ")
    assert run("status", "--store", store).exit_code == 0
    manager.close()
    assert run("status", "--store", store, "--json").exit_code == 0  # and when nobody works on it


def test_there_is_no_store(tmp_path):
    for words in (["status"], ["retry"], ["dismiss"]):
        done = run(*words, "--store", tmp_path / "none.db")
        assert done.exit_code == 1
        assert "there is no store" in done.output


def test_what_the_summaries_would_say(tmp_path):
    """Of the book in the store, with what was decided since the last one; nothing is sent or written."""
    store = str(tmp_path / "s.db")
    foundation = small_foundation()
    config = foundation.config.update(
        alert_config={"webhook_url": "https://x.example", "daily_summary_at": "00:00"}
    )
    manager = AdvancedRiskManager.on(replace(foundation, config=config), journal=SqlJournal(store))
    manager.register_bot("alpha")
    manager.emergency_stop("a drill")
    before = manager.outbox.counts()
    manager.close()
    result = run("test", "--summary", "--store", store)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Daily summary, ")
    assert "Weekly report, " in result.output
    assert result.output.count("a drill") >= 2
    said = json.loads(run("test", "--summary", "--store", store, "--json").output)
    assert [one["title"].split(",")[0] for one in said["messages"]] == ["Daily summary", "Weekly report"]
    again = SqlOutbox(store)
    assert again.counts() == before
    again.close()
