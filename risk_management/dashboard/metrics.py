"""The overview: every word of the vocabulary, every limit with its headroom, what stops new trades."""

from __future__ import annotations

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline, limit_row
from risk_management.model.vocabulary import VOCABULARY

__all__ = ["metrics_view"]


def metrics_view(seen: Snapshot) -> Plain:
    """All metrics with unit and meaning; the limits, the most strained first; holds, drawdown and quotes."""
    state, assessment = seen.state, seen.assessment
    return {
        **headline(seen),
        "explanation": assessment.explain(),
        "metrics": {
            name: {
                "value": plain(assessment.metrics.get(name)),
                "unit": word.unit,
                "meaning": word.meaning,
            }
            for name, word in VOCABULARY.items()
        },
        "limits": [limit_row(use, seen.scenarios) for use in assessment.limits],
        "breached": [use.name for use in assessment.limits if use.level == "breached"],
        "holds": [plain(hold) for hold in state.holds.values()],
        "drawdown": plain(assessment.drawdown),
        "heat": plain(assessment.heat),
        "quotes": {symbol: plain(quote) for symbol, quote in state.quotes.items()},
        "unpriced": sorted(state.totals.unpriced),
    }
