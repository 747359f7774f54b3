"""Value at risk and expected shortfall of the book: several methods, confidences and horizons at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.var_backtest import BookBacktest, backtest_book
from risk_management.calculators.var_methods import (
    VAR_METHODS,
    Sample,
    TailEstimate,
    VaRMethod,
)
from risk_management.calculators.var_methods._results import RiskComponent, VaRResult, VaRSummary
from risk_management.calculators.var_methods._runner import Refusal, ask, questions
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import checked_number, checked_symbol
from risk_management.core.front import Front
from risk_management.core.var_record import var_limit
from risk_management.errors import InvalidRequest, shown
from risk_management.measures.tail import component_es, component_var, incremental_var, marginal_var, var_es
from risk_management.model.instrument import AssetClass
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.risk_model import RiskModel
from risk_management.registry import Registry

__all__ = ["RiskComponent", "VaRCalculator", "VaRResult", "VaRSummary", "var_summary"]

T = TypeVar("T")
Float = NDArray[np.float64]

HEADLINE: Final = 0.95
"""Confidence of the headline, the limit and the components; one day."""


@dataclass(frozen=True, slots=True)
class _Held:
    """The names held, in alphabetical order, so that no order of events changes a draw."""

    symbols: tuple[str, ...]
    columns: tuple[int, ...]
    exposures: Float
    groups: Mapping[str, Mapping[str, Float]]
    """By ``strategy``, ``bot`` and ``sector``: exposures of each, by symbol."""

    @classmethod
    def of(cls, state: PortfolioState) -> _Held:
        names = {s: n for s, n in sorted(state.totals.names.items()) if n.keys}
        groups: dict[str, dict[str, Float]] = {"strategy": {}, "bot": {}, "sector": {}}
        for row, (symbol, name) in enumerate(names.items()):
            sector = state.instruments[symbol].sector
            for _, strategy, bot, sides in name.owners:
                for kind, label in (("strategy", strategy), ("bot", bot), ("sector", sector)):
                    amounts = groups[kind].setdefault(label, np.zeros(len(names)))
                    amounts[row] += sides.net / SCALE
        return cls(
            symbols=tuple(names),
            columns=tuple(n.column for n in names.values()),
            exposures=np.array([n.sides.net / SCALE for n in names.values()], dtype=np.float64),
            groups={kind: dict(sorted(members.items())) for kind, members in groups.items()},
        )

    def coverage(self, model: RiskModel) -> float:
        """Share of gross exposure with returns of its own or a proxy's."""
        gross = float(np.abs(self.exposures).sum())
        if gross == 0.0:
            return 1.0
        rows = max(len(model.matrix.dates), 1)
        known = {s: model.matrix.coverage[s].observations for s in self.symbols if s in model.matrix.coverage}
        founded = [abs(x) * known.get(s, 0) / rows for s, x in zip(self.symbols, self.exposures, strict=True)]
        return min(float(sum(founded)) / gross, 1.0)


@dataclass(frozen=True, slots=True)
class _Report:
    """What all figures of one report share."""

    state: PortfolioState
    config: RiskManagementConfig
    held: _Held
    leans_on: tuple[str, ...]

    @property
    def equity(self) -> float:
        equity = self.state.totals.equity
        return math.nan if equity is None else equity

    @property
    def window(self) -> int:
        return len(self.state.model.matrix.dates)

    def samples(self) -> tuple[Sample, Sample]:
        """Plain and scaled daily returns of the names held."""
        model, chosen = self.state.model, list(self.held.columns)
        plain = model.matrix.values[:, chosen]
        scaled = model.scaled[:, chosen]
        return Sample(plain, self.held.exposures), Sample(scaled, self.held.exposures)

    def result(
        self, method: str, confidence: float, horizon: int, outcome: TailEstimate | Refusal
    ) -> VaRResult:
        """A figure with everything that must be said beside it; a refusal becomes its reason."""
        good = isinstance(outcome, TailEstimate)
        said = outcome if isinstance(outcome, TailEstimate) else _nothing(outcome)
        base = self.equity if self.equity > 0.0 else math.nan
        return VaRResult(
            var_value=said.var,
            es_value=said.es,
            var_pct=said.var / base,
            es_pct=said.es / base,
            method=method,
            confidence=confidence,
            horizon=horizon,
            window=self.window,
            observations=said.observations,
            coverage=self.held.coverage(self.state.model),
            horizon_rule=str(said.horizon_rule),
            standard_error=said.standard_error,
            status="ok" if good else "unavailable",
            note=said.note,
            leans_on=self.leans_on,
        )


def _nothing(refusal: Refusal) -> TailEstimate:
    return TailEstimate(math.nan, math.nan, 0, refusal.horizon_rule, None, refusal.reason)


