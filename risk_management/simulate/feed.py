"""The price feed: true prices with the time they were seen at, and everything that feeds get wrong.

A wild tick stands alone: the next tick of its symbol is true. Two wild ticks that agree can't be told from
a true jump, by this engine or by anyone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from risk_management.clock import ManualClock
from risk_management.core.quotes import PriceUpdate
from risk_management.errors import InvalidRequest
from risk_management.simulate.faults import Faults
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import Tally
from risk_management.simulate.process import NoAnswer, Process

__all__ = ["Feed"]

WITHIN: Final = (0.52, 0.6, 0.75, 1.25, 1.35, 1.48)
"""Wild ticks that are no jump beyond belief: they are taken, and must move nothing."""
NONSENSE: Final = (0.0, -1.0, math.nan, math.inf)
REFUSED: Final = frozenset({"NOT_POSITIVE", "NOT_FINITE", "OUT_OF_RANGE", "FUTURE_TIMESTAMP"})


class Feed:
    """Pushes prices into the engine.

    Parameters
    ----------
    seed : str
    market : Market
    machine : ManualClock
    process : Process
    faults : Faults
    tally : Tally
    """

    def __init__(
        self,
        seed: str,
        market: Market,
        machine: ManualClock,
        process: Process,
        faults: Faults,
        tally: Tally,
    ) -> None:
        self._random = random.Random(seed)
        self._market, self._machine, self._process, self._tally = market, machine, process, tally
        self._silent: dict[str, float] = {}
        self._wild: dict[str, float] = {}
        self._owed: set[str] = set()
        self._old: tuple[datetime, dict[str, float]] | None = None
        self.seen: dict[str, float] = {}
        """By symbol, the true second of the newest price that the engine took."""
        self.strikes: dict[str, Callable[[random.Random], bool | None]] = {
            "feed.glitch_tenfold": lambda rnd: self._glitch(rnd, (0.1, 10.0)),
            "feed.glitch_within_the_jump": lambda rnd: self._glitch(rnd, WITHIN),
            "feed.nonsense": lambda rnd: self._glitch(rnd, NONSENSE),
            "feed.outage_of_one": self._lose_one,
            "feed.outage_of_all": self._lose_all,
            "feed.stale_stamp": self._stale,
            "feed.future_stamp": self._future,
            "feed.out_of_order": self._out_of_order,
        }
        for kind, strike in self.strikes.items():
            faults.schedule(kind, strike)

    def tick(self, *, every: bool = False) -> None:
        """Push the prices of some symbols, or of every one that is not silent."""
        now, rnd = self._machine.monotonic(), self._random
        prices: dict[str, float] = {}
        for symbol, price in self._market.prices.items():
            if not every and symbol not in self._wild and symbol not in self._owed and rnd.random() < 0.5:
                continue
            if self._silent.get(symbol, 0.0) > now:
                continue
            factor = self._wild.pop(symbol, None)
            prices[symbol] = price if factor is None else price * factor
            if factor is not None:
                self._owed.add(symbol)
        self._push(prices, self._machine.now())
        if rnd.random() < 0.05 and not self._owed:
            self._old = (self._machine.now(), dict(self._market.prices))

    def _push(self, prices: Mapping[str, float], stamp: datetime) -> None:
        """Hand prices over; a batch with nonsense in it is refused whole, and sent again without."""
        if not prices:
            return
        try:
            update = self._update(prices, stamp)
        except NoAnswer:
            return
        except InvalidRequest as problem:
            if problem.code not in REFUSED:
                raise
            self._tally.did[f"prices refused: {problem.code}"] += 1
            sane = {s: p for s, p in prices.items() if math.isfinite(p) and p > 0.0}
            if sane != prices:
                self._push(sane, stamp)
            return
        self._tally.did["price updates"] += 1
        self._tally.did["prices quarantined"] += len(update.quarantined)
        self._tally.did["prices ignored"] += len(update.ignored)
        age = (self._machine.now() - stamp).total_seconds()
        for symbol in update.accepted:
            if prices[symbol] == self._market.prices[symbol]:
                self._owed.discard(symbol)
            self.seen[symbol] = self._machine.monotonic() - max(age, 0.0)

    def _update(self, prices: Mapping[str, float], stamp: datetime) -> PriceUpdate:
        """The stamp is that of the machine that received the price, now and then that of the exchange.

        An old price with an exchange's stamp looks young to a slow clock: no engine can tell.
        """
        is_new = stamp == self._machine.now()
        by_exchange = self._random.random() < 0.1 and is_new and self._owed.isdisjoint(prices)
        off = 0.0 if by_exchange else self._machine.wall_offset()
        wall = stamp + timedelta(seconds=off)
        return self._process.call(lambda engine: engine.update_prices(prices, at=wall, source="simulated"))

    # -- faults -------------------------------------------------------------------------------------

    def _glitch(self, rnd: random.Random, factors: tuple[float, ...]) -> bool:
        """The next tick of a symbol is wild; an outage that would follow it waits for a true one."""
        symbol = rnd.choice(self._market.symbols)
        if symbol in self._owed or self._silent.get(symbol, 0.0) > self._machine.monotonic():
            return False
        self._wild[symbol] = rnd.choice(factors)
        return True

    def _lose_one(self, rnd: random.Random) -> bool:
        symbol = rnd.choice(self._market.symbols)
        if symbol in self._owed or symbol in self._wild:
            return False
        self._silent[symbol] = self._machine.monotonic() + rnd.uniform(10.0, 240.0)
        return True

    def _lose_all(self, rnd: random.Random) -> bool:
        if self._owed or self._wild:
            return False
        until = self._machine.monotonic() + rnd.uniform(10.0, 180.0)
        self._silent.update(dict.fromkeys(self._market.symbols, until))
        return True

    def _stale(self, rnd: random.Random) -> None:
        """A delayed feed: what it says is true and old."""
        self._push(
            dict(self._market.prices), self._machine.now() - timedelta(seconds=rnd.uniform(61.0, 900.0))
        )

    def _future(self, rnd: random.Random) -> None:
        """A stamp of tomorrow, on a price that is none."""
        prices = {symbol: 2.0 * price for symbol, price in self._market.prices.items()}
        self._push(prices, self._machine.now() + timedelta(seconds=rnd.choice((6.0, 3600.0, 86_400.0))))

    def _out_of_order(self, rnd: random.Random) -> bool:  # noqa: ARG002 - as every fault
        """An old batch comes once more, with its own stamp."""
        if self._old is None:
            return False
        stamp, prices = self._old
        self._push(prices, stamp)
        return True

    def forget_old(self) -> None:
        """A split: what was kept to be sent out of order is in other units."""
        self._old = None

    def is_wild(self, symbol: str) -> bool:
        """Whether a wild tick of a symbol comes, or awaits the true one after it."""
        return symbol in self._wild or symbol in self._owed
