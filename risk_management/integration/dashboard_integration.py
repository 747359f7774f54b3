"""The dashboard's data: seven views as plain dicts, and the same as JSON in somebody's Flask app."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.dashboard.alerts import alerts_view
from risk_management.dashboard.bots import bots_view
from risk_management.dashboard.correlation import correlation_view
from risk_management.dashboard.heatmap import heatmap_view
from risk_management.dashboard.metrics import metrics_view
from risk_management.dashboard.plain import Plain
from risk_management.dashboard.pulse import pulse_view
from risk_management.dashboard.snapshot import Snapshot
from risk_management.dashboard.stress import stress_view
from risk_management.dashboard.var import var_view
from risk_management.errors import ConfigurationError
from risk_management.integration.client import RiskClient
from risk_management.integration.trading_integration import TradingSystemIntegration, get_integration

if TYPE_CHECKING:
    from flask import Flask

    from risk_management.calculators.stress_tester import StressSuite
    from risk_management.calculators.var_calculator import VaRSummary

T = TypeVar("T")

__all__ = ["ENDPOINTS", "RiskDashboardAPI", "create_risk_routes"]

ENDPOINTS: Final = ("metrics", "heatmap", "correlation", "var", "stress", "alerts", "bots")
"""The views, each served under its name."""
LOOK_AGAIN: Final = 1.0
"""Seconds after which the book is measured anew although nothing happened: prices age by themselves."""


class RiskDashboardAPI:
    """One method a view; each answers with a complete dict that JSON can hold.

    Asking changes nothing: no event, no emergency, no alert comes of it. What is costly is computed once
    for a state.

    Parameters
    ----------
    integration : TradingSystemIntegration or AdvancedRiskManager, optional
        Whose book is shown; by default the process-wide instance, made when the first view is asked for.
    """

    def __init__(self, integration: TradingSystemIntegration | AdvancedRiskManager | None = None) -> None:
        self._given = integration
        self._seen: _Once[Snapshot] = _Once()
        self._var: _Once[VaRSummary] = _Once()
        self._stress: _Once[StressSuite] = _Once()

    @property
    def manager(self) -> AdvancedRiskManager:
        """The manager whose book is shown."""
        given = get_integration() if self._given is None else self._given
        if isinstance(given, RiskClient):
            raise ConfigurationError("RISK_URL: the book is in another process; ask its own addresses")
        return given.risk_manager if isinstance(given, TradingSystemIntegration) else given

    def metrics(self) -> Plain:
        """Every metric with its unit, every limit with its use and room, score, mode, holds, drawdown."""
        return metrics_view(self._look())

    def heatmap(self) -> Plain:
        """Every position with weight, profit, risk, sector, cluster, strategy and bot."""
        return heatmap_view(self._look())

    def correlation(self) -> Plain:
        """The matrix of the names held, clusters, and a spike if there is one."""
        return correlation_view(self._look())

    def var(self) -> Plain:
        """VaR and expected shortfall by every method, confidence and horizon of the settings."""
        manager = self.manager
        summary = self._var.get(_exposed(manager), manager.var_calculator.calculate_portfolio_var)
        return var_view(self._look(), summary)

    def stress(self) -> Plain:
        """The full suite of scenarios, the largest loss first."""
        manager = self.manager
        suite = self._stress.get(_exposed(manager), manager.stress_tester.run_full_stress_suite)
        return stress_view(self._look(), suite)

    def alerts(self) -> Plain:
        """What fires, what was told, the rules and the channels that can't be reached."""
        return alerts_view(self._look(), self.manager.alert_manager)

    def bots(self) -> Plain:
        """Every bot with its record, its limits and their use."""
        return bots_view(self._look())

    def pulse(self) -> Plain:
        """What every open page is told: vital signs, limits, holds, alerts, and the age of every feed."""
        manager = self.manager
        return pulse_view(self._look(), manager, manager.clock.now())

    def view(self, name: str) -> Plain:
        """A view by its name.

        Raises
        ------
        KeyError
            There is no such view.
        """
        views: dict[str, Callable[[], Plain]] = {one: getattr(self, one) for one in ENDPOINTS}
        return views[name]()

    def _look(self) -> Snapshot:
        manager = self.manager
        moment = int(manager.clock.monotonic() / LOOK_AGAIN)
        return self._seen.get((manager.state, manager.config, moment), lambda: _snapshot(manager))


def _exposed(manager: AdvancedRiskManager) -> tuple[object, ...]:
    """What VaR and stress depend on; it stays the same while only time passes."""
    state = manager.state
    return state.totals, state.instruments, state.model, manager.config


def _snapshot(manager: AdvancedRiskManager) -> Snapshot:
    with manager.book.lock:
        return Snapshot(manager.state, manager.look(), manager.config)


class _Once(Generic[T]):
    """Keeps the newest result; whoever asks for the same one meanwhile waits instead of computing it too."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[tuple[object, ...], T] | None = None

    def get(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made for this key, or what `make` makes now. Records count as the same by identity."""
        with self._lock:
            if self._kept is None or not all(map(_same, self._kept[0], key)):
                self._kept = (key, make())
            return self._kept[1]


def _same(one: object, other: object) -> bool:
    return one is other or (isinstance(one, int) and one == other)


def create_risk_routes(
    app: Flask, api: RiskDashboardAPI | None = None, url_prefix: str = "/api/risk"
) -> None:
    """Serve the risk system from a Flask app; a second call on the same app does nothing.

    All addresses answer this machine only: both the caller's address and the name that it calls must be
    loopback, so that neither a neighbour nor a web page that rebinds its name reads positions. The seven
    views and the page ``/dashboard`` that shows them are open there; everything else takes a token: the one
    in the variable ``RISK_TOKEN``, or one of the store. The guard stands on these addresses alone; nothing
    else of the app changes.

    Parameters
    ----------
    app : Flask
    api : RiskDashboardAPI, optional
        By default one on the process-wide instance.
    url_prefix : str
        Where the views are, ``/api/risk/metrics`` and so on.

    Raises
    ------
    ConfigurationError
        ``RISK_TOKEN`` could be guessed.
    """
    from risk_management.service.blueprint import BLUEPRINT, make_blueprint  # noqa: PLC0415 - flask is late
    from risk_management.service.guard import Guard  # noqa: PLC0415
    from risk_management.service.keyring import EmbeddedKeyring  # noqa: PLC0415
    from risk_management.service.routes import API  # noqa: PLC0415
    from risk_management.service.sessions import Sessions  # noqa: PLC0415

    if BLUEPRINT in app.blueprints:
        return
    views = RiskDashboardAPI() if api is None else api
    shown = (*ENDPOINTS, "pulse", "figures", "figures/{name}")
    readable = frozenset({"", *(f"/{name}" for name in shown)})
    keyring = EmbeddedKeyring(views)
    guard = Guard(views, keyring, open_paths=readable, sessions=Sessions(is_valid=keyring.holds))
    app.register_blueprint(make_blueprint(API, guard, views), url_prefix=url_prefix)
