"""Loss in the worst one- and ten-day scenario, with reservations and this request."""

from __future__ import annotations

import math

from risk_management.core.proposal import Proposal
from risk_management.model.money import TOLERANCE
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """Only scenarios that the request makes worse are held against the limit."""
    limit = p.config.stress_config.max_stress_loss
    if p.equity <= 0.0:
        return Finding("stress", "STRESS_LIMIT", 0.0, math.inf, limit, "fraction")
    ids = p.state.model.scenario_ids
    if not ids:
        return Finding("stress", "STRESS_LIMIT", 0.0, math.nan, limit, "fraction", "none is loaded")
    after = p.stress_after(p.opening)
    worst = int(after.argmin())
    measured = -float(after[worst]) / p.equity
    room = limit * p.equity + TOLERANCE
    if measured * p.equity <= room:
        return Finding("stress", "STRESS_LIMIT", math.inf, measured, limit, "fraction", ids[worst])
    cap, subject = _largest(p, room)
    return Finding("stress", "STRESS_LIMIT", cap, measured, limit, "fraction", subject or ids[worst])


def _largest(p: Proposal, room: float) -> tuple[float, str]:
    """Each scenario's loss is linear in the size: the cap is the smallest crossing."""
    before = p.stress_after(0.0)
    cap, subject = math.inf, ""
    slopes = p.request.side * p.state.model.shocks[:, p.column]
    for scenario, start, slope in zip(p.state.model.scenario_ids, before, slopes, strict=True):
        if slope < 0.0:
            crossing = max(0.0, (room + float(start)) / -float(slope))
            if crossing < cap:
                cap, subject = crossing, scenario
    return cap, subject
