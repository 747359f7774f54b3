"""Two names over time: how much they moved together in each window, beside what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from risk_management.plots.theme import empty, finished, theme_of

__all__ = ["pair_figure"]


def pair_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Rolling correlation of a pair, with its median and the level from which two names count as one.

    Parameters
    ----------
    view : Mapping
        What `RiskDashboardAPI.pair` says of two names.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    first, second, span = view["first"], view["second"], view["span"]
    known = [value for value in view["rho"] if value is not None]
    if not known:
        why = f"It takes {span} returns of both names."
        return empty(look, view, finding=f"{first} and {second} have no common history", why=why)
    threshold, usual = view["limits"]["cluster_threshold"], view["usual"]
    made = go.Figure()
    made.add_scatter(
        x=view["dates"],
        y=view["rho"],
        mode="lines",
        line={"color": look.accent, "width": 1.8},
        hovertemplate="%{x|%d %b %Y}<br>correlation %{y:.2f}<extra></extra>",
        showlegend=False,
    )
    lines = [(threshold, "one cluster from here on", look.warning), (usual, "median of a year", look.muted)]
    for level, said, colour in lines:
        if level is None:
            continue
        made.add_hline(y=level, line={"color": colour, "width": 1, "dash": "dot"})
        made.add_annotation(
            text=f"{level:.2f} · {said}",
            x=0.0,
            xref="paper",
            xanchor="left",
            y=level,
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": look.ink},
        )
    made.update_yaxes(range=[min(-0.05, 1.1 * min(known)), 1.05], tickformat=".1f", fixedrange=True)
    made.update_xaxes(showgrid=False)
    beside = "" if usual is None else f", {usual:.2f} is usual"
    return finished(
        made,
        look,
        view,
        finding=f"{first} and {second}: {known[-1]:.2f} over the last {span} days{beside}",
        units=f"Correlation of daily returns in each window of {span} days; 1 together, −1 against",
        height=300,
        left=44,
    )
