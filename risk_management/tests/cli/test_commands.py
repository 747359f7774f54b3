"""Every command as a person types it: what it prints, its JSON, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management import __version__
from risk_management.calculators.scenarios import load_scenarios
from risk_management.cli.main import app
from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.model.vocabulary import VOCABULARY

BOOK = "symbol,quantity,price,strategy,stop\nSPY,2,450,momentum,430\nAAPL,-3,180,value,\nKO,10,60,value,\n"
COMMANDS = (
    "demo",
    "init",
    "doctor",
    "import",
    "watch",
    "assess",
    "check",
    "heat",
    "var",
    "stress",
    "correlation",
    "kelly",
    "replay",
    "config",
    "selftest",
)
OF_A_BOOK = ("assess", "heat", "var", "stress", "correlation")


@pytest.fixture
def risk(monkeypatch):
    """Runs the command line at a given width."""

    def run(*words: object, width: int = 100):
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "positions.csv"
    path.write_text(BOOK)
    return path


def strict(text: str):
    return json.loads(text, parse_constant=pytest.fail)


def test_help_names_every_command_and_exit_code(risk):
    answer = risk("--help")
    assert answer.exit_code == 0
    for command in COMMANDS:
        assert f" {command} " in answer.output
    assert "3 a limit is breached" in answer.output


def test_the_shell_completes_commands():
    asked = {"_RISK_COMPLETE": "complete_bash", "COMP_WORDS": "risk au", "COMP_CWORD": "1"}
    risk = str(Path(sys.executable).with_name("risk"))
    done = subprocess.run([risk], env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["audit"]


def test_version(risk):
    assert risk("--version").output.strip() == f"risk-management {__version__}"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from typer.testing import CliRunner; from risk_management.cli.main import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        "heavy = {'numpy', 'pandas', 'scipy', 'pydantic', 'flask', 'cvxpy', 'pyarrow'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FINE, BREACHED, USAGE, WRONG = 0, 3, 2, 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["assess", "--portfolio-value", "10000"], FINE, "New trades are allowed"),
        (["assess", "--portfolio-value", "3000"], BREACHED, "Breached:"),
        (["assess"], BREACHED, "equity is taken as the sum of the positions, 2,040.00"),
        (["heat", "--portfolio-value", "10000"], FINE, "of 100, normal"),
        (["heat", "--portfolio-value", "500"], BREACHED, "of 100, critical"),
        (["var", "--portfolio-value", "10000"], FINE, "volatility_scaled"),
        (["var", "--horizon", "1", "--portfolio-value", "500"], BREACHED, "expected_shortfall"),
        (["var", "-m", "student_t", "--portfolio-value", "10000"], FINE, "student_t"),
        (
            ["var", "-m", "all", "--horizon", "10", "--portfolio-value", "10000"],
            FINE,
            ("monte_carlo_full", "√: one day times"),
        ),
        (["var", "--horizon", "1", "--portfolio-value", "10000"], FINE, "standard error of the VaR at 95%"),
        (["backtest-var", "--years", "2", "-m", "monte_carlo_t"], FINE, "monte_carlo_t"),
        (["stress", "--portfolio-value", "10000"], FINE, "31 of 31 passed"),
        (["stress", "--portfolio-value", "700"], BREACHED, "too much"),
        (["stress", "-s", "covid_crash_2020", "--portfolio-value", "10000"], FINE, "where the shock comes"),
        (["stress", "-g", "AAPL=-0.1", "--portfolio-value", "10000"], FINE, "conditional"),
        (["stress", "--reverse", "drawdown", "--portfolio-value", "10000"], FINE, "what drives it"),
        (["correlation", "--portfolio-value", "10000"], FINE, "Clusters"),
        (["backtest-var", "--years", "2", "-m", "volatility_scaled"], FINE, "Exceptions a year at 99%"),
        (["backtest-var", "--years", "2", "-m", "historical"], FINE, "held against 500 days"),
    ],
)
def test_commands_on_a_file(risk, book, words, code, said):
    answer = risk(words[0], book, *words[1:])
    assert answer.exit_code == code, answer.output
    for text in (said,) if isinstance(said, str) else said:
        assert text in answer.output
    assert "sample data, for demonstration" in answer.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["check", "AAPL", "buy", "800"], FINE, "Approved in full: buy AAPL 800.00."),
        (["check", "aapl", "BUY", "800"], FINE, "Approved in full: buy AAPL 800.00."),
        (["check", "AAPL", "buy", "5000"], BREACHED, "SINGLE_NAME_LIMIT"),
        (["check", "AAPL", "buy", "1200", "--confidence", "0.1"], BREACHED, "LOW_CONFIDENCE"),
        (["check", "AAPL", "buy", "800", "--example"], BREACHED, "CLUSTER_LIMIT"),
        (["check", "ZZZZ", "buy", "800"], BREACHED, "NO_PRICE"),
        (["check", "AAPL", "buy", "nan"], WRONG, "error: NOT_FINITE"),
        (["check", "AAPL", "buy", "-5"], WRONG, "size must be above 0; got -5"),
        (["check", "AAPL", "buy", "1,000"], USAGE, "write 1000"),
        (["check", "AAPX", "buy", "800"], BREACHED, "AAPX is not known"),
        (["check", "AAPL", "buy", "much"], USAGE, "number"),
        (["check", "AAPL", "hold", "5"], USAGE, "'buy'"),
        (["check", "=cmd", "buy", "5"], WRONG, "error: INVALID_SYMBOL"),
        (["check", "AAPL", "buy", "5", "--price", "0"], WRONG, "error: NOT_POSITIVE"),
        (["correlation", "SPY", "QQQ", "XOM"], FINE, "3 symbols in equal parts"),
        (["kelly", "SPY", "aapl"], FINE, "Kelly of SPY, AAPL"),
        (["kelly", "ZZZZ"], WRONG, "error: no history of ZZZZ"),
        (["kelly"], USAGE, "SYMBOLS"),
        (["stress", "--example", "-g", "SPY"], USAGE, "write it like SPY=-0.10"),
        (["stress", "--example", "-g", "SPY=-0.1", "-r", "var"], USAGE, "three questions"),
        (["stress", "--example", "-r", "astrology"], WRONG, "limit is one of"),
        (["backtest-var", "--example", "-m", "astrology"], WRONG, "one of volatility_scaled"),
        (["var", "--example", "-m", "astrology"], WRONG, "no method is called 'astrology'"),
        (["assess", "--example"], FINE, "the example book"),
        (["assess", "none.csv"], WRONG, "can't be read"),
        (["assess", "none.csv", "--example"], USAGE, "not both"),
        (["assess", "--example", "--portfolio-value", "0"], WRONG, "portfolio_value"),
        (["stress", "--example", "-s", "market_crsh_2008"], WRONG, "did you mean market_crash_2008"),
        (["stress", "--example", "-s", "black_monday"], FINE, "Black Monday"),
        (["stress", "--example", "-s", "ten days of 2008"], FINE, "The worst ten days of 2008"),
        (["stress", "--example", "-s", "covid"], USAGE, "covid_crash_2020, covid_monday_2020"),
        (["var", "--example", "--horizon", "0"], WRONG, "error:"),
        (["config", "check", "--level", "reckless"], WRONG, "risk_level"),
        (["config", "check", "--config", "none.toml"], WRONG, "none.toml"),
        (["config", "check"], FINE, "The settings are fine"),
        (["config", "show", "nothing"], USAGE, "known: portfolio_limits"),
        (["assess", "--example", "--prices", "none.csv"], WRONG, "none.csv"),
        (["nonsense"], USAGE, "No such command"),
    ],
)
def test_commands_without_a_file(risk, words, code, said):
    answer = risk(*words)
    assert answer.exit_code == code, answer.output
    assert said in answer.output
    assert "Traceback" not in answer.output


def test_settings_of_the_folder_are_found_and_said_once(risk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("risk.toml").write_text('risk_level = "conservative"\nstore = "mine.db"\n')
    Path("other.toml").write_text('risk_level = "aggressive"\n')
    found = risk("config", "show", "--json")
    assert json.loads(found.stdout)["risk_level"] == "conservative"
    assert found.stderr == "Settings: risk.toml of this folder, store mine.db; --config names others.\n"
    assert json.loads(risk("config", "show", "--json", "--level", "moderate").stdout)["store"] == "mine.db"
    named = risk("config", "show", "--json", "--config", "other.toml")
    assert (json.loads(named.stdout)["risk_level"], named.stderr) == ("aggressive", "")
    monkeypatch.setenv("RISK_CONFIG", "other.toml")
    of_the_environment = risk("config", "show", "--json")
    assert json.loads(of_the_environment.stdout)["risk_level"] == "aggressive"
    assert of_the_environment.stderr == ""
    monkeypatch.delenv("RISK_CONFIG")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir("deeper")
    assert json.loads(risk("config", "show", "--json").stdout)["risk_level"] == "moderate"


def test_settings_that_somebody_else_may_write_are_not_found_but_refused(risk, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("risk.toml").write_text("")
    Path("risk.toml").chmod(0o666)
    refused = risk("config", "show")
    assert refused.exit_code == USAGE
    assert "name it with --config" in refused.output
    assert risk("config", "show", "--config", "risk.toml").exit_code == FINE
    assert risk("--help").exit_code == FINE


@pytest.mark.parametrize("command", OF_A_BOOK)
def test_without_a_book_it_teaches_to_make_one(risk, command):
    answer = risk(command)
    assert answer.exit_code == USAGE
    assert "symbol,quantity,price,strategy" in answer.output
    assert f"risk {command} --example" in answer.output


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(
    "words",
    [[c, "--example"] for c in OF_A_BOOK]
    + [["check", "AAPL", "buy", "5000", "--example"], ["kelly", "SPY", "QQQ"]],
    ids=lambda words: words[0],
)
def test_no_line_is_wider_than_the_screen(risk, words, width):
    answer = risk(*words, width=width)
    assert answer.exit_code in (FINE, BREACHED), answer.output
    assert max(map(len, answer.output.splitlines())) <= width
    assert "\x1b[" not in answer.output


def test_scenarios_have_their_names_and_nothing_is_cut_off_at_80_columns(risk, book):
    said = risk("stress", "--example", "--portfolio-value", 900, width=80).output
    assert "The dot-com bust," in said
    ids = [one for one in load_scenarios() if "_" in one]
    assert not [one for one in ids if one in said]
    rows = [line for line in said.splitlines() if "report -50%" in line or "gate -25%" in line]
    assert len(rows) == 31
    assert {row.rstrip().rpartition("%")[2].strip() for row in rows} == {"critical", "passed"}
    assert "result" in said
    assessed = risk("assess", book, "--portfolio-value", 3000, width=120).output
    assert not [one for one in ids if one in assessed]


def test_a_breach_says_which_trades_pass(risk, book):
    said = " ".join(risk("assess", book, "--portfolio-value", 3000).output.split())
    assert "What adds to that is refused; other trades pass, and what closes." in said
    assert "New trades are allowed" not in said


KEYS = {
    "assess": {"metrics", "limits", "positions", "breached", "drawdown", "holds", "notes"},
    "heat": {"heat", "notes"},
    "var": {"total_var", "components", "gate", "limit", "notes"},
    "stress": {"suite", "scenarios", "limits", "notes"},
    "correlation": {"symbols", "matrix", "clusters", "spike", "notes"},
}


@pytest.mark.parametrize("command", OF_A_BOOK)
def test_json_of_a_book(risk, book, command):
    answer = risk(command, book, "--portfolio-value", 10000, "--json")
    found = strict(answer.stdout)
    assert found.keys() >= KEYS[command] | {"as_of", "status", "data", "currency"}
    assert found["data"]["is_sample"] is True
    assert found["data"]["leans_on"][0] == "sample data, for demonstration"


def test_json_of_assess_is_complete(risk, book):
    found = strict(risk("assess", book, "--portfolio-value", 10000, "--json").stdout)
    assert found["metrics"].keys() == VOCABULARY.keys()
    assert found["status"]["equity"] == 10_000.0
    assert {row["symbol"]: row["value"] for row in found["positions"]} == {
        "SPY": 900,
        "AAPL": -540,
        "KO": 600,
    }


def test_json_of_check_holds_every_finding(risk, book):
    answer = risk("check", "AAPL", "buy", 5000, "--positions", book, "--portfolio-value", 10000, "--json")
    assert answer.exit_code == BREACHED
    decision = strict(answer.stdout)["decision"]
    assert decision["outcome"] == "cut"
    assert 540.0 < decision["recommended_size"] < 5000.0
    assert len(decision["findings"]) >= 30
    assert decision["findings"][0].keys() >= {"check", "code", "cap", "measured", "limit", "room", "message"}


def test_json_of_the_others(risk):
    kelly = strict(risk("kelly", "SPY", "QQQ", "--json").stdout)
    assert kelly["portfolio"]["optimal_weights"].keys() == {"SPY", "QQQ"}
    assert [one["symbol"] for one in kelly["assets"]] == ["SPY", "QQQ"]
    one = strict(risk("stress", "--example", "-s", "ten_days_2008", "--json").stdout)
    assert one["scenario"]["portfolio_pnl"] == pytest.approx(-2028, abs=30)
    assert strict(risk("config", "check", "--json").stdout)["ok"] is True


def test_selftest(risk):
    answer = risk("selftest", "--json")
    assert answer.exit_code == FINE
    found = strict(answer.stdout)
    assert found["passed"] == found["total"] > 40
    assert not found["failures"]


@pytest.mark.parametrize("code", [FINE, WRONG])
def test_demo_hands_on_what_was_said_and_its_exit_code(risk, monkeypatch, code):
    called = []
    monkeypatch.setattr("risk_management.demo.demo_command", lambda **said: called.append(said) or code)
    assert risk("demo", "--quick", "--json").exit_code == code
    assert called == [{"quick": True, "as_json": True}]


def test_accounts_share_the_value_by_what_they_hold(risk, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("symbol,size,account\nSPY,3000,A\nKO,1000,B\nXOM,500,\n")
    found = strict(risk("heat", path, "--portfolio-value", 9000, "--json").stdout)
    assert found["heat"]["by_account"] == pytest.approx({"A": 0.5, "B": 0.5, "main": 0.5})
    assert found["status"]["equity"] == pytest.approx(9000.0)
    assert found["status"]["blocked_by"] == []


def test_a_stop_beyond_the_size_is_said(risk, tmp_path):
    path = tmp_path / "risky.csv"
    path.write_text("symbol,size,risk_amount\nKO,100,900\n")
    assert "900.00 was cut to 100.00" in " ".join(risk("heat", path).output.split())


def test_settings_shown_are_a_file_to_start_from(risk, tmp_path):
    path = tmp_path / "risk.toml"
    path.write_text(risk("config", "show", "--level", "conservative").stdout)
    assert load_risk_config(path).digest() == RiskManagementConfig(risk_level="conservative").digest()
    assert "Level conservative" in risk("config", "check", "--config", path).output


def test_secrets_are_not_shown(risk, monkeypatch):
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "12345:very-secret")
    monkeypatch.setenv("TELEGRAM_CHAT_ID", "77")
    monkeypatch.setenv("ALERT_URLS", "json://user:very-secret@host")
    for words in (["config", "show"], ["config", "show", "--json"], ["config", "check"]):
        answer = risk(*words)
        assert answer.exit_code == FINE
        assert "very-secret" not in answer.output
    assert "telegram" in answer.output


def test_own_prices_and_mistakes_of_a_file(risk, prices, tmp_path):
    answer = risk("correlation", "ABC", "XYZ", "--prices", prices)
    assert answer.exit_code == FINE, answer.output
    assert "Prices: files, until 2024-10-28" in answer.output
    assert "sample" not in answer.output
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("symbol,qty,price\nSPY,1,000,450\nAAPL,x,2\n")
    answer = risk("assess", wrong)
    assert answer.exit_code == WRONG
    assert "line 2: 4 cells" in answer.output
    assert "line 3, column 'quantity': 'x'" in answer.output


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    days = [f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(280)]
    rows = "".join(f"{day},{100 + i % 7},{50 + i % 5}\n" for i, day in enumerate(days))
    path = tmp_path / "prices.csv"
    path.write_text("date,ABC,XYZ\n" + rows)
    return path


def test_positions_are_worth_their_newest_close(risk, prices, tmp_path):
    path = tmp_path / "book.csv"
    path.write_text("symbol,quantity,price,stop\nABC,2,80,75\nXYZ,-4,40,44\n")
    found = strict(risk("assess", path, "--prices", prices, "--json").stdout)
    rows = {row["symbol"]: row for row in found["positions"]}
    # the last row of the file: 279 % 7 = 6 and 279 % 5 = 4
    assert rows["ABC"]["value"] == pytest.approx(2 * 106.0)
    assert rows["XYZ"]["value"] == pytest.approx(-4 * 54.0)
    assert found["status"]["equity"] == pytest.approx(2 * 106.0 + 4 * 54.0)
    assert rows["ABC"]["risk"] >= 2 * (106.0 - 75.0) - 1e-9
    assert "2 of 2 positions are valued at their newest close" in found["notes"]


def test_old_prices_authorise_nothing(risk, prices):
    answer = risk("check", "ABC", "buy", 100, "--prices", prices)
    assert answer.exit_code == BREACHED
    assert "STALE" in answer.output


def test_options_of_all_commands_stand_anywhere(risk):
    before = strict(risk("--level", "aggressive", "config", "check", "--json").stdout)
    behind = strict(risk("config", "check", "--json", "--level=aggressive").stdout)
    assert before == behind
    assert before["risk_level"] == "aggressive"


def test_names_from_files_are_text_and_never_markup(risk, tmp_path):
    path = tmp_path / "a[bold]b[:smile:].csv"
    path.write_text("symbol,size,strategy\nKO,100,[red]x[/]\n")
    for command in OF_A_BOOK:
        answer = risk(command, path)
        assert "a[bold]b[:smile:].csv" in answer.output, command
    assert "[red]x[/]" in risk("assess", path).output
    assert "[red]x[/]" in risk("check", "KO", "buy", 5000, "--strategy", "[red]x[/]").output


def test_no_colour_where_none_is_wanted(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = CliRunner().invoke(app, ["check", "KO", "buy", "5000"]).output
    monkeypatch.setenv("NO_COLOR", "1")
    plain = CliRunner().invoke(app, ["check", "KO", "buy", "5000"]).output
    assert "\x1b[33mCut: buy KO" in coloured
    assert "\x1b[33m" not in plain


def test_a_loss_that_a_book_can_not_make_is_said_to_be_none(risk, tmp_path):
    path = tmp_path / "small.csv"
    path.write_text("symbol,quantity,price\nZZZQ,50,100\n")
    words = ("stress", path, "--portfolio-value", "100000", "--reverse", "drawdown")
    answer = risk(*words)
    assert answer.exit_code == 0
    assert "can't break drawdown" in answer.output
    assert "standard deviations" not in answer.output
    assert strict(risk(*words, "--json").stdout)["reverse"]["status"] == "unreachable"


def test_a_name_is_given_one_return(risk, book):
    answer = risk("stress", book, "--given", "SPY=-0.1", "--given", "SPY=-0.2")
    assert answer.exit_code == 2
    assert "SPY twice" in answer.output


def test_a_book_that_nets_to_zero_is_not_called_empty(risk, tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("symbol,quantity,price,strategy\nSPY,2,450,a\nSPY,-2,450,b\n")
    answer = risk("stress", path, "--given", "SPY=-0.1", "--portfolio-value", "10000")
    assert "nets to zero" in answer.output
    assert "empty" not in answer.output


def test_at_80_columns_nothing_is_dropped_that_the_legend_explains(risk, book):
    answer = risk("backtest-var", book, "--years", "2", "-m", "historical", width=80)
    head = next(line for line in answer.output.splitlines() if line.strip().startswith("method"))
    assert head.split() == ["method", "over", "number", "cluster", "both", "ES", "worst", "zone"]
    legend = " ".join(answer.output.split("Note:")[1].split())
    for word in head.split()[1:]:
        assert word in legend
    assert max(map(len, answer.output.splitlines())) <= 80


def test_a_row_says_which_figures_the_root_of_time_has_made(risk, book):
    """5 days at 95 % overlap on the sample, at 97.5 and 99 % they can't."""
    words = ("var", book, "-m", "historical", "--horizon", "5", "--portfolio-value", "10000")
    answer = risk(*words, width=80)
    row = next(line.split() for line in answer.output.splitlines() if line.strip().startswith("historical"))
    assert ["√" in cell for cell in row[2:]] == [False, True, True]
    data = strict(risk(*words, "--json").stdout)["total_var"]
    assert [data[f"historical_{c}_5d"]["horizon_rule"] for c in ("0.95", "0.975")] == [
        "overlapping",
        "square_root_of_time",
    ]
    assert "strategy   momentum" in answer.output
    assert max(map(len, answer.output.splitlines())) <= 80


