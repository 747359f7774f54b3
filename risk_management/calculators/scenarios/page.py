"""The scenarios as Markdown: ``python -m risk_management.calculators.scenarios`` writes it out."""

from __future__ import annotations

from collections.abc import Mapping

from risk_management.calculators.scenarios.catalogue import load_scenarios
from risk_management.calculators.scenarios.scenario import Scenario, ScenarioRule

__all__ = ["scenario_table", "source_list"]

_HEAD = "| id | what | window | days | use | market | other figures |\n|---|---|---|--:|---|--:|---|"


def scenario_table(scenarios: Mapping[str, Scenario] | None = None) -> str:
    """One row a scenario."""
    found = load_scenarios() if scenarios is None else scenarios
    return "\n".join([_HEAD, *(_row(scenario) for scenario in found.values())])


def source_list(scenarios: Mapping[str, Scenario] | None = None) -> str:
    """One paragraph a scenario: every figure with its citation."""
    found = load_scenarios() if scenarios is None else scenarios
    return "\n".join(_sources(scenario) for scenario in found.values())


def _row(scenario: Scenario) -> str:
    window = f"{scenario.start} to {scenario.end}" if scenario.start else "-"
    market = "-" if scenario.market is None else f"{scenario.market:.2%}"
    cells = (f"`{scenario.id}`", scenario.name, window, str(scenario.horizon_days), str(scenario.use), market)
    return f"| {' | '.join(cells)} | {_figures(scenario)} |"


def _figures(scenario: Scenario) -> str:
    said = [] if scenario.rule is ScenarioRule.LINEAR else [f"rule `{scenario.rule}`"]
    if scenario.volatility_multiple:
        said.append(f"{scenario.volatility_multiple:g} x volatility")
    for table in (scenario.classes, scenario.sectors, scenario.symbols):
        said += [
            f"{name} {shock:.1%}" for name, shock in table.items() if not _repeats(scenario, name, shock)
        ]
    if scenario.rest is not None:
        said.append(f"rest {scenario.rest:.1%}")
    return ", ".join(said) or "-"


def _repeats(scenario: Scenario, name: str, shock: float) -> bool:
    return name == "index_fund" and shock == scenario.market


def _sources(scenario: Scenario) -> str:
    lines = [f"- {source.figure}. {source.citation}" for source in scenario.sources]
    return "\n".join([f"**{scenario.name}** (`{scenario.id}`). {scenario.description}\n", *lines, ""])
