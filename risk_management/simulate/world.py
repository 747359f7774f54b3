"""One process, one thread, one seed: engine, clock, store, feed, broker, bots, people and channels, wired."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Final

from risk_management.alerts.records import Alert
from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.reduction import CloseIntent
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import RiskError
from risk_management.model.events import CashMoved, Event
from risk_management.simulate.bots import SimulatedBot
from risk_management.simulate.broker import Broker
from risk_management.simulate.desk import Desk
from risk_management.simulate.faults import GROUPS, LONGEST_OUTAGE, Faults
from risk_management.simulate.feed import Feed
from risk_management.simulate.invariants import Invariants
from risk_management.simulate.machine import Agenda
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import BrokenInvariant, Outcome, Tally
from risk_management.simulate.people import People
from risk_management.simulate.process import NoAnswer, Process
from risk_management.simulate.stops import Stops
from risk_management.simulate.store import Disk, WriteFault
from risk_management.simulate.truth import Truth
from risk_management.store.snapshot import state_hash

__all__ = ["CAPITAL", "World", "quiet", "simulate", "simulated_foundation"]

CAPITAL: Final = 1_000_000.0
TICK: Final = 2.0
ASSESS: Final = 5.0
CHECK: Final = 120.0
END: Final = 1_500.0
"""Seconds at the end in which nobody asks: everything is told, expires and is compared."""
REST: Final = 4.0
"""In them prices and looks come so many times slower."""
STRATEGIES: Final = 5
REMEMBERED: Final = 300.0
"""Seconds for which a bot is known to have run away; the engine's minute stands still while none runs."""
Progress = Callable[[float], None]


@cache
def simulated_foundation() -> Foundation:
    """Real prices and the limits that ship, with room for bots that ask every other second."""
    config = RiskManagementConfig(portfolio_value=CAPITAL).update(
        order_config={"max_orders_per_minute": 45, "max_orders_per_minute_total": 1_000}
    )
    return lay_foundation(config)


