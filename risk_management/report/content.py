"""What a report says: the views of a book at one moment, its settings, and what was taken for granted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from risk_management import __version__
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.dashboard.plain import Plain, plain

if TYPE_CHECKING:
    from risk_management.integration.dashboard_integration import RiskDashboardAPI

__all__ = ["ReportContent", "gathered"]

VIEWS: Final = (
    "metrics",
    "heatmap",
    "heat",
    "correlation",
    "var",
    "distribution",
    "backtest",
    "stress",
    "reverse_stress",
    "history",
    "bots",
    "alerts",
)
HIDDEN: Final = ("alert_config", "store", "risk_level", "portfolio_value")
"""Settings that hold secrets, or that stand elsewhere in the report."""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """A book at one moment, as plain data.

    Parameters
    ----------
    title : str
        What the book is called.
    generated_at : datetime
        Aware UTC; the book itself is that of ``as_of`` in every view.
    views : Mapping of str to dict
    settings : dict
        ``level``, ``digest``, and ``changed``: name, value and default of each that differs.
    notes : tuple of str
        What was taken for granted, each in a sentence.
    version : str
        Of this software.
    """

    title: str
    generated_at: datetime
    views: Mapping[str, Plain]
    settings: Plain
    notes: tuple[str, ...] = ()
    version: str = __version__

    def as_dict(self) -> Plain:
        """All of it for JSON."""
        found: Plain = plain(self)
        return found


def gathered(
    api: RiskDashboardAPI, title: str, generated_at: datetime, notes: Iterable[str] = ()
) -> ReportContent:
    """Everything that a report of this book says; each view is computed once.

    Parameters
    ----------
    api : RiskDashboardAPI
        Whose book is reported on.
    title : str
    generated_at : datetime
        Aware UTC.
    notes : iterable of str
    """
    config = api.manager.config
    return ReportContent(
        title=title,
        generated_at=generated_at,
        views={name: api.view(name) for name in VIEWS},
        settings={
            "level": config.risk_level.value,
            "digest": config.digest(),
            "changed": list(_changed(config)),
        },
        notes=tuple(notes),
    )


def _changed(config: RiskManagementConfig) -> Iterator[Plain]:
    """Settings that are not the defaults of their level."""
    usual = RiskManagementConfig(risk_level=config.risk_level)
    usual.adjust_for_risk_level()
    mine, theirs = _flat(config), _flat(usual)
    for name, value in mine.items():
        if value != theirs.get(name):
            yield {"name": name, "value": value, "default": theirs.get(name)}


def _flat(config: RiskManagementConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.model_dump(mode="json", exclude=set(HIDDEN)).items():
        if isinstance(value, dict) and name.endswith(("_config", "_limits")):
            found |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            found[name] = value
    return found
