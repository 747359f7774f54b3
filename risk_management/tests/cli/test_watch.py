"""`risk watch` of a real service and beside a real store, in a real terminal and without one."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli.main import app
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreUnavailable
from risk_management.store.reader import StoreReader
from risk_management.tests.service.conftest import Service

RISK = str(Path(sys.executable).with_name("risk"))


@pytest.fixture
def risk(monkeypatch):
    for name in ("RISK_URL", "RISK_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def run(*words, width=100, **environment):
        monkeypatch.setenv("COLUMNS", str(width))
        return CliRunner(env=environment).invoke(app, ["watch", *map(str, words)])

    return run


def trade(manager: AdvancedRiskManager) -> None:
    manager.update_prices({"KO": 60.0})
    manager.request_trade(OrderTicket("KO", "buy", 1000.0, "", "alpha", request_id="r-1"))
    manager.execute_trade(FillReport("r-1", 1000.0, 60.0, execution_id="e-1"))
    manager.request_trade(OrderTicket("ZZZZ", "buy", 100.0, "", "alpha", request_id="r-2"))


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "risk.db"
    with AdvancedRiskManager(RiskManagementConfig(store=str(path))) as manager:
        trade(manager)
    return path


@pytest.mark.parametrize("width", [40, 80, 120])
def test_it_shows_the_book_beside_a_store_at_every_width(risk, store, width):
    said = risk("--store", store, "--once", width=width)
    assert said.exit_code == 0, said.output
    assert max(map(len, said.output.splitlines())) <= width
    words = " ".join(said.output.split())
    for part in ("ACTIVE", "equity 10,000.00", "single_name", "KO 1,000.00 10.0%", "alpha", "Last decisions"):
        assert part in words
    assert "ZZZZ buy 100 -> refused" in words


def test_a_look_changes_no_byte_and_goes_on_while_somebody_writes(risk, store):
    before = {path.name: path.read_bytes() for path in store.parent.iterdir()}
    risk("--store", store, "--once")
    assert {path.name: path.read_bytes() for path in store.parent.iterdir()} == before
    with AdvancedRiskManager(RiskManagementConfig(store=str(store))) as manager:
        manager.emergency_stop("to see it")
        assert "HALTED" in risk("--store", store, "--once").output


def test_json_and_the_exit_code_of_a_breach(risk, store):
    with AdvancedRiskManager(RiskManagementConfig(store=str(store))) as manager:
        manager.report_equity(9500.0, confirmed=True)
        manager.assess_overall_risk()
    said = risk("--store", store, "--json")
    assert said.exit_code == 3
    found = json.loads(said.stdout)
    assert "daily_loss" in found["breached"]
    assert "daily_loss_critical" in {alert["rule_id"] for alert in found["alerts"]}
    severities = [alert["severity"] for alert in found["alerts"]]
    assert severities == sorted(severities, key=("emergency", "critical", "warning", "info").index)
    assert "critical: The daily loss is 5.00% of equity" in risk("--store", store, "--once").output
    assert [one["body"]["request"]["request_id"] for one in found["decisions"]] == ["r-2", "r-1"]


def unreadable(*_, **__):
    raise StoreUnavailable("the server is away")


def test_the_service_and_its_store_show_the_same(risk, foundation, tmp_path, monkeypatch):
    service = Service(foundation, tmp_path / "risk.db")
    try:
        service.manager.register_bot("alpha")
        trade(service.manager)
        url = f"http://127.0.0.1:{service.port}"
        asked = risk("--json", RISK_URL=url, RISK_TOKEN=service.secrets["read"])
        read = risk("--json", "--store", tmp_path / "risk.db")
        assert asked.exit_code == 0, asked.output
        one, other = json.loads(asked.stdout), json.loads(read.stdout)
        assert one["status"] == other["status"]
        assert one["limits"] == other["limits"]
        assert one["positions"] == other["positions"]
        assert [d["seq"] for d in one["decisions"]] == [d["seq"] for d in other["decisions"]]
        wrong = risk("--once", RISK_URL=url, RISK_TOKEN="risk_" + "x" * 43)
        assert wrong.exit_code == 1
        assert "not known here, or was revoked" in wrong.output
        with monkeypatch.context() as patch:
            patch.setattr(StoreReader, "search", unreadable)
            blind = json.loads(risk("--json", RISK_URL=url, RISK_TOKEN=service.secrets["read"]).stdout)
        assert (blind["positions"], blind["decisions"]) == (one["positions"], [])
    finally:
        service.close()
    gone = risk("--once", RISK_URL=url, RISK_TOKEN="risk_" + "x" * 43)
    assert gone.exit_code == 1
    assert "does not answer" in gone.output


def test_what_is_no_address_is_said_to_be_none(risk):
    said = risk("--once", RISK_URL="foo", RISK_TOKEN="risk_" + "x" * 43)
    assert said.exit_code == 1
    assert "RISK_URL is no address: foo" in said.output
    assert "does not answer" not in said.output


def test_a_file_that_is_no_store_is_told_with_both_remedies(risk, tmp_path):
    (tmp_path / "prices.csv").write_text("date,KO\n2024-01-02,60\n" * 100)
    said = " ".join(risk("--once", "--store", tmp_path / "prices.csv").output.split())
    assert "name the store where this is none, or restore a backup" in said


def test_what_is_missing_is_said(risk, tmp_path):
    assert "RISK_TOKEN is missing" in risk("--once", RISK_URL="http://127.0.0.1:1").output
    none = risk("--once", "--store", tmp_path / "none.db")
    assert (none.exit_code, "there is no store" in none.output) == (1, True)


class Terminal:
    """`risk watch` in a terminal of 80 columns."""

    def __init__(self, store: Path) -> None:
        self.side, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        # a worker of the tests may name another size in its variables, and that would count
        env = {name: text for name, text in os.environ.items() if name not in ("LINES", "COLUMNS")}
        self.process = subprocess.Popen(
            [RISK, "watch", "--store", str(store)],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            env={**env, "TERM": "xterm"},
        )
        os.close(inner)
        self.said = b""

    def read(self, until: bytes = b"") -> None:
        """What it says until a text comes, or until it ends."""
        ends = time.monotonic() + 120
        while not until or until not in self.said:
            if time.monotonic() > ends or not select.select([self.side], [], [], 60)[0]:
                self.process.kill()
                pytest.fail(f"it did not come to that: {self.said[-200:]!r}")
            try:
                self.said += os.read(self.side, 65536)
            except OSError:  # its end
                return


@pytest.mark.parametrize("how", ["q", "Ctrl-C"])
def test_in_a_terminal_it_ends_cleanly(store, how):
    terminal = Terminal(store)
    terminal.read(b"Last decisions")
    if how == "q":
        os.write(terminal.side, b"q")
    else:
        terminal.process.send_signal(signal.SIGINT)
    terminal.read()
    assert terminal.process.wait(60) == 0
    os.close(terminal.side)
    assert b"Traceback" not in terminal.said
    assert terminal.said.rstrip().endswith(b"\x1b[?1049l")  # the screen is the one from before


def test_without_a_terminal_it_prints_lines(store):
    words = [RISK, "watch", "--store", str(store), "--every", "0.5"]
    # whoever runs the tests in the background may have Ctrl-C ignored, and a child inherits that
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, **heeds) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert all(" active equity 10,000.00 score " in line for line in lines)
    assert not any("\x1b" in line for line in lines)
