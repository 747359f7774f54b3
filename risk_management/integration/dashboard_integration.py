"""The dashboard's data: seven views as plain dicts, and the same as JSON in somebody's Flask app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.dashboard.alerts import alerts_view
from risk_management.dashboard.backtest import backtest_series
from risk_management.dashboard.bots import bots_view
from risk_management.dashboard.correlation import correlation_view
from risk_management.dashboard.distribution import distribution_view
from risk_management.dashboard.heat import heat_view
from risk_management.dashboard.heatmap import heatmap_view
from risk_management.dashboard.history import DecisionTally, history_view
from risk_management.dashboard.metrics import metrics_view
from risk_management.dashboard.pair import pair_view
from risk_management.dashboard.plain import Plain
from risk_management.dashboard.pulse import pulse_view
from risk_management.dashboard.reverse_stress import asked_reverse, reverse_stress_view
from risk_management.dashboard.snapshot import Snapshot
from risk_management.dashboard.stress import stress_view
from risk_management.dashboard.var import var_view
from risk_management.errors import ConfigurationError, RiskError
from risk_management.integration.client import RiskClient
from risk_management.integration.trading_integration import TradingSystemIntegration, get_integration

if TYPE_CHECKING:
    from flask import Flask

    from risk_management.calculators.stress_tester import ReverseStressResult, StressSuite
    from risk_management.calculators.var_backtest import BookBacktest
    from risk_management.calculators.var_calculator import VaRSummary
    from risk_management.store.reader import StoreReader

T = TypeVar("T")

__all__ = ["ENDPOINTS", "RiskDashboardAPI", "create_risk_routes"]

ENDPOINTS: Final = ("metrics", "heatmap", "correlation", "var", "stress", "alerts", "bots")
"""The views, each served under its name."""
STUDIES: Final = ("heat", "distribution", "backtest", "reverse_stress", "history")
"""Further views, which figures and the report read."""
BACKTEST_YEARS: Final = 4.0
"""Of the study that a figure shows; ``risk backtest-var`` walks the whole history."""
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
    reader : StoreReader, optional
        Of the journal that `history` reads; by default the book's own, if it has one.
    """

    def __init__(
        self,
        integration: TradingSystemIntegration | AdvancedRiskManager | None = None,
        *,
        reader: StoreReader | None = None,
    ) -> None:
        self._given = integration
        self._reader = reader
        self._seen: _Once[Snapshot] = _Once()
        self._var: _Once[VaRSummary] = _Once()
        self._stress: _Once[StressSuite] = _Once()
        self._backtest: _Once[BookBacktest | str] = _Once()
        self._reverse: _Once[dict[str, ReverseStressResult | str]] = _Once()
        self._tally: DecisionTally | None = None
        self._told: dict[str, Plain] = {}

    @property
    def manager(self) -> AdvancedRiskManager:
        """The manager whose book is shown."""
        given = get_integration() if self._given is None else self._given
        if isinstance(given, RiskClient):
            raise ConfigurationError("RISK_URL: the book is in another process; ask its own addresses")
        return given.risk_manager if isinstance(given, TradingSystemIntegration) else given

    @property
    def ignored_commands(self) -> Mapping[str, int]:
        """Messages to the bot in a chat that were left aside, by reason."""
        given = get_integration() if self._given is None else self._given
        return given.alerting.ignored_commands if isinstance(given, TradingSystemIntegration) else {}

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
        manager = self.manager
        return alerts_view(self._look(), manager.alert_manager, manager.clock.now())

    def bots(self) -> Plain:
        """Every bot with its record, its limits and their use."""
        return bots_view(self._look())

    def pulse(self) -> Plain:
        """What every open page is told: vital signs, limits, holds, alerts, and the age of every feed."""
        manager = self.manager
        return pulse_view(self._look(), manager, manager.clock.now())

    def heat(self) -> Plain:
        """Open risk by cluster, and what it makes of the heat."""
        return heat_view(self._look())

    def distribution(self) -> Plain:
        """The book's one-day returns in every scenario of the risk model, counted in bins."""
        return distribution_view(self._look())

    def backtest(self) -> Plain:
        """The default VaR of the book as it stands, held against the last four years."""
        manager = self.manager
        method = manager.config.var_config.default_method

        def walked() -> BookBacktest | str:
            try:
                return manager.var_calculator.backtest([method], years=BACKTEST_YEARS)
            except RiskError as problem:  # an empty book, or too little history: said in its place
                return str(problem)

        return backtest_series(self._look(), self._backtest.get(_exposed(manager), walked))

    def reverse_stress(self) -> Plain:
        """The likeliest moves that break the limits on losses."""
        manager = self.manager
        key = (*_exposed(manager), manager.state.drawdown)
        found = self._reverse.get(key, lambda: asked_reverse(manager.stress_tester))
        return reverse_stress_view(self._look(), found)

    def history(self) -> Plain:
        """Daily values, tiers, stops and changes, and decisions by the hour as the journal has them."""
        manager = self.manager
        reader = self._reader or getattr(manager.book.journal, "reader", None)
        if reader is not None and (self._tally is None or self._tally.reader is not reader):
            self._tally = DecisionTally(reader)
        tally = self._tally if reader is not None else None
        return history_view(
            self._look(),
            manager.alert_manager.history,
            reader,
            None if tally is None else tally.read(),
        )

    def pair(self, first: str, second: str) -> Plain:
        """How two names moved together, as far back as the market model reaches."""
        return pair_view(self._look(), first, second)

    def view(self, name: str, version: int | None = None) -> Plain:
        """A view by its name, of `ENDPOINTS` or `STUDIES`.

        Parameters
        ----------
        name : str
        version : int, optional
            `state_version` of the state that is wanted: where the view was told last of that very state it is
            told again, so that a figure and the text beside it say the same. Else it is of now.

        Raises
        ------
        KeyError
            There is no such view.
        """
        told = self._told.get(name)
        if told is not None and told["state_version"] == version:
            return told
        views: dict[str, Callable[[], Plain]] = {one: getattr(self, one) for one in (*ENDPOINTS, *STUDIES)}
        self._told[name] = made = views[name]()
        return made

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
        names = {known.id: known.name for known in manager.foundation.scenarios.values()}
        return Snapshot(manager.state, manager.look(), manager.config, names)


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
