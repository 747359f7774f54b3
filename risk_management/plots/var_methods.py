"""VaR by every method side by side: how far the methods agree is part of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, limit_strokes, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["var_methods_figure"]

CONFIDENCE: Final = 0.95


def var_methods_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """One-day VaR and expected shortfall at 95 % of each method against the limit.

    Parameters
    ----------
    view : Mapping
        The view ``var``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    asked = [
        row for row in view["total_var"].values() if row["confidence"] == CONFIDENCE and row["horizon"] == 1
    ]
    rows = sorted((row for row in asked if row["var_pct"] is not None), key=lambda row: row["var_pct"])
    refused = [f"{row['method']} gives no figure: {row['note']}." for row in asked if row["var_pct"] is None]
    head = view["headline"]
    if not rows or head["var_pct"] is None:
        why = " ".join(refused) or "No method has a one-day figure at 95 %."
        return empty(look, view, finding="No VaR to show", why=why)
    made = go.Figure()
    for place, row in enumerate(rows):
        _line(made, place, row, look)
    _dots(made, rows, view["currency"], "var", look)
    _dots(made, rows, view["currency"], "es", look)
    words(made, [_row(row, look, is_default=row["method"] == head["method"]) for row in rows], look)
    limit = view["limit"]
    at = [(place, limit) for place in range(len(rows))]
    limit_strokes(made, at, [f"limit of VaR {amount(limit, 'fraction')}"] * len(rows), look.ink)
    most = max(limit, *(row["es_pct"] or row["var_pct"] for row in rows))
    row_axis(made, len(rows), 0.0, 1.12 * most, ".1%")
    return finished(
        made,
        look,
        view,
        finding=_finding(view, rows),
        units="One day, 95 %, of equity; circle: VaR, diamond: expected shortfall (ES), stroke: VaR limit",
        notes=[*refused, *(f"{note.rstrip('.')}." for note in view["notes"])],
        height=PITCH * len(rows) + 10,
    )


def _line(made: go.Figure, place: int, row: Mapping[str, Any], theme: Theme) -> None:
    """From VaR to expected shortfall, under the method's name."""
    if row["es_pct"] is not None:
        made.add_scatter(
            x=[row["var_pct"], row["es_pct"]],
            y=[place, place],
            mode="lines",
            line={"color": theme.track, "width": 6},
            hoverinfo="skip",
            showlegend=False,
        )


def _row(row: Mapping[str, Any], theme: Theme, *, is_default: bool) -> Row:
    name = row["method"].replace("_", " ") + (" (gate)" if is_default else "")
    shortfall = "" if row["es_pct"] is None else f" · ES {amount(row['es_pct'], 'fraction')}"
    said = f"VaR {amount(row['var_pct'], 'fraction')}{shortfall}"
    return Row(name, said, row["var_pct"], theme.accent, "", is_strong=is_default)


def _dots(made: go.Figure, rows: list[Mapping[str, Any]], currency: str, what: str, theme: Theme) -> None:
    symbol, colour, word = (
        ("circle", theme.accent, "VaR") if what == "var" else ("diamond", theme.warning, "ES")
    )
    known = [(place, row) for place, row in enumerate(rows) if row[f"{what}_pct"] is not None]
    made.add_scatter(
        name=word,
        x=[row[f"{what}_pct"] for _, row in known],
        y=[place for place, _ in known],
        mode="markers",
        marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 0}},
        hovertext=[_hover(row, word, row[f"{what}_pct"], row[f"{what}_value"], currency) for _, row in known],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _hover(row: Mapping[str, Any], word: str, share: float, money: float, currency: str) -> str:
    error = row["standard_error"]
    said = [
        f"<b>{row['method']}</b>",
        f"{word} {amount(share, 'fraction')} of equity, {amount(money, 'money')} {currency}",
        f"{row['observations']:,} observations, window {row['window']:,} days",
    ]
    if error is not None:
        said.append(f"standard error of VaR {amount(error, 'money')} {currency}")
    if row["note"]:
        said.append(escaped(row["note"]))
    return "<br>".join(said)


def _finding(view: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> str:
    head, limit = view["headline"], view["limit"]
    said = f"VaR {amount(head['var_pct'], 'fraction')} of equity, limit {amount(limit, 'fraction')}"
    if len(rows) > 1:
        low, high = (amount(rows[place]["var_pct"], "fraction") for place in (0, -1))
        said += f"; the methods say {low} to {high}"
    return said
