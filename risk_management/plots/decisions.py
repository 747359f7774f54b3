"""What was asked and answered: decisions over time by outcome."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.plots.theme import empty, finished, theme_of

__all__ = ["decisions_figure"]

HOURLY: Final = 72
"""Up to so many hours from the first to the last, columns are hours; else days, and then months."""
DAILY: Final = 120
OUTCOMES: Final = ("approved", "cut", "refused")
NAMED: Final = 4


def decisions_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Columns of approved, cut and refused orders.

    Parameters
    ----------
    view : Mapping
        The view ``history``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    said = view["decisions"]
    if said is None:
        why = "No history yet: decisions are kept over time in a store, and this book lives in memory."
        return empty(look, view, finding="Decisions are not kept here", why=why)
    hours = said["hours"]
    if not hours:
        why = "No history yet: nothing was asked."
        return empty(look, view, finding="No decision yet", why=why)
    span, buckets = _buckets(hours)
    made = go.Figure()
    colours = {"approved": look.accent, "cut": look.warning, "refused": look.bad}
    patterns = {"approved": "", "cut": "/", "refused": ""}
    for outcome in OUTCOMES:
        made.add_bar(
            name=outcome,
            x=list(buckets),
            y=[counts[outcome] for counts in buckets.values()],
            marker={
                "color": colours[outcome],
                "line": {"width": 0},
                "pattern": {
                    "shape": patterns[outcome],
                    "fillmode": "overlay",
                    "size": 6,
                    "solidity": 0.2,
                    "fgcolor": look.paper,
                },
            },
            hovertemplate=f"%{{x}}<br>%{{y:,}} {outcome}<extra></extra>",
        )
    made.update_layout(barmode="stack", bargap=0.15)
    made.update_yaxes(tickformat=",d", fixedrange=True)
    made.update_xaxes(showgrid=False, type="date")
    return finished(
        made,
        look,
        view,
        finding=_finding(hours),
        units=f"Decisions a {span}, UTC",
        notes=_notes(said),
        height=280,
        left=56,
        legend=True,
    )


def _buckets(hours: list[Mapping[str, Any]]) -> tuple[str, dict[str, Counter[str]]]:
    """Counts by hour, day or month, whatever leaves columns that can be seen."""
    days = {hour["at"][:10] for hour in hours}
    span, keep = ("hour", 13) if len(hours) <= HOURLY and len(days) <= 3 else ("day", 10)
    if span == "day" and len(days) > DAILY:
        span, keep = "month", 7
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for hour in hours:
        for outcome in OUTCOMES:
            found[hour["at"][:keep] + (":00" if span == "hour" else "")][outcome] += hour[outcome]
    return span, dict(sorted(found.items()))


def _finding(hours: list[Mapping[str, Any]]) -> str:
    sums = {outcome: sum(hour[outcome] for hour in hours) for outcome in OUTCOMES}
    whole = sum(sums.values())
    said = ", ".join(f"{count:,} {outcome}" for outcome, count in sums.items())
    return f"{whole:,} decisions: {said} ({sums['refused'] / whole:.0%})"


def _notes(said: Mapping[str, Any]) -> list[str]:
    notes = []
    if said["codes"]:
        first = list(said["codes"].items())[:NAMED]
        parts = ", ".join(f"{code} {count:,}" for code, count in first)
        notes.append(f"Cut or refused most often by: {parts}.")
    if not said["complete"]:
        notes.append("Of a long journal only the newest decisions are counted.")
    return notes
