"""What the book would lose in scenarios: those that ship, a user's files, and one made up on the spot."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.reverse_stress import ReverseStressResult, reverse_stress
from risk_management.calculators.scenarios import (
    Basis,
    BasisKind,
    Scenario,
    ScenarioKind,
    ScenarioRule,
    ScenarioUse,
    Shocks,
    StressScenario,
    resolve_shocks,
    scenario_pnl,
)
from risk_management.calculators.scenarios.scenario import HIGHEST, SECTORS, STABLECOIN, Source
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.entry import checked_name, checked_number
from risk_management.core.front import Front
from risk_management.core.risk_model import present_covariance
from risk_management.errors import InvalidRequest, UndefinedMeasure, shown
from risk_management.measures.conditional import conditional_mean
from risk_management.model.explain import amount
from risk_management.model.html import card
from risk_management.model.instrument import AssetClass
from risk_management.model.market import PriceHistory
from risk_management.model.money import SCALE, TOLERANCE
from risk_management.model.portfolio import PortfolioState

__all__ = [
    "ReverseStressResult",
    "StressResult",
    "StressScenario",
    "StressSuite",
    "StressTester",
    "stress_result",
]

Float = NDArray[np.float64]

CLASSES = frozenset({*map(str, AssetClass), STABLECOIN})


@dataclass(frozen=True, slots=True)
class StressResult:
    """The book in one scenario.

    Parameters
    ----------
    scenario_id, name : str
    kind : ScenarioKind
    use : ScenarioUse
        A gate stops trades; a report is shown.
    horizon_days : int
        Trading days that the shock takes.
    portfolio_pnl : float
        Signed money: a loss is negative.
    portfolio_pnl_pct : float
        The same as a fraction of equity; NaN where equity is unknown.
    by_symbol : Mapping of str to float
        What each name adds to it.
    basis : Mapping of str to Basis
        Where each name's shock comes from.
    limit : float
        Loss allowed, a fraction of equity: `max_stress_loss` for a gate, `critical_loss` for a report.
    passed, critical : bool
        Within its limit; at or above `critical_loss`.
    sources : tuple of Source
        Where the scenario's figures come from.
    notes, leans_on : tuple of str
    """

    scenario_id: str
    name: str
    kind: ScenarioKind
    use: ScenarioUse
    horizon_days: int
    portfolio_pnl: float
    portfolio_pnl_pct: float
    by_symbol: Mapping[str, float]
    basis: Mapping[str, Basis]
    limit: float
    passed: bool
    critical: bool
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()
    leans_on: tuple[str, ...] = ()

    def explain(self) -> str:
        """The result in a few lines: the sum, each name with its basis, the notes."""
        outcome = "passed" if self.passed else ("critical" if self.critical else "not passed")
        lines = [
            f"{self.name} ({self.use}, horizon {self.horizon_days} d): {self.portfolio_pnl:,.2f}, "
            f"{self.portfolio_pnl_pct:z.1%} of equity; limit {-self.limit:.1%}: {outcome}."
        ]
        for symbol, pnl in sorted(self.by_symbol.items(), key=lambda item: item[1]):
            basis = self.basis[symbol]
            lines.append(f"  {symbol} {pnl:,.2f} by {basis.kind}: {basis.note}.")
        lines += [f"  {note}." for note in self.notes]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(said.rstrip(".") for said in self.leans_on) + ".")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, *_ = self.explain().splitlines()
        rows = [
            (symbol, str(self.basis[symbol].kind), amount(pnl, "money"))
            for symbol, pnl in sorted(self.by_symbol.items(), key=lambda item: item[1])
        ]
        notes = [*self.notes, *(f"Leans on: {said}" for said in self.leans_on)]
        heads = ("symbol", "by", "P&L")
        return card(first, heads, rows, mark="" if self.passed else "bad", notes=notes, texts=2)


@dataclass(frozen=True, slots=True)
class StressSuite:
    """The book in many scenarios.

    Parameters
    ----------
    scenarios_tested : list of str
        Ids, in the order of the results.
    results : Mapping of str to StressResult
    worst_case_scenario : str
        Id of the scenario with the lowest P&L; empty for an empty book.
    worst_case_loss : float
        Its loss in money, 0 where no scenario loses.
    scenarios_passed : int
    critical_failures : list of str
        Ids of the scenarios that lose `critical_loss` or more.
    passed : bool
        All of them are.
    """

    scenarios_tested: list[str]
    results: Mapping[str, StressResult]
    worst_case_scenario: str
    worst_case_loss: float
    scenarios_passed: int
    critical_failures: list[str]
    passed: bool

    def _repr_html_(self) -> str:
        title = f"{self.scenarios_passed} of {len(self.scenarios_tested)} scenarios passed"
        rows = [
            (
                result.name,
                str(result.use),
                "passed" if result.passed else "not passed",
                amount(result.portfolio_pnl, "money"),
                amount(result.portfolio_pnl_pct, "fraction"),
                amount(-result.limit, "fraction"),
            )
            for result in sorted(self.results.values(), key=lambda result: result.portfolio_pnl)
        ]
        heads = ("scenario", "use", "", "P&L", "of equity", "allowed")
        return card(title, heads, rows, mark="" if self.passed else "bad", texts=3)


def stress_result(
    scenario: Scenario,
    state: PortfolioState,
    config: RiskManagementConfig,
    closes: PriceHistory | None = None,
    leans_on: tuple[str, ...] = (),
) -> StressResult:
    """What the positions of a state would gain or lose in a scenario.

    Parameters
    ----------
    scenario : Scenario
    state : PortfolioState
        Betas are estimated on its return matrix.
    config : RiskManagementConfig
    closes : PriceHistory, optional
        Prices that a historical window is replayed on.
    leans_on : tuple of str
        What the prices lean on.
    """
    money = {s: n.sides.net / SCALE for s, n in state.totals.names.items() if n.sides.net}
    shocks = resolve_shocks(
        scenario,
        tuple(money),
        asset_classes=_known_classes(state),
        sectors={s: state.instruments[s].sector for s in money},
        matrix=state.model.matrix,
        closes=closes,
        unknown_beta=config.stress_config.unknown_beta,
    )
    exposures = np.array(list(money.values()), dtype=np.float64)
    pnl = scenario_pnl(shocks, exposures) + 0.0
    equity = state.totals.equity
    share = pnl / equity if equity is not None and equity > 0.0 else math.nan
    settings = config.stress_config
    limit = settings.max_stress_loss if scenario.is_gate else settings.critical_loss
    slack = TOLERANCE / equity if equity else 0.0
    critical = bool(money) and not -share < settings.critical_loss - slack
    stand_ins = tuple(f"{s}: {b.note}" for s, b in _stand_ins(shocks))
    return StressResult(
        scenario_id=scenario.id,
        name=scenario.name,
        kind=scenario.kind,
        use=scenario.use,
        horizon_days=scenario.horizon_days,
        portfolio_pnl=pnl,
        portfolio_pnl_pct=share if money else 0.0,
        by_symbol=MappingProxyType(dict(zip(money, _by_name(shocks, exposures), strict=True))),
        basis=MappingProxyType(dict(zip(money, shocks.basis, strict=True))),
        limit=limit,
        # an unknown share compares false with everything and so fails
        passed=not money or (not critical and -share <= limit + slack),
        critical=critical,
        sources=scenario.sources,
        notes=_notes(money, shocks, equity, holds=any(n.keys for n in state.totals.names.values())),
        leans_on=tuple(dict.fromkeys((*leans_on, *stand_ins))),
    )


def _known_classes(state: PortfolioState) -> dict[str, str]:
    """Class of each held symbol of which one is known; ``other`` stands for nothing known."""
    classes = {s: state.instruments[s].asset_class for s in state.totals.names}
    return {s: kind for s, kind in classes.items() if kind != AssetClass.OTHER}


def _by_name(shocks: Shocks, exposures: Float) -> list[float]:
    """Each name's part of the P&L; the parts add up to it under every rule."""
    if shocks.rule is ScenarioRule.LINEAR:
        return [float(part) + 0.0 for part in shocks.values * exposures]  # -0.0 is no loss
    alone = np.diag(exposures)
    parts = np.array([scenario_pnl(shocks, row) for row in alone])
    if shocks.rule is ScenarioRule.LARGEST_GAP and parts.size:
        # one name gaps, the others stand still
        parts = np.where(np.arange(parts.size) == parts.argmin(), parts, 0.0)
    return [float(part) for part in parts]


