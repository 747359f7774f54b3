"""Who moves with whom: correlations in the order of their tree, and where the tree is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["correlation_figure"]

LABELLED: Final = 14
"""Most names whose correlations are written into the cells."""


def correlation_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Clustered heat map under its dendrogram, with the distance at which clusters are cut.

    Parameters
    ----------
    view : Mapping
        The view ``correlation``.
    theme : str
        ``dark`` or ``light``.

    Notes
    -----
    The distance of two names is sqrt(0.5 (1 - |rho|)) and the linkage the average, as for the clusters that
    the limits use; those are fitted on the whole window of the market model, so that a cluster of the limit
    may differ from the tree of this estimate.
    """
    look = theme_of(theme)
    symbols = view["symbols"]
    if len(symbols) < 2 or any(cell is None for row in view["matrix"] for cell in row):
        why = "; ".join(view["notes"]) or "It takes two names with a history."
        return empty(look, view, finding="No correlation to show", why=why)
    matrix = np.asarray(view["matrix"], dtype=float)
    tree = _tree(matrix)
    drawn = hierarchy.dendrogram(tree, no_plot=True)
    order = [int(leaf) for leaf in drawn["leaves"] or ()]
    made = go.Figure()
    _branches(made, drawn, look)
    _cells(made, matrix[np.ix_(order, order)], [symbols[place] for place in order], look)
    threshold = view["limits"]["cluster_threshold"]
    _cut(made, threshold, len(symbols), look)
    _axes(made, len(symbols), float(tree[:, 2].max()))
    return finished(
        made,
        look,
        view,
        finding=_finding(view),
        units=f"Correlation of daily returns, {view['observations']} days, {_method(view['method'])}; "
        f"blue together, orange against; dashed: the tree's cut at {threshold:g}",
        notes=_notes(view),
        height=max(330, 110 + 26 * len(symbols)),
        left=30 + 8 * max(map(len, symbols)),
    )


def _tree(matrix: Any) -> Any:
    distance = np.sqrt(np.maximum(0.5 * (1.0 - np.abs(matrix)), 0.0))
    np.fill_diagonal(distance, 0.0)
    return hierarchy.linkage(squareform(distance, checks=False), method="average")


def _branches(made: go.Figure, drawn: Mapping[str, Any], theme: Theme) -> None:
    """All branches as one line with gaps; SciPy puts a leaf at 5, 15, 25 and so on."""
    x: list[float | None] = []
    y: list[float | None] = []
    for across, up in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        x += [*((float(v) - 5.0) / 10.0 for v in across), None]
        y += [*map(float, up), None]
    line = {"color": theme.muted, "width": 1.5}
    made.add_scatter(x=x, y=y, yaxis="y2", mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _cells(made: go.Figure, matrix: Any, symbols: Sequence[str], theme: Theme) -> None:
    names, count = [escaped(symbol) for symbol in symbols], len(symbols)
    hover = [
        [
            f"<b>{names[row]}, {names[column]}</b><br>correlation {matrix[row, column]:.2f}"
            for column in range(count)
        ]
        for row in range(count)
    ]
    made.add_heatmap(
        z=matrix.tolist(),
        x=list(range(count)),
        y=list(range(count)),
        zmin=-1.0,
        zmax=1.0,
        colorscale=[[0.0, theme.bad], [0.5, theme.track], [1.0, theme.good]],
        xgap=2,
        ygap=2,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
        customdata=[[f"{one}~{other}" for other in symbols] for one in symbols],
        texttemplate="%{z:.2f}" if count <= LABELLED else None,
        textfont={"size": 11 if count <= 8 else 9},
        showscale=False,
    )
    ticks = {"tickmode": "array", "tickvals": list(range(count)), "ticktext": list(names)}
    made.update_xaxes(**ticks, tickangle=-90 if count > 6 else 0)
    made.update_yaxes(**ticks)


def _cut(made: go.Figure, threshold: float, count: int, theme: Theme) -> None:
    height = float(np.sqrt(0.5 * (1.0 - threshold)))
    made.add_scatter(
        x=[-0.5, count - 0.5],
        y=[height, height],
        yaxis="y2",
        mode="lines",
        line={"color": theme.warning, "width": 1.5, "dash": "dash"},
        hovertemplate=f"joined below this line: |correlation| above {threshold:g}<extra></extra>",
        showlegend=False,
    )


def _axes(made: go.Figure, count: int, highest: float) -> None:
    tree = min(0.3, 90.0 / max(330, 110 + 26 * count))
    made.update_xaxes(range=[-0.5, count - 0.5], showgrid=False, fixedrange=True)
    made.update_layout(
        yaxis={
            "domain": [0.0, 1.0 - tree - 0.02],
            "range": [count - 0.5, -0.5],
            "showgrid": False,
            "fixedrange": True,
        },
        yaxis2={
            "domain": [1.0 - tree, 1.0],
            "range": [0.0, 1.08 * max(highest, 0.4)],
            "visible": False,
            "fixedrange": True,
            "anchor": "x",
        },
    )


def _method(name: str) -> str:
    return {"ledoit_wolf": "Ledoit-Wolf", "ewma": "EWMA"}.get(name, name)


def _finding(view: Mapping[str, Any]) -> str:
    if view["spike"] is not None:
        return f"Spike: {view['spike']['explanation']}"
    largest, average = view["max_pairwise_correlation"], view["average_correlation"]
    if largest is None or not view["max_pair"]:
        return "Correlations of what is held"
    first, second = view["max_pair"]
    tail = "" if average is None else f"; the book's average is {average:.2f}"
    return f"{first} and {second} move together most, {largest:.2f} by the sides held{tail}"


def _notes(view: Mapping[str, Any]) -> list[str]:
    said = [f"{note.rstrip('.')}." for note in view["notes"]]
    for one in view["clusters"]:
        if len(one["symbols"]) > 1:
            limit = view["limits"]["max_cluster_exposure"]
            names = ", ".join(one["symbols"])
            said.append(f"Cluster {names}: net {one['net']:.1%} of equity, limit {limit:.0%}.")
    return said
