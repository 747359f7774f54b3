"""The days that VaR is made of: how the book's one-day results are spread, and where its tails begin."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.theme import Theme, empty, finished, theme_of

__all__ = ["distribution_figure"]


def distribution_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Histogram of the book's returns in every scenario of the risk model.

    Parameters
    ----------
    view : Mapping
        The view ``distribution``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    if not view["observations"]:
        why = "Nothing is held, or equity is not known: there is no day to count."
        return empty(look, view, finding="No distribution to show", why=why)
    edges, counts = view["edges"], view["counts"]
    first = view["tails"][0]
    made = go.Figure()
    _columns(made, edges, counts, first["var"], look)
    for place, (x, text) in enumerate(_lines(view)):
        made.add_vline(x=x, line={"color": look.ink, "width": 1.2, "dash": "dot"})
        made.add_annotation(
            text=text,
            x=x,
            y=1.0,
            yref="paper",
            yanchor="top",
            xanchor="right",
            xshift=-4,
            yshift=-22 * place,
            showarrow=False,
            font={"size": 11, "color": look.muted},
            bgcolor=look.paper,
        )
    made.update_xaxes(tickformat="+.2~%", showgrid=False)
    made.update_yaxes(fixedrange=True)
    made.update_layout(bargap=0.06)
    return finished(
        made,
        look,
        view,
        finding=f"On 5 of 100 days the book loses more than {amount(first['var'], 'fraction')}; "
        f"then {amount(first['es'], 'fraction')} on average",
        units=f"Days by result, share of equity; {view['observations']:,} past days at present volatility",
        height=300,
        left=48,
    )


def _columns(made: go.Figure, edges: list[float], counts: list[int], var: float, theme: Theme) -> None:
    centres = [(low + high) / 2.0 for low, high in pairwise(edges)]
    made.add_bar(
        x=centres,
        y=counts,
        width=[high - low for low, high in pairwise(edges)],
        marker={"color": [theme.bad if x < -var else theme.accent for x in centres], "line": {"width": 0}},
        hovertext=[
            f"{count} days from {low:+.2%} to {high:+.2%} of equity"
            for low, high, count in zip(edges, edges[1:], counts, strict=False)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _lines(view: Mapping[str, Any]) -> list[tuple[float, str]]:
    said = [
        (-tail["var"], f"VaR {100.0 * tail['confidence']:g} %: {amount(tail['var'], 'fraction')}")
        for tail in view["tails"]
    ]
    return [*said, (-view["limit"], f"limit at 95 %: {amount(view['limit'], 'fraction')}")]
