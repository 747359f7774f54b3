"""`risk import`: a stranger's own account, from a file to the room under every limit."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.market_data.fills_file import FillRow
from risk_management.market_data.held_after import held_after

POSITIONS = "symbol,quantity,price,strategy,stop,ref\nSPY,10,450,momentum,430,x\nAAPL,-5,180,value,,y\n"
FILLS = "time,symbol,side,quantity,price\n2022-03-01,AAPL,buy,10,163.2\n2022-03-08 15:10,AAPL,sell,4,157.4\n"


@pytest.fixture
def risk(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "positions.csv").write_text(POSITIONS)
    (tmp_path / "fills.csv").write_text(FILLS)

    def run(*words, typed=None):
        monkeypatch.setenv("COLUMNS", "200")
        return CliRunner().invoke(app, ["import", *map(str, words), "--store", "b.db"], input=typed)

    return run


def kept():
    return AdvancedRiskManager(RiskManagementConfig(store="b.db", portfolio_value=25_000.0))


def test_an_account_is_asked_for_and_stands_under_every_limit(risk):
    said = risk("positions.csv", typed="25000\n27500\ny\n")
    assert said.exit_code == 0, said.output
    assert "Understood as positions: 2 positions." in said.output
    assert "Left alone: ref." in said.output
    assert "Limits, the nearest to a breach first" in said.output
    assert "portfolio_value: kept 25,000.00, now 10,000.00" in said.output
    with kept() as manager:
        held = {key.symbol: position.quantity for key, position in manager.state.positions.items()}
        assert held == {"SPY": 10 * 10**8, "AAPL": -5 * 10**8}
        assert manager.state.equity == 25_000.0
        assert manager.state.high_water_mark == pytest.approx(27_500.0)
        # 1 - 25,000 / 27,500
        assert manager.state.drawdown.drawdown == pytest.approx(1 / 11)
    assert "9.09%" in said.output


def test_no_is_no(risk, tmp_path):
    said = risk("positions.csv", typed="25000\n27500\nn\n")
    assert (said.exit_code, "Nothing was written" in said.output) == (0, True)
    assert not (tmp_path / "b.db").exists()


def test_fills_are_told_by_their_columns(risk):
    said = risk("fills.csv", "--yes", "--portfolio-value", 10_000, "--high-water-mark", 10_000, "--json")
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert (found["kind"], found["fills"], found["store"]) == ("fills", 2, "b.db")
    assert found["rows"] == [
        {
            "symbol": "AAPL",
            "size": pytest.approx(6 * 163.2),
            "price": 163.2,
            "strategy": "",
            "bot": None,
            "line": 3,
        }
    ]


def test_fills_are_shown_as_what_they_leave(risk):
    said = risk("fills.csv", typed="10000\n10000\nn\n")
    assert "Understood as fills: 2 fills, which leave 1 position where nothing was held" in said.output


def test_json_alone_writes_nothing(risk, tmp_path):
    said = risk("positions.csv", "--portfolio-value", 25_000, "--high-water-mark", 25_000, "--json")
    assert json.loads(said.stdout)["store"] is None
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize(
    ("words", "text", "code", "said"),
    [
        (["--yes"], POSITIONS, 2, "--portfolio-value is missing"),
        (["--yes", "--portfolio-value", 9000], POSITIONS, 2, "--high-water-mark is missing"),
        (
            ["--yes", "--portfolio-value", 9000, "--high-water-mark", 100],
            POSITIONS,
            2,
            "at least 9,000.00",
        ),
        ([], "symbol,size\nSPY,100\n", 1, "no price of SPY (line 2)"),
        ([], "symbol,qty,price\nSPY,x,450\n", 1, "line 2, column 'quantity': 'x'"),
        ([], "time,symbol,side,quantity,price\nnever,SPY,buy,1,2\n", 1, "line 2, column 'time': 'never'"),
        ([], "a,b\n1,2\n", 1, "no column 'symbol'"),
        ([], "", 1, "the file is empty"),
    ],
)
def test_what_can_not_be_taken_in_is_said_and_leaves_nothing(risk, tmp_path, words, text, code, said):
    (tmp_path / "other.csv").write_text(text)
    answer = risk("other.csv", *words, typed="")
    assert answer.exit_code == code, answer.output
    assert said in answer.output
    assert not (tmp_path / "b.db").exists()


def test_a_book_that_is_there_is_not_added_to(risk):
    risk("positions.csv", "--yes", "--portfolio-value", 25_000, "--high-water-mark", 25_000)
    again = risk("positions.csv", "--yes", "--portfolio-value", 25_000, "--high-water-mark", 25_000)
    assert again.exit_code == 1
    assert "holds a book already" in again.output
    with kept() as manager:
        assert len(manager.state.positions) == 2


def test_what_was_written_ends_well_and_says_what_is_above_its_limit(risk, tmp_path):
    """A script that stops at the first failure goes on: the import did what it should."""
    said = risk("positions.csv", "--yes", "--portfolio-value", 5000, "--high-water-mark", 5000)
    assert said.exit_code == 0
    assert "Breached" in said.output
    assert "single_name" in said.output.splitlines()[-3]
    assert "above their limits already: what adds to it is refused, what closes passes" in said.output
    assert (tmp_path / "b.db").exists()
    assert "portfolio_value: kept 5,000.00, now 10,000.00" in said.output
    assert "risk serve --store b.db --accept-new-settings" in said.output  # else it would refuse


def test_the_capital_of_the_settings_is_no_guess(risk, tmp_path):
    (tmp_path / "risk.toml").write_text("portfolio_value = 25000\n")
    asked = risk("positions.csv", typed="\n27500\nn\n")
    assert "[25000.0]" in asked.output
    said = risk("positions.csv", "--yes", "--high-water-mark", 27_500)
    assert said.exit_code == 0, said.output
    assert "now 10,000.00" not in said.output
    assert "--accept-new-settings" not in said.output
    with kept() as manager:
        assert manager.state.equity == 25_000.0


def fill(side: int, quantity: float, price: float, **words) -> FillRow:
    return FillRow(datetime(2022, 3, 1, tzinfo=UTC), "KO", side, quantity, price, **words)


def test_what_fills_leave_by_hand():
    """Average cost: 10 at 50 and 10 at 70 cost 60 each; selling moves no average; a turn begins anew."""
    bought = [fill(1, 10, 50), fill(1, 10, 70)]
    (row,) = held_after(bought)
    assert (row.size, row.price) == (1200.0, 60.0)
    (row,) = held_after([*bought, fill(-1, 5, 90)])
    assert (row.size, row.price) == (900.0, 60.0)
    (row,) = held_after([*bought, fill(-1, 25, 90)])
    assert (row.size, row.price) == (-450.0, 90.0)
    assert held_after([*bought, fill(-1, 20, 1)]) == []
    both = held_after([fill(1, 1, 10, bot="a"), fill(1, 1, 20, bot="b")])
    assert [(one.bot, one.price) for one in both] == [("a", 10.0), ("b", 20.0)]


def test_the_store_of_the_settings_is_where_it_goes_and_what_only_looks_leaves_it_alone(
    monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISK_STORE", "mine.db")
    (tmp_path / "positions.csv").write_text(POSITIONS)
    (tmp_path / "risk.toml").write_text('[broker_config]\nname = "paper"\n')  # nor is its broker waited for
    for words in (
        ["assess", "positions.csv"],
        ["check", "KO", "buy", "100"],
        ["heat", "positions.csv"],
        ["selftest"],
    ):
        looked = CliRunner().invoke(app, words)
        assert looked.exit_code in (0, 3), looked.output
        assert "reducing" not in looked.output.lower()
        assert not list(tmp_path.glob("mine.db*"))
    asked = ["import", "positions.csv", "--portfolio-value", "25000", "--high-water-mark", "25000", "--yes"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code in (0, 3), said.output
    assert (tmp_path / "mine.db").stat().st_size > 0


def test_bots_without_strategies_are_shown_and_what_it_means_is_said(risk, tmp_path):
    (tmp_path / "bots.csv").write_text("symbol,quantity,price,bot\nSPY,1,380,alpha\nKO,2,60,beta\n", "utf-8")
    said = risk("bots.csv", typed="25000\n27500\nn\n")
    assert "alpha" in said.output
    assert "all of it counts as one strategy" in " ".join(said.output.split())
