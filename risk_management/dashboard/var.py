"""Value at risk and expected shortfall by several methods, with components and the limits of the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline, limit_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from risk_management.calculators.var_calculator import RiskComponent, VaRResult, VaRSummary

__all__ = ["var_view"]


def var_view(seen: Snapshot, summary: VaRSummary) -> Plain:
    """Every figure of the report, the shares of the headline, and what the gate holds against its limits."""
    gates = [use for use in seen.assessment.limits if use.name in ("var", "expected_shortfall")]
    return {
        **headline(seen),
        "explanation": summary.explain(),
        "total_var": {key: _figure(result) for key, result in summary.total_var.items()},
        "headline": {"key": summary.headline.key, **_figure(summary.headline)},
        "worst": _figure(summary.worst),
        "limit": summary.limit,
        "utilization": plain(summary.utilization),
        "gate": {
            "method": seen.config.var_config.default_method,
            "limits": [limit_row(use) for use in gates],
        },
        "components": {
            "symbol": _shares(summary.by_symbol),
            "strategy": _shares(summary.by_strategy),
            "bot": _shares(summary.by_bot),
            "sector": _shares(summary.by_sector),
        },
        "backtest": _live(seen),
        "pending": summary.pending,
        "notes": list(summary.notes),
    }


def _live(seen: Snapshot) -> Plain:
    """Forecasts of past days held against what came, and what VaR counts for it."""
    record = seen.state.var_record
    return {
        "days": len(record.outcomes),
        "exceptions": record.exceptions,
        "zone": record.zone,
        "multiplier": record.multiplier,
        "forecast": None if record.pending is None else record.pending.var,
        "outcomes": [plain(outcome) for outcome in record.outcomes],
    }


def _figure(result: VaRResult) -> Plain:
    row: Plain = plain(result)
    row.pop("leans_on")  # said once, in the headline of the view
    return row


def _shares(parts: Mapping[str, RiskComponent]) -> list[Plain]:
    """Components, the largest first."""
    return [plain(part) for part in sorted(parts.values(), key=lambda part: -part.component_var)]
