"""Net exposure to one signed correlation cluster, where a hedge reduces."""

from __future__ import annotations

from risk_management.checks._limit import at_equity
from risk_management.core.proposal import Proposal
from risk_management.model.totals import NO_SIDES
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The cluster of the symbol being traded, by the side on which it moves."""
    label, sign = p.state.model.cluster[p.column], p.state.model.cluster_sign[p.column]
    used = p.used(p.state.totals.clusters.get(label, NO_SIDES), sign)
    limit = p.config.portfolio_limits.max_cluster_exposure
    return at_equity("cluster", "CLUSTER_LIMIT", p, used, limit, p.request.symbol)
