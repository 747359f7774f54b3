"""What the book would lose in every scenario, and where each figure comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline

if TYPE_CHECKING:
    from risk_management.calculators.stress_tester import StressResult, StressSuite

__all__ = ["EFFECTS", "scenario_row", "stress_view"]

EFFECTS: Final = {"gate": "stops trades", "report": "shown only"}
"""What a scenario does, by its use: the words of the page, the report and the figures."""


def stress_view(seen: Snapshot, suite: StressSuite) -> Plain:
    """The whole suite: its verdict, and the results, the largest loss first."""
    settings = seen.config.stress_config
    results = sorted(suite.results.values(), key=lambda result: result.portfolio_pnl)
    return {
        **headline(seen),
        "suite": {
            "passed": suite.passed,
            "scenarios_tested": len(suite.scenarios_tested),
            "scenarios_passed": suite.scenarios_passed,
            "worst_case_scenario": suite.worst_case_scenario,
            "worst_case_loss": plain(suite.worst_case_loss),
            "critical_failures": list(suite.critical_failures),
        },
        "limits": {"max_stress_loss": settings.max_stress_loss, "critical_loss": settings.critical_loss},
        "scenarios": [scenario_row(result) for result in results],
    }


def scenario_row(result: StressResult) -> Plain:
    """One scenario with its parts by symbol, and in words what it is good for."""
    return {**plain(result), "effect": EFFECTS[result.use], "explanation": result.explain()}
