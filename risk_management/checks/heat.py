"""Portfolio heat: open risk over its budget, 0 to 100."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.money import SCALE
from risk_management.model.totals import NO_RISK
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Risks add inside a cluster and as a root of squares across clusters."""
    budget = p.config.heat_config.max_open_risk * p.equity
    totals, model = p.state.totals, p.state.model
    before = totals.cluster_risk.get(model.cluster[p.column], NO_RISK)
    goes_up = p.request.side * model.cluster_sign[p.column] > 0
    side = (before.up if goes_up else before.down) / SCALE
    worst = before.worst / SCALE
    others = max(0.0, totals.open_risk_squared / SCALE**2 - worst**2)
    after = math.sqrt(others + max(worst, side + p.risk_rate * p.opening) ** 2)
    room = budget**2 - others
    cap = 0.0
    if room > 0.0 and p.risk_rate > 0.0:
        cap = max(0.0, (math.sqrt(room) - side) / p.risk_rate)
    heat = 100.0 * after / budget if budget > 0.0 else math.inf
    return Finding("heat", "HEAT_LIMIT", cap, heat, 100.0, "score")
