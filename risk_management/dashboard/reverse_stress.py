"""The likeliest moves that would break a limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.errors import RiskError

if TYPE_CHECKING:
    from risk_management.calculators.stress_tester import ReverseStressResult, StressTester

__all__ = ["asked_reverse", "reverse_stress_view"]

ASKED: Final = ("daily_loss", "drawdown", "liquidation")
"""Limits on losses: those that every book has."""


def asked_reverse(tester: StressTester) -> dict[str, ReverseStressResult | str]:
    """A result for each limit, or why there is none."""
    found: dict[str, ReverseStressResult | str] = {}
    for limit in ASKED:
        try:
            found[limit] = tester.run_reverse_stress(limit)
        except RiskError as problem:
            found[limit] = str(problem)
    return found


def reverse_stress_view(seen: Snapshot, found: Mapping[str, ReverseStressResult | str]) -> Plain:
    """By limit: the move, what it costs and how far away it is, or why nothing can be said."""
    results: dict[str, Plain] = {}
    for limit, result in found.items():
        if isinstance(result, str):
            results[limit] = {"status": "unavailable", "explanation": result}
            continue
        row: Plain = plain(result)
        row.pop("leans_on")
        results[limit] = {**row, "explanation": result.explain()}
    return {**headline(seen), "results": results}
