"""Tokens: shown once, kept as hashes, made and ended beside a running engine."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest, StoreUnavailable
from risk_management.model.access import Access
from risk_management.store.sql_journal import SqlJournal
from risk_management.store.tokens import TokenStore

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def tokens(tmp_path, clock):
    store = TokenStore(str(tmp_path / "risk.db"), clock)
    yield store
    store.close()


def test_a_secret_is_long_and_only_its_hash_is_kept(tokens, tmp_path):
    token, secret = tokens.create("grafana", Access.READ, actor="me")
    assert len(secret) >= 43  # 256 bits in base 64
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in kept
    assert hashlib.sha256(secret.encode()).digest() in kept
    assert tokens.find(secret).token_id == token.token_id


@pytest.mark.parametrize("wrong", ["", " ", "risk_", "é", "\ud800", "a" * 5000, "\x00"])
def test_what_is_no_secret(tokens, wrong):
    _, secret = tokens.create("a", Access.READ, actor="me")
    for tried in (wrong, secret[:-1], secret + "x", secret.swapcase(), f" {secret}"):
        assert tokens.find(tried) is None


def test_revoked_ends_within_a_second_for_another_process(tokens, tmp_path, clock):
    token, secret = tokens.create("a", Access.READ, actor="me")
    running = TokenStore(str(tmp_path / "risk.db"), clock)
    assert running.find(secret)
    tokens.revoke(token.token_id)
    tokens.revoke(token.token_id)
    clock.advance(1.0)
    assert running.find(secret) is None
    running.close()


def test_a_token_made_by_another_process_is_known_at_once(tokens, tmp_path, clock):
    running = TokenStore(str(tmp_path / "risk.db"), clock)
    assert running.find("nothing") is None
    clock.advance(0.2)
    _, secret = tokens.create("a", Access.READ, actor="me")
    assert running.find(secret)
    running.close()


def test_two_may_be_valid_while_one_is_changed_for_the_other(tokens):
    first, one = tokens.create("bot", Access.TRADE, bot="b", actor="me")
    _, other = tokens.create("bot", Access.TRADE, bot="b", actor="me")
    assert tokens.find(one)
    assert tokens.find(other)
    tokens.revoke(first.token_id)
    assert tokens.find(one) is None
    assert tokens.find(other)


def test_last_use_is_kept(tokens, clock):
    _, secret = tokens.create("a", Access.READ, actor="me")
    tokens.find(secret)
    clock.advance(90.0)
    tokens.find(secret)
    assert tokens.tokens()[0].last_used_at == START


def test_while_the_store_is_gone_the_known_ones_hold(tokens, tmp_path, clock):
    """The stop of everything must not need the disk."""
    _, secret = tokens.create("a", Access.OPERATE, actor="me")
    assert tokens.find(secret)
    with sqlite3.connect(tmp_path / "risk.db") as raw:
        raw.execute("ALTER TABLE tokens RENAME TO elsewhere")
    clock.advance(5.0)
    assert tokens.find(secret)
    with pytest.raises(StoreUnavailable, match="ask again"):  # it may be a new one
        tokens.find("another")


@pytest.mark.parametrize(
    ("access", "bot", "name"),
    [
        (Access.TRADE, None, "a"),
        (Access.READ, "bot", "a"),
        (Access.TRADE, "operator", "a"),
        (Access.TRADE, "", "a"),
        (Access.READ, None, ""),
        (Access.READ, None, "a\nb"),
    ],
)
def test_what_is_no_token(tokens, access, bot, name):
    with pytest.raises(InvalidRequest):
        tokens.create(name, access, bot=bot, actor="me")
    assert tokens.tokens() == []


def test_beside_an_engine_that_holds_the_store(tmp_path, clock):
    path = str(tmp_path / "risk.db")
    journal = SqlJournal(path)
    tokens = TokenStore(path, clock)
    _, secret = tokens.create("a", Access.READ, actor="me")
    assert tokens.find(secret)
    tokens.close()
    journal.close()


def test_the_command(tmp_path):
    def risk(*words):
        return CliRunner().invoke(app, ["token", *words, "--store", str(tmp_path / "risk.db")])

    assert risk("create", "--bot", "RSI2").exit_code == 1, "there is no store to write it to"
    AdvancedRiskManager(RiskManagementConfig(store=str(tmp_path / "risk.db"))).close()
    made = risk("create", "--bot", "RSI2", "--json")
    assert made.exit_code == 0
    row = json.loads(made.stdout)
    assert row["token"].startswith("risk_")
    assert (row["scope"], row["bot"]) == ("trade", "RSI2")
    listed = risk("list", "--json")
    assert row["token"] not in listed.output
    assert [one["id"] for one in json.loads(listed.stdout)["tokens"]] == [row["id"]]
    assert "RSI2" in risk("list").output
    assert risk("revoke", row["id"]).exit_code == 0
    assert json.loads(risk("list", "--json").stdout)["tokens"][0]["revoked_at"]
    assert risk("revoke", "nobody").exit_code == 1
    assert risk("create").exit_code == 2
    assert risk("create", "--scope", "trade").exit_code == 1
    plain = risk("create", "--scope", "read")
    assert plain.stdout.strip().startswith("risk_")
    assert plain.stdout.count("\n") == 1  # a script takes it from there
