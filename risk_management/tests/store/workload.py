"""What bots and people do to a book, each act with a mark by which the journal is searched for it.

An act is told as ``Act(kind, mark, count)``: after it was answered, the journal holds `count` events of
that kind with that mark; before, it holds them all or none.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.market_data.positions_file import PositionRow
from risk_management.model.events import Event
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.tests.store.world import SYMBOLS

PRICE = 100.0


class Act(NamedTuple):
    """What was answered, and what the journal must hold because of it."""

    kind: str
    mark: str
    count: int = 1
    said: str = ""


class Bot:
    """Acts at random on one manager; several may act at once, each with a name of its own."""

    def __init__(self, manager: AdvancedRiskManager, name: str, seed: int) -> None:
        self.manager, self.name = manager, name
        self.random = random.Random(f"{name}/{seed}")
        self.seed, self.number = seed, 0
        self.open: dict[str, float] = {}
        self.stop: str | None = None

    def act(self) -> Act | None:
        """One act, answered; None for one that changes nothing."""
        self.number += 1
        mark = f"{self.name}.{self.seed}.{self.number}"
        acts: list[tuple[int, Callable[[str], Act | None]]] = [
            (40, self._request),
            (20, self._fill),
            (8, self._cancel),
            (8, self._prices),
            (4, self._cash),
            (3, self._register),
            (2, self._import),
            (2, self._hold),
            (2, self._limit),
            (2, self._stop),
        ]
        weights, choices = zip(*acts, strict=True)
        return self.random.choices(choices, weights)[0](mark)

    def _request(self, mark: str) -> Act:
        ticket = OrderTicket(
            self.random.choice(SYMBOLS),
            self.random.choice(("buy", "sell")),
            self.random.uniform(100.0, 4000.0),
            "s",
            self.name,
            request_id=mark,
        )
        decision = self.manager.request_trade(ticket)
        if decision.approved:
            self.open[mark] = decision.recommended_size
        return Act("TradeDecided", mark, 1, said(decision))

    def _fill(self, mark: str) -> Act | None:
        if not self.open:
            return None
        request_id = self.random.choice(list(self.open))
        size = self.open[request_id]
        part = size if self.random.random() < 0.6 else size / 2
        if part == size:
            del self.open[request_id]
        else:
            self.open[request_id] = part
        done = self.manager.execute_trade(FillReport(request_id, part, PRICE, execution_id=mark))
        return Act("Filled", mark, 1, repr(done.quantity))

    def _cancel(self, mark: str) -> Act | None:
        if not self.open:
            return None
        request_id = self.random.choice(list(self.open))
        del self.open[request_id]
        if request_id not in self.manager.state.reservations:
            return None
        self.manager.desk.cancel(request_id, mark)
        return Act("ReservationClosed", request_id)  # by this bot, or by a stop that came first

    def _prices(self, mark: str) -> Act:
        prices = {symbol: PRICE + self.random.uniform(-0.5, 0.5) for symbol in SYMBOLS}
        self.manager.update_prices(prices, source=mark)
        return Act("QuotesReceived", mark)

    def _cash(self, mark: str) -> Act:
        self.manager.record_cash("deposit", self.random.uniform(1.0, 100.0), symbol=mark)
        return Act("CashMoved", mark)

    def _register(self, mark: str) -> Act:
        self.manager.register_bot(f"bot of {mark}", mark)
        return Act("BotChanged", mark)

    def _import(self, mark: str) -> Act:
        rows = [PositionRow(symbol, 100.0, PRICE, mark) for symbol in SYMBOLS]
        self.manager.import_positions(rows)
        return Act("PositionAdded", mark, 3)

    def _hold(self, mark: str) -> Act:
        self.manager.set_mode(TradingMode.REDUCING, mark, scope=Scope.STRATEGY, name="another")
        return Act("HoldSet", mark)

    def _limit(self, mark: str) -> Act:
        with self.manager.book.lock:
            wanted = 1.0 + self.random.random()
            config = self.manager.config.update(order_config={"duplicate_window": wanted})
            self.manager.reconfigure(config)
        return Act("ConfigChanged", config.digest())

    def _stop(self, mark: str) -> Act:
        if self.stop is not None:
            self.manager.release_emergency("a person", mark)
            self.stop = None
            return Act("HoldReleased", mark, 0)  # another bot may have released it
        self.stop = mark
        if not self.manager.emergency_stop(mark, actor=self.name):
            return Act("HoldSet", mark, 0)
        return Act("HoldSet", mark)


def said(decision: Any) -> str:
    """The answer that a bot got."""
    return f"{decision.approved} {decision.recommended_size!r} {','.join(decision.rejection_reasons)}"


def mark_of(event: Event) -> str | None:
    """The mark by which an act is found."""
    names = ("execution_id", "request_id", "reason", "symbol", "digest")
    for name in names:
        value = getattr(event, name, None)
        if isinstance(value, str):
            return value
    if hasattr(event, "hold"):
        return str(event.hold.reason)
    if hasattr(event, "quotes"):
        return str(event.quotes[0][1].source)
    if hasattr(event, "bot"):
        return str(event.bot.strategy)
    return str(event.key.strategy) if hasattr(event, "key") else None


def missing(acts: Iterable[Act], events: Iterable[Event]) -> list[str]:
    """What is wrong with a journal that ought to hold all of these acts, and every act whole."""
    found: Counter[tuple[str, str | None]] = Counter()
    answers = {}
    for event in events:
        found[type(event).__name__, mark_of(event)] += 1
        if type(event).__name__ == "TradeDecided":
            answers[event.request_id] = said(event.decision)
    wrong = [f"{act} was acknowledged and is lost" for act in acts if found[act.kind, act.mark] < act.count]
    wrong += [
        f"{act.mark} was answered {act.said}, the journal says {answers[act.mark]}"
        for act in acts
        if act.kind == "TradeDecided" and act.count and answers.get(act.mark, act.said) != act.said
    ]
    wrong += [
        f"{count} of 3 positions of {mark} are there"
        for (kind, mark), count in found.items()
        if kind == "PositionAdded" and count != 3
    ]
    wrong += [
        f"{mark} was answered {count} times"
        for (kind, mark), count in found.items()
        if kind in {"TradeDecided", "Filled"} and count != 1
    ]
    return wrong


def run(bot: Bot, told: Callable[[Act], None], acts: int) -> None:
    """Act on, and tell of what was answered."""
    for _ in range(acts):
        try:
            done = bot.act()
        except InvalidRequest:  # an outlier or an id of another run: refused, and nothing to find
            continue
        if done is not None:  # what is answered while the store fails is in memory alone, and says so
            told(done._replace(count=0) if bot.manager.book.outage else done)
