"""How two names moved together over time: their correlation in every window of some days."""

from __future__ import annotations

import numpy as np

from risk_management.core.correlation_monitor import MEDIAN_SPAN, rolling_correlations
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.errors import InvalidRequest, shown

__all__ = ["pair_view"]


def pair_view(seen: Snapshot, first: str, second: str) -> Plain:
    """Sample correlations of two names in every window of `spike_window` days of the market model.

    Parameters
    ----------
    seen : Snapshot
    first, second : str
        Two names of the market model.

    Raises
    ------
    InvalidRequest
        ``UNKNOWN_SYMBOL``, or both names are one.
    """
    matrix, settings = seen.state.model.matrix, seen.config.correlation_config
    for symbol in (first, second):
        if symbol not in matrix.columns:
            raise InvalidRequest("UNKNOWN_SYMBOL", "pair", f"there is no history of {shown(symbol)} here")
    if first == second:
        raise InvalidRequest("UNKNOWN_SYMBOL", "pair", "a pair is two names, such as AAPL~MSFT")
    span = settings.spike_window
    returns = matrix.values[:, [matrix.columns[first], matrix.columns[second]]]
    known = len(returns) >= span
    rho = rolling_correlations(returns, np.array([0]), np.array([1]), span)[:, 0] if known else np.zeros(0)
    usual = float(np.nanmedian(rho[-MEDIAN_SPAN:])) if np.isfinite(rho[-MEDIAN_SPAN:]).any() else np.nan
    return {
        **headline(seen),
        "first": first,
        "second": second,
        "span": span,
        "dates": [str(day) for day in matrix.dates[len(matrix.dates) - len(rho) :]],
        "rho": plain(rho.round(4)),
        "usual": plain(usual),
        "limits": {
            "cluster_threshold": settings.cluster_threshold,
            "warning_pair": settings.warning_pair,
            "spike_pair": settings.spike_pair,
            "spike_rise": settings.spike_rise,
        },
    }
