"""The one shape that most limits share: what is used, a limit, and the largest opening that stays in it."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.money import SCALE, TOLERANCE
from risk_management.model.trade import Finding

__all__ = ["at_equity", "gross_used", "in_fraction", "in_money", "in_tail"]

BISECTIONS = 48


def in_money(check: str, code: str, p: Proposal, used: float, limit: float, subject: str = "") -> Finding:
    """A limit in money. `used` is the money on the request's side before it opens anything."""
    return Finding(check, code, max(0.0, limit - used), used + p.opening, limit, "money", subject)


def at_equity(check: str, code: str, p: Proposal, used: float, limit: float, subject: str = "") -> Finding:
    """A limit as a fraction of the portfolio's equity."""
    return in_fraction(check, code, p, used, limit, p.equity, subject)


def in_fraction(
    check: str, code: str, p: Proposal, used: float, limit: float, equity: float, subject: str = ""
) -> Finding:
    """A limit as a fraction of some equity; without equity nothing opens."""
    if equity <= 0.0:
        return Finding(check, code, 0.0, math.inf, limit, "fraction", subject)
    cap = max(0.0, limit * equity - used)
    return Finding(check, code, cap, (used + p.opening) / equity, limit, "fraction", subject)


def gross_used(p: Proposal, gross: int) -> float:
    """Worst gross in money before the opening, such that adding it gives the worst gross after.

    `gross` sums the worst case of every owner and symbol, in ledger units. The request moves only its
    own owner's share of it, and only on its own side.
    """
    side = p.owner.net + p.owner.buys if p.request.side > 0 else p.owner.sells - p.owner.net
    return (gross - p.owner.worst + side) / SCALE + p.closing


def in_tail(
    check: str, code: str, p: Proposal, at: tuple[int, int], limit: float, *, closed: bool = False
) -> Finding:
    """A limit on VaR or ES: `at` picks the gate confidence and then VaR (0) or ES (1).

    The largest opening is found by bisection, since neither is linear in the size. With `closed`
    nothing passes that increases the measure at all.
    """
    confidence, kind = at
    after = p.tail_after(p.opening)[confidence][kind]
    allowed = -math.inf if closed else limit * p.equity
    measured = after / p.equity if p.equity > 0.0 else math.inf
    if after <= allowed + TOLERANCE:
        return Finding(check, code, math.inf, measured, limit, "fraction")
    bound = max(allowed, p.tail_now()[confidence][kind]) + TOLERANCE
    if after <= bound:
        return Finding(check, code, math.inf, measured, limit, "fraction")
    low, high = 0.0, p.opening
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        if p.tail_after(middle)[confidence][kind] <= bound:
            low = middle
        else:
            high = middle
        if high - low <= TOLERANCE:
            break
    return Finding(check, code, low, measured, limit, "fraction")
