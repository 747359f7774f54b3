"""The one way of every request into the engine: asked, counted, noted, and held against what must hold."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from risk_management.core.order_desk import OrderTicket
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.errors import InvalidRequest
from risk_management.model.trade import TradeDecision
from risk_management.simulate.invariants import Invariants
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.process import Process
from risk_management.simulate.store import is_kept_for_good

__all__ = ["Desk"]

KEPT: Final = 5_000
LOOKED_UP: Final = 300
"""Answers that are looked up after every recovery: the newest, and as many older ones."""


class _Answer(NamedTuple):
    """What a bot acts on, as text, and whether it was on disk when it was given."""

    text: str
    durable: bool


class Desk:
    """Asks for the bots.

    Parameters
    ----------
    process : Process
    invariants : Invariants
    tally : Tally
    """

    def __init__(self, process: Process, invariants: Invariants, tally: Tally) -> None:
        self._process, self._invariants, self._tally = process, invariants, tally
        self._answers: dict[str, _Answer] = {}
        self._newest: deque[str] = deque()
        self._for_good: list[str] = []
        process.started.append(self._look_up)
        process.ended.append(self._forget)

    def ask(self, ticket: OrderTicket) -> TradeDecision:
        """Ask once.

        Raises
        ------
        NoAnswer, InvalidRequest
        """
        assert ticket.request_id is not None  # noqa: S101 - every bot names its requests
        known = self._answers.get(ticket.request_id)
        running = self._process.engine
        before = running.state if running is not None else None
        self._tally.did["requests"] += 1
        try:
            decision = self._process.call(lambda engine: engine.request_trade(ticket))
        except InvalidRequest as problem:
            self._tally.did[f"requests refused as malformed: {problem.code}"] += 1
            self._tally.note(f"{ticket.request_id} {problem.code}")
            raise
        engine = self._process.engine
        assert engine is not None  # noqa: S101 - it has just answered
        assert before is not None  # noqa: S101
        text = _text(decision)
        self._tally.note(text)
        if known is not None:
            self._tally.did["asked again"] += 1
            if known.text == text:
                return decision
            if decision.durable:
                raise BrokenInvariant("same id, same answer", f"first {known.text}, then {text}")
            # in memory alone, while the first answer can't be read: it closes and never opens
            self._tally.did["asked again while the answer could not be read"] += 1
            self._invariants.answered(engine, before, ticket, decision)
            return decision
        self._keep(ticket.request_id, _Answer(text, decision.durable))
        self._count(decision)
        self._invariants.answered(engine, before, ticket, decision)
        return decision

    def _keep(self, request_id: str, answer: _Answer) -> None:
        self._answers[request_id] = answer
        if is_kept_for_good(request_id):
            self._for_good.append(request_id)
            return
        self._newest.append(request_id)
        if len(self._newest) > KEPT:
            self._answers.pop(self._newest.popleft(), None)

    def _count(self, decision: TradeDecision) -> None:
        did = self._tally.did
        did[decision.outcome] += 1
        did["closes"] += decision.closing_size > 0.0
        for code in decision.rejection_reasons:
            self._tally.refused[code] += 1

    def _forget(self, engine: AdvancedRiskManager) -> None:
        """What was answered in memory alone may go with it: that was said in the answer."""
        if engine.book.outage:
            gone = {name for name, answer in self._answers.items() if not answer.durable}
            self._answers = {name: answer for name, answer in self._answers.items() if name not in gone}

    def _look_up(self, engine: AdvancedRiskManager) -> None:
        """Every answer that was acknowledged is known after a recovery, and is the same."""
        newest = list(self._newest)[-LOOKED_UP:]
        for name in (*newest, *self._for_good[-LOOKED_UP:]):
            answer = self._answers.get(name)
            if answer is None:
                continue
            found = engine.desk.decision(name)
            said = "nothing" if found is None else _text(found)
            self._tally.did["answers looked up after a recovery"] += 1
            if said != answer.text:
                text = f"{name} was answered {answer}; after a recovery the store says {said}"
                raise BrokenInvariant("acknowledged is durable", text)


def _text(decision: TradeDecision) -> str:
    """Everything that a bot acts on."""
    return (
        f"{decision.request_id} {decision.outcome} {decision.recommended_size!r} {decision.closing_size!r} "
        f"{decision.opening_size!r} {decision.quantity!r} {decision.price!r} "
        f"{','.join(decision.rejection_reasons)} {decision.state_version} {decision.valid_until.isoformat()} "
        f"{decision.config_digest}"
    )