def var_summary(
    state: PortfolioState,
    config: RiskManagementConfig,
    *,
    methods: Iterable[str] | None = None,
    confidences: Iterable[float] | None = None,
    horizons: Iterable[int] | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    leans_on: tuple[str, ...] = (),
) -> VaRSummary:
    """VaR and ES of a state by every method, confidence and horizon asked for.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    methods : iterable of str, optional
        Names in `VAR_METHODS`, or ``"all"``; by default those of the config, as with the next two.
    confidences : iterable of float, optional
        Each in (0.5, 1).
    horizons : iterable of int, optional
        Trading days, 1 to 250.
    executor : Executor, optional
        Where the methods run; by default here, one after the other.
    progress : callable, optional
        Told how many figures are done, and of how many.
    leans_on : tuple of str

    Raises
    ------
    InvalidRequest
        For an unknown method, or a confidence or horizon out of range.
    """
    settings = config.var_config
    report = _Report(state, config, _Held.of(state), leans_on)
    asked = [
        (method, confidence, horizon)
        for method in _known_methods(settings.methods if methods is None else methods)
        for confidence in _confidences(settings.confidence_levels if confidences is None else confidences)
        for horizon in _horizons(settings.horizons if horizons is None else horizons)
    ]
    headline = (settings.default_method, HEADLINE, 1)
    wanted = list(dict.fromkeys((*asked, headline)))
    outcomes = ask(
        [_methods().get(name) for name, _, _ in wanted],
        questions(
            *report.samples(),
            [(confidence, horizon) for _, confidence, horizon in wanted],
            settings.monte_carlo_simulations,
            (settings.seed, state.version),
            settings.draws,
            settings.margins,
        ),
        executor,
        progress,
    )
    results = {w: report.result(*w, outcome) for w, outcome in zip(wanted, outcomes, strict=True)}
    head = results[headline]
    worst = _worst(report, head)
    parts = _components(report, head)
    return VaRSummary(
        total_var=MappingProxyType({results[w].key: results[w] for w in dict.fromkeys(asked)}),
        headline=head,
        worst=worst,
        limit=var_limit(state, config),
        utilization=_use(worst.var_pct, var_limit(state, config)),
        by_symbol=parts["symbol"],
        by_strategy=parts["strategy"],
        by_bot=parts["bot"],
        by_sector=parts["sector"],
        portfolio_value=report.equity,
        pending=len(state.reservations),
        as_of=state.model.matrix.as_of,
        state_version=state.version,
        notes=_notes(report),
        leans_on=leans_on,
    )


def _worst(report: _Report, headline: VaRResult) -> VaRResult:
    """The headline with approved orders at their worst, in closed form on the carried vectors."""
    totals = report.state.totals
    if not totals.reserved_pnl.any():
        return headline
    ((var, es),) = var_es(totals.pnl + totals.reserved_pnl, (HEADLINE,))
    base = report.equity if report.equity > 0.0 else math.nan
    return replace(
        headline,
        var_value=var,
        es_value=es,
        var_pct=var / base,
        es_pct=es / base,
        observations=len(totals.pnl),
        status="ok",
        note="with approved orders at their worst",
    )


def _components(report: _Report, headline: VaRResult) -> Mapping[str, Mapping[str, RiskComponent]]:
    """Shares of the headline by symbol, strategy, bot and sector, on the scenarios that it rests on."""
    held = report.held
    if headline.status != "ok" or not held.symbols:
        return {kind: MappingProxyType({}) for kind in ("symbol", *held.groups)}
    returns = report.state.model.scenarios[:, list(held.columns)]
    moving = bool(held.exposures.any())
    marginal = (
        marginal_var(returns, held.exposures, HEADLINE) if moving else np.full(len(held.symbols), math.nan)
    )
    found = {"symbol": _shares(held.symbols, held.exposures, returns * held.exposures, marginal.tolist())}
    for kind, members in held.groups.items():
        rows = np.array(list(members.values()))
        of_each = [_ratio(float(row @ marginal), float(row.sum())) for row in rows]
        found[kind] = _shares(tuple(members), rows.sum(axis=1), returns @ rows.T, of_each)
    return found


