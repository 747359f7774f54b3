"""From a scenario and symbols to shocks, and from shocks and exposures to P&L. Pure: no file, no clock.

Where a symbol's shock comes from, first match: its figure in the file; the replay of its own (or its
proxy's) prices; its sector's figure; its class's; the `rest` that an event of a few assets declares;
beta times the market's shock; a declared stand-in. There is no silent zero: every symbol has a `Basis`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.calculators.scenarios.betas import Beta, estimate_beta, estimate_volatility
from risk_management.calculators.scenarios.replay import window_returns
from risk_management.calculators.scenarios.scenario import STABLECOIN, Scenario, ScenarioRule
from risk_management.errors import InvalidReturns, UndefinedMeasure
from risk_management.model.market import PriceHistory, ReturnMatrix

__all__ = [
    "STABLECOINS",
    "STABLECOIN_STAND_IN",
    "STAND_IN_BETAS",
    "Basis",
    "BasisKind",
    "Shocks",
    "resolve_shocks",
    "scenario_pnl",
    "shock_matrix",
    "stress_pnl",
]

Float = NDArray[np.float64]

STAND_IN_BETAS: Mapping[str, float] = MappingProxyType(
    {"crypto": 2.0, "bond_fund": 0.5, "fx": 0.5, "commodity_fund": 1.0}
)
"""Declared betas of names without any estimate, by class; every other class takes `unknown_beta`."""

STABLECOINS = frozenset({"USDT", "USDC", "DAI", "BUSD", "TUSD", "USDP", "FDUSD", "PYUSD", "USDE", "GUSD"})
"""Coins that are shocked as `stablecoin`, not as crypto."""

STABLECOIN_STAND_IN = -0.10
"""Where a file says nothing of stablecoins: the depeg that is a gate of its own."""


class BasisKind(StrEnum):
    """Where a symbol's shock comes from."""

    SYMBOL = "symbol"
    REPLAY = "replay"
    PROXY_REPLAY = "proxy_replay"
    SECTOR = "sector"
    CLASS = "class"
    REST = "rest"
    BETA = "beta"
    CONDITIONAL = "conditional"
    VOLATILITY = "volatility"
    STAND_IN = "stand_in"


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a symbol has its shock.

    Parameters
    ----------
    kind : BasisKind
    note : str
        One sentence for a person.
    beta, r_squared : float or None
        Of the market, where one was used; `r_squared` only where it was estimated.
    observations : int or None
        Days behind an estimate.
    """

    kind: BasisKind
    note: str
    beta: float | None = None
    r_squared: float | None = None
    observations: int | None = None


@dataclass(frozen=True, slots=True)
class Shocks:
    """A scenario's shocks of some symbols.

    Parameters
    ----------
    scenario_id : str
    rule : ScenarioRule
        How they meet exposures.
    symbols : tuple of str
    values : ndarray of shape (N,), read-only
        Fractions of at least -1; -0.2 is a fall of 20 %.
    basis : tuple of Basis
        One a symbol.
    """

    scenario_id: str
    rule: ScenarioRule
    symbols: tuple[str, ...]
    values: Float
    basis: tuple[Basis, ...]

    def of_kind(self, kind: BasisKind) -> tuple[str, ...]:
        """Symbols whose shock has this basis, such as those that lean on a stand-in."""
        return tuple(s for s, basis in zip(self.symbols, self.basis, strict=True) if basis.kind is kind)


def resolve_shocks(
    scenario: Scenario,
    symbols: Sequence[str],
    *,
    asset_classes: Mapping[str, str],
    sectors: Mapping[str, str],
    matrix: ReturnMatrix | None = None,
    closes: PriceHistory | None = None,
    betas: Mapping[str, float] | None = None,
    unknown_beta: float = 1.5,
) -> Shocks:
    """Find the shock of every symbol, and say where it comes from.

    Parameters
    ----------
    scenario : Scenario
    symbols : sequence of str, N of them
    asset_classes, sectors : Mapping of str to str
        What is known of the symbols; a symbol may be missing.
    matrix : ReturnMatrix or None
        A long history to estimate betas and volatilities on.
    closes : PriceHistory or None
        Prices to replay historical windows on.
    betas : Mapping of str to float or None
        Declared betas; they beat estimated ones.
    unknown_beta : float
        Beta of a symbol of which nothing is known.

    Returns
    -------
    Shocks
        Of shape (N,), in the order of `symbols`.
    """
    context = _Context(asset_classes, sectors, matrix, closes, betas or {}, unknown_beta)
    return _resolve(scenario, tuple(symbols), context)


def shock_matrix(
    scenarios: Iterable[Scenario],
    symbols: Sequence[str],
    *,
    asset_classes: Mapping[str, str],
    sectors: Mapping[str, str],
    matrix: ReturnMatrix | None = None,
    closes: PriceHistory | None = None,
    betas: Mapping[str, float] | None = None,
    unknown_beta: float = 1.5,
) -> Float:
    """Shocks of linear scenarios as one matrix, which the gate prepares once; see `resolve_shocks`.

    Returns
    -------
    ndarray of shape (S, N), column-major and read-only
        A changed position touches one contiguous column.

    Raises
    ------
    UndefinedMeasure
        A scenario is not linear: its P&L is `scenario_pnl`'s.
    """
    context = _Context(asset_classes, sectors, matrix, closes, betas or {}, unknown_beta)
    rows = []
    for scenario in scenarios:
        if not scenario.is_linear:
            raise UndefinedMeasure(f"{scenario.id} follows {scenario.rule}; its P&L is no sum of shocks")
        rows.append(_resolve(scenario, tuple(symbols), context).values)
    stacked = np.asfortranarray(np.array(rows, dtype=np.float64).reshape(len(rows), len(symbols)))
    stacked.flags.writeable = False
    return stacked


def stress_pnl(shocks: ArrayLike, exposures: ArrayLike) -> Float:
    """P&L of S linear scenarios.

    Parameters
    ----------
    shocks : array of shape (S, N)
    exposures : array of shape (N,)
        Signed money: a short's is negative, so it gains where prices fall.

    Returns
    -------
    ndarray of shape (S,)
        Money, negative for a loss.
    """
    table = np.asarray(shocks, dtype=np.float64)
    money = _checked(exposures, table.shape[-1])
    return np.asarray(table @ money, dtype=np.float64)


def scenario_pnl(shocks: Shocks, exposures: ArrayLike, *, venues: Sequence[str] | None = None) -> float:
    """P&L of one scenario under its rule.

    ``linear``
        sum of exposure times shock.
    ``against_exposure``
        every name moves by the size of its shock against its position; hedges do not help.
    ``largest_gap``
        one name gaps by the size of its shock against its position: the one that loses most.
    ``venue_lost``
        long exposures at one venue are lost by their shock (-1 is all), at the venue where most lies;
        shorts there bring no gain, since what they are owed is lost too.

    Parameters
    ----------
    shocks : Shocks
        Of shape (N,).
    exposures : array of shape (N,)
        Signed money.
    venues : sequence of str or None
        Venue of each exposure, for ``venue_lost``; None puts them all at one.

    Returns
    -------
    float
        Money, negative for a loss.
    """
    money = _checked(exposures, len(shocks.symbols))
    if shocks.rule is ScenarioRule.LINEAR:
        return float(shocks.values @ money)
    if shocks.rule is ScenarioRule.VENUE_LOST:
        return 0.0 - _largest_venue(np.maximum(money, 0.0) * np.maximum(-shocks.values, 0.0), venues)
    losses = np.abs(money) * np.abs(shocks.values)
    if shocks.rule is ScenarioRule.AGAINST_EXPOSURE:
        return 0.0 - float(losses.sum())
    return 0.0 - float(losses.max(initial=0.0))


def _largest_venue(losses: Float, venues: Sequence[str] | None) -> float:
    if venues is None:
        return float(losses.sum())
    if len(venues) != len(losses):
        raise InvalidReturns(f"{len(venues)} venues for {len(losses)} exposures; hand in one for each")
    by_venue: dict[str, float] = {}
    for venue, loss in zip(venues, losses, strict=True):
        by_venue[venue] = by_venue.get(venue, 0.0) + float(loss)
    return max(by_venue.values(), default=0.0)


def _checked(exposures: ArrayLike, count: int) -> Float:
    money = np.asarray(exposures, dtype=np.float64)
    if money.shape != (count,) or not np.isfinite(money).all():
        raise InvalidReturns(f"exposures of shape {money.shape}: {count} finite amounts are needed")
    return money


@dataclass(frozen=True, slots=True)
class _Context:
    """All that is known beside the scenario; estimates are made once and kept."""

    asset_classes: Mapping[str, str]
    sectors: Mapping[str, str]
    matrix: ReturnMatrix | None
    closes: PriceHistory | None
    betas: Mapping[str, float]
    unknown_beta: float
    estimates: dict[str, Beta | None] = field(default_factory=dict)

    def class_of(self, symbol: str) -> str | None:
        found = self.asset_classes.get(symbol)
        return STABLECOIN if found == "crypto" and _coin(symbol) in STABLECOINS else found

    def beta(self, symbol: str) -> Beta | None:
        if symbol not in self.estimates and self.matrix is not None:
            self.estimates[symbol] = estimate_beta(self.matrix, symbol)
        return self.estimates.get(symbol)


_Found = tuple[float, Basis]


def _resolve(scenario: Scenario, symbols: tuple[str, ...], context: _Context) -> Shocks:
    replayed = _replay(scenario, context.closes)
    found = [_shock(scenario, symbol, context, replayed) for symbol in symbols]
    values = np.maximum(np.array([value for value, _ in found], dtype=np.float64), -1.0)
    values.flags.writeable = False
    return Shocks(scenario.id, scenario.rule, symbols, values, tuple(basis for _, basis in found))


def _replay(scenario: Scenario, closes: PriceHistory | None) -> Mapping[str, _Found]:
    """Window returns of the symbols that have prices at both edges."""
    if closes is None or scenario.start is None or scenario.end is None:
        return {}
    returns = window_returns(closes, scenario.start, scenario.end)
    found: dict[str, _Found] = {}
    for symbol, value in zip(closes.symbols, returns.tolist(), strict=True):
        if np.isfinite(value):
            info = closes.info.get(symbol)
            proxy = info is not None and info.is_proxy
            series = info.series if info is not None else "own prices"
            kind = BasisKind.PROXY_REPLAY if proxy else BasisKind.REPLAY
            found[symbol] = value, Basis(kind, f"{series}, {scenario.start} to {scenario.end}")
    return found


def _shock(scenario: Scenario, symbol: str, context: _Context, replayed: Mapping[str, _Found]) -> _Found:
    """First match of the order that the module states."""
    asset_class = context.class_of(symbol)
    known_class = asset_class or ""
    key = symbol if symbol in scenario.symbols or asset_class not in ("crypto", STABLECOIN) else _coin(symbol)
    if key in scenario.symbols:
        return scenario.symbols[key], Basis(BasisKind.SYMBOL, "figure of the file")
    if scenario.volatility_multiple > 0:
        return _by_volatility(scenario, symbol, asset_class, context)
    if symbol in replayed:
        return replayed[symbol]
    sector = context.sectors.get(symbol, "")
    if sector in scenario.sectors:
        return scenario.sectors[sector], Basis(BasisKind.SECTOR, f"figure of the sector {sector}")
    if known_class in scenario.classes:
        return scenario.classes[known_class], Basis(BasisKind.CLASS, f"figure of the class {known_class}")
    if asset_class is not None and scenario.rest is not None:
        return scenario.rest, Basis(BasisKind.REST, "the file declares the rest of the market unmoved")
    return _by_beta(scenario, symbol, asset_class, context)


def _by_beta(scenario: Scenario, symbol: str, asset_class: str | None, context: _Context) -> _Found:
    market = scenario.market
    if market is None or (scenario.rest is not None and asset_class is None):
        deepest = "the deepest shock of the file" if scenario.worst else "no fall in the file, so no move"
        return scenario.worst, Basis(BasisKind.STAND_IN, f"nothing known: {deepest}")
    if asset_class == STABLECOIN:
        return STABLECOIN_STAND_IN, Basis(BasisKind.STAND_IN, "stablecoin: the depeg of the gate")
    if symbol in context.betas:
        beta = context.betas[symbol]
        return beta * market, Basis(BasisKind.BETA, f"declared beta {beta:.2f}", beta)
    fit = context.beta(symbol)
    if fit is not None:
        note = f"beta {fit.beta:.2f}, R2 {fit.r_squared:.2f} on {fit.observations} days"
        return fit.beta * market, Basis(BasisKind.BETA, note, fit.beta, fit.r_squared, fit.observations)
    beta = STAND_IN_BETAS.get(asset_class or "", context.unknown_beta)
    return beta * market, Basis(BasisKind.STAND_IN, f"no history: stand-in beta {beta:.2f}", beta)


def _by_volatility(scenario: Scenario, symbol: str, asset_class: str | None, context: _Context) -> _Found:
    """A multiple of the name's volatility, never milder than the figure of its class."""
    floor = scenario.classes.get(asset_class or "", scenario.worst)
    fit = None if context.matrix is None else estimate_volatility(context.matrix, symbol)
    if fit is None:
        kind = BasisKind.CLASS if asset_class in scenario.classes else BasisKind.STAND_IN
        return floor, Basis(kind, "no volatility: the figure of the class, or the deepest of the file")
    sigma, count = fit
    move = -scenario.volatility_multiple * sigma * float(np.sqrt(scenario.horizon_days))
    note = f"{scenario.volatility_multiple:g} x daily volatility {sigma:.2%} on {count} days, or the floor"
    return min(move, floor), Basis(BasisKind.VOLATILITY, note, observations=count)


def _coin(symbol: str) -> str:
    """Coin of a pair: BTC of ``BTC/USDT``, ``BTC-USD`` and ``BTC``."""
    return symbol.replace("-", "/").split("/", 1)[0]
