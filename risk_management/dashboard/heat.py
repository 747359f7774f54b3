"""Heat in full: the open risk of every cluster, and what it makes of the heat."""

from __future__ import annotations

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.model.money import SCALE

__all__ = ["heat_view"]


def heat_view(seen: Snapshot) -> Plain:
    """Heat with its thresholds, and clusters by their open risk, the largest first.

    Risks add inside a cluster and in squares across clusters, so `points` of the clusters, in proportion to
    the squares, sum to the raw heat.
    """
    heat, totals, settings = seen.assessment.heat, seen.state.totals, seen.config.heat_config
    row: Plain = plain(heat)
    row.pop("leans_on")
    clusters: list[Plain] = [
        {
            "label": label,
            "symbols": sorted(
                symbol
                for symbol, name in totals.names.items()
                if name.column >= 0 and seen.state.model.cluster[name.column] == label
            ),
            "risk": risk.worst / SCALE,
            "points": heat.raw_heat * risk.worst**2 / totals.open_risk_squared,
        }
        for label, risk in totals.cluster_risk.items()
        if risk.worst
    ]
    return {
        **headline(seen),
        **row,
        "warning_heat": settings.warning_heat,
        "critical_heat": settings.critical_heat,
        "clusters": plain(sorted(clusters, key=lambda one: -one["risk"])),
    }
