"""What the book would lose in scenarios, each against what is allowed for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, limit_strokes, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["stress_figure"]

MOST: Final = 16
PARTS: Final = 6


def stress_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Losses of the scenarios, the largest first; a stroke is the limit of each.

    Parameters
    ----------
    view : Mapping
        The view ``stress``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    known = [row for row in view["scenarios"] if row["portfolio_pnl_pct"] is not None]
    if not known or not any(row["portfolio_pnl"] for row in known):
        return empty(
            look, view, finding="No scenario moves the book", why="Nothing is held, or equity is unknown."
        )
    shown = known[:MOST]
    rows = [_row(row, view["currency"], look) for row in shown]
    made = go.Figure()
    bars(made, rows)
    limits = [(place, float(row["limit"])) for place, row in enumerate(shown)]
    limit_strokes(made, limits, [f"allowed {limit:.0%} of equity" for _, limit in limits], look.ink)
    words(made, rows, look)
    low = min(0.0, *(row.value for row in rows))
    high = max(row["limit"] for row in shown)
    most = max(high, *(row.value for row in rows))
    row_axis(made, len(rows), 1.06 * low, 1.06 * most, ".0%")
    left = len(known) - len(shown)
    return finished(
        made,
        look,
        view,
        finding=_finding(view),
        units="Loss in money and of equity; stroke: allowed. Bold, blue: stops trades that worsen it; "
        "grey: shown only",
        notes=[f"{left} milder scenarios are not drawn."] if left else [],
        height=PITCH * len(rows) + 10,
    )


def _row(row: Mapping[str, Any], currency: str, theme: Theme) -> Row:
    loss = -row["portfolio_pnl_pct"]
    outcome = "critical" if row["critical"] else ("" if row["passed"] else "too much")
    parts = sorted(row["by_symbol"].items(), key=lambda item: item[1])[:PARTS]
    said = [
        f"<b>{escaped(row['name'])}</b>",
        f"{row['effect']}, {row['horizon_days']} trading days",
        f"P&amp;L {row['portfolio_pnl']:+,.2f} {currency}, {-loss:+.1%} of equity",
        *(f"  {escaped(symbol)} {pnl:+,.2f}" for symbol, pnl in parts),
    ]
    colour = theme.bad if outcome else (theme.accent if row["use"] == "gate" else theme.series[6])
    return Row(
        label=row["name"],
        said=f"{-row['portfolio_pnl'] + 0.0:,.0f} · {amount(loss, 'fraction')}"
        + (f", {outcome}" if outcome else ""),
        value=loss,
        colour=colour,
        hover="<br>".join(said),
        is_strong=row["use"] == "gate",
    )


def _finding(view: Mapping[str, Any]) -> str:
    gates = [
        row for row in view["scenarios"] if row["use"] == "gate" and row["portfolio_pnl_pct"] is not None
    ]
    if not gates:
        return (
            f"{view['suite']['scenarios_passed']} of {view['suite']['scenarios_tested']} scenarios are passed"
        )
    worst = min(gates, key=lambda row: float(row["portfolio_pnl_pct"]))
    limit, loss = amount(worst["limit"], "fraction"), amount(-worst["portfolio_pnl_pct"], "fraction")
    money = f"{-worst['portfolio_pnl']:,.0f} {view['currency']}"
    return f"The worst that stops trades: {worst['name']}, {money} or {loss} of equity, limit {limit}"
