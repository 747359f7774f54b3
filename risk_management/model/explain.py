"""Findings and decisions in sentences for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from risk_management.model.html import card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risk_management.model.trade import Finding, TradeDecision

Tiers: TypeAlias = "Sequence[tuple[float, float]]"

__all__ = ["amount", "decision_card", "explanation", "held_against", "passing", "sentence", "tier_of"]

SENTENCES: Final[dict[str, str]] = {
    "HALTED": "trading is halted: {subject}",
    "REDUCING": "only closing passes now: {subject}",
    "BOT_DISABLED": "bot {subject} is disabled",
    "OTHER_STRATEGY": "a bot opens for its own strategy alone: {subject}",
    "UNKNOWN_BOT": "bot {subject} is not registered",
    "SYMBOL_BLOCKED": "{subject} is not on the list of what may be opened",
    "NO_PRICE": "there is no price of {subject} here",
    "STALE_PRICE": "the newest price of {subject} is {measured} old, allowed are {limit}",
    "STALE_MODEL": "the model's newest prices are {measured} old, allowed are {limit}; load newer ones",
    "NO_RATE": "there is no fresh exchange rate for {subject}",
    "EQUITY_UNKNOWN": "equity is unknown: {subject} has no price",
    "PRICE_QUARANTINED": "the price of {subject} jumped and awaits a second quote: equity is in doubt",
    "EQUITY_QUARANTINED": "equity jumped without a reason and awaits confirmation",
    "PRICE_COLLAR": "the limit price is {measured} away from ours, allowed are {limit}",
    "ORDER_SIZE": "the order is {measured}, allowed are {limit}",
    "ORDER_QUANTITY": "the order is {measured} units, allowed are {limit}",
    "VOLUME_SHARE": "the order is {measured} of a day's volume, allowed are {limit}",
    "MIN_TRADE_SIZE": "what passes is {measured}, the smallest trade is {limit}",
    "DUPLICATE_INTENT": "the same order came {measured} ago, within {limit}",
    "RATE_LIMIT": "{measured} requests in a minute by {subject}, allowed are {limit}",
    "SINGLE_NAME_LIMIT": "{subject} would be {measured} of equity, allowed are {limit}",
    "SECTOR_LIMIT": "sector {subject} would be {measured} of equity, allowed are {limit}",
    "STRATEGY_LIMIT": "strategy {subject} would be {measured} of equity, allowed are {limit}",
    "BOT_PROBATION": "bot {subject} would hold {measured}, allowed are {limit}, a share of its own maximum "
    "until it has closed enough trades",
    "BOT_LIMIT": "bot {subject} would hold {measured}, allowed are {limit}",
    "GROSS_LIMIT": "gross exposure would be {measured} of equity, allowed are {limit}",
    "NET_LIMIT": "net exposure would be {measured} of equity, allowed are {limit}",
    "LEVERAGE_LIMIT": "account {subject} would stand at {measured} of its equity, allowed are {limit}",
    "POSITION_COUNT": "there would be {measured} positions, allowed are {limit}",
    "CASH_LIMIT": "cash would fall to {measured} of equity, {limit} must remain",
    "SHORTS_NOT_ALLOWED": "{subject} can't be sold short here",
    "UNSUPPORTED_CONTRACT": "{subject} is a kind of contract that is not supported yet",
    "HEAT_LIMIT": "portfolio heat would be {measured}, allowed are {limit}",
    "RISK_PER_TRADE": "the trade risks {measured} of equity, allowed are {limit}",
    "CLUSTER_LIMIT": "the cluster of {subject} would be {measured} of equity, allowed are {limit}",
    "VAR_LIMIT": "one-day VaR at 95 % would be {measured} of equity, allowed are {limit}",
    "VAR_HALT": "VaR stands near its limit and this would increase it: {measured} of equity, limit {limit}",
    "ES_LIMIT": "one-day expected shortfall at 97.5 % would be {measured} of equity, allowed are {limit}",
    "BUDGET_LIMIT": "strategy {subject} would risk {measured} of equity, its risk budget allows {limit}",
    "DRAWDOWN_LIMIT": "in a drawdown of {measured} new positions stand at {limit} of their size",
    "SCALED_DOWN": "row {subject} holds: new positions stand at {limit} of their size",
    "LOW_CONFIDENCE": "a confidence of {measured} is below the {limit} of {subject}",
    "KELLY_LIMIT": "bot {subject} would hold {measured}, its own record allows {limit}",
    "STRESS_LIMIT": "scenario {subject} would lose {measured} of equity, allowed are {limit}",
    "SELF_MATCH": "it would meet a working order of {subject}, another bot of this account",
    "CHECK_ERROR": "the check {subject} failed, so nothing new is opened",
    "NOTHING_TO_CLOSE": "no more of {subject} is left to close",
}
"""A sentence for each code; the stable list of codes is made of its keys."""
FROM_BEFORE: Final = (
    "the newest price of {subject} is from before the start, or a step of the clock; the next quote will do"
)
"""A price that is not too old by its age, while nobody knows that age."""


FORMS: Final[dict[str, tuple[int, str]]] = {
    "money": (2, "{:,.{}f}"),
    "fraction": (2, "{:.{}%}"),
    "score": (1, "{:.{}f}"),
    "count": (0, "{:,.{}f}"),
    "seconds": (0, "{:,.{}f} s"),
    "price": (4, "{:,.{}f}"),
    "number": (2, "{:.{}f}"),
}
"""Decimals and form of each unit."""
MOST_DECIMALS: Final = 4
SIZES: Final = frozenset({"DRAWDOWN_LIMIT", "SCALED_DOWN"})
"""Codes whose `limit` is no bound of what was measured: it is the share of its size of a new position."""
WHOLE: Final = 0.005
"""Money that a person doesn't see in a size written to the cent."""


