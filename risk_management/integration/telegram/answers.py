"""What the commands that only look say: short plain texts that fit a phone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from risk_management.alerts.summary import moved
from risk_management.core.assessment import RiskAssessment
from risk_management.core.reduction import marked
from risk_management.model.alert import Alert
from risk_management.model.explain import amount
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, Scope

__all__ = ["bots_text", "limits_text", "positions_text", "status_text"]

MOST: Final = 10


def status_text(state: PortfolioState, seen: RiskAssessment, active: Sequence[Alert], outage: str) -> str:
    """How the book stands, what blocks and what fires.

    Parameters
    ----------
    state : PortfolioState
    seen : RiskAssessment
    active : sequence of Alert
        Those that fire, the most severe first.
    outage : str
        Why the store can't be written; empty where it can.
    """
    equity = "unknown" if seen.equity is None else f"{seen.equity:,.2f} {state.base_currency}"
    lines = [
        f"{state.environment}: {seen.mode.value}, "
        + ("new trades allowed" if seen.new_trades_allowed else "new trades stopped"),
        *(f"- {reason}" for reason in seen.blocked_by[:MOST]),
        f"Equity {equity}",
        f"Day {moved(state, state.drawdown.day_start)}",
        f"Week {moved(state, state.drawdown.week_start)}",
        f"Drawdown {amount(state.drawdown.drawdown, 'fraction')}",
        f"VaR use {amount(seen.metrics['var_utilization'], 'fraction', -2)}, "
        f"heat {amount(seen.metrics['portfolio_heat'], 'score')} of 100",
        f"Score {seen.overall_risk_score:.0f} of 100, by {seen.score_driver}",
        f"Alerts: {len(active)}",
        *(f"- {alert.severity.value}: {alert.message}" for alert in active[:3]),
    ]
    if outage:
        lines.append(f"The store can't be written: {outage}")
    if seen.leans_on:
        lines.append("Leans on: " + "; ".join(text.rstrip(".") for text in seen.leans_on[:3]))
    return "\n".join(lines)


def limits_text(seen: RiskAssessment) -> str:
    """The most used limits."""
    used = [use for use in seen.limits if use.use > 0.0]
    if not used:
        return "No limit is used."
    lines = [f"{min(use.use, 99.0):.0%} {use.explain()}" for use in used[:MOST]]
    return "\n".join([*lines, *_more(len(used), "limits in use")])


def positions_text(state: PortfolioState) -> str:
    """The largest positions with their open profit."""
    rows = [(position, marked(state, position)) for position in state.positions.values()]
    if not rows:
        return "No positions."
    rows.sort(key=lambda row: -abs(row[1]))
    lines = [
        f"{p.symbol} {worth / SCALE:,.2f}, profit {(worth - p.cost) / SCALE:+,.2f} ({p.key.bot})"
        for p, worth in rows[:MOST]
    ]
    if state.reservations:
        lines.append(f"Approved and open: {len(state.reservations)}")
    return "\n".join([*lines, *_more(len(rows), "positions")])


def bots_text(state: PortfolioState) -> str:
    """Every bot: whether it may open, what it made, how it was answered."""
    bots = list(state.bots.values())
    if not bots:
        return "No bots."
    lines = []
    for bot in bots[:MOST]:
        how = state.mode_of(Scope.BOT, bot.name).value if bot.enabled else "off"
        record = bot.record
        counts = f"{record.approved} approved, {record.cut} cut, {record.refused} refused"
        why = f" ({bot.disabled_reason})" if bot.disabled_reason else ""
        lines.append(f"{bot.name}: {how}{why}, realised {record.realised / SCALE:+,.2f}; {counts}")
    return "\n".join([*lines, *_more(len(bots), "bots")])


def _more(number: int, what: str) -> list[str]:
    return [f"{number} {what}, the first {MOST} shown"] if number > MOST else []
