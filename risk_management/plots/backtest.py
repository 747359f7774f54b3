"""Would VaR have held? Each day's result against what was said the evening before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.plots.theme import Theme, empty, finished, theme_of

__all__ = ["var_backtest_figure"]

CONFIDENCE: Final = "0.95"


def var_backtest_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Daily results, the VaR that was forecast, and the exceptions.

    Parameters
    ----------
    view : Mapping
        The view ``backtest``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    said = None if "unavailable" in view else view["series"]["var"].get(CONFIDENCE)
    if said is None:
        why = view.get("unavailable") or "; ".join(view["refusals"].values()) or "No method was walked."
        return empty(look, view, finding="No backtest to show", why=why)
    dates, pnl = view["series"]["dates"], view["series"]["pnl"]
    record = view["methods"][view["default"]][CONFIDENCE]
    made = go.Figure()
    _days(made, dates, pnl, look)
    made.add_scatter(
        name="VaR 95 %",
        x=dates,
        y=[None if var is None else -var for var in said],
        mode="lines",
        line={"color": look.warning, "width": 1.6},
        hovertemplate="%{x|%d %b %Y}<br>VaR said %{y:.2%} of equity<extra></extra>",
    )
    over = [place for place, var in enumerate(said) if var is not None and pnl[place] < -var]
    made.add_scatter(
        name="exception",
        x=[dates[place] for place in over],
        y=[pnl[place] for place in over],
        mode="markers",
        marker={"symbol": "x-thin", "size": 8, "line": {"width": 2, "color": look.bad}},
        hovertemplate="%{x|%d %b %Y}<br><b>exception</b>: %{y:.2%} of equity<extra></extra>",
    )
    made.update_yaxes(tickformat="+.2~%", fixedrange=True)
    made.update_xaxes(showgrid=False)
    return finished(
        made,
        look,
        view,
        finding=f"{record['exceptions']} exceptions in {record['days']:,} days, "
        f"{record['expected']:.0f} were promised: zone {record['light']['zone']}",
        units=f"Results of days, share of equity, with the weights of today; VaR 95 % by "
        f"{view['default'].replace('_', ' ')}, {view['first']} to {view['last']}",
        notes=_notes(view, record),
        height=320,
        left=56,
        legend=True,
    )


def _days(made: go.Figure, dates: list[str], pnl: list[float], theme: Theme) -> None:
    made.add_scatter(
        name="day",
        x=dates,
        y=pnl,
        mode="markers",
        marker={"size": 3, "color": theme.accent, "opacity": 0.65, "line": {"width": 0}},
        hovertemplate="%{x|%d %b %Y}<br>%{y:+.2%} of equity<extra></extra>",
    )


def _notes(view: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    said = []
    for key, word in (("kupiec", "Their number"), ("independence", "How they cluster")):
        test = record[key]
        if test is not None:
            verdict = "is no chance" if test["reject"] else "may be chance"
            said.append(f"{word} {verdict}, p = {test['p_value']:.3f}.")
    if view["lacking"]:
        names = ", ".join(f"{symbol} (it has {why})" for symbol, why in view["lacking"].items())
        said.append(f"Left out, without a history of their own: {names}.")
    return said
