"""The running line of a served replay: what everyone was answered so far, and how the account stands."""

from __future__ import annotations

from collections import Counter

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import TradeDecided
from risk_management.store.reader import StoreReader

__all__ = ["Ticker"]


class Ticker:
    """Counts answers from the journal, those before the last start too.

    Parameters
    ----------
    manager : AdvancedRiskManager
    reader : StoreReader
        Of its journal.
    """

    def __init__(self, manager: AdvancedRiskManager, reader: StoreReader) -> None:
        self._manager, self._reader = manager, reader
        self._read = -1
        self._answers: Counter[str] = Counter()

    def line(self, day: str) -> str:
        """The line of a day."""
        for entry in self._reader.entries(self._read):
            self._read = entry.seq
            event = self._reader.event(entry) if entry.kind == TradeDecided.__name__ else None
            if isinstance(event, TradeDecided):
                self._answers[event.decision.outcome] += 1
        state, count = self._manager.state, self._answers
        mode = state.mode.value
        if state.drawdown.effective_multiplier < 1.0:
            mode += f", sizes x{state.drawdown.effective_multiplier:.2f}"
        if state.var_halted:
            mode += ", nothing that adds VaR"
        return (
            f"{day}  equity {state.equity or 0.0:9,.2f}  drawdown {state.drawdown.drawdown:6.2%}  "
            f"approved {count['approved']:,}  cut {count['cut']:,}  refused {count['refused']:,}  {mode}"
        )
