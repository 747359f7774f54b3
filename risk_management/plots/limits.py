"""Headroom: every limit as a bar, with its warning at 80 % and its end at the limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, limit_strokes, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["limits_figure"]

WARNING: Final = 0.80
LONGEST: Final = 1.5
"""Uses beyond this are drawn to the edge; their numbers stand beside them."""


def limits_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Use of every limit, the nearest to a breach first.

    Parameters
    ----------
    view : Mapping
        The view ``metrics``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    limits = [row for row in view["limits"] if row["limit"] is not None and row["use"] is not None]
    if not limits:
        return empty(
            look, view, finding="No limit can be measured", why="Equity is not known or not positive."
        )
    rows = [_row(row, look) for row in limits]
    end = max(1.08, min(LONGEST, 1.04 * max(row.value for row in rows)))
    made = go.Figure()
    _ground(made, len(rows), look)
    bars(made, rows)
    words(made, rows, look)
    said = [f"limit {amount(row['limit'], row['unit'])}" for row in limits]
    limit_strokes(made, [(place, 1.0) for place in range(len(rows))], said, look.ink)
    row_axis(made, len(rows), 0.0, end, ".0%")
    made.update_layout(barmode="overlay")
    return finished(
        made,
        look,
        view,
        finding=_finding(limits),
        units="Used share of each limit; darker ground from 80 %, stroke: the limit",
        height=PITCH * len(rows) + 10,
    )


def _row(row: Mapping[str, Any], theme: Theme) -> Row:
    name = f"{row['name']} · {row['about']}" if row["about"] else str(row["name"])
    used, limit = amount(row["used"], row["unit"]), amount(row["limit"], row["unit"])
    left = amount(row["room"], row["unit"])
    kind = "hard limit" if row["hard"] else "soft limit"
    return Row(
        label=name.replace("_", " "),
        said=f"{used} of {limit}" + ("" if row["level"] == "ok" else f", {row['level']}"),
        value=min(max(row["use"], 0.0), LONGEST),
        colour=theme.level(row["level"]),
        hover=f"<b>{escaped(name)}</b><br>used {used} of {limit}, {row['use']:.0%}<br>room {left}, {kind}",
    )


def _ground(made: go.Figure, count: int, theme: Theme) -> None:
    """The track of each bar: up to the warning, and from there to the limit."""
    for base, length, opacity in ((0.0, WARNING, 0.55), (WARNING, 1.0 - WARNING, 1.0)):
        made.add_bar(
            orientation="h",
            x=[length] * count,
            y=list(range(count)),
            base=[base] * count,
            width=0.26,
            marker={"color": theme.track, "opacity": opacity, "line": {"width": 0}},
            hoverinfo="skip",
            showlegend=False,
        )


def _finding(limits: list[Mapping[str, Any]]) -> str:
    over = [row for row in limits if row["level"] == "breached"]
    first = max(limits, key=lambda row: float(row["strain"] or 0.0))
    name = str(first["name"]).replace("_", " ")
    used = f"{amount(first['used'], first['unit'])} of {amount(first['limit'], first['unit'])}"
    if over:
        more = "1 limit is breached" if len(over) == 1 else f"{len(over)} limits are breached"
        return f"{more}: {name} at {used}"
    return f"No limit is breached; the nearest is {name} at {used}"
