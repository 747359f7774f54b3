"""Moments on a time chart: stops, releases, alerts, new settings, starts."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.plots.theme import Theme, escaped

__all__ = ["mark_times"]

SYMBOLS: Final = {
    "stop": ("octagon", "stop"),
    "release": ("triangle-up", "release"),
    "alert": ("diamond", "alert"),
    "settings": ("square", "settings"),
    "start": ("circle-open", "start"),
}
LOWER, UPPER = 0.2, 0.8
"""Alerts have a line of their own: there are many, and they come in the moment of a stop."""
HOVER_WIDTH: Final = 60


def mark_times(
    made: go.Figure, marks: Sequence[Mapping[str, Any]], days: Sequence[str], theme: Theme
) -> list[str]:
    """Draw the marks that lie within the days on two lines above the plot.

    Returns
    -------
    list of str
        What to say of those that lie before.
    """
    first = days[0][:10]
    inside = [mark for mark in marks if str(mark["at"])[:10] >= first]
    for kind, (symbol, name) in SYMBOLS.items():
        found = [mark for mark in inside if mark["kind"] == kind]
        if not found:
            continue
        colour = {"stop": theme.bad, "alert": theme.warning, "release": theme.good}.get(kind, theme.muted)
        made.add_scatter(
            name=name,
            x=[str(mark["at"])[:19] for mark in found],
            y=[LOWER if kind == "alert" else UPPER] * len(found),
            yaxis="y2",
            mode="markers",
            marker={"symbol": symbol, "size": 9, "color": colour, "line": {"width": 1, "color": theme.paper}},
            hovertext=[_hover(mark) for mark in found],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    made.update_layout(
        yaxis={"domain": [0.0, 0.88]},
        yaxis2={"domain": [0.91, 1.0], "range": [0, 1], "visible": False, "fixedrange": True, "anchor": "x"},
    )
    before = len(marks) - len(inside)
    return [f"{before} earlier stops, alerts and changes are not drawn."] if before else []


def _hover(mark: Mapping[str, Any]) -> str:
    lines = textwrap.wrap(str(mark["text"]), HOVER_WIDTH)
    said = "<br>".join(map(escaped, lines))
    return f"<b>{mark['kind']}</b>, {str(mark['at'])[:16].replace('T', ' ')} UTC<br>{said}"
