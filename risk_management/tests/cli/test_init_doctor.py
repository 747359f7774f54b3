"""`risk init` writes what loads and no secret; `risk doctor` finds what was broken on purpose."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from risk_management.cli._doctor_machine import of_clock
from risk_management.cli._doctor_service import of_port
from risk_management.cli._doctor_store import of_store
from risk_management.cli.main import app
from risk_management.clock import ManualClock, SystemClock
from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.access import Access
from risk_management.store.lock import holder
from risk_management.store.place import place_of
from risk_management.store.tokens import TokenStore

SECRETS = {"TELEGRAM_BOT_TOKEN": "12345:very-secret", "SMTP_PASSWORD": "very-secret"}


@pytest.fixture
def risk(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words, typed=None, **environment):
        monkeypatch.setenv("COLUMNS", "300")
        return CliRunner(env=environment).invoke(app, [str(word) for word in words], input=typed)

    return run


def test_init_unasked_writes_settings_that_load(risk, tmp_path):
    said = risk("init", "--yes", "--capital", 25_000, "--level", "conservative", "--channel", "telegram")
    assert said.exit_code == 0, said.output
    config = load_risk_config(tmp_path / "risk.toml")
    assert (config.portfolio_value, config.risk_level) == (25_000.0, "conservative")
    assert config.store == str(tmp_path / "risk.db")
    assert config.portfolio_limits == RiskManagementConfig(risk_level="conservative").portfolio_limits
    assert "TELEGRAM_BOT_TOKEN" in said.output
    for command in ("risk doctor", "risk import", "risk serve"):
        assert f"{command} " in said.output
    assert (tmp_path / "risk.toml").stat().st_mode & 0o777 == 0o600


def test_init_asks_and_asks_again_where_an_answer_means_nothing(risk, tmp_path):
    said = risk("init", "my.toml", typed="much\n5000\naggressive\nfiles\nmy.csv\n\nnone\nslack\n")
    assert "my.csv is not there yet" in said.output
    assert said.exit_code == 0, said.output
    config = load_risk_config(tmp_path / "my.toml")
    assert (config.portfolio_value, config.risk_level) == (5000.0, "aggressive")
    assert (config.market_data_config.source, str(config.market_data_config.path)) == ("files", "my.csv")
    assert "got 'much'" in said.output


def test_init_never_writes_a_secret(risk, tmp_path):
    said = risk("init", "--yes", **SECRETS)
    assert said.exit_code == 0
    assert "very-secret" not in (tmp_path / "risk.toml").read_text() + said.output


def test_init_overwrites_only_where_it_is_told_to(risk, tmp_path):
    (tmp_path / "risk.toml").write_text("# mine\n")
    said = risk("init", "--yes")
    assert said.exit_code == 2
    assert "--force" in said.output
    assert (tmp_path / "risk.toml").read_text() == "# mine\n"
    assert json.loads(risk("init", "--force", "--json").stdout)["settings"]["risk_level"] == "moderate"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--capital", "0"], "capital is money above 0"),
        (["--level", "bold"], "'bold' is none of conservative"),
        (["--source", "filez"], "'filez' is none of sample"),
        (["--channel", "pigeon"], "'pigeon' is none of telegram"),
        ([], "--yes takes the answers"),
    ],
)
def test_init_refuses_with_the_remedy_and_writes_nothing(risk, tmp_path, words, said):
    answer = risk("init", *(["--yes"] if words else []), *words)
    assert answer.exit_code == 2
    assert said in answer.output
    assert not list(tmp_path.iterdir())


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "risk.db"
    with AdvancedRiskManager(RiskManagementConfig(store=str(path))) as manager:
        manager.update_prices({"KO": 60.0})
    return path


def doctor(risk, *words, **environment):
    answer = risk("doctor", "--json", *words, **environment)
    found = json.loads(answer.stdout)
    assert (answer.exit_code == 0) is found["ok"]
    told: dict[tuple[str, str], str] = {}
    for one in found["findings"]:
        told.setdefault((one["area"], one["level"]), "")
        told[one["area"], one["level"]] += f"{one['said']} -> {one['remedy']}\n"
    return told


def test_doctor_of_a_sound_store(risk, store):
    found = doctor(risk, "--store", store)
    assert ("store", "failed") not in found
    assert "entries, signed to entry" in found["store", "ok"]
    assert "risk token create" in found["tokens", "warning"]
    assert "sample data" in found["prices", "warning"]
    TokenStore(str(store)).create("b", Access.TRADE, bot="b", actor="test")
    assert doctor(risk, "--store", store)["tokens", "ok"].startswith("1 in use")
    lines = risk("doctor", "--store", store).stdout
    assert "-> risk init" in lines
    assert "0 failed." in lines


def test_doctor_looks_and_changes_nothing(risk, store):
    before = {path.name: path.read_bytes() for path in store.parent.iterdir()}
    doctor(risk, "--store", store)
    assert {path.name: path.read_bytes() for path in store.parent.iterdir()} == before


def test_doctor_sees_rights_and_a_cut_end(risk, store):
    store.chmod(0o644)
    assert "chmod 600" in doctor(risk, "--store", store)["store", "failed"]
    store.chmod(0o600)
    store.with_name("risk.db.head").unlink()
    assert "restore a backup" in doctor(risk, "--store", store)["store", "failed"]


def test_doctor_names_who_works_on_the_store(store):
    with AdvancedRiskManager(RiskManagementConfig(store=str(store))):
        assert any("process" in one.said and "works on it" in one.said for one in of_store(str(store)))
    assert holder(place_of(str(store))) is None


def test_doctor_names_the_setting_that_a_channel_lacks(risk):
    found = doctor(risk, **{"TELEGRAM_BOT_TOKEN": "12345:very-secret"})
    assert "TELEGRAM_CHAT_ID" in found["channels", "warning"]
    assert "very-secret" not in str(found)
    assert "slack" in doctor(risk, SLACK_WEBHOOK_URL="https://x/very-secret")["channels", "ok"]


def test_doctor_of_settings_that_do_not_load(risk, tmp_path):
    path = tmp_path / "risk.toml"
    path.write_text("portfolio_value = -1\n")
    path.chmod(0o666)
    found = doctor(risk, "--config", path)
    assert "chmod 600" in found["settings", "failed"]
    path.chmod(0o600)
    assert "portfolio_value" in doctor(risk, "--config", path)["settings", "failed"]
    path.write_text('[market_data_config]\nsource = "files"\npath = "/nowhere.csv"\n')
    assert "/nowhere.csv" in doctor(risk, "--config", path)["prices", "failed"]


def test_doctor_tells_our_service_from_something_else():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (found,) = of_port("127.0.0.1", port)
        assert found.level == "warning"
    (found,) = of_port("127.0.0.1", port)
    assert (found.level, "is free" in found.said) == ("ok", True)
    (found,) = of_port("127.0.0.1", port, "process 7 on here")
    assert (found.level, found.said) == (
        "warning",
        f"process 7 on here works on the store, but nothing answers at 127.0.0.1:{port}",
    )


def test_doctor_sees_a_clock_that_steps():
    clock = ManualClock(SystemClock().now())
    clock.step_wall(3600.0)
    assert any("stepped by +3600.0 s" in one.said for one in of_clock(clock, "UTC", "18:00"))


WRONG_STARTS = {
    "rules": ('[alert_config]\nrules_file = "none.toml"\n', "none.toml"),
    "prices": ('[market_data_config]\nsource = "files"\npath = "none.csv"\n', "none.csv"),
    "keys": ('[broker_config]\nname = "alpaca"\n', "ALPACA_API_KEY"),
    "broker": ('[broker_config]\nname = "pigeon"\n', "pigeon"),
    "account": ('[broker_config]\nname = "paper"\noptions = { path = "no/where.db" }\n', "no/where.db"),
    "option": ('[broker_config]\nname = "paper"\noptions = { cash = -1 }\n', "broker_config.options.cash"),
    "environment": ('environment = "live"\n[broker_config]\nname = "paper"\n', "environment"),
    "channel": ('[alert_config]\nurls = ["pigeon://loft"]\n', "alert_config.urls"),
}


@pytest.mark.parametrize("name", WRONG_STARTS)
def test_what_serve_refuses_is_found_by_check_and_doctor(risk, tmp_path, name):
    """One oracle for all three: `risk serve` itself ends with the same text."""
    text, part = WRONG_STARTS[name]
    (tmp_path / "my.toml").write_text(f'store = "book.db"\n{text}')
    served = risk("serve", "--config", "my.toml", "--port", 0)
    assert served.exit_code == 1
    assert part in served.output
    checked = risk("config", "check", "--config", "my.toml")
    assert checked.exit_code == 1
    assert part in checked.output
    if name != "keys":  # a setting that is wrong by itself, or a start that fails: one line says so
        assert checked.output.strip().splitlines()[-1] == served.output.strip().splitlines()[-1]
    examined = risk("doctor", "--config", "my.toml", "--json")
    assert examined.exit_code == 1
    assert part in examined.stdout
    assert not (tmp_path / "no").exists()


def test_a_kept_book_of_other_settings_is_found_before_serve_refuses_it(risk, tmp_path, store):
    (tmp_path / "my.toml").write_text(f'store = "{store.as_posix()}"\nportfolio_value = 25000\n')
    checked = risk("config", "check", "--config", "my.toml")
    assert checked.exit_code == 1
    assert "portfolio_value: kept 10,000.00, now 25,000.00" in checked.output
    assert "kept under other settings" in doctor(risk, "--config", "my.toml")["start", "failed"]


def test_check_and_doctor_write_nothing(risk, tmp_path):
    (tmp_path / "my.toml").write_text(
        'store = "book.db"\n[broker_config]\nname = "paper"\noptions = { path = "p.db" }\n'
    )
    assert risk("config", "check", "--config", "my.toml").exit_code == 0
    assert ("start", "ok") in doctor(risk, "--config", "my.toml")
    assert [one.name for one in tmp_path.iterdir()] == ["my.toml"]
