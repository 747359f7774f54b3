"""What people call a stress scenario."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig

__all__ = ["scenario_names"]


def scenario_names(config: RiskManagementConfig) -> Mapping[str, str]:
    """Names by id, those of the user's own folder too."""
    from risk_management.calculators.scenarios import load_scenarios  # noqa: PLC0415 - help must be quick

    return {name: found.name for name, found in load_scenarios(config.stress_config.scenario_dir).items()}
