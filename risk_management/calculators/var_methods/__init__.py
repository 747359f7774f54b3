"""Ways to estimate VaR and ES, one file each: a function from a `TailInput` to a `TailEstimate`."""

from __future__ import annotations

from typing import Final

from risk_management.calculators.var_methods._contract import (
    HorizonRule,
    Sample,
    TailEstimate,
    TailInput,
    VaRMethod,
)
from risk_management.calculators.var_methods.age_weighted import age_weighted
from risk_management.calculators.var_methods.cornish_fisher import cornish_fisher
from risk_management.calculators.var_methods.extreme_value import extreme_value
from risk_management.calculators.var_methods.filtered_historical import filtered_historical
from risk_management.calculators.var_methods.historical import historical
from risk_management.calculators.var_methods.monte_carlo import monte_carlo, monte_carlo_full
from risk_management.calculators.var_methods.monte_carlo_t import monte_carlo_copula, monte_carlo_t
from risk_management.calculators.var_methods.parametric import parametric
from risk_management.calculators.var_methods.student_t import student_t
from risk_management.calculators.var_methods.volatility_scaled import volatility_scaled
from risk_management.registry import Registry

__all__ = ["VAR_METHODS", "HorizonRule", "Sample", "TailEstimate", "TailInput", "VaRMethod"]

VAR_METHODS: Final[Registry[VaRMethod]] = Registry("var_method")
"""All methods by the name that stands in result keys."""

for _method in (
    historical,
    volatility_scaled,
    filtered_historical,
    age_weighted,
    extreme_value,
    parametric,
    cornish_fisher,
    student_t,
    monte_carlo,
    monte_carlo_full,
    monte_carlo_copula,
    monte_carlo_t,
):
    VAR_METHODS.register(_method.__name__)(_method)
