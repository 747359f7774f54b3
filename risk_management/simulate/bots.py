"""Twenty bots: they ask every other second, lose answers, ask again, run away, close, and forget."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from typing import Final

from risk_management.clock import ManualClock
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import InvalidRequest
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import Position
from risk_management.model.trade import TradeDecision
from risk_management.simulate.broker import Broker, Order
from risk_management.simulate.desk import Desk
from risk_management.simulate.faults import Faults
from risk_management.simulate.machine import Agenda
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.process import NoAnswer, Process
from risk_management.simulate.store import is_kept_for_good

__all__ = ["SimulatedBot"]

EVERY: Final = 2.0
"""Mean seconds between two requests."""
RUNAWAY: Final = 0.25
TRIES: Final = 8
UNANSWERED: Final = 3
"""Requests without an answer that a bot asks again before it asks for anything new."""
NAMES: Final = 5
"""Symbols that one bot trades."""
REMEMBERED: Final = 400
WHOLE: Final = 1.01
"""Who closes a whole position asks for a little more and only to reduce: the engine knows the exact units."""


class SimulatedBot:
    """One bot with its seed.

    Parameters
    ----------
    name, strategy, seed : str
    market : Market
    machine : ManualClock
    agenda : Agenda
    process : Process
        Read for what the bot holds.
    desk : Desk
    broker : Broker
    faults : Faults
    tally : Tally
    """

    def __init__(  # noqa: PLR0913, PLR0917 - a bot knows everybody
        self,
        name: str,
        strategy: str,
        seed: str,
        market: Market,
        machine: ManualClock,
        agenda: Agenda,
        process: Process,
        desk: Desk,
        broker: Broker,
        faults: Faults,
        tally: Tally,
    ) -> None:
        self.name, self.strategy = name, strategy
        self._random = random.Random(seed)
        self._market, self._machine, self._agenda = market, machine, agenda
        self._process, self._desk, self._broker = process, desk, broker
        self._faults, self._tally = faults, tally
        self._symbols = self._random.sample(market.symbols, NAMES)
        self._number = 0
        self._old: deque[OrderTicket] = deque(maxlen=REMEMBERED)
        self._begun: dict[str, float] = {}
        self._runs_until = 0.0
        self.ran_away_at = -1e9
        """The second up to which it last ran away."""
        self.is_over = False

    def begin(self) -> None:
        """Ask from now on, until `is_over`."""
        self._agenda.after(self._random.uniform(0.0, EVERY), self._act)

    def run_away(self, seconds: float) -> None:
        """Ask far too often for a while."""
        self._runs_until = self.ran_away_at = self._machine.monotonic() + seconds

    def _act(self) -> None:
        if self.is_over:
            return
        runs = self._machine.monotonic() < self._runs_until
        wait = RUNAWAY if runs else self._random.uniform(0.5 * EVERY, 1.5 * EVERY)
        self._agenda.after(wait, self._act)
        if len(self._begun) >= UNANSWERED:
            return
        if self._old and self._faults.happens("bot.asks_again_much_later"):
            self._again(self._random.choice(self._old))
            return
        if self._old and self._faults.happens("bot.reuses_an_id"):
            self._reuse(self._old[-1])
            return
        ticket = self._ticket()
        self._begun[ticket.request_id or ""] = self._machine.monotonic()
        if self._faults.happens("bot.hangs_up"):
            self._ask(ticket, hears=False)
            self._agenda.after(self._random.uniform(0.5, 10.0), lambda: self._retry(ticket, 1))
            return
        self._retry(ticket, 0)

    # -- requests -----------------------------------------------------------------------------------

    def _ticket(self) -> OrderTicket:
        """An entry, or a close of what it holds."""
        rnd = self._random
        self._number += 1
        name = f"{self.name}-{self._number}"
        held = self._held()
        if held and rnd.random() < 0.45:
            position = rnd.choice(held)
            price = self._market.prices[position.symbol]
            share = rnd.choice((WHOLE, WHOLE, WHOLE, 1.0, 0.5, 0.2))
            size = abs(position.quantity) / SCALE * price * share
            side = "sell" if position.quantity > 0 else "buy"
            if size > 0.01:
                only = share == WHOLE or rnd.random() < 0.7
                return OrderTicket(
                    position.symbol, side, size, self.strategy, self.name, request_id=name, reduce_only=only
                )
        symbol = rnd.choice(self._symbols)
        size = round(rnd.lognormvariate(8.0, 1.2), 2)
        return OrderTicket(
            symbol,
            rnd.choice(("buy", "buy", "sell")),
            size,
            self.strategy,
            self.name,
            rnd.choice((1.0, 0.9, 0.65, 0.3)),
            price=rnd.choice((None, None, round(self._market.prices[symbol] * rnd.uniform(0.97, 1.03), 2))),
            risk_amount=rnd.choice((None, round(0.04 * size, 2))),
            request_id=name,
        )

    def _held(self) -> list[Position]:
        engine = self._process.engine
        if engine is None:
            return []
        return [p for p in engine.state.positions.values() if p.key.bot == self.name]

    def _ask(self, ticket: OrderTicket, *, hears: bool = True) -> TradeDecision | None:
        try:
            decision = self._desk.ask(ticket)
        except NoAnswer:
            self._tally.did["requests without an answer"] += 1
            return None
        return decision if hears else None

    def _retry(self, ticket: OrderTicket, tries: int) -> None:
        """Ask with the same id until there is an answer; without one nothing is traded."""
        try:
            decision = self._ask(ticket)
        except InvalidRequest as problem:
            if problem.code != "REQUEST_ID_REUSED":
                raise
            # answered in memory by a process that died: what it reserved is known, the answer is not
            self._begun.pop(ticket.request_id or "", None)
            return
        if decision is None:
            if tries < TRIES:
                wait = self._random.uniform(0.5, 4.0) * (1 + tries)
                self._agenda.after(wait, lambda: self._retry(ticket, tries + 1))
            else:
                self._begun.pop(ticket.request_id or "", None)
            return
        begun = self._begun.pop(ticket.request_id or "", None)
        if begun is None:
            return
        if decision.durable and is_kept_for_good(ticket.request_id or ""):
            self._old.append(ticket)
        if decision.approved:
            self._follow(decision, begun)

    def _again(self, ticket: OrderTicket) -> None:
        """Ask once more what was answered minutes or hours ago: it gets that answer and trades nothing."""
        self._ask(ticket)

    def _reuse(self, ticket: OrderTicket) -> None:
        other = replace(ticket, size=ticket.size + 1.0)
        try:
            decision = self._ask(other)
        except InvalidRequest as problem:
            if problem.code == "REQUEST_ID_REUSED":
                return
            raise
        if decision is not None and decision.durable:
            text = f"{ticket.request_id} was given with another size and answered {decision.outcome}"
            raise BrokenInvariant("same id, same answer", text)

    # -- what follows an approval -------------------------------------------------------------------

    def _follow(self, decision: TradeDecision, begun: float) -> None:
        faults, rnd = self._faults, self._random
        if faults.happens("bot.never_sends"):
            return
        if faults.happens("bot.cancels"):
            self._cancel(decision.request_id)
            return
        if decision.quantity is None or self._machine.monotonic() - begun > 60.0:
            return
        units = to_ledger(decision.quantity)  # what was approved, to the last unit
        side = 1 if decision.action == "buy" else -1
        self._broker.send(
            Order(decision.request_id, self.name, self.strategy, decision.symbol, side, units, begun)
        )
        if faults.happens("bot.cancels_what_it_sent"):
            self._agenda.after(rnd.uniform(0.5, 10.0), lambda: self._cancel_sent(decision.request_id))

    def _cancel(self, request_id: str) -> None:
        try:
            self._process.call(lambda engine: engine.desk.cancel(request_id, "changed its mind"))
        except NoAnswer:
            self._agenda.after(self._random.uniform(1.0, 5.0), lambda: self._cancel(request_id))
        except InvalidRequest as problem:
            if problem.code != "UNKNOWN_REQUEST":
                raise

    def _cancel_sent(self, request_id: str) -> None:
        self._broker.cancel(request_id)
        self._cancel(request_id)
