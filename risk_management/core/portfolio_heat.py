"""Portfolio heat: open risk over its budget; and beside it how concentrated the book is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.accounts import account_equity
from risk_management.core.front import Front
from risk_management.measures.concentration import effective_number, herfindahl
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState
from risk_management.model.totals import NameTotals

__all__ = ["HeatMetrics", "PortfolioHeatMonitor", "heat_metrics"]


@dataclass(frozen=True, slots=True)
class HeatMetrics:
    """Heat and concentration of the book, with approved and not yet filled orders at their worst.

    Parameters
    ----------
    overall_heat : float
        Open risk over its budget, 0 to 100.
    raw_heat : float
        The same without the ceiling.
    open_risk, risk_budget : float
        Money.
    level : str
        ``normal``, ``warning`` or ``critical``.
    max_single_position_pct : float
        Largest net position in one symbol, as a fraction of equity.
    largest_position : str
        That symbol; empty for an empty book.
    herfindahl, effective_names : float
        Concentration of gross exposure; 0 for an empty book.
    gross_exposure, net_exposure, leverage : float
        Fractions of equity.
    long_exposure, short_exposure : float
        Money held on each side.
    by_symbol, by_sector, by_strategy, by_bot, by_account : Mapping of str to float
        Fractions of equity: net by symbol and sector, worst gross by owner; accounts by their own equity.
    risk_by_symbol : Mapping of str to float
        Open risk of each symbol alone, money.
    unverified_stops : tuple of str
        Symbols whose stop is not known to stand at the broker.
    positions, pending : int
        Symbols held; approvals that are not filled.
    leans_on : tuple of str
    """

    overall_heat: float
    raw_heat: float
    open_risk: float
    risk_budget: float
    level: str
    max_single_position_pct: float
    largest_position: str
    herfindahl: float
    effective_names: float
    gross_exposure: float
    net_exposure: float
    leverage: float
    long_exposure: float
    short_exposure: float
    by_symbol: Mapping[str, float]
    by_sector: Mapping[str, float]
    by_strategy: Mapping[str, float]
    by_bot: Mapping[str, float]
    by_account: Mapping[str, float]
    risk_by_symbol: Mapping[str, float]
    unverified_stops: tuple[str, ...]
    positions: int
    pending: int
    leans_on: tuple[str, ...]


def heat_metrics(
    state: PortfolioState, config: RiskManagementConfig, leans_on: tuple[str, ...] = ()
) -> HeatMetrics:
    """Heat and concentration of a state."""
    totals = state.totals
    equity = max(totals.equity or 0.0, 0.0)
    budget = config.heat_config.max_open_risk * equity
    open_risk = totals.open_risk
    raw = 100.0 * open_risk / budget if budget > 0.0 else (100.0 if open_risk > 0.0 else 0.0)
    names = {s: n.sides.net / SCALE for s, n in totals.names.items()}
    held = [abs(v) for v in names.values() if v]
    largest = max(names, key=lambda s: abs(names[s]), default="")
    gross = totals.gross / SCALE

    worth = {a: account_equity(state, a) for a in totals.accounts}
    by_account = {a: v / SCALE / worth[a] if worth[a] > 0.0 else 0.0 for a, v in totals.accounts.items()}

    def of_equity(amount: float) -> float:
        return amount / equity if equity > 0.0 else 0.0

    return HeatMetrics(
        overall_heat=min(raw, 100.0),
        raw_heat=raw,
        open_risk=open_risk,
        risk_budget=budget,
        level=_level(raw, config),
        max_single_position_pct=of_equity(abs(names[largest])) if largest else 0.0,
        largest_position=largest,
        herfindahl=herfindahl(held) if held else 0.0,
        effective_names=effective_number(held) if held else 0.0,
        gross_exposure=of_equity(gross),
        net_exposure=of_equity(totals.portfolio.net / SCALE),
        leverage=max(by_account.values(), default=0.0),
        long_exposure=totals.long / SCALE,
        short_exposure=totals.short / SCALE,
        by_symbol=MappingProxyType({s: of_equity(v) for s, v in names.items()}),
        by_sector=MappingProxyType({s: of_equity(v.net / SCALE) for s, v in totals.sectors.items()}),
        by_strategy=_shares(totals.strategies, equity),
        by_bot=_shares(totals.bots, equity),
        by_account=MappingProxyType(by_account),
        risk_by_symbol=MappingProxyType({s: _risk(n) for s, n in totals.names.items()}),
        unverified_stops=tuple(
            sorted({p.symbol for p in state.positions.values() if p.has_stop and not p.stop_verified})
        ),
        positions=sum(1 for n in totals.names.values() if n.keys),
        pending=len(state.reservations),
        leans_on=leans_on,
    )


def _level(heat: float, config: RiskManagementConfig) -> str:
    if heat >= config.heat_config.critical_heat:
        return "critical"
    return "warning" if heat >= config.heat_config.warning_heat else "normal"


def _shares(sums: Mapping[str, int], equity: float) -> Mapping[str, float]:
    return MappingProxyType({k: v / SCALE / equity if equity > 0.0 else 0.0 for k, v in sums.items()})


def _risk(name: NameTotals) -> float:
    return name.risk.worst / SCALE


class PortfolioHeatMonitor(Front):
    """Tracks how much of the risk budget the open positions use.

    Per position the larger of the loss at its stop and its one-day 99 % expected shortfall; without a
    stop the notional times the larger of three daily volatilities and a floor. Inside a signed
    correlation cluster risks add, across clusters they add as a root of squares.
    """

    def calculate_heat_metrics(self) -> HeatMetrics:
        """Heat and concentration of the book as it stands."""
        return heat_metrics(self.state, self.config, self.leans_on)

    def update_positions(self, positions: Mapping[str, float], portfolio_value: float) -> None:
        """Replace the book by sizes in money, `portfolio_value` worth in all."""
        self._replace_positions(positions, portfolio_value, "add_position")
