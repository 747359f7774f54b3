"""What moves together: the matrix, the clusters, and a spike if there is one."""

from __future__ import annotations

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline

__all__ = ["correlation_view"]


def correlation_view(seen: Snapshot) -> Plain:
    """Correlations of the names held, by the estimator of the configuration."""
    found, settings = seen.assessment.correlation, seen.config.correlation_config
    row: Plain = plain(found)
    row.pop("leans_on")
    spike = None if found.spike is None else {**plain(found.spike), "explanation": found.spike.explain()}
    limits = {
        "max_cluster_exposure": seen.config.portfolio_limits.max_cluster_exposure,
        "cluster_threshold": settings.cluster_threshold,
        "warning_pair": settings.warning_pair,
        "volatility_spike": settings.volatility_spike,
    }
    return {**headline(seen), **row, "spike": spike, "limits": limits}
