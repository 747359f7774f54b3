"""Under water: how far below its mark the book stood, and the tiers that it came through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from risk_management.dashboard.history import depths
from risk_management.model.explain import amount
from risk_management.plots.marks import mark_times
from risk_management.plots.theme import Theme, empty, finished, theme_of

__all__ = ["drawdown_figure"]


def drawdown_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Drawdown at the end of each trading day, with the tiers that cut new positions.

    Parameters
    ----------
    view : Mapping
        The view ``history``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    closes, now = view["closes"], view["now"]
    depth = amount(now["drawdown"], "fraction")
    finding = f"Drawdown {depth}: new positions at {now['multiplier']:.0%} of their size"
    if not closes:
        why = "No history yet: a point is kept at the end of each trading day, and none has ended."
        return empty(look, view, finding=finding, why=why)
    days = [row["day"] for row in closes] + [str(now["at"])[:19]]
    under = [-depth for depth in _depths(view)]
    made = go.Figure()
    made.add_scatter(
        x=days,
        y=under,
        mode="lines",
        fill="tozeroy",
        fillcolor=f"rgba({_channels(look.accent)},0.18)",
        line={"color": look.accent, "width": 1.8},
        hovertemplate="%{x|%d %b %Y}<br>%{y:.2%} below the mark<extra></extra>",
        showlegend=False,
    )
    deepest = max(-min(under), 0.0)
    levels = [*((tier["at"], f"{tier['multiplier']:.0%} of size") for tier in view["tiers"])]
    levels.append((view["liquidation"], "liquidation"))
    end = max(1.12 * deepest, 1.12 * max(at for at, _ in levels))
    _tiers(made, levels, deepest, look)
    made.update_yaxes(range=[-end, 0.004], tickformat=".0%", fixedrange=True, showgrid=False)
    made.update_xaxes(showgrid=False)
    left = mark_times(made, view["marks"], days, look)
    return finished(
        made,
        look,
        view,
        finding=finding,
        units="Below the high-water mark, at the end of each day; lines: tiers for new positions",
        notes=[*_notes(view), *left],
        height=340,
        left=56,
        legend=True,
    )


def _channels(colour: str) -> str:
    return ",".join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))


def _depths(view: Mapping[str, Any]) -> list[float]:
    """Drawdown of each close and of now, as fractions."""
    now = view["now"]
    closes = ((row["day"], row["value"]) for row in view["closes"])
    return [*depths(closes, now["peak"], str(now["peak_at"])[:10]), now["drawdown"]]


def _tiers(made: go.Figure, levels: list[tuple[float, str]], deepest: float, theme: Theme) -> None:
    for at, said in levels:
        is_passed = deepest >= at
        made.add_hline(
            y=-at,
            line={"color": theme.bad if said == "liquidation" else theme.muted, "width": 1, "dash": "dot"},
        )
        made.add_annotation(
            text=f"{at:.1%} · {said}",
            x=1.0,
            xref="paper",
            xanchor="right",
            y=-at,
            yanchor="bottom",
            showarrow=False,
            font={"size": 11, "color": theme.ink if is_passed else theme.muted},
        )


def _notes(view: Mapping[str, Any]) -> list[str]:
    now = view["now"]
    said = [f"The mark was set on {str(now['peak_at'])[:10]}, {now['days_under_water']} trading days ago."]
    if str(now["peak_at"])[:10] > view["closes"][0]["day"]:
        said.append("Days before it are held against the highest close that is kept.")
    return said
