"""Thousands of days, stepped coarsely, each with a fault of prices or clock: what is counted are false stops.

A day is a handful of ticks. The account stays invested, so that a wrong price has something to do harm to,
and every owner closes now and then, which nothing may refuse.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from risk_management.alerts.records import Alert
from risk_management.clock import ManualClock
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import Foundation
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import Event
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.simulate.broker import FEE, Broker
from risk_management.simulate.desk import Desk
from risk_management.simulate.faults import Faults
from risk_management.simulate.feed import Feed
from risk_management.simulate.invariants import Invariants
from risk_management.simulate.machine import Agenda
from risk_management.simulate.market import DAY, Market
from risk_management.simulate.outcome import Tally
from risk_management.simulate.process import Process
from risk_management.simulate.stops import Stops
from risk_management.simulate.store import Disk
from risk_management.simulate.truth import Truth
from risk_management.simulate.world import CAPITAL, quiet, simulated_foundation

__all__ = ["count_false_stops"]

TICKS: Final = 4
SECONDS: Final = 20.0
"""Between two ticks of a day; the rest of the day nothing comes."""
LIFE: Final = 250
"""Days after which an account is begun anew; one that was truly liquidated sooner."""
REFRESH: Final = 3
OWNERS: Final = {
    "index": (("SPY", 400_000.0),),
    "tech": (("QQQ", 80_000.0), ("AAPL", 70_000.0), ("AMD", 40_000.0), ("MSFT", 70_000.0)),
    "mixed": (("JPM", 50_000.0), ("XOM", 50_000.0), ("KO", 60_000.0), ("GE", -30_000.0)),
}
"""What each bot wants to hold, in money."""
ACTOR: Final = "operator ann"


@cache
def _foundation() -> Foundation:
    """Limits under which an account may hold so much of one name that a wrong price could do harm."""
    ground = simulated_foundation()
    config = ground.config.update(
        portfolio_limits={"max_risk_per_trade": 0.2},
        var_config={"daily_var_limit": 0.06, "daily_es_limit": 0.1},
        heat_config={"max_open_risk": 0.4},
        stress_config={"max_stress_loss": 0.6},
        bot_config={"probation_share": 1.0},
    )
    return ground.under(config)


class _Account:
    """One account and its engine, from its first day to its last."""

    def __init__(self, seed: str, tally: Tally) -> None:
        foundation = _foundation()
        self.machine = ManualClock(foundation.model.matrix.as_of)
        self.tally, self.random = tally, random.Random(seed)
        agenda = Agenda(self.machine)
        faults = Faults(seed, (), agenda, tally)  # none comes by itself: every day is dealt one
        self.market = Market(f"{seed} market")
        self.broker = Broker(seed, CAPITAL, self.market, self.machine, agenda, faults, tally)
        disk = Disk(self.machine)
        self.process = Process(foundation, self.machine, agenda, disk, tally, self.broker.close, _hear)
        self.broker.process = self.process
        self.feed = Feed(f"{seed} feed", self.market, self.machine, self.process, faults, tally)
        self.truth = Truth(self.market, self.broker, self.machine, window=3.0 * DAY)
        self.invariants = Invariants(
            self.machine,
            self.broker.fills,
            self.feed.seen,
            lambda: self.truth.peak,
            tally,
            peak_slack=0.05,
        )
        self.desk = Desk(self.process, self.invariants, tally)
        self.stops = Stops(
            self.truth,
            self.market,
            tally,
            lambda: self.process.engine,
            lambda: self.process.config,
            lambda: False,
            lambda _: False,
            self.broker,
        )
        disk.watch, disk.compare = self._kept, self.invariants.recovered
        self.kinds: dict[str, Callable[[random.Random], bool | None]] = {
            **self.feed.strikes,
            "feed.split": self._split,
            "clock.step": self._step,
            "clock.restart": self._restart,
        }
        self.number = 0
        self.process.start()
        self.feed.tick(every=True)
        for name in OWNERS:
            self.engine.register_bot(name, f"s-{name}", 600_000.0)

    @property
    def engine(self) -> AdvancedRiskManager:
        """The running engine."""
        engine = self.process.engine
        assert engine is not None  # noqa: S101 - nothing here kills it for longer than a call
        return engine

    def _kept(self, events: Sequence[Event]) -> None:
        self.invariants.kept(events)
        self.stops.judge(events)

    # -- a day --------------------------------------------------------------------------------------

    def day(self, number: int) -> bool:
        """Live through a day; whether the account goes on."""
        rnd = self.random
        if number % REFRESH == 0:
            self._refresh()
        kind = rnd.choice(sorted(self.kinds))
        strikes_at = rnd.randrange(TICKS)
        for tick in range(TICKS):
            self.market.step(DAY / TICKS)
            if tick == strikes_at and self.kinds[kind](rnd) is not False:
                self.tally.faults[kind] += 1
            self.feed.tick(every=True)
            self._assess()
            if tick == TICKS // 2:
                self._trade()
            self.machine.advance(SECONDS)
        self._end_of_day()
        return self.engine.state.mode is not TradingMode.HALTED

    def _assess(self) -> None:
        engine = self.engine
        self.truth.look()
        self.truth.look_at_owners(engine.state)
        self.stops.before = engine.state
        engine.assess_overall_risk(confirmed=False)
        self.invariants.assessed(engine)

    def _end_of_day(self) -> None:
        """Silent names speak again; people let go on what truly lost too much."""
        self.feed.forget_old()
        engine = self.engine
        self.invariants.sums_hold(engine)
        for bot in tuple(engine.state.bots.values()):
            if not bot.enabled:
                engine.set_bot_enabled(bot.name, enabled=True)
        for hold in tuple(engine.state.holds.values()):
            if hold.scope is Scope.STRATEGY:
                engine.set_mode(
                    TradingMode.ACTIVE, "looked at", scope=hold.scope, name=hold.name, actor=ACTOR
                )
        self.machine.advance(DAY - TICKS * SECONDS)
        self.tally.did["days"] += 1

    def _refresh(self) -> None:
        """The market model is of today; what is in it stays."""
        engine = self.engine
        model = engine.state.model
        engine.use_model(replace(model, matrix=replace(model.matrix, as_of=engine.clock.now())))

    # -- trading ------------------------------------------------------------------------------------

    def _trade(self) -> None:
        """Every bot comes nearer to what it wants to hold, or closes some of it."""
        for bot, wanted in OWNERS.items():
            symbol, money = self.random.choice(wanted)
            held = sum(
                position.quantity
                for key, position in self.engine.state.positions.items()
                if key.symbol == symbol and key.bot == bot
            )
            worth = held / SCALE * self.market.prices[symbol]
            gap = money - worth
            if self.random.random() < 0.3 and abs(worth) > 1_000.0:
                gap = -worth * self.random.uniform(0.1, 1.0)
            if abs(gap) > 1_000.0:
                self._order(bot, symbol, gap)

    def _order(self, bot: str, symbol: str, money: float) -> None:
        self.number += 1
        name, side = f"{bot}-{self.number}", "buy" if money > 0.0 else "sell"
        decision = self.desk.ask(OrderTicket(symbol, side, abs(money), f"s-{bot}", bot, request_id=name))
        if not decision.approved or decision.quantity is None:
            return
        units = to_ledger(decision.quantity)
        execution, price, cost = self.broker.trade(symbol, units if money > 0.0 else -units)
        report = FillReport(
            name,
            abs(cost) / SCALE,
            price,
            execution_id=execution,
            quantity=units / SCALE,
            fee=FEE,
            final=True,
        )
        self.engine.execute_trade(report)

    # -- faults that are not the feed's -------------------------------------------------------------

    def _split(self, rnd: random.Random) -> bool:
        symbol, ratio = rnd.choice(self.market.symbols), rnd.choice((2.0, 3.0, 10.0, 0.5, 0.1))
        if self.feed.is_wild(symbol) or not 5.0 < self.market.prices[symbol] / ratio < 5_000.0:
            return False
        self.engine.record_split(symbol, ratio)
        self.market.split(symbol, ratio)
        self.broker.split(symbol, ratio)
        self.feed.forget_old()
        return True

    def _step(self, rnd: random.Random) -> None:
        """The wall clock steps, and stays where it is."""
        self.machine.step_wall(rnd.choice((-1.0, 1.0)) * rnd.choice((3.0, 60.0, 3_600.0, DAY)))

    def _restart(self, rnd: random.Random) -> None:
        """A restart on a clock that stepped meanwhile."""
        self.process.stop(0.0)
        self._step(rnd)
        self.machine.advance(rnd.choice((1.0, 100.0)))
        self.process.start()


def _hear(_: Alert) -> None:
    """Nobody listens here."""


def count_false_stops(seed: int, days: int, progress: Callable[[int], None] | None = None) -> Tally:
    """Live through days, each with a glitch, an outage, a split or a jump of the clock.

    Parameters
    ----------
    seed : int
    days : int
    progress : callable, optional
        Told the number of days lived.

    Returns
    -------
    Tally
        Its `did` counts days, halts and what was closed; false ones are none.

    Raises
    ------
    BrokenInvariant
        At the first false halt, false liquidation, refused close or wrong sum.
    """
    tally, lived, accounts = Tally(), 0, 0
    with quiet():
        while lived < days:
            account = _Account(f"{seed} {accounts}", tally)
            accounts += 1
            for number in range(min(LIFE, days - lived)):
                lived += 1
                if not account.day(number):
                    break
                if progress is not None:
                    progress(lived)
    tally.did["accounts"] = accounts
    return tally
