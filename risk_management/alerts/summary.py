"""What the daily summary and the weekly report say: made of a state and what was measured of it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from risk_management.alerts.message import Message
from risk_management.alerts.occasions import WEEKLY, Occasion
from risk_management.core.assessment import RiskAssessment
from risk_management.model.alert import AlertSeverity
from risk_management.model.explain import amount
from risk_management.model.portfolio import PortfolioState, TradingMode

__all__ = ["Before", "before_of", "moved", "summary_message"]

MOST: Final = 5
"""Lines of a kind: it has to fit a phone."""
LAST_DAYS: Final = 5
OUTCOMES: Final = ("approved", "cut", "refused")
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Before:
    """How it stood when the last one was written.

    Parameters
    ----------
    at : datetime
    value : float
        Value per unit.
    decisions : Mapping of str to Mapping of str to int
        All decisions so far by bot and outcome.
    """

    at: datetime
    value: float
    decisions: Counts


def before_of(message: Message | None) -> Before | None:
    """What an earlier message remembers; None without one, or where it remembers nothing that can be used."""
    facts = {} if message is None else message.facts
    value, decisions = facts.get("value"), facts.get("decisions")
    if message is None or not isinstance(value, float) or value <= 0.0 or not isinstance(decisions, dict):
        return None
    return Before(message.at, value, decisions)


def summary_message(
    state: PortfolioState, seen: RiskAssessment, occasion: Occasion, before: Before | None, now: datetime
) -> Message:
    """The message of an occasion.

    Parameters
    ----------
    state : PortfolioState
    seen : RiskAssessment
        Of this state.
    occasion : Occasion
    before : Before or None
        The last one of this kind; without one everything is told from the beginning of the book.
    now : datetime
        On the engine's clock.
    """
    name = "Weekly report" if occasion.kind == WEEKLY else "Daily summary"
    lines = [
        *_of_money(state, seen, before),
        *(_of_days(state) if occasion.kind == WEEKLY else ()),
        *_of_risk(state, seen),
        *_of_bots(state, before),
        *_of_alerts(state, before),
        *_of_data(seen),
        f"{now:%Y-%m-%d %H:%M:%S} UTC.",
    ]
    digest = blake2s("|".join((state.environment, *state.accounts)).encode(), digest_size=4).hexdigest()
    facts = {
        "kind": occasion.kind,
        "day": occasion.day.isoformat(),
        "equity": seen.equity,
        "value": state.drawdown.value,
        "decisions": _decisions(state),
    }
    return Message(
        key=f"{occasion.kind}-{occasion.day.isoformat()}-{digest}",
        severity=AlertSeverity.INFO,
        title=f"{name}, {occasion.day:%a %d %b %Y}",
        text="\n".join(lines),
        at=now,
        facts=MappingProxyType(facts),
    )


def moved(state: PortfolioState, start: float) -> str:
    """What the book made since its value per unit was `start`, in money and as a fraction, without flows."""
    now = state.drawdown.value
    if not start > 0.0 or state.totals.equity is None:
        return "n/a"
    return f"{(now - start) * state.drawdown.units:+,.2f} ({now / start - 1.0:+.2%})"


def _of_money(state: PortfolioState, seen: RiskAssessment, before: Before | None) -> Iterator[str]:
    drawdown = state.drawdown
    equity = "unknown" if seen.equity is None else f"{seen.equity:,.2f} {state.base_currency}"
    yield f"Equity {equity}."
    yield f"Trading day {moved(state, drawdown.day_start)}, week {moved(state, drawdown.week_start)}."
    if before is not None:
        yield f"Since the last one ({before.at:%a %d %b %H:%M} UTC) {moved(state, before.value)}."


def _of_days(state: PortfolioState) -> Iterator[str]:
    closes = state.drawdown.closes[-LAST_DAYS - 1 :]
    if len(closes) > 1:
        yield "Past trading days " + ", ".join(f"{b / a - 1.0:+.2%}" for a, b in pairwise(closes)) + "."


def _of_risk(state: PortfolioState, seen: RiskAssessment) -> Iterator[str]:
    use = next((one for one in seen.limits if one.name == "drawdown"), None)
    limit = "" if use is None else f" of {amount(use.limit, use.unit)}"
    yield (
        f"Drawdown {amount(state.drawdown.drawdown, 'fraction')}{limit}, "
        f"heat {amount(seen.metrics['portfolio_heat'], 'score')} of 100, "
        f"VaR use {amount(seen.metrics['var_utilization'], 'fraction', -2)}."
    )
    allowed = "new trades allowed" if seen.new_trades_allowed else "new trades stopped"
    yield f"Mode {seen.mode.value}, {allowed}."
    yield from (f"- stopped by {reason}" for reason in seen.blocked_by[:MOST])
    held = [hold for hold in state.holds.values() if hold.name and hold.mode is not TradingMode.ACTIVE]
    yield from (f"- {h.scope.value} {h.name} {h.mode.value}: {h.reason}" for h in held[:MOST])
    risks = sorted(seen.heat.risk_by_symbol.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{symbol} {risk:,.2f}" for symbol, risk in risks[:MOST] if risk > 0.0]
    yield "Largest open risks " + ", ".join(shown) + "." if shown else "No open risk."


def _of_bots(state: PortfolioState, before: Before | None) -> Iterator[str]:
    off = sorted(bot.name for bot in state.bots.values() if not bot.enabled)
    if off:
        yield "Switched off: " + ", ".join(off) + "."
    earlier: Counts = {} if before is None else before.decisions
    rows = {
        name: {word: max(0, n - earlier.get(name, {}).get(word, 0)) for word, n in counts.items()}
        for name, counts in _decisions(state).items()
    }
    busy = sorted((name for name in rows if any(rows[name].values())), key=lambda n: -sum(rows[n].values()))
    if not busy:
        yield "No decisions."
        return
    since = "so far" if before is None else "since the last one"
    yield f"Decisions {since} (approved, cut, refused):"
    yield from (f"- {name}: {', '.join(str(rows[name][word]) for word in OUTCOMES)}" for name in busy[:MOST])
    if len(busy) > MOST:
        rest = [sum(rows[name][word] for name in busy[MOST:]) for word in OUTCOMES]
        yield f"- {len(busy) - MOST} more: {', '.join(map(str, rest))}"


def _of_alerts(state: PortfolioState, before: Before | None) -> Iterator[str]:
    lives = state.alerts.lives.values()
    active = sorted((one.alert for one in lives if one.is_active), key=lambda a: (-a.severity.rank, a.at))
    yield f"Alerts that fire: {len(active)}." if active else "No alert fires."
    yield from (f"- {alert.severity.value}: {alert.message}" for alert in active[:MOST])
    over = [
        one for one in lives if one.ended is not None and not one.is_active
        and (before is None or one.ended >= before.at)
    ]  # fmt: skip
    if over:
        names = list(dict.fromkeys(one.alert.name for one in over))
        yield f"Over since: {', '.join(names[:MOST])}" + (
            f" and {len(names) - MOST} more." if len(names) > MOST else "."
        )


def _of_data(seen: RiskAssessment) -> Iterator[str]:
    if seen.leans_on:
        yield "Leans on: " + "; ".join(text.rstrip(".") for text in seen.leans_on[:MOST]) + "."


def _decisions(state: PortfolioState) -> dict[str, dict[str, Any]]:
    return {bot.name: {word: getattr(bot.record, word) for word in OUTCOMES} for bot in state.bots.values()}
