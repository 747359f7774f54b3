"""`risk audit` on a store that a manager wrote: also while it is in use, and after somebody changed it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from risk_management.cli._entries import _SENTENCES, entry_line
from risk_management.cli.main import app
from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import Event


@pytest.fixture
def manager(foundation, tmp_path):
    config = foundation.config.update(store=str(tmp_path / "book.db"))
    made = AdvancedRiskManager.on(
        replace(foundation, config=config, clock=ManualClock(foundation.clock.now()))
    )
    made.update_prices({"KO": 60.0})
    made.request_trade(OrderTicket("KO", "buy", 3000.0, "", "a", request_id="r-1"))
    made.execute_trade(FillReport("r-1", 500.0, 60.0, execution_id="e-1"))
    made.desk.cancel("r-1", "changed its mind")
    yield made
    made.close()


@pytest.fixture
def audit(manager, tmp_path):
    def run(*words):
        return CliRunner().invoke(app, ["audit", *words, "--store", str(tmp_path / "book.db")])

    return run


def test_why_says_every_number_and_what_became_of_it(audit, manager):
    said = audit("why", "r-1")
    assert said.exit_code == 0, said.output
    words = " ".join(said.output.split())
    assert "r-1: cut" in words
    assert " ".join(manager.desk.decision("r-1").explain().split())[:60] in words
    assert words.index("Filled") < words.index("ReservationClosed")
    told = json.loads(audit("why", "r-1", "--json").stdout)
    assert told["decision"]["recommended_size"] == manager.desk.decision("r-1").recommended_size
    assert [row["kind"] for row in told["after"]] == ["Filled", "ReservationClosed"]
    assert audit("why", "nobody").exit_code == 1


def test_a_drawdown_is_held_against_its_tier_and_says_the_size_apart(audit, manager):
    """Half of its size is no limit of 50 %: 7.6 % measured would read as if it were far below."""
    manager.request_trade(OrderTicket("KO", "buy", 100.0, "", "a", request_id="full"))
    manager.record_cash("fee", -850.0)
    manager.request_trade(OrderTicket("KO", "buy", 100.0, "", "a", request_id="half"))
    assert "full size below 5.00%" in " ".join(audit("why", "full").output.split())
    said = " ".join(audit("why", "half").output.split())
    assert "x0.50 of its size from 8.00% on" in said
    assert "drawdown 8.5" in said
    note = manager.desk.decision("full").says(
        next(one for one in manager.desk.decision("full").findings if one.check == "drawdown")
    )
    assert note.endswith("full size")


def test_entries_are_lines_with_money_in_them(audit, manager):
    manager.assess_overall_risk()
    said = " ".join(audit("tail").output.split())
    assert "TradeDecided KO buy 3,000 -> cut to 1,250: BOT_PROBATION" in said
    assert "Filled KO bought 8.3333333 at 60, 500, in part, r-1" in said
    assert "ReservationClosed r-1 cancelled: changed its mind" in said
    assert "{" not in said
    assert "{" not in audit("why", "r-1").output


def test_what_is_written_at_every_look_is_left_out_unless_it_is_asked_for(audit, manager):
    manager.assess_overall_risk()
    assert "Marked" not in audit("tail").output
    assert "Marked" in audit("tail", "--all").output
    assert "Marked" in audit("tail", "--kind", "Marked").output


def test_an_entry_that_no_engine_wrote_is_shown_as_it_is():
    assert entry_line("Filled", "rubbish") == "rubbish"
    assert entry_line("Filled", '{"a": 1}') == '{"a": 1}'
    assert entry_line("Unheard", '{"at": 1, "text": "x"}') == "text x"


def test_an_alert_is_told_as_its_message(audit, manager):
    manager.alert_manager.raise_alert("system_error", "critical", "the disk is full", key="disk")
    manager.alert_manager.silence(3600.0, "ann", "moving in", rule_id="heat_warning")
    manager.alert_manager.remove_rule("heat_warning", actor="ann")
    said = " ".join(audit("tail").output.split())
    assert "AlertTold critical firing disk: the disk is full" in said
    assert "SilenceSet heat_warning until 2" in said
    assert "RuleChanged heat_warning taken out" in said
    assert "{" not in said


def test_every_sentence_is_of_a_kind():
    """A kind without one shows its fields."""
    assert set(_SENTENCES) <= {kind.__name__ for kind in Event.__subclasses__()}
    assert entry_line("StrategyDaysRecorded", '{"at": 1, "day": "2022-03-01"}') == "day 2022-03-01"


def test_a_kind_that_is_none_is_said(audit):
    said = audit("tail", "--kind", "Fillled")
    assert said.exit_code == 2
    assert "TradeDecided" in said.output


@pytest.mark.parametrize("words", [["list"], ["revoke", "abc"]])
def test_a_look_at_tokens_makes_no_store(tmp_path, words):
    path = tmp_path / "typo.db"
    said = CliRunner().invoke(app, ["token", *words, "--store", str(path)])
    assert (said.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "there is no store at" in said.output


def test_a_pipe_is_no_store(tmp_path):
    """A device or a pipe keeps its rights, and nothing is left beside it."""
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o644)
    rights = path.stat().st_mode
    said = CliRunner().invoke(app, ["serve", "--port", "0", "--store", str(path)])
    assert (said.exit_code, path.stat().st_mode) == (74, rights)
    assert "is no file" in said.output


@pytest.mark.parametrize("words", [["--host", "foo"], ["--store", "mysql://x/y"]])
def test_a_wrong_option_of_serve_ends_with_2(words):
    assert CliRunner().invoke(app, ["serve", *words]).exit_code == 2


def test_the_tail_and_the_export_say_the_same(audit, tmp_path):
    rows = json.loads(audit("tail", "-n", "100", "--json").stdout)["entries"]
    assert [row["seq"] for row in rows] == list(range(len(rows)))
    fills = json.loads(audit("tail", "--kind", "Filled", "--json").stdout)["entries"]
    assert [row["body"]["execution_id"] for row in fills] == ["e-1"]
    assert "Filled" in audit("tail", "-n", "3").output
    done = audit("export", str(tmp_path / "out.jsonl"))
    assert f"signed to entry {rows[-1]['seq']}" in done.output
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert lines == rows
    assert audit("export", str(tmp_path / "out.jsonl")).exit_code != 0  # nothing is overwritten


def test_verify_names_the_first_entry_that_was_changed(audit, manager, tmp_path):
    assert "whole, and signed to its end" in audit("verify").output
    manager.close()
    with closing(sqlite3.connect(tmp_path / "book.db")) as connection:
        connection.execute("DROP TRIGGER journal_no_update")
        changed = "UPDATE journal SET body = replace(body, '60.0', '61.0') WHERE kind = 'QuotesReceived'"
        connection.execute(changed)
        connection.commit()
    said = audit("verify")
    assert said.exit_code == 1
    assert "NOT what was written" in said.output
    assert json.loads(audit("verify", "--json").stdout)["first_bad"] == 1


def test_without_a_store_it_is_one_line(tmp_path):
    said = CliRunner().invoke(app, ["audit", "tail", "--store", str(tmp_path / "none.db")])
    assert said.exit_code == 1
    assert "there is no store at" in said.output
