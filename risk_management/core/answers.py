"""What was answered: the same id gets the same answer, once, however often and from wherever it is asked."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Final

from risk_management.core.commit import Journal
from risk_management.errors import InvalidRequest, StoreUnavailable
from risk_management.model.amend import amended
from risk_management.model.events import TradeDecided
from risk_management.model.portfolio import PortfolioState
from risk_management.model.trade import TradeDecision, TradeRequest

__all__ = ["Answers", "reused", "same_answer"]

KEPT: Final = 10_000


class Answers:
    """The newest answers in memory, all older ones in the journal.

    Parameters
    ----------
    journal : Journal or None
        Asked for what is not in memory; without one, ids older than the newest 10,000 are forgotten.
    """

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._known: dict[str, TradeDecided] = {}
        self._order: deque[str] = deque()
        self._unread: set[str] = set()
        """Answered while the journal could not be read, so that it may know an earlier answer."""

    def find(self, request_id: str) -> TradeDecided | None:
        """What an id was answered, None for one that was never given out.

        Raises
        ------
        StoreUnavailable
            It was given out, and the journal that knows the answer can't be read.
        """
        known = self._known.get(request_id)
        if self._journal is None:
            return known
        if known is None:
            return self._journal.decided(request_id)
        if request_id in self._unread:
            with suppress(StoreUnavailable):
                known = self._known[request_id] = self._journal.decided(request_id) or known
                self._unread.discard(request_id)
        return known

    def keep(self, answer: TradeDecided, state: PortfolioState) -> None:
        """Remember an answer; the oldest without an open approval goes when there are too many."""
        self._known[answer.request_id] = answer
        self._order.append(answer.request_id)
        for _ in range(len(self._order) - KEPT):
            oldest = self._order.popleft()
            if oldest in state.reservations:
                self._order.append(oldest)
            else:
                del self._known[oldest]

    def read_again(self) -> None:
        """The journal can be read again: what it answered first is the answer, whatever was said since.

        It is asked when the answer is: thousands were given in a long outage, and everybody waits for this.
        """
        self._unread = {name for name, known in self._known.items() if not known.decision.durable}

    def go_back(self, version: int) -> None:
        """Forget the answers of a state that was lost."""
        lost = {i for i, known in self._known.items() if known.decision.state_version >= version}
        self._known = {i: known for i, known in self._known.items() if i not in lost}
        self._order = deque(i for i in self._order if i not in lost)


def same_answer(known: TradeDecided, request: TradeRequest, *, names_strategy: bool) -> TradeDecision:
    """The answer that was given, where the same is asked again.

    A strategy that the caller does not name is the bot's own, which may be another one by now.

    Raises
    ------
    InvalidRequest
        ``REQUEST_ID_REUSED``: the id was given before with another request.
    """
    before = known.request
    strategy = request.strategy if names_strategy else before.strategy
    again = amended(request, requested_at=before.requested_at, strategy=strategy)
    if again != before:
        raise reused(request.request_id)
    return known.decision


def reused(request_id: str) -> InvalidRequest:
    """The error of an id that names another request already."""
    text = f"request {request_id!r} was given before with other values; use a new id"
    return InvalidRequest("REQUEST_ID_REUSED", "request_id", text)
