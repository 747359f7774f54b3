"""Equity over time, with what was stopped, told and changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.marks import mark_times
from risk_management.plots.theme import empty, finished, theme_of

__all__ = ["equity_figure"]


def equity_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Value of the units outstanding now, at the end of each trading day, with its high-water mark.

    Parameters
    ----------
    view : Mapping
        The view ``history``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    closes, now, currency = view["closes"], view["now"], view["currency"]
    if not closes:
        said = (
            f"Equity {amount(now['equity'], 'money')} {currency}" if now["equity"] is not None else "Equity"
        )
        why = "No history yet: a point is kept at the end of each trading day, and none has ended."
        return empty(look, view, finding=said, why=why)
    days = [f"{row['day']}" for row in closes] + [str(now["at"])[:19]]
    values = [row["equity"] for row in closes] + [now["equity"]]
    made = go.Figure()
    made.add_scatter(
        name="equity",
        x=days,
        y=values,
        mode="lines",
        line={"color": look.accent, "width": 2},
        hovertemplate=f"%{{x|%d %b %Y}}<br>%{{y:,.2f}} {currency}<extra></extra>",
    )
    mark = now["high_water_mark"]
    made.add_hline(y=mark, line={"color": look.muted, "width": 1, "dash": "dot"})
    left = mark_times(made, view["marks"], days, look)
    made.update_yaxes(tickformat=",.0f")
    made.update_xaxes(showgrid=False)
    change = values[-1] / values[0] - 1.0 if values[0] else 0.0
    return finished(
        made,
        look,
        view,
        finding=f"Equity {amount(now['equity'], 'money')} {currency}, {change:+.1%} since {closes[0]['day']}",
        units=f"{currency}, for the units outstanding now: deposits are no gain; dotted: high-water mark",
        notes=left,
        height=300,
        left=68,
        legend=True,
    )