def _shares(
    names: Sequence[str], exposures: Float, pnl: Float, marginal: Sequence[float]
) -> Mapping[str, RiskComponent]:
    """Euler shares of columns of P&L of shape (T, K)."""
    whole = np.ones(len(names))
    var, es = component_var(pnl, whole, HEADLINE), component_es(pnl, whole, HEADLINE)
    total = float(var.sum())
    book = pnl.sum(axis=1)
    alone = [var_es(book - pnl[:, row], (HEADLINE,))[0][0] for row in range(len(names))]
    return MappingProxyType(
        {
            name: RiskComponent(
                name=name,
                exposure=float(exposures[row]),
                component_var=float(var[row]),
                component_es=float(es[row]),
                share=_ratio(float(var[row]), total),
                marginal_var=marginal[row],
                incremental_var=total - alone[row],
            )
            for row, name in enumerate(names)
        }
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _use(share: float, limit: float) -> float:
    if limit > 0.0:
        return share / limit
    return 0.0 if share <= 0.0 else math.inf


def _notes(report: _Report) -> tuple[str, ...]:
    said = []
    if not report.held.symbols:
        said.append("the book is empty: nothing to lose")
    elif not report.held.exposures.any():
        said.append("all positions offset each other: the book is flat")
    unpriced = sorted(report.state.totals.unpriced)
    if unpriced:
        said.append(f"no price for {', '.join(unpriced)}: taken at cost, and equity is unknown")
    return tuple(said)


@cache
def _methods() -> Registry[VaRMethod]:
    """Built-in and installed methods; third parties' are looked for on the first report."""
    VAR_METHODS.load_entry_points()
    return VAR_METHODS


def _known_methods(names: Iterable[str]) -> list[str]:
    asked = [names] if isinstance(names, str) else _listed(names, "methods")
    if "all" in asked:
        return list(_methods().names())
    for name in asked:
        if name not in _methods():
            known = ", ".join(_methods().names())
            raise InvalidRequest(
                "UNKNOWN_METHOD", "methods", f"no method is called {shown(name)}; known: {known}, all"
            )
    return asked


def _walkable(methods: Iterable[str]) -> list[str] | None:
    """Names that `walk_forward` knows or refuses, None for all that are walked by default."""
    _methods()
    asked = [methods] if isinstance(methods, str) else _listed(methods, "methods")
    return None if "all" in asked else asked


def _listed(values: Iterable[T], field: str) -> list[T]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidRequest("WRONG_TYPE", field, f"{field} must be several, in a list; got {shown(values)}")
    return list(values)


def _confidences(values: Iterable[float]) -> list[float]:
    checked = [checked_number(value, "confidences") for value in _listed(values, "confidences")]
    for value in checked:
        if not 0.5 < value < 1.0:
            raise InvalidRequest(
                "OUT_OF_RANGE", "confidences", f"a confidence lies in (0.5, 1); got {value:g}"
            )
    return checked


def _horizons(values: Iterable[int]) -> list[int]:
    checked = [checked_number(value, "horizons", most=250.0) for value in _listed(values, "horizons")]
    for value in checked:
        if value != int(value):
            raise InvalidRequest("OUT_OF_RANGE", "horizons", f"a horizon is whole days; got {value:g}")
    return [int(value) for value in checked]


class VaRCalculator(Front):
    """Runs methods, confidences and horizons over the book.

    The headline is the default method at 95 % and one day, the same figure that the gate holds against
    its limit.
    """

    def update_positions(self, sizes: Mapping[str, float], portfolio_value: float) -> None:
        """Replace the book by sizes in money, negative for shorts, `portfolio_value` worth in all."""
        self._replace_positions(sizes, portfolio_value, "add_position")

    def calculate_portfolio_var(
        self,
        methods: Iterable[str] | None = None,
        confidences: Iterable[float] | None = None,
        horizons: Iterable[int] | None = None,
        executor: Executor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> VaRSummary:
        """The full report; see `var_summary` for the parameters."""
        return var_summary(
            self.state,
            self.config,
            methods=methods,
            confidences=confidences,
            horizons=horizons,
            executor=executor,
            progress=progress,
            leans_on=self.leans_on,
        )

    def backtest(
        self,
        methods: Iterable[str] | None = None,
        *,
        years: float | None = None,
        executor: Executor | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> BookBacktest:
        """Hold every method's forecasts for the book as it stands against history; see `backtest_book`.

        The whole history of the source is walked, with the weights of today.

        Raises
        ------
        InvalidRequest, InsufficientData
        """
        state, held = self.state, _Held.of(self.state)
        if years is not None:
            checked_number(years, "years")
        equity = state.totals.equity
        if equity is None or equity <= 0.0:
            raise InvalidRequest("EQUITY_UNKNOWN", "positions", "without equity there are no fractions of it")
        return backtest_book(
            self._foundation.whole_matrix(),
            {s: float(x) / equity for s, x in zip(held.symbols, held.exposures, strict=True)},
            self.config.var_config,
            methods=None if methods is None else _walkable(methods),
            confidences=self.config.var_config.confidence_levels,
            window=self.config.market_data_config.window,
            years=years,
            leans_on=self.leans_on,
            executor=executor,
            progress=progress,
        )

    def incremental_var(self, symbol: str, size: float, confidence: float = HEADLINE) -> float:
        """VaR that a further `size` would add, by the default method over one day.

        Parameters
        ----------
        symbol : str
            One without history is measured by the stand-in of its class.
        size : float
            Money, negative to sell.
        confidence : float
            In (0.5, 1).

        Returns
        -------
        float
            Money; negative for a hedge. Approved orders count at their worst on both sides.

        Raises
        ------
        InvalidRequest
        """
        symbol = checked_symbol(symbol)
        size = checked_number(size, "size", signed=True)
        (level,) = _confidences((confidence,))
        state = self.state
        known = state.instruments.get(symbol)
        column = state.model.column(symbol, AssetClass.OTHER if known is None else known.asset_class)
        book = state.totals.pnl + state.totals.reserved_pnl
        legs = np.column_stack((book, state.model.scenarios[:, column]))
        return incremental_var(legs, np.array([1.0, size]), 1, level)