class World:
    """Everything that a run consists of.

    Parameters
    ----------
    seed : int
    bots : int
    groups : sequence of str
        Groups of faults at work.
    """

    def __init__(self, seed: int, bots: int = 20, groups: Sequence[str] = GROUPS) -> None:
        def own(name: str) -> str:
            return f"{seed} {name}"

        foundation = simulated_foundation()
        self.machine = ManualClock(foundation.model.matrix.as_of)
        self.agenda, self.tally = Agenda(self.machine), Tally()
        self.faults = Faults(own("faults"), groups, self.agenda, self.tally)
        self.disk = Disk(self.machine)
        self.market = Market(own("market"))
        self.broker = Broker(
            own("broker"), CAPITAL, self.market, self.machine, self.agenda, self.faults, self.tally
        )
        self.process = Process(
            foundation, self.machine, self.agenda, self.disk, self.tally, self._close, self._hear
        )
        self.broker.process = self.process
        self.feed = Feed(own("feed"), self.market, self.machine, self.process, self.faults, self.tally)
        self.truth = Truth(self.market, self.broker, self.machine)
        self.invariants = Invariants(
            self.machine, self.broker.fills, self.feed.seen, lambda: self.truth.peak, self.tally
        )
        self.desk = Desk(self.process, self.invariants, self.tally)
        self.bots = [
            SimulatedBot(
                f"bot{number}",
                f"strategy{number % STRATEGIES}",
                own(f"bot {number}"),
                self.market,
                self.machine,
                self.agenda,
                self.process,
                self.desk,
                self.broker,
                self.faults,
                self.tally,
            )
            for number in range(bots)
        ]
        self.people = People(
            self.machine,
            self.agenda,
            self.process,
            self.broker,
            self.market,
            self.feed,
            self.truth,
            self.invariants,
            self.bots,
            self.faults,
            self.tally,
        )
        self.stops = Stops(
            self.truth,
            self.market,
            self.tally,
            lambda: self.process.engine,
            lambda: self.process.config,
            lambda: self.people.wants_stop,
            self._asks_too_often,
            self.broker,
        )
        self.disk.watch, self.disk.compare = self._kept, self.invariants.recovered
        self._mischief()

    def open(self) -> None:
        """Start the engine for the first time, with prices and the bots' limits."""
        self.process.start()
        rnd = random.Random("limits")
        self.feed.tick(every=True)
        for bot in self.bots:
            self.process.call(partial(_register, bot=bot, limit=rnd.uniform(40_000.0, 120_000.0)))
            bot.begin()
        self._again(TICK, self._tick)
        self._again(ASSESS, self._assess)
        self._again(CHECK, self._check)

    # -- what comes again and again -----------------------------------------------------------------

    def _tick(self) -> None:
        self.market.step(TICK)
        self.feed.tick()
        self.truth.look()
        self._again(TICK, self._tick)

    def _assess(self) -> None:
        engine = self.process.engine
        if engine is not None:
            self.stops.before = engine.state
            self.truth.look_at_owners(engine.state)
            self.assess()
        self._again(ASSESS, self._assess)

    def assess(self) -> None:
        """One look of the monitoring loop."""
        try:
            seen = self.process.call(lambda engine: engine.assess_overall_risk())
        except NoAnswer:
            return
        self.tally.did["assessments"] += 1
        self.tally.did["emergencies"] += len(seen.emergencies)
        if self.process.engine is not None:
            self.invariants.assessed(self.process.engine)

    def _check(self) -> None:
        if self.process.engine is not None:
            self.invariants.sums_hold(self.process.engine)
        self._again(CHECK, self._check)

    def _again(self, seconds: float, act: Callable[[], None]) -> None:
        self.agenda.after(REST * seconds if self.faults.are_over else seconds, act)

    # -- wires --------------------------------------------------------------------------------------

    def _kept(self, events: Sequence[Event]) -> None:
        self.invariants.kept(events)
        self.stops.judge(events)
        self.people.kept_flows.update(event.symbol for event in events if isinstance(event, CashMoved))

    def _close(self, intents: Sequence[CloseIntent]) -> None:
        self.broker.close(intents)

    def _hear(self, alert: Alert) -> None:
        """The channel: what it takes is noted, and sometimes it raises."""
        self.tally.did["alerts"] += 1
        self.tally.note(f"alert {alert.rule_id} {alert.state}")
        if self.faults.happens("operator.channel_fails"):
            raise ConnectionError("the channel does not answer")

    def _asks_too_often(self, name: str) -> bool:
        bot = next(bot for bot in self.bots if bot.name == name)
        return self.machine.monotonic() <= bot.ran_away_at + REMEMBERED

    def _mischief(self) -> None:
        disk, machine, process, faults = self.disk, self.machine, self.process, self.faults

        def next_write(fault: WriteFault) -> Callable[[random.Random], bool]:
            def strike(_: random.Random) -> bool:
                if disk.next_fault is not None or disk.is_down or process.engine is None:
                    return False
                disk.next_fault = fault
                return True

            return strike

        def outage(rnd: random.Random) -> None:
            disk.down_until = machine.monotonic() + rnd.choice((3.0, 20.0, LONGEST_OUTAGE))

        def step(seconds: float, rnd: random.Random) -> None:
            machine.step_wall(seconds)
            self.agenda.after(rnd.uniform(30.0, 400.0), lambda: machine.step_wall(-seconds))

        def step_while_down(rnd: random.Random) -> bool:
            if not process.kill(5.0):
                return False
            step(rnd.choice((-1.0, 1.0)) * rnd.choice((30.0, 3_600.0)), rnd)
            return True

        for fault in WriteFault:
            faults.schedule(f"store.{fault.value}", next_write(fault))
        faults.schedule("store.outage", outage)
        faults.schedule("store.killed", lambda rnd: process.kill(rnd.choice((0.5, 5.0, 60.0, 120.0))))
        faults.schedule("store.snapshot_torn", lambda _: disk.spoil_snapshot())
        faults.schedule(
            "clock.step_of_seconds", lambda rnd: step(rnd.choice((-1, 1)) * rnd.uniform(1.0, 60.0), rnd)
        )
        faults.schedule(
            "clock.step_of_hours",
            lambda rnd: step(rnd.choice((-1, 1)) * rnd.uniform(1.0, 26.0) * 3_600.0, rnd),
        )
        faults.schedule("clock.step_while_down", step_while_down)
        faults.schedule("broker.unapproved_fill", self.broker.trade_unasked)

    # -- the run ------------------------------------------------------------------------------------

    def run(self, hours: float, progress: Progress | None = None) -> None:
        """Let it all happen, then bring it to rest and compare.

        Raises
        ------
        BrokenInvariant
        """
        end = hours * 3_600.0
        self.open()
        told = 0.0
        while self.agenda.next(end):
            if progress is not None and self.machine.monotonic() - told >= 30.0:
                told = self.machine.monotonic()
                progress(told)
        self._come_to_rest(end)

    def _come_to_rest(self, end: float) -> None:
        """No more faults and requests: all is told, approvals expire, and the broker's word is taken."""
        self.faults.are_over = True
        self.disk.next_fault, self.disk.down_until = None, 0.0
        for bot in self.bots:
            bot.is_over = True
        while self.agenda.next(end + END):
            pass
        engine = self.process.engine
        if engine is None or not self.broker.is_quiet:
            raise BrokenInvariant("it comes to rest", "an engine is down or a report is on its way")
        self.invariants.sums_hold(engine)
        self.invariants.agrees(engine, self.broker.units, self.broker.cash)
        if engine.state.reservations:
            one = next(iter(engine.state.reservations.values()))
            text = f"{len(engine.state.reservations)} approvals are left, such as {one}"
            raise BrokenInvariant("no approval is left", text)


def _register(engine: AdvancedRiskManager, bot: SimulatedBot, limit: float) -> None:
    engine.register_bot(bot.name, bot.strategy, limit)


@contextmanager
def quiet() -> Iterator[None]:
    """The engine's own log says the same a hundred thousand times: it is off while a run goes on."""
    log = logging.getLogger("risk_management")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def simulate(
    seed: int,
    hours: float,
    *,
    groups: Sequence[str] = GROUPS,
    bots: int = 20,
    progress: Progress | None = None,
) -> Outcome:
    """Run one world; two runs of one seed are identical.

    Parameters
    ----------
    seed : int
    hours : float
        Simulated hours in which bots ask; the rest at the end comes on top.
    groups : sequence of str
        Groups of faults at work, see `faults.GROUPS`.
    bots : int
    progress : callable, optional
        Told the simulated second now and then.

    Returns
    -------
    Outcome
        With the first invariant that broke, if one did.
    """
    with quiet():
        world = World(seed, bots, groups)
        broken = None
        try:
            world.run(hours, progress)
        except BrokenInvariant as problem:
            broken = problem
        except RiskError as problem:  # the engine told somebody off who did nothing wrong
            broken = BrokenInvariant("nothing unexpected is raised", f"{type(problem).__name__}: {problem}")
        engine: AdvancedRiskManager | None = world.process.engine
        state = "" if engine is None else state_hash(engine.book.standing)
    at = world.machine.monotonic()
    return Outcome(seed, hours, bots, tuple(groups), world.tally, state, broken, at, world.machine.now())
