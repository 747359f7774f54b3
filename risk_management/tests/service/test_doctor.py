"""`risk doctor` beside a service: it asks RISK_URL, says how far RISK_TOKEN reaches, and shows no token."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.tests.service.conftest import BOT


@pytest.fixture
def doctor(monkeypatch, tmp_path):
    """What it says, by area and level."""
    monkeypatch.chdir(tmp_path)

    def run(*words, **environment):
        for name in ("RISK_URL", "RISK_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        answer = CliRunner(env=environment).invoke(app, ["doctor", "--json", *map(str, words)])
        secret = environment.get("RISK_TOKEN")
        assert not secret or secret not in answer.output
        found = json.loads(answer.stdout)["findings"]
        return {(one["area"], one["level"]): f"{one['said']} -> {one['remedy']}" for one in found}

    return run


def url_of(service):
    return f"http://127.0.0.1:{service.port}"


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("read", "look at everything"),
        ("trade", f"ask and report for bot '{BOT}'"),
        ("operate", "operate: prices"),
        ("admin", "do everything, also loosen limits"),
    ],
)
def test_it_asks_risk_url_and_says_how_far_the_token_reaches(service, doctor, scope, may):
    found = doctor("--store", service.path, RISK_URL=url_of(service), RISK_TOKEN=service.secrets[scope])
    assert url_of(service) in found["service", "ok"]
    assert f"RISK_TOKEN is accepted as '{scope}': it may {may}" in found["token", "ok"]
    assert not [area for area, _ in found if area == "port"]


def test_a_token_that_is_none(service, doctor):
    assert "not accepted" in doctor(RISK_URL=url_of(service), RISK_TOKEN="x" * 43)["token", "failed"]
    assert "not set" in doctor(RISK_URL=url_of(service))["token", "warning"]
    assert "could not" in doctor(RISK_URL=url_of(service), RISK_TOKEN="x\r\ny: z" * 9)["token", "warning"]


def test_a_service_that_can_not_write_is_said(service, doctor, monkeypatch):
    monkeypatch.setattr(type(service.manager.book), "outage", "disk full")
    said = doctor(RISK_URL=url_of(service), RISK_TOKEN=service.secrets["read"])
    assert "STORE_UNAVAILABLE" in said["service", "warning"]


def test_somebody_works_on_the_store_and_nobody_answers(service, doctor):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    found = doctor("--store", service.path, RISK_URL=f"http://127.0.0.1:{port}")
    assert (
        f"works on the store, but nothing answers at RISK_URL, http://127.0.0.1:{port}"
        in found["service", "warning"]
    )
    found = doctor("--store", service.path, "--port", port, RISK_URL=url_of(service))
    assert f"works on the store, but nothing answers at 127.0.0.1:{port}" in found["port", "warning"]
    assert "the service answers" in doctor("--store", service.path, "--port", service.port)["port", "ok"]


def test_nobody_there_and_nobody_works(doctor):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert "nothing answers" in doctor(RISK_URL=f"http://127.0.0.1:{port}")["service", "warning"]
    assert "is free" in doctor("--port", port)["port", "ok"]


def test_an_address_that_is_none_or_holds_a_password(doctor):
    found = doctor(RISK_URL="http://me:hidden@127.0.0.1:1")
    assert "no address" in found["service", "failed"]
    assert "hidden" not in str(found)
