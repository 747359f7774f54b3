"""How far the book is from its limits: the likeliest move that breaks each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["reverse_stress_figure"]

NAMES: Final = {
    "daily_loss": "limit on a day's loss",
    "drawdown": "drawdown: nothing is opened",
    "liquidation": "drawdown: liquidation",
}
NAMED: Final = 3


def reverse_stress_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Distance to each limit in standard deviations of a day, with the loss that it takes.

    Parameters
    ----------
    view : Mapping
        The view ``reverse_stress``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    found = {name: row for name, row in view["results"].items() if row["status"] == "ok"}
    others = [
        f"{NAMES.get(n, n)}: {_unsaid(row)}" for n, row in view["results"].items() if row["status"] != "ok"
    ]
    if not found:
        return empty(look, view, finding=_none(view), why=" ".join(others))
    ordered = sorted(found.items(), key=lambda item: float(item[1]["distance"]))
    rows = [_row(name, row, view["currency"], look) for name, row in ordered]
    made = go.Figure()
    bars(made, rows)
    words(made, rows, look)
    row_axis(made, len(rows), 0.0, 1.06 * max(row.value for row in rows) or 1.0)
    _, first = ordered[0]
    return finished(
        made,
        look,
        view,
        finding=f"A loss of {amount(first['loss_pct'], 'fraction')} breaks the nearest limit: "
        f"{first['distance']:.1f} standard deviations away",
        units="Standard deviations (sd) of one day, at present volatility; real tails are fatter",
        notes=[*others, *_moves(ordered)],
        height=PITCH * len(rows) + 10,
    )


def _row(name: str, row: Mapping[str, Any], currency: str, theme: Theme) -> Row:
    said = [
        f"<b>{NAMES.get(name, name)}</b>",
        f"loss {amount(row['loss'], 'money')} {currency}, {amount(row['loss_pct'], 'fraction')} of equity",
        f"{row['distance']:.1f} standard deviations over {row['horizon_days']} d",
        f"chance with fat tails {row['fat_probability']:.2g}, with normal ones {row['probability']:.2g}",
    ]
    if row["worst_days"] is not None:
        said.append(f"{row['worst_days']} of {row['observations']:,} past days would have broken it")
    said += [
        f"  {escaped(symbol)} {row['moves'][symbol]:+.1%}: {amount(part, 'money')} {currency}"
        for symbol, part in list(row["contributions"].items())[:NAMED]
    ]
    label = NAMES.get(name, name.replace("_", " "))
    text = f"{amount(row['loss_pct'], 'fraction')} · {row['distance']:.1f} sd"
    return Row(label, text, row["distance"], theme.accent, "<br>".join(said))


def _moves(ordered: list[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The move itself, for the nearest limit."""
    name, row = ordered[0]
    moves = ", ".join(
        f"{symbol} {row['moves'][symbol]:+.1%}" for symbol in list(row["contributions"])[:NAMED]
    )
    return [f"The likeliest move that breaks the {NAMES.get(name, name)}: {moves}."] if moves else []


def _unsaid(row: Mapping[str, Any]) -> str:
    first: str = row["explanation"].splitlines()[0]
    return first


def _none(view: Mapping[str, Any]) -> str:
    broken = [name for name, row in view["results"].items() if row["status"] == "broken"]
    return "A limit is passed already" if broken else "No move to show"