def amount(value: float, unit: str, more: int = 0) -> str:
    """A number with its unit, as a person writes it; `more` adds decimals."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "unlimited"
    decimals, form = FORMS[unit]
    if unit == "seconds":
        return _span(value, decimals + more)
    said = form.format(value, decimals + more)
    return said if any(digit in said for digit in "123456789") else said.removeprefix("-")


def _span(seconds: float, decimals: int) -> str:
    """A span in the unit that a person would use."""
    for length, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if abs(seconds) >= 2.0 * length:
            return f"{seconds / length:,.{decimals}f} {unit}"
    return f"{seconds:,.{decimals}f} s"


def sentence(finding: Finding) -> str:
    """One sentence for a finding, with the numbers compared to as many decimals as tell them apart."""
    template = SENTENCES.get(finding.code, "{subject}: {measured}, limit {limit}")
    if finding.code == "STALE_PRICE" and finding.cap == 0.0 and finding.measured <= finding.limit:
        template = FROM_BEFORE
    more = 0
    measured, limit = amount(finding.measured, finding.unit), amount(finding.limit, finding.unit)
    while measured == limit and finding.measured != finding.limit and more < MOST_DECIMALS:
        more += 1
        measured = amount(finding.measured, finding.unit, more)
        limit = amount(finding.limit, finding.unit, more)
    return template.format(subject=finding.subject or finding.check, measured=measured, limit=limit)


def passing(finding: Finding) -> str:
    """One line for a finding that was no reason: what was measured, without an accusation."""
    name = finding.check.replace("_", " ")
    if math.isnan(finding.measured):
        return f"{name}: nothing against it"
    measured, limit = amount(finding.measured, finding.unit), held_against(finding)
    about = f" of {finding.subject}" if finding.subject else ""
    return f"{name}{about}: {measured}, {limit if finding.code in SIZES else f'limit {limit}'}"


def tier_of(finding: Finding, tiers: Tiers) -> float | None:
    """Drawdown at which the size of a finding begins, or full size ends; None of other findings."""
    if finding.code != "DRAWDOWN_LIMIT":
        return None
    if finding.limit >= 1.0:
        return tiers[0][0] if tiers else None
    return next((at for at, share in tiers if math.isclose(share, finding.limit)), None)


def held_against(finding: Finding, tiers: Tiers = ()) -> str:
    """What a finding was held against: its limit, or a size with the drawdown that it begins at.

    Parameters
    ----------
    finding : Finding
    tiers : sequence of (float, float)
        Drawdowns and sizes, as `DrawdownConfig.tier_levels` has them; without them no drawdown is said.
    """
    if finding.code not in SIZES:
        return amount(finding.limit, finding.unit)
    at, is_full = tier_of(finding, tiers), finding.limit >= 1.0
    size = "full size" if is_full else f"x{finding.limit:.2f} of its size"
    if at is None:
        return size
    return f"{size} below {amount(at, 'fraction')}" if is_full else f"{size} from {amount(at, 'fraction')} on"


def explanation(decision: TradeDecision) -> str:
    """A decision in a few lines: the outcome, each reason, what it leans on."""
    order = f"{decision.action} {decision.symbol}"
    passed, asked = f"{decision.recommended_size:,.2f}", f"{decision.requested_size:,.2f}"
    is_whole = decision.recommended_size + WHOLE >= decision.requested_size
    head = {
        "approved": f"Approved in full: {order} {passed}."
        if is_whole
        else f"Approved: {order} {passed} of the {asked} asked for; the rest is too small to be traded.",
        "cut": f"Cut: {order} {passed} of the {asked} asked for.",
        "refused": f"Refused: {order} {asked}.",
    }[decision.outcome]
    lines = [head]
    if decision.shadow:
        lines.append(f"Shadow mode blocks nothing; {decision.shadow_size:,.2f} would have passed.")
    by_code = {f.code: f for f in decision.findings}
    for code in decision.rejection_reasons:
        finding = by_code.get(code) or decision.binding
        if finding is not None:
            mark = "binding" if decision.binding is not None and code == decision.binding.code else "also"
            lines.append(f"  {code} ({mark}): {sentence(finding)}.")
    lines += [f"  note {f.code}: {sentence(f)}." for f in decision.notes]
    if decision.closing_size:
        lines.append(f"  {decision.closing_size:,.2f} of it closes a position and always passes.")
    if decision.leans_on:
        lines.append("  Leans on: " + "; ".join(text.rstrip(".") for text in decision.leans_on) + ".")
    return "\n".join(lines)


def decision_card(decision: TradeDecision) -> str:
    """A decision as a small table for a notebook: the outcome, and every check that measured something."""
    first, *lines = explanation(decision).splitlines()
    rows = [
        (
            f.check.replace("_", " "),
            f.subject,
            amount(f.measured, f.unit),
            held_against(f),
            f.code if f.code in decision.rejection_reasons else "",
        )
        for f in decision.findings
        if not math.isnan(f.measured)
    ]
    heads = ("check", "of", "measured", "limit", "")
    mark = {"cut": "warning", "refused": "bad"}.get(decision.outcome, "")
    return card(first, heads, rows, mark=mark, notes=[line.strip() for line in lines], texts=2, most=40)
