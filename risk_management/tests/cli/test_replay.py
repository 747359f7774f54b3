"""`risk replay` as a person types it: a store, a file of fills, and what is said of a wrong call."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import load_risk_config
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager

FILLS = """date,ticker,side,qty,price,commission
2020-01-03,AAPL,buy,20,74.4,1
2020-02-03 15:00,XOM,buy,50,60.7,1
2020-03-18,AAPL,sell,20,61.7,1
2020-06-08,XOM,sell,50,54.7,1
"""


@pytest.fixture
def risk(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words: object, width: int = 100):
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner().invoke(app, ["replay", *map(str, words)])

    return run


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.toml"
    path.write_text("portfolio_value = 77\n[portfolio_limits]\nmax_single_position = 0.06\n")
    return path


@pytest.fixture
def store(tmp_path: Path):
    """An engine that still works: KO and XOM were bought for 900 each."""
    manager = AdvancedRiskManager(load_risk_config(store=str(tmp_path / "risk.db")))
    for symbol, price in {"KO": 60.0, "XOM": 100.0}.items():
        manager.update_prices({symbol: price})
        answer = manager.request_trade(OrderTicket(symbol, "buy", 900, "core"))
        manager.execute_trade(FillReport(answer.request_id, answer.recommended_size, price))
    manager.update_prices({"KO": 57.0, "XOM": 102.0})
    yield tmp_path / "risk.db"
    manager.close()


@pytest.fixture
def fills(tmp_path: Path) -> Path:
    path = tmp_path / "fills.csv"
    path.write_text(FILLS)
    return path


@pytest.mark.parametrize("width", [80, 120])
def test_a_store_that_is_in_use(risk, store, other, width):
    answer = risk(store, "--with", other, width=width)
    assert answer.exit_code == 0, answer.output
    assert max(map(len, answer.output.splitlines())) <= width
    said = " ".join(answer.output.split())
    assert "2 would have differed: 2 cut" in said
    assert "saved 15.00 USD where it did better, and cost 6.00 where it did worse: 9.00 USD more" in said
    assert said.count("SINGLE_NAME_LIMIT") == 3  # by code once, by decision twice


def test_the_store_of_the_settings_and_the_settings_in_use(risk, store, other, monkeypatch):
    monkeypatch.setenv("RISK_STORE", str(store))
    assert "every one would have been decided as it was" in risk().output
    assert "2 would have differed" in risk("--with", other).output


def test_json_and_csv(risk, store, other, tmp_path):
    answer = risk(store, "--with", other, "--json", "--csv", tmp_path / "d.csv")
    found = json.loads(answer.stdout, parse_constant=pytest.fail)
    assert (found["requests"], found["changes"]["cut"]) == (2, 2)
    assert (found["saved"], found["cost"]) == (pytest.approx(15.0), pytest.approx(6.0))
    assert found["was"]["equity_start"] == 10_000.0  # the capital is the book's, not that of other.toml
    assert [row["symbol"] for row in found["differing"]] == ["KO", "XOM"]
    with (tmp_path / "d.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["symbol"], float(row["would_be"]), row["reason"]) for row in rows] == [
        ("KO", pytest.approx(600.0), "SINGLE_NAME_LIMIT"),
        ("XOM", pytest.approx(600.0), "SINGLE_NAME_LIMIT"),
    ]
    nowhere = risk(store, "--with", other, "--csv", tmp_path / "none" / "d.csv")
    assert nowhere.exit_code == 2
    assert "can't be written" in " ".join(nowhere.output.replace("│", " ").split())


@pytest.mark.parametrize("width", [80, 120])
def test_fills(risk, fills, other, width):
    answer = risk("--fills", fills, "--with", other, "--portfolio-value", 10_000, width=width)
    assert answer.exit_code == 0, answer.output
    assert max(map(len, answer.output.splitlines())) <= width
    said = " ".join(answer.output.split())
    assert "Replay of" in said
    assert "2 cut, 2 closing what is held" in said
    assert "sample data, for demonstration" in said


def test_a_part_of_the_fills(risk, fills):
    part = risk("--fills", fills, "--portfolio-value", 10_000, "--from", "2020-03-01", "--to", "2020-03-31")
    assert "Of 1 request " in " ".join(part.output.split())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "This command needs a past"),
        (["s.db", "--fills", "fills.csv", "--portfolio-value", "1"], 2, "give a STORE or --fills, not both"),
        (["--fills", "fills.csv"], 2, "it is never guessed"),
        (["s.db", "--portfolio-value", "1"], 2, "the store knows what the account was worth"),
        (["s.db"], 1, "there is no store at"),
        (["risk.db", "--from", "2030-01-01"], 1, "no entry lies between 2030-01-01 and the last"),
        (["risk.db", "--to", "tomorrow"], 1, "--to is a day such as 2022-03-01"),
        (["risk.db", "--with", "none.toml"], 1, "none.toml: can't be read"),
        (["--fills", "none.csv", "--portfolio-value", "1"], 1, "none.csv: can't be read"),
        (["--fills", "late.csv", "--portfolio-value", "1"], 1, "lie after the last prices of the sample"),
        (["--fills", "wrong.csv", "--portfolio-value", "1"], 1, "line 2, column 'side'"),
    ],
)
@pytest.mark.usefixtures("store", "fills")
def test_wrong_calls_are_one_clear_text(risk, tmp_path, words, code, said):
    (tmp_path / "late.csv").write_text("time,symbol,side,quantity,price\n2024-03-01,KO,buy,1,60\n")
    (tmp_path / "wrong.csv").write_text("time,symbol,side,quantity,price\n2020-03-02,KO,up,1,60\n")
    answer = risk(*words)
    assert answer.exit_code == code, answer.output
    assert said in " ".join(answer.output.replace("│", " ").split())
    assert "Traceback" not in answer.output
