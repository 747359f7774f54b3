"""Budget and Kelly of every bot: what it may hold, what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from risk_management.model.explain import amount
from risk_management.plots.rows import PITCH, Row, bars, limit_strokes, row_axis, words
from risk_management.plots.theme import Theme, empty, escaped, finished, theme_of

__all__ = ["bots_figure"]

MOST: Final = 20


def bots_figure(view: Mapping[str, Any], *, theme: str = "dark") -> go.Figure:
    """Used money of each bot over its budget; strokes are its limit now and what Kelly allows it.

    Parameters
    ----------
    view : Mapping
        The view ``bots``.
    theme : str
        ``dark`` or ``light``.
    """
    look = theme_of(theme)
    known = [bot for bot in view["bots"] if bot["limits"]["max_exposure"] is not None]
    if not known:
        why = "No bot is registered: a bot has a card from its registration or its first request on."
        return empty(look, view, finding="No bot to show", why=why)
    shown = sorted(known, key=lambda bot: -(bot["limits"]["use"] or 0.0))[:MOST]
    rows = [_row(bot, view["currency"], look) for bot in shown]
    made = go.Figure()
    made.add_bar(
        orientation="h",
        x=[bot["limits"]["max_exposure"] for bot in shown],
        y=list(range(len(shown))),
        width=0.26,
        marker={"color": look.track, "line": {"width": 0}},
        hoverinfo="skip",
        showlegend=False,
    )
    bars(made, rows)
    _strokes(made, shown, "limit", look.ink, "limit now")
    _strokes(made, shown, "kelly_limit", look.series[3], "Kelly allows")
    words(made, rows, look)
    most = max(max(bot["limits"]["max_exposure"], bot["limits"]["used"] or 0.0) for bot in shown)
    row_axis(made, len(rows), 0.0, 1.06 * most or 1.0, ",.0f")
    made.update_layout(barmode="overlay")
    left = len(known) - len(shown)
    return finished(
        made,
        look,
        view,
        finding=_finding(known),
        units=f"{view['currency']} held and approved, over the budget of each; dark stroke: its limit now, "
        "purple: what Kelly allows it",
        notes=[*_notes(shown), *([f"{left} further bots are not drawn."] if left else [])],
        height=PITCH * len(rows) + 10,
    )


def _row(bot: Mapping[str, Any], currency: str, theme: Theme) -> Row:
    limits, counts, trades = bot["limits"], bot["decisions"], bot["trades"]
    said = f"{limits['used']:,.0f} of {limits['limit']:,.0f}"
    if not bot["enabled"]:
        said += ", disabled"
    elif bot["mode"] != "active":
        said += f", {bot['mode']}"
    kelly = (
        "not yet known"
        if limits["kelly_limit"] is None
        else f"{amount(limits['kelly_limit'], 'money')} {currency}"
    )
    hover = [
        f"<b>{escaped(bot['name'])}</b>, {escaped(bot['strategy'] or 'no strategy')}",
        f"used {amount(limits['used'], 'money')} {currency} of {amount(limits['limit'], 'money')}",
        f"budget {amount(limits['max_exposure'], 'money')} {currency}, Kelly {kelly}",
        f"P&amp;L {bot['profit']['total']:+,.2f} {currency}",
        f"{counts['approved']} approved, {counts['cut']} cut, {counts['refused']} refused",
        f"{trades['closed']} trades closed",
    ]
    return Row(bot["name"], said, limits["used"] or 0.0, theme.level(limits["level"]), "<br>".join(hover))


def _strokes(made: go.Figure, bots: list[Mapping[str, Any]], key: str, colour: str, name: str) -> None:
    known = [(place, bot["limits"][key]) for place, bot in enumerate(bots) if bot["limits"][key] is not None]
    edge = 1.05 * max(bot["limits"]["max_exposure"] for bot in bots)
    hovers = [f"{name}: {value:,.2f}" for _, value in known]
    limit_strokes(made, [(place, min(value, edge)) for place, value in known], hovers, colour)


def _finding(bots: list[Mapping[str, Any]]) -> str:
    first = max(bots, key=lambda bot: float(bot["limits"]["use"] or 0.0))
    count = "1 bot" if len(bots) == 1 else f"{len(bots)} bots"
    use = first["limits"]["use"]
    if use is None:
        return f"{count}; none may open anything now"
    return f"{count}; {first['name']} uses most of its limit, {use:.0%}"


def _notes(bots: list[Mapping[str, Any]]) -> list[str]:
    waiting = [f"{b['name']} {b['limits']['trades_until_full']}" for b in bots if b["limits"]["on_probation"]]
    if not waiting:
        return []
    return [f"On probation, with closed trades still to make until Kelly counts: {', '.join(waiting[:8])}."]