def test_years_without_end_are_an_error_and_no_traceback(risk):
    answer = risk("backtest-var", "--example", "--years", "inf", "-m", "historical")
    assert answer.exit_code == WRONG
    assert "years must be a finite number" in answer.output


@pytest.mark.parametrize("command", OF_A_BOOK)
def test_the_same_data_give_the_same_json(risk, book, command):
    one, other = (risk(command, book, "--json").stdout for _ in range(2))
    assert strict(one) == strict(other)
    assert "-0.0," not in one


def test_a_split_of_the_risk_budget(risk, book):
    answer = risk("budget", book, "--portfolio-value", "10000", "--allocate", "risk_parity")
    assert answer.exit_code == FINE, answer.output
    assert "350.00 (3.50% of equity) of es, by risk parity" in answer.output
    assert "present positions on 1250 days" in " ".join(answer.output.split())
    made = strict(risk("budget", book, "--portfolio-value", "10000", "--total", "0.01", "--json").stdout)
    assert made["in_force"] is False
    assert made["method"] == "equal"
    assert [row["budget"] for row in made["strategies"]] == pytest.approx([50.0, 50.0])
    narrow = risk("budget", book, "--portfolio-value", "3000", "--total", "0.001")
    assert narrow.exit_code == BREACHED
    assert "nothing that adds to its risk is approved" in narrow.output
    wrong = risk("budget", book, "--allocate", "astrology")
    assert (wrong.exit_code, "method is one of equal" in wrong.output) == (WRONG, True)


def test_the_risk_budget_of_a_store(risk, start, tmp_path):
    manager = start()
    manager.register_bot("a", "momentum")
    manager.register_bot("b", "value")
    empty = risk("budget", "--store", tmp_path / "book.db")
    assert empty.exit_code == USAGE
    assert "no risk budget is in force" in empty.output
    manager.allocate_risk_budget(0.02, "equal", "var")
    answer = risk("budget", "--store", tmp_path / "book.db")
    assert answer.exit_code == FINE, answer.output
    assert "in force since" in " ".join(answer.output.split())
    assert "200.00 (2.00% of equity) of var, by equal" in answer.output
    preview = strict(risk("budget", "--store", tmp_path / "book.db", "--allocate", "fixed", "--json").stdout)
    assert (preview["in_force"], preview["method"]) == (False, "fixed")
    assert manager.risk_budget().method == "equal"
    manager.close()
    both = risk("budget", "--store", tmp_path / "book.db", "--example")
    assert (both.exit_code, "one of them" in both.output) == (USAGE, True)
