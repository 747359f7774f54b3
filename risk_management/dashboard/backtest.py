"""The VaR backtest of a book as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline

if TYPE_CHECKING:
    from risk_management.calculators.var_backtest import BookBacktest

__all__ = ["backtest_series", "backtest_view"]


def backtest_view(seen: Snapshot, found: BookBacktest) -> Plain:
    """Every test of every method, and the days on which a loss passed its VaR."""
    return {
        **headline(seen),
        "first": str(found.dates[0]),
        "last": str(found.dates[-1]),
        "days": len(found.dates),
        "default": found.default,
        "methods": {
            method: {f"{record.confidence:g}": plain(record) for record in records}
            for method, records in found.records.items()
        },
        "exceptions": {
            method: {
                f"{confidence:g}": [str(day) for day in found.dates[found.exceptions(method, confidence)]]
                for confidence in found.confidences
            }
            for method in found.records
        },
        "refusals": dict(found.refusals),
        "left_out": dict(found.left_out),
        "lacking": dict(found.lacking),
    }


def backtest_series(seen: Snapshot, found: BookBacktest | str) -> Plain:
    """The same with the days themselves: what came, and what the default method had said, in fractions.

    Where nothing could be walked, `found` and ``unavailable`` say why.
    """
    if isinstance(found, str):
        return {**headline(seen), "unavailable": found}
    confidences = [f"{confidence:g}" for confidence in found.confidences]
    said = found.var.get(found.default)
    return {
        **backtest_view(seen, found),
        "series": {
            "dates": [str(day) for day in found.dates],
            "pnl": plain(found.pnl.round(6)),
            "var": {} if said is None else dict(zip(confidences, plain(said.round(6)), strict=True)),
        },
    }
