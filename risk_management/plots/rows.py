"""Rows of bars with their words above them: they need no room at the side, so they read on a phone too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from risk_management.plots.theme import Theme, escaped

__all__ = ["PITCH", "Row", "bars", "limit_strokes", "row_axis", "shortened", "words"]

PITCH = 42
"""Height of a row in pixels."""
BAR = 0.26
"""Thickness of its bar, as a share of the row."""


WIDTH = 47
"""Characters above a bar that fit beside each other on a phone; the whole name is in the hover."""
LEAST = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name at the left, its numbers at the right, the length of its bar.

    Parameters
    ----------
    label, said : str
    value : float
    colour, hover : str
    is_strong : bool
        Its name stands out.
    """

    label: str
    said: str
    value: float
    colour: str
    hover: str
    is_strong: bool = False


def row_axis(made: go.Figure, count: int, low: float, high: float, form: str | None = None) -> None:
    """Axes for so many rows, the first at the top, with values from `low` to `high` in a d3 format."""
    made.update_layout(
        xaxis={"range": [low, high], "tickformat": form, "showgrid": False, "fixedrange": True},
        yaxis={"visible": False, "range": [count - 0.4, -0.75], "fixedrange": True},
    )


def words(made: go.Figure, rows: Sequence[Row], theme: Theme) -> None:
    """The name and the numbers above each bar, on an axis of their own that spans the width.

    As two traces: as many annotations would take plotly a hundred times as long, here and in a browser.
    """
    labels = [escaped(shortened(row.label, WIDTH - len(row.said))) for row in rows]
    names = [f"<b>{text}</b>" if row.is_strong else text for text, row in zip(labels, rows, strict=True)]
    numbers = [escaped(row.said) for row in rows]
    for x, texts, position, colour in (
        (0.0, names, "top right", theme.ink),
        (1.0, numbers, "top left", theme.muted),
    ):
        made.add_scatter(
            xaxis="x2",
            x=[x] * len(rows),
            y=[place - BAR / 2.0 - 0.03 for place in range(len(rows))],
            mode="text",
            text=texts,
            textposition=position,
            textfont={"size": 12, "color": colour},
            cliponaxis=False,
            hoverinfo="skip",
            showlegend=False,
        )
    made.update_layout(
        xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True, "anchor": "y"}
    )


def shortened(text: str, width: int) -> str:
    """A text cut to so many characters, with a sign that it is."""
    most = max(width, LEAST)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def bars(made: go.Figure, rows: Sequence[Row], *, base: Sequence[float] | None = None) -> None:
    """The bars themselves."""
    made.add_bar(
        orientation="h",
        x=[row.value for row in rows],
        y=list(range(len(rows))),
        base=None if base is None else list(base),
        width=BAR,
        marker={"color": [row.colour for row in rows], "line": {"width": 0}},
        hovertext=[row.hover for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def limit_strokes(
    made: go.Figure, places: Sequence[tuple[int, float]], hovers: Sequence[str], colour: str
) -> None:
    """A stroke over a bar at each limit: row and value."""
    made.add_scatter(
        x=[value for _, value in places],
        y=[row for row, _ in places],
        mode="markers",
        marker={"symbol": "line-ns", "size": 11, "line": {"color": colour, "width": 2}},
        hovertext=list(hovers),
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