def _stand_ins(shocks: Shocks) -> list[tuple[str, Basis]]:
    pairs = zip(shocks.symbols, shocks.basis, strict=True)
    return [(symbol, basis) for symbol, basis in pairs if basis.kind is BasisKind.STAND_IN]


def _notes(
    money: Mapping[str, float], shocks: Shocks, equity: float | None, *, holds: bool
) -> tuple[str, ...]:
    if not money and holds:
        return ("what is held nets to zero in every name: nothing to lose",)
    if not money:
        return ("the book is empty: nothing to lose",)
    said = ["equity is unknown: the loss is no share of it"] if equity is None else []
    values = dict(zip(shocks.symbols, shocks.values.tolist(), strict=True))
    said += [
        f"the {'long' if money[symbol] > 0.0 else 'short'} in {symbol} "
        f"{'gains' if values[symbol] else 'loses nothing'} by a stand-in: nothing is known of its own moves"
        for symbol, _ in _stand_ins(shocks)
        if money[symbol] * values[symbol] >= 0.0 and shocks.rule is ScenarioRule.LINEAR
    ]
    return tuple(said)


class StressTester(Front):
    """Runs the book through scenarios: real windows replayed, sourced figures, or shocks of one's own."""

    def update_portfolio(self, sizes: Mapping[str, float], portfolio_value: float) -> None:
        """Replace the book by sizes in money, negative for shorts, `portfolio_value` worth in all."""
        self._replace_positions(sizes, portfolio_value, "add_position")

    def run_scenario_test(self, scenario: StressScenario | str | Scenario) -> StressResult:
        """The book in one scenario.

        Parameters
        ----------
        scenario : StressScenario, str or Scenario
            One that ships, the id of one that ships or of a user's file, or a record.

        Raises
        ------
        InvalidRequest
            No scenario has this id.
        """
        return self._result(scenario if isinstance(scenario, Scenario) else self._found(scenario))

    def run_full_stress_suite(self, custom: Iterable[Scenario] = ()) -> StressSuite:
        """The book in every scenario that ships or stands in `scenario_dir`, and in `custom` ones.

        In the environment ``replay`` only crises that had ended by then are run.

        Raises
        ------
        InvalidRequest
            A custom scenario has the id of another.
        """
        chosen = {s.id: s for s in self._foundation.scenarios.values() if self._is_known(s)}
        for scenario in custom:
            if scenario.id in chosen:
                raise InvalidRequest(
                    "DUPLICATE_SCENARIO", "custom", f"{scenario.id} exists already; choose another name"
                )
            chosen[scenario.id] = scenario
        results = {i: self._result(scenario) for i, scenario in chosen.items()}
        worst = min(results.values(), key=lambda r: r.portfolio_pnl, default=None)
        empty = worst is None or not worst.by_symbol
        passed = sum(r.passed for r in results.values())
        return StressSuite(
            scenarios_tested=list(results),
            results=MappingProxyType(results),
            worst_case_scenario="" if worst is None or empty else worst.scenario_id,
            worst_case_loss=0.0 if worst is None else max(0.0, -worst.portfolio_pnl),
            scenarios_passed=passed,
            critical_failures=[i for i, r in results.items() if r.critical],
            passed=passed == len(results),
        )

    def run_custom_scenario(
        self, name: str, shocks: Mapping[str, float], market: float | None = None
    ) -> StressResult:
        """The book in a scenario of one's own; see `custom_scenario`."""
        return self._result(self.custom_scenario(name, shocks, market))

    def run_conditional_stress(self, given: Mapping[str, float], name: str | None = None) -> StressResult:
        """What is expected of the whole book when some names move as given: by covariance, not by one beta.

        Parameters
        ----------
        given : Mapping of str to float
            Return of each named symbol with history, such as ``{"SPY": -0.1}``; it need not be held.
        name : str, optional

        Returns
        -------
        StressResult
            `basis` says of each other name what part of its variance the given ones explain.

        Raises
        ------
        InvalidRequest
            A symbol without history, or a return below -1 or above 100.
        """
        if not isinstance(given, Mapping):
            raise InvalidRequest(
                "WRONG_TYPE", "given", "the given returns are a mapping of symbol to fraction"
            )
        if not given:
            raise InvalidRequest("EMPTY_SCENARIO", "given", "name the return of at least one symbol")
        state = self.state
        columns = state.model.columns
        for symbol in given:
            if symbol not in columns:
                raise _unknown("given", symbol, tuple(s for s in columns if not s.startswith("?")), "symbol")
        held = {s: n.column for s, n in state.totals.names.items() if n.sides.net}
        fitted = sorted({*held.values(), *(columns[s] for s in given)})
        row = {column: number for number, column in enumerate(fitted)}
        shocks = {row[columns[s]]: _checked_shock(value, f"given[{s}]") for s, value in given.items()}
        covariance = present_covariance(state.model, fitted, self.config)
        try:
            expected = conditional_mean(shocks, covariance)
        except UndefinedMeasure as problem:
            raise InvalidRequest("UNDEFINED", "given", str(problem)) from None
        explained = _explained(sorted(shocks), covariance)
        said = ", ".join(f"{s} {value:+.1%}" for s, value in given.items())
        scenario = Scenario(
            id="given",
            name=name or f"given {said}",
            kind=ScenarioKind.HYPOTHETICAL,
            use=ScenarioUse.REPORT,
            description="What is expected of the rest.",
            horizon_days=1,
            sources=(Source("the given returns", "assumption of the user"),),
            rest=0.0,
            symbols=MappingProxyType({s: max(-1.0, float(expected[row[c]])) for s, c in held.items()}),
        )
        basis = {
            s: Basis(BasisKind.SYMBOL, "given")
            if s in given
            else Basis(
                BasisKind.CONDITIONAL,
                f"expected with {said}, R2 {explained[row[c]]:.2f}",
                None,
                explained[row[c]],
            )
            for s, c in held.items()
        }
        return replace(self._result(scenario), basis=MappingProxyType(basis))

    def run_reverse_stress(self, limit: str = "drawdown", horizon_days: int = 1) -> ReverseStressResult:
        """The most plausible move that breaks a limit; see `reverse_stress`."""
        return reverse_stress(self.state, self.config, limit, horizon_days, self.leans_on)

    def custom_scenario(
        self, name: str, shocks: Mapping[str, float], market: float | None = None
    ) -> Scenario:
        """A scenario of one's own, which `run_full_stress_suite` takes too.

        Parameters
        ----------
        name : str
            Its id is made from it.
        shocks : Mapping of str to float
            Shock of each symbol, sector or asset class; -0.2 is a fall of 20 %.
        market : float, optional
            Shock of the market, propagated by beta to what `shocks` does not name. Without it the rest
            is declared to stand still; names of which nothing is known take the deepest shock.

        Raises
        ------
        InvalidRequest
            For a name that is no symbol, sector or class, or a shock below -1 or above 100.
        """
        if not isinstance(shocks, Mapping):
            raise InvalidRequest("WRONG_TYPE", "shocks", "shocks are a mapping of name to fraction")
        if not shocks and market is None:
            raise InvalidRequest("EMPTY_SCENARIO", "shocks", "name a shock, or the market's")
        label = checked_name(name, "name")
        tables: dict[str, dict[str, float]] = {"classes": {}, "sectors": {}, "symbols": {}}
        for key, shock in shocks.items():
            tables[self._table_of(key)][key] = _checked_shock(shock, f"shocks[{key}]")
        return Scenario(
            id="custom_" + (re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_") or "scenario"),
            name=label,
            kind=ScenarioKind.HYPOTHETICAL,
            use=ScenarioUse.REPORT,
            description="A scenario of the user's own.",
            horizon_days=1,
            sources=(Source("all shocks", "assumption of the user"),),
            market=None if market is None else _checked_shock(market, "market"),
            rest=0.0 if market is None else None,
            classes=MappingProxyType(tables["classes"]),
            sectors=MappingProxyType(tables["sectors"]),
            symbols=MappingProxyType(tables["symbols"]),
        )

    def _table_of(self, key: object) -> str:
        state = self.state
        sectors = SECTORS | {i.sector for i in state.instruments.values()}
        for table, known in (("classes", CLASSES), ("sectors", sectors), ("symbols", state.instruments)):
            if key in known:
                return table
        raise _unknown("shocks", key, (*CLASSES, *sectors, *state.instruments), "symbol, sector or class")

    def _found(self, scenario_id: object) -> Scenario:
        scenarios = self._foundation.scenarios
        if isinstance(scenario_id, str) and scenario_id in scenarios:
            return scenarios[scenario_id]
        raise _unknown("scenario", scenario_id, tuple(scenarios), "scenario")

    def _is_known(self, scenario: Scenario) -> bool:
        """A replay must not know a crisis before it came."""
        if self.config.environment != "replay" or scenario.end is None:
            return True
        return scenario.end <= self.state.as_of.date()

    def _result(self, scenario: Scenario) -> StressResult:
        return stress_result(scenario, self.state, self.config, self._foundation.history, self.leans_on)


def _explained(given: list[int], covariance: Float) -> Float:
    """Share of each column's variance that the given ones explain, shape (N,)."""
    block = covariance[np.ix_(given, given)]
    across = covariance[:, given]
    part = np.einsum("ij,ji->i", across, np.linalg.solve(block, across.T))
    variance = np.diag(covariance)
    shares = np.divide(part, variance, out=np.zeros(len(variance)), where=variance > 0.0)
    return np.asarray(np.clip(shares, 0.0, 1.0))


def _checked_shock(value: object, field: str) -> float:
    shock = checked_number(value, field, signed=True, zero=True)
    if not -1.0 <= shock <= HIGHEST:
        raise InvalidRequest(
            "OUT_OF_RANGE", field, f"{field} is a fraction from -1 to {HIGHEST:g}; got {shock:g}"
        )
    return shock


def _unknown(field: str, value: object, known: tuple[str, ...], what: str) -> InvalidRequest:
    near = get_close_matches(str(value), known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return InvalidRequest(f"UNKNOWN_{field.upper()}", field, f"no {what} is called {shown(value)}{hint}")
