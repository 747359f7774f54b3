"""Stress scenarios as data files, each with its sources; see docs/stress-scenarios.md."""

from __future__ import annotations

from risk_management.calculators.scenarios.catalogue import StressScenario, load_scenarios
from risk_management.calculators.scenarios.scenario import Scenario, ScenarioKind, ScenarioRule, ScenarioUse
from risk_management.calculators.scenarios.shocks import (
    Basis,
    BasisKind,
    Shocks,
    resolve_shocks,
    scenario_pnl,
    shock_matrix,
    stress_pnl,
)

__all__ = [
    "Basis",
    "BasisKind",
    "Scenario",
    "ScenarioKind",
    "ScenarioRule",
    "ScenarioUse",
    "Shocks",
    "StressScenario",
    "load_scenarios",
    "resolve_shocks",
    "scenario_pnl",
    "shock_matrix",
    "stress_pnl",
]
