"""Value at risk and expected shortfall by every method, with components and the limits of the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline, limit_row

if TYPE_CHECKING:
    from risk_management.calculators.var_calculator import VaRSummary

__all__ = ["var_view"]


def var_view(seen: Snapshot, summary: VaRSummary) -> Plain:
    """The full report, and beside it what the gate holds against its limits."""
    report: dict[str, Any] = plain(summary)
    report.pop("leans_on", None)
    gate = [limit_row(use) for use in seen.assessment.limits if use.name in ("var", "expected_shortfall")]
    return {
        **headline(seen),
        **report,
        "gate": {"method": seen.config.var_config.default_method, "limits": gate},
    }
