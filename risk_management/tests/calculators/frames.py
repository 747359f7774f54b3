"""Prices whose law is known, and fronts on them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def normal_returns(days: int, mean, covariance, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).multivariate_normal(mean, covariance, size=days)


def prices_of(returns: np.ndarray, names: str = "ABCDEFGH") -> pd.DataFrame:
    """Closes on business days whose simple returns are exactly these."""
    growth = np.vstack([np.ones(returns.shape[1]), np.cumprod(1.0 + returns, axis=0)])
    dates = pd.bdate_range("2015-01-01", periods=len(growth), tz="UTC")
    return pd.DataFrame(100.0 * growth, index=dates, columns=list(names[: returns.shape[1]]))
