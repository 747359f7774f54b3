"""The background: the watch over the book, and a feed that pulls prices where nobody pushes them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event as Signal
from threading import Lock, Thread, current_thread
from typing import Final

from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.clock import Clock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.core.taking_up import hold_until_reconciled
from risk_management.errors import InvalidRequest, MarketDataError, StoreUnavailable
from risk_management.market_data.source import MarketDataSource

__all__ = ["Feed", "Repeated", "Watcher"]

logger = logging.getLogger(__name__)

LATE: Final = "monitoring_behind"
MONITORING: Final = "monitoring"


class Repeated:
    """Does a task again and again in a thread of its own, and says when it can't keep up.

    Parameters
    ----------
    task : callable
    interval : float
        Seconds from the end of one round to the start of the next.
    clock : Clock
    failed : callable
        Told the exception that ended a round; the next one comes all the same.
    late : callable
        Told the seconds of each round that took longer than the interval, and 0 for the first that did not
        again.
    """

    def __init__(
        self,
        task: Callable[[], object],
        interval: float,
        clock: Clock,
        failed: Callable[[Exception], None],
        late: Callable[[float], None],
    ) -> None:
        self._task, self._interval, self._clock = task, interval, clock
        self._failed, self._late = failed, late
        self._is_late = False
        self._signal = Signal()
        self._thread: Thread | None = None
        self._lock = Lock()

    def start(self, name: str) -> None:
        """Begin; a second call changes nothing."""
        with self._lock:
            if not self.is_running:
                self._signal.clear()
                self._thread = Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End, and wait for the round that runs."""
        with self._lock:
            self._signal.set()
            thread, self._thread = self._thread, None
        if thread is not None and thread is not current_thread():
            thread.join()

    @property
    def is_running(self) -> bool:
        """Whether the thread runs."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def _run(self) -> None:
        while not self._signal.is_set():
            begun = self._clock.monotonic()
            try:
                self._task()
                self._tell(self._clock.monotonic() - begun)
            except Exception as problem:  # noqa: BLE001 - the service loop: a failure must not end the watch
                self._failed(problem)
            self._signal.wait(self._interval)

    def _tell(self, seconds: float) -> None:
        is_late = seconds > self._interval
        if is_late or self._is_late:
            self._late(seconds if is_late else 0.0)
        self._is_late = is_late


class Feed:
    """Pulls the newest prices of what is held, approved or was asked for lately.

    Parameters
    ----------
    manager : AdvancedRiskManager
    source : MarketDataSource
    """

    def __init__(self, manager: AdvancedRiskManager, source: MarketDataSource) -> None:
        self._manager, self._source = manager, source
        manager.heartbeats.reserve("feed", source.name)

    def pull(self) -> None:
        """One round; a source that fails is told, and its prices grow stale until it answers again."""
        alerts, now = self._manager.alert_manager, self._manager.clock.now()
        try:
            found = self._source.latest(self.symbols())
        except MarketDataError as problem:
            text = f"the feed {self._source.name} gives no prices, they grow stale: {problem}"
            alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key="feed")
            return
        alerts.resolve("feed", now)
        by_moment: dict[datetime, dict[str, float]] = {}
        for symbol, (price, moment) in found.items():
            by_moment.setdefault(moment, {})[symbol] = price
        for moment, prices in sorted(by_moment.items()):
            try:
                self._manager.update_prices(prices, at=moment, source=self._source.name)
            except InvalidRequest as problem:
                logger.warning("prices of the feed %s were refused: %s", self._source.name, problem)
        if found:
            self._manager.heartbeat("feed", self._source.name)

    def symbols(self) -> tuple[str, ...]:
        """Everything that needs a price now."""
        state = self._manager.state
        asked = (symbol for _, symbol, _, _ in state.intents)
        return tuple(sorted({*state.totals.names, *asked, *state.quotes}))


def _unsaid(_seconds: float) -> None:
    """A round that takes longer than its interval is slow, not late."""


class Watcher:
    """The rounds over one manager: assessments, prices where a source is polled, a broker where there is one.

    Parameters
    ----------
    manager : AdvancedRiskManager
    assess : callable
        One assessment.
    interval : float
        Seconds between assessments.
    source : MarketDataSource or None
        Polled for prices; None where they are pushed.
    poll : float
        Seconds between two polls.
    broker : callable, optional
        One step of the link to a broker; it comes every second and in a thread of its own, so that a slow
        broker keeps nothing else waiting.
    report : callable, optional
        Says the summaries that are due; in a thread of its own, so that one that fails stops nothing.
    """

    def __init__(
        self,
        manager: AdvancedRiskManager,
        assess: Callable[[], object],
        interval: float,
        source: MarketDataSource | None,
        poll: float,
        broker: Callable[[], object] | None = None,
        report: Callable[[], object] | None = None,
    ) -> None:
        self._manager = manager
        manager.heartbeats.reserve("engine", MONITORING)

        def watched() -> None:
            assess()
            manager.heartbeat("engine", MONITORING)

        self._feed = None if source is None else source.name
        rounds = {
            "risk-monitoring": Repeated(watched, interval, manager.clock, self._failed, self._late),
            # on its own: the round above is one of those that may fall silent
            "risk-heartbeats": Repeated(
                manager.check_heartbeats, interval, manager.clock, self._failed, _unsaid
            ),
        }
        if source is not None:
            pull = Feed(manager, source).pull
            rounds["risk-feed"] = Repeated(pull, poll, manager.clock, self._feed_failed, self._late)
        if broker is not None:
            rounds["risk-broker"] = Repeated(broker, 1.0, manager.clock, self._broker_failed, _unsaid)
        if report is not None:
            rounds["risk-reports"] = Repeated(report, interval, manager.clock, self._report_failed, _unsaid)
        self._rounds = rounds

    def start(self) -> None:
        """Begin all rounds; from here on the monitoring itself is listened to."""
        self._manager.heartbeat("engine", MONITORING)
        for name, repeated in self._rounds.items():
            repeated.start(name)

    def stop(self) -> None:
        """End all rounds and wait for those that run."""
        for repeated in self._rounds.values():
            repeated.stop()
        self._manager.heartbeats.forget("engine", MONITORING)
        if self._feed is not None:  # nobody pulls it now: its silence tells nothing
            self._manager.heartbeats.forget("feed", self._feed)

    @property
    def is_running(self) -> bool:
        """Whether all rounds are running."""
        return all(repeated.is_running for repeated in self._rounds.values())

    def _failed(self, problem: Exception) -> None:
        if isinstance(problem, StoreUnavailable):
            logger.warning("a round is kept in memory alone: %s", problem)
            return
        logger.error("a round of the monitoring failed", exc_info=problem)
        self._manager.report_system_error(f"an assessment failed: {type(problem).__name__}")

    def _feed_failed(self, problem: Exception) -> None:
        """Prices grow stale and open nothing: that is stop enough."""
        logger.error("a pull of prices failed", exc_info=problem)
        text = f"a pull of prices failed: {type(problem).__name__}"
        now = self._manager.clock.now()
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key="feed"
        )

    def _report_failed(self, problem: Exception) -> None:
        """Nobody trades on a summary: people are told, and the next round tries again."""
        logger.error("a summary could not be made", exc_info=problem)
        text = f"the summary could not be made: {type(problem).__name__}"
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, text, key="summary"
        )

    def _broker_failed(self, problem: Exception) -> None:
        """Nothing opens until the next comparison; what is being closed is tried again."""
        logger.error("a round of the broker failed", exc_info=problem)
        text, now = f"a round of the broker failed: {type(problem).__name__}", self._manager.clock.now()
        hold_until_reconciled(self._manager.book, now, text)
        self._manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.CRITICAL, text, now, key="broker"
        )

    def _late(self, seconds: float) -> None:
        alerts, now = self._manager.alert_manager, self._manager.clock.now()
        if seconds == 0.0:
            alerts.resolve(LATE, now)
            return
        text = f"the monitoring is behind: one round took {seconds:.1f} s, the next was due before it ended"
        alerts.raise_alert(AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, text, now, key=LATE)
