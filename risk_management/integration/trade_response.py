"""What a bot is answered; light, so that a client needs nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from risk_management.model.trade import Finding, TradeDecision, rounded

__all__ = ["TradeResponse"]

LARGEST_SAID: Final = 10**15


@dataclass(frozen=True, slots=True)
class TradeResponse:
    """The answer to a bot.

    Parameters
    ----------
    request_id : str
        Name it in every report.
    approved : bool
    recommended_size : float
        Money that may be sent to the broker, 0 when refused.
    requested_size : float
    rejection_reasons : tuple of str
        Stable codes of every check that refused or cut, the binding one first.
    explanation : str
        The same for a person.
    decision : TradeDecision or None
        Every number; None when nothing was judged, or it was in another process (`RiskClient.why`).
    durable : bool
        False where it was given while the store could not be written.
    """

    request_id: str
    approved: bool
    recommended_size: float
    requested_size: float
    rejection_reasons: tuple[str, ...]
    explanation: str
    decision: TradeDecision | None = field(default=None, repr=False)
    durable: bool = True

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What every check measured."""
        return () if self.decision is None else self.decision.findings

    def explain(self) -> str:
        """The same as `explanation`: the words of `TradeDecision.explain`."""
        return self.explanation

    def __str__(self) -> str:
        return self.explanation

    def __repr__(self) -> str:
        return rounded(self)

    @classmethod
    def of(cls, decision: TradeDecision) -> TradeResponse:
        """The answer that a decision gives."""
        return cls(
            decision.request_id,
            decision.approved,
            decision.recommended_size,
            decision.requested_size,
            decision.rejection_reasons,
            decision.explain(),
            decision,
            decision.durable,
        )

    @classmethod
    def not_judged(cls, size: object, code: str, text: str, request_id: str = "") -> TradeResponse:
        """The refusal of a request that nobody judged, as far as is known."""
        asked = size if type(size) is float else math.nan
        if type(size) is int and abs(size) < LARGEST_SAID:
            asked = float(size)
        return cls(
            request_id=request_id,
            approved=False,
            recommended_size=0.0,
            requested_size=asked,
            rejection_reasons=(code,),
            explanation=text,
        )
