"""What many tests stand on: the sample's foundation, laid once, and a clock that only tests move."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderDesk
from risk_management.core.risk_manager import AdvancedRiskManager

_SETTINGS = (
    "RISK_",
    "PORTFOLIO_VALUE",
    "MAX_PORTFOLIO",
    "TELEGRAM_",
    "DISCORD_",
    "SLACK_",
    "SMTP_",
    "WEBHOOK_",
)
for _name in [n for n in os.environ if n.startswith(_SETTINGS)]:
    del os.environ[_name]  # a developer's own settings must not change what the tests see


MAY_BE_SKIPPED = (
    "the docs",  # they do not ship with the installed package
    "the golden journals do not ship",
    "only root mounts a small disk",
    "a small disk can't be mounted here",
)
"""Reasons for a skip that no set-up of the machine could mend; with NO_SKIPS every other one is a failure."""
_skipped: list[str] = []


def pytest_runtest_logreport(report):
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not reason.startswith(MAY_BE_SKIPPED):
            _skipped.append(f"{report.nodeid}: {reason}")


def pytest_terminal_summary(terminalreporter):
    for text in _skipped:
        terminalreporter.write_line(f"NOT RUN HERE {text}", yellow=True)


def pytest_sessionfinish(session):
    if _skipped and os.environ.get("NO_SKIPS"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Desk:
    """A book, its order desk and the clock that moves them."""

    def __init__(self, foundation: Foundation, config: RiskManagementConfig | None = None) -> None:
        self.clock = ManualClock(foundation.clock.now())
        self.foundation = foundation
        settings = config or foundation.config
        self.book = Book(settings, foundation.model, self.clock.now(), instruments=foundation.instruments)
        self.alarms: list[tuple[str, str]] = []
        self.desk = OrderDesk(self.book, self.clock, lambda code, text: self.alarms.append((code, text)))

    @property
    def state(self):
        return self.book.state


@pytest.fixture(scope="session")
def foundation() -> Foundation:
    return lay_foundation()


@pytest.fixture
def desk(foundation: Foundation) -> Desk:
    return Desk(foundation)


@pytest.fixture
def make_desk(foundation: Foundation):
    def make(**changes) -> Desk:
        return Desk(foundation, foundation.config.update(**changes))

    return make


@pytest.fixture
def make_manager(foundation: Foundation):
    """Makes a manager in memory with some settings changed, and the clock that moves it."""

    def make(**changes) -> tuple[AdvancedRiskManager, ManualClock]:
        config = foundation.config.update(**changes)
        clock = ManualClock(foundation.clock.now())
        return AdvancedRiskManager.on(replace(foundation, config=config, clock=clock)), clock

    return make


@pytest.fixture
def start(foundation: Foundation, tmp_path: Path):
    """Starts a manager on one store; whoever starts it again has ended it before."""
    config = foundation.config.update(store=str(tmp_path / "book.db"))

    def started() -> AdvancedRiskManager:
        clock = ManualClock(foundation.clock.now())
        return AdvancedRiskManager.on(replace(foundation, config=config, clock=clock))

    return started
