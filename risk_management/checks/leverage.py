"""Gross exposure of one account over that account's own equity."""

from __future__ import annotations

from risk_management.checks._limit import gross_used, in_fraction
from risk_management.core.accounts import account_equity
from risk_management.core.proposal import Proposal
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The account of the request."""
    account = p.request.account_id
    limit = p.config.portfolio_limits.max_leverage
    equity = account_equity(p.state, account)
    used = gross_used(p, p.state.totals.accounts.get(account, 0))
    return in_fraction("leverage", "LEVERAGE_LIMIT", p, used, limit, equity, account)
