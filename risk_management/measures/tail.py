"""Tail measures of returns: value at risk, expected shortfall, and the shares of positions in them.

Losses are positive; a negative result is a gain and is not clipped. The confidence is 0.99, never 0.01.
"""

from __future__ import annotations

from risk_management.measures._euler import component_es, component_var, incremental_var, marginal_var
from risk_management.measures._extremes import GpdFit, fit_gpd, gpd_es, gpd_var
from risk_management.measures._historical import (
    age_weighted_var,
    filtered_historical_es,
    filtered_historical_var,
    historical_es,
    historical_var,
    tails_of,
    tails_of_columns,
    var_es,
    volatility_scaled_var,
)
from risk_management.measures._normal import cornish_fisher_es, cornish_fisher_var, normal_es, normal_var
from risk_management.measures._student_t import StudentT, fit_student_t, student_t_es, student_t_var

__all__ = [
    "GpdFit",
    "StudentT",
    "age_weighted_var",
    "component_es",
    "component_var",
    "cornish_fisher_es",
    "cornish_fisher_var",
    "filtered_historical_es",
    "filtered_historical_var",
    "fit_gpd",
    "fit_student_t",
    "gpd_es",
    "gpd_var",
    "historical_es",
    "historical_var",
    "incremental_var",
    "marginal_var",
    "normal_es",
    "normal_var",
    "student_t_es",
    "student_t_var",
    "tails_of",
    "tails_of_columns",
    "var_es",
    "volatility_scaled_var",
]
