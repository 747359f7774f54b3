"""The engine as a process: it is started from its store, asked, killed at any write, and started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from risk_management.alerts.records import Alert, AlertChannel
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.foundation import Foundation
from risk_management.core.protocol import Executor
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import StoreCorrupt, StoreUnavailable
from risk_management.simulate.machine import Agenda, ProcessClock
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.store import Disk, Killed, SimulatedStore

__all__ = ["NoAnswer", "Process"]

T = TypeVar("T")
RETRY = 5.0
"""Seconds after which a start that failed is tried again."""


class NoAnswer(Exception):
    """The engine is down, died, or could not keep what it was told: nobody knows what became of the call."""


class Process:
    """Keeps one engine running on a disk.

    Parameters
    ----------
    foundation : Foundation
        Laid once; every process stands on it with a clock of its own.
    machine : ManualClock
    agenda : Agenda
    disk : Disk
    tally : Tally
    executor : callable
        Trades what the protocols close.
    channel : callable
        Takes alerts; it may raise.
    """

    def __init__(
        self,
        foundation: Foundation,
        machine: ManualClock,
        agenda: Agenda,
        disk: Disk,
        tally: Tally,
        executor: Executor,
        channel: Callable[[Alert], None],
    ) -> None:
        self._foundation, self._machine, self._agenda = foundation, machine, agenda
        self._disk, self._tally = disk, tally
        self._executor, self._channel = executor, channel
        self._store = SimulatedStore(disk)
        self.config: RiskManagementConfig = foundation.config
        """What the settings file says."""
        self.engine: AdvancedRiskManager | None = None
        self.started: list[Callable[[AdvancedRiskManager], None]] = []
        """Told after every start."""
        self.ended: list[Callable[[AdvancedRiskManager], None]] = []
        """Told of every process that was killed or stopped, with the state that it ended in."""

    def start(self) -> None:
        """Take the book up from the disk; a start that fails is tried again."""
        if self.engine is not None:
            return
        self._store = SimulatedStore(self._disk)
        is_first = self._disk.standing is None
        clock = ProcessClock(self._machine)
        ground = replace(self._foundation, config=self.config, clock=clock)
        try:
            engine = AdvancedRiskManager.on(ground, executor=self._executor, journal=self._store)
        except StoreCorrupt as problem:
            raise BrokenInvariant("recovery", f"the store can't be read back: {problem}") from problem
        except (StoreUnavailable, Killed):
            self._tally.did["starts that failed"] += 1
            self._agenda.after(RETRY, self.start)
            return
        if not is_first:
            self._tally.did["recoveries"] += 1
        engine.alert_manager.attach(AlertChannel.WEBHOOK, self._channel)
        self.engine = engine
        for told in self.started:
            told(engine)

    def call(self, ask: Callable[[AdvancedRiskManager], T]) -> T:
        """Ask the engine.

        Raises
        ------
        NoAnswer
        InvalidRequest
            As the engine answered.
        """
        if self.engine is None:
            raise NoAnswer
        try:
            return ask(self.engine)
        except Killed:
            self._tally.did["crashes"] += 1
            self._end(restart_after=2.0)
            raise NoAnswer from None
        except StoreUnavailable:
            raise NoAnswer from None

    def kill(self, restart_after: float) -> bool:
        """End the process between two calls; whether there was one."""
        if self.engine is None:
            return False
        self._tally.did["crashes"] += 1
        self._end(restart_after)
        return True

    def stop(self, restart_after: float) -> bool:
        """Close the engine in good order; whether there was one."""
        if self.engine is None:
            return False
        try:
            self.engine.close()
        except Killed:
            self._tally.did["crashes"] += 1
        self._end(restart_after)
        return True

    @property
    def needs_restart(self) -> bool:
        """Whether the store said that it must not be written to by this process any more."""
        return self.engine is not None and self._store.needs_restart

    def _end(self, restart_after: float) -> None:
        ended, self.engine = self.engine, None
        self._store.kill()
        if ended is not None:
            for told in self.ended:
                told(ended)
        self._agenda.after(restart_after, self.start)
