"""`risk alerts list, ack, silence, unsilence` at a real service and beside a real store."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.integration.client import RiskClient
from risk_management.model.alert import AlertSeverity, AlertType
from risk_management.tests.service.conftest import Service


def run(*words, **environment):
    with_none = {"RISK_URL": None, "RISK_TOKEN": None, "COLUMNS": "160"}
    return CliRunner().invoke(app, ["alerts", *map(str, words)], env={**with_none, **environment})


def warn(manager, severity=AlertSeverity.WARNING, key="mine"):
    return manager.alert_manager.raise_alert(AlertType.SYSTEM_ERROR, severity, f"{key} broke", key=key)


@pytest.fixture
def service(foundation, tmp_path):
    made = Service(foundation, tmp_path / "risk.db")
    yield made
    made.close()


@pytest.fixture
def at(service):
    return {"RISK_URL": f"http://127.0.0.1:{service.port}", "RISK_TOKEN": service.secrets["operate"]}


def test_an_alert_is_listed_taken_on_and_still_active(service, at):
    assert "No alert is active" in run("list", **at).output
    warn(service.manager)
    assert run("list", **at).exit_code == 0
    grave = warn(service.manager, AlertSeverity.CRITICAL, "worse")
    listed = run("list", "--json", **at)
    assert listed.exit_code == 3
    assert [one["message"] for one in json.loads(listed.stdout)["active"]] == ["worse broke", "mine broke"]
    taken = run("ack", grave.alert_id, "--comment", "on it", **at)
    assert (taken.exit_code, "is acknowledged by" in taken.output) == (0, True)
    (kept,) = [one for one in service.manager.alert_manager.active if one.alert_id == grave.alert_id]
    assert (kept.acknowledged_by.split(" (token ")[0], kept.comment) == ("operate", "on it")
    said = run("list", **at)
    assert said.exit_code == 3
    assert "acknowledged by operate" in " ".join(said.output.split())
    unknown = run("ack", "0" * 16, **at)
    assert (unknown.exit_code, "no alert" in unknown.output) == (1, True)


def test_a_silence_stands_until_it_is_ended(service, at):
    found = service.manager.alert_manager.raise_alert("system_error", "info", "it broke", key="disk")
    ended = run("resolve", found.alert_id, "--comment", "found", **at)
    assert (ended.exit_code, ": found)." in " ".join(ended.output.split())) == (0, True)
    begun = run(
        "silence", "--rule", "position_limit", "--minutes", 90, "--reason", "moving in", "--json", **at
    )
    assert begun.exit_code == 0, begun.output
    (silence,) = json.loads(begun.stdout)["silences"]
    assert (silence["rule_id"], silence["reason"]) == ("position_limit", "moving in")
    assert silence["by"].startswith("operate (token ")
    (standing,) = service.manager.alert_manager.silences
    assert (standing.until - standing.since).total_seconds() == 5400.0
    assert "moving in" in run("list", **at).output
    assert "No silence stands" in run("unsilence", silence["silence_id"], **at).output
    assert not service.manager.alert_manager.silences
    nothing = run("silence", "--reason", "peace", **at)
    assert nothing.exit_code == 1
    assert not service.manager.alert_manager.silences


def test_a_token_that_only_reads_takes_nothing_on(service):
    alert = warn(service.manager)
    with RiskClient(f"http://127.0.0.1:{service.port}", service.secrets["read"], patience=20.0) as client:
        assert [one["alert_id"] for one in client.alerts()] == [alert.alert_id]
        assert client.silences() == []
        with pytest.raises(InvalidRequest, match="NOT_ALLOWED"):
            client.acknowledge_alert(alert.alert_id)
        with pytest.raises(InvalidRequest, match="NOT_ALLOWED"):
            client.silence(60.0, "peace", rule_id="position_limit")


def test_a_store_tells_the_same_and_is_not_changed(tmp_path):
    path = tmp_path / "risk.db"
    with AdvancedRiskManager(RiskManagementConfig(store=str(path))) as manager:
        grave = warn(manager, AlertSeverity.EMERGENCY)
        manager.alert_manager.silence(3600.0, "anna", "moving in", bot="alpha")
        manager.alert_manager.acknowledge(grave.alert_id, "anna", "on it")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    listed = run("list", "--store", path, "--json")
    assert listed.exit_code == 3, listed.output
    found = json.loads(listed.stdout)
    ((alert,), (silence,)) = found["active"], found["silences"]
    assert (alert["alert_id"], alert["acknowledged_by"]) == (grave.alert_id, "anna")
    assert (silence["bot"], silence["by"]) == ("alpha", "anna")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_what_is_missing_is_said(tmp_path):
    assert "there is no store" in run("list", "--store", tmp_path / "none.db").output
    said = run("ack", "0" * 16)
    assert said.exit_code == 2
    assert "set RISK_URL and RISK_TOKEN" in " ".join(said.output.replace("│", " ").split())
