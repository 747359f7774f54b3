"""What the risk system did, told from one assessment and state to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from risk_management.core.assessment import RiskAssessment
from risk_management.demo.records import Event
from risk_management.model.portfolio import PortfolioState, Scope

__all__ = ["EventLog"]

OVER: Final = " ended"
KINDS: Final = (
    ("recovery tranche", "recovery"),
    ("closing only, until", "emergency"),
    ("closing only", "limit"),
    ("nothing that adds VaR", "limit"),
)
"""Words of a report and the kind of event it is; everything else is an emergency that traded."""


class EventLog:
    """Collects events; feed it every day's assessment and state in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._multiplier = 1.0
        self._tranche: float | None = None
        self._stopped: set[str] = set()

    def see(self, day: str, assessment: RiskAssessment, state: PortfolioState) -> None:
        """Note what is new since the day before."""
        self.events += (_report(day, text) for text in assessment.emergencies)
        self.events += self._drawdown(day, state)
        self.events += self._stops(day, state)

    def _drawdown(self, day: str, state: PortfolioState) -> Iterator[Event]:
        now = state.drawdown
        if now.multiplier != self._multiplier:
            kind = "tier" if now.multiplier < self._multiplier else "release"
            text = f"drawdown {now.drawdown:.1%}: new positions at {now.multiplier:.0%} of their size"
            if now.multiplier == 0.0:
                text = f"drawdown {now.drawdown:.1%}: no entries"
            yield Event(day, kind, "drawdown", text)
        tranche = None if now.recovery is None else now.recovery.multiplier
        if tranche != self._tranche and self._tranche is not None and now.multiplier == 0.0:
            text = "recovery tranche closed: its loss budget is used up"
            if tranche is not None:
                text = f"recovery tranche raised to {tranche:.0%}"
            yield Event(day, "recovery", "recovery", text)
        self._multiplier, self._tranche = now.multiplier, tranche

    def _stops(self, day: str, state: PortfolioState) -> Iterator[Event]:
        stopped = {name: bot.disabled_reason for name, bot in state.bots.items() if not bot.enabled}
        for hold in state.holds.values():
            if hold.scope is Scope.STRATEGY:
                stopped[f"strategy {hold.name}"] = hold.reason
        for name in stopped.keys() - self._stopped:
            yield Event(day, "bot", name, f"{name} opens nothing more: {stopped[name]}")
        for name in sorted(self._stopped - stopped.keys()):
            yield Event(day, "release", name, f"{name} may open again")
        self._stopped = set(stopped)


def _report(day: str, text: str) -> Event:
    if text.endswith(OVER):
        name = text.removesuffix(OVER)
        return Event(day, "release", name, f"{name} is over")
    kind = next((kind for words, kind in KINDS if words in text), "emergency")
    return Event(day, kind, text.split(" ", 1)[0], text)
