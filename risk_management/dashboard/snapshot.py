"""One look at the book, and the row that stands on top of every view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from risk_management.dashboard.plain import Plain, plain

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.core.assessment import LimitUse, RiskAssessment
    from risk_management.model.portfolio import PortfolioState

__all__ = ["Snapshot", "headline", "limit_row"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state with what was measured of it.

    Parameters
    ----------
    state : PortfolioState
    assessment : RiskAssessment
    config : RiskManagementConfig
    scenarios : Mapping of str to str
        Names of the stress scenarios for people, by id.
    """

    state: PortfolioState
    assessment: RiskAssessment
    config: RiskManagementConfig
    scenarios: Mapping[str, str] = field(default_factory=dict)

    @property
    def equity(self) -> float:
        """Money, NaN where it is unknown."""
        return float("nan") if self.assessment.equity is None else self.assessment.equity


def headline(seen: Snapshot) -> Plain:
    """What every view begins with: when, on which data, and how the book stands."""
    state, assessment = seen.state, seen.assessment
    matrix, metrics = state.model.matrix, assessment.metrics
    said: Plain = plain(
        {
            "as_of": state.as_of,
            "state_version": state.version,
            "environment": state.environment,
            "currency": state.base_currency,
            "shadow_mode": seen.config.shadow_mode,
            "data": {
                "source": matrix.source,
                "is_sample": matrix.is_sample,
                "prices_until": matrix.as_of,
                "leans_on": assessment.leans_on,
            },
            "status": {
                "mode": assessment.mode,
                "new_trades_allowed": assessment.new_trades_allowed,
                "blocked_by": assessment.blocked_by,
                "score": assessment.overall_risk_score,
                "score_driver": assessment.score_driver,
                "level": assessment.level,
                "equity": assessment.equity,
                "portfolio_heat": metrics["portfolio_heat"],
                "drawdown": metrics["drawdown"],
                "var_utilization": metrics["var_utilization"],
                "position_multiplier": metrics["position_multiplier"],
            },
        }
    )
    return said


def limit_row(use: LimitUse, scenarios: Mapping[str, str] = MappingProxyType({})) -> Plain:
    """A limit with what is used of it and what is left; `about` names for people what uses most of it."""
    row: Plain = {**plain(use), "about": scenarios.get(use.subject, use.subject)}
    return {
        **row,
        "use": plain(use.use),
        "strain": plain(use.strain),
        "room": plain(use.room),
        "level": use.level,
    }
