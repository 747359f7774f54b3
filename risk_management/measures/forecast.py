"""One-step-ahead volatility forecasts by exponentially weighted moving averages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk_management.errors import InsufficientData, InvalidReturns

__all__ = ["ewma_forecasts"]

Float = NDArray[np.float64]
BURN_IN = 20


def ewma_forecasts(returns: Float, decay: float = 0.94) -> Float:
    """Volatility forecast for each row made before it, and one for the row to come.

    Parameters
    ----------
    returns : ndarray of shape (T, N)
        Finite simple returns, oldest first.
    decay : float
        Weight of the past, between 0 and 1.

    Returns
    -------
    ndarray of shape (T + 1, N)
        ``s2[0]`` is the mean square of the first 20 rows; ``s2[t] = decay s2[t-1] + (1 - decay)
        r[t-1]^2``; the square root is returned. Row T uses all returns. Rows 0 to 19 see the burn-in.

    Raises
    ------
    InsufficientData
        Fewer than 20 rows.
    InvalidReturns
        NaN, infinity or a wrong shape.

    References
    ----------
    J.P. Morgan/Reuters, RiskMetrics Technical Document, 4th ed., 1996, section 5.2.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise InvalidReturns("returns must be finite and of shape (T, N)")
    if len(values) < BURN_IN:
        raise InsufficientData(f"a volatility needs {BURN_IN} returns, got {len(values)}")
    squares = values * values
    variance = np.empty((len(values) + 1, values.shape[1]))
    variance[0] = squares[:BURN_IN].mean(axis=0)
    for row, square in enumerate(squares):
        variance[row + 1] = decay * variance[row] + (1.0 - decay) * square
    return np.sqrt(variance)
