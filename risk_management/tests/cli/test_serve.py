"""`risk serve` and `risk token` where they refuse: nothing is left behind, and the remedy is said."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.store.kept_settings import changes_of_book
from risk_management.store.reader import StoreReader


@pytest.fixture
def risk(monkeypatch):
    def run(*words, width=200, **environment):
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner(env=environment).invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def kept(tmp_path):
    """A store with a book of 10,000 in it."""
    path = tmp_path / "kept.db"
    with AdvancedRiskManager(RiskManagementConfig(store=str(path))) as manager:
        manager.record_cash("deposit", 5.0)
    return path


def test_a_taken_port_leaves_no_store_behind(risk, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = risk("serve", "--store", tmp_path / "new.db", "--port", taken.getsockname()[1])
    assert (said.exit_code, list(tmp_path.iterdir())) == (69, [])
    assert "choose another --port" in said.output


@pytest.mark.parametrize("words", [["create", "--bot", "b"], ["list"], ["revoke", "abc"]])
def test_tokens_of_no_store_are_refused_and_make_none(risk, tmp_path, words):
    said = risk("token", *words, "--store", tmp_path / "typo.db")
    assert (said.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "'risk serve' makes one" in said.output


def test_a_token_says_its_store(risk, kept):
    said = risk("token", "create", "--bot", "b", "--store", kept)
    assert said.exit_code == 0
    assert str(kept) in said.stderr
    assert said.stdout.strip().startswith("risk_")
    listed = json.loads(risk("token", "list", "--store", kept, "--json").stdout)
    assert listed["store"] == str(kept)
    number = listed["tokens"][0]["id"]
    assert str(kept) in risk("token", "list", "--store", kept).stdout
    assert json.loads(risk("token", "revoke", number, "--store", kept, "--json").stdout)["revoked_at"]


def test_a_kept_book_is_not_served_on_another_capital_unasked(risk, kept):
    before = StoreReader.of_store(str(kept)).tail()
    said = risk("serve", "--store", kept, "--port", 0, PORTFOLIO_VALUE="20000")
    assert said.exit_code == 1
    assert "portfolio_value: kept 10,000.00, now 20,000.00" in said.output
    assert "--accept-new-settings" in said.output
    assert StoreReader.of_store(str(kept)).tail() == before


def test_what_makes_it_another_book_and_what_does_not(kept, tmp_path):
    config = RiskManagementConfig(store=str(kept))
    assert changes_of_book(str(kept), config) == ()
    assert changes_of_book(str(kept), config.update(var_config={"daily_var_limit": 0.01})) == ()
    other = config.update(market_data_config={"source": "yahoo"}, account_id="second")
    assert changes_of_book(str(kept), other) == (
        "account_id: kept main, now second",
        "market_data_config.source: kept sample, now yahoo",
    )
    assert changes_of_book(str(tmp_path / "none.db"), other) == ()


def test_a_manager_ends_with_its_block(kept):
    with AdvancedRiskManager(RiskManagementConfig(store=str(kept))) as manager:
        assert manager.state.cash == 10_005.0
    AdvancedRiskManager(RiskManagementConfig(store=str(kept))).close()  # the store is free again


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('source = "filez"', "no source is called 'filez'; known: exchange, files, sample, yahoo"),
        ('source = "files"\npath = "/nowhere/closes.csv"', "/nowhere/closes.csv"),
        ('source = "exchange"', "market_data_config.exchange"),
    ],
)
def test_config_check_fails_where_a_start_would(risk, tmp_path, text, said):
    path = tmp_path / "risk.toml"
    path.write_text(f"[market_data_config]\n{text}\n")
    answer = risk("config", "check", "--config", path)
    assert answer.exit_code == 1
    assert said in answer.output


def test_a_future_price_on_the_sample_says_why():
    manager = AdvancedRiskManager()
    with pytest.raises(InvalidRequest, match=r"FUTURE_TIMESTAMP.*market_data_config\.source"):
        manager.update_prices({"KO": 60.0}, at=manager.clock.now().replace(year=2026))


def test_another_environment_is_never_accepted(kept):
    config = RiskManagementConfig(store=str(kept), environment="replay")
    with pytest.raises(ConfigurationError, match="environment"):
        AdvancedRiskManager(config)
