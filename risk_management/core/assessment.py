"""The whole book measured at once: every metric of the vocabulary, every limit with its use, one score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.bot_room import maximum, may_hold
from risk_management.core.budget import budget_limit, budget_uses
from risk_management.core.correlation_monitor import CorrelationMetrics, correlation_metrics
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.portfolio_heat import HeatMetrics, heat_metrics
from risk_management.core.proposal import GATE_CONFIDENCES
from risk_management.core.var_record import es_limit, var_limit
from risk_management.measures.tail import var_es
from risk_management.model.explain import amount
from risk_management.model.html import card
from risk_management.model.instrument import AssetClass
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PortfolioState, Quote, TradingMode
from risk_management.monitors.drawdown_protection import DrawdownStatus, drawdown_status

SHOWN = 5
ZONES = ("green", "yellow", "red")
__all__ = ["LimitUse", "Measured", "RiskAssessment", "allowed_age", "measure", "stale_symbols"]


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One limit and how much of it is used.

    Parameters
    ----------
    name : str
        Name of the limit.
    subject : str
        The symbol, sector, bot or scenario that uses most of it.
    used, limit : float
        In `unit`.
    unit : str
        ``fraction`` of equity, ``score``, ``count`` or ``money``.
    hard : bool
        Counts for the risk score.
    breach : float, optional
        What is a breach, in `unit`, where it is more than `limit`: a bot on probation, held by its own
        record or made smaller by a drawdown may fill what it has, and only beyond its whole maximum is
        anything wrong.
    """

    name: str
    subject: str
    used: float
    limit: float
    unit: str
    hard: bool = True
    breach: float | None = None

    @property
    def use(self) -> float:
        """Used over limit; 1 is the limit itself."""
        return _over(self.used, self.limit)

    @property
    def strain(self) -> float:
        """Used over what is a breach: `use`, but where `breach` is given."""
        return self.use if self.breach is None else _over(self.used, self.breach)

    def explain(self) -> str:
        """One line: the limit, what is used of it, and what is allowed."""
        name = f"{self.name} ({self.subject})" if self.subject else self.name
        used, allowed = amount(self.used, self.unit), amount(self.limit, self.unit)
        return f"{name}: {used} of {allowed}, {self.level}"

    @property
    def room(self) -> float:
        """What is left, in `unit`."""
        return self.limit - self.used

    @property
    def level(self) -> str:
        """``ok``, ``warning`` from 80 % of the strain, ``critical`` from 95 %, ``breached`` above 1.

        ``full`` where nothing is left to use and no strain is on it.
        """
        if self.strain > 1.0 + 1e-9:
            return "breached"
        if self.strain >= 0.95:
            return "critical"
        if self.strain >= 0.80:
            return "warning"
        return "full" if self.use >= 1.0 - 1e-9 else "ok"


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that is measured of a state, before anyone acts on it."""

    metrics: Mapping[str, float]
    limits: tuple[LimitUse, ...]
    heat: HeatMetrics
    correlation: CorrelationMetrics
    drawdown: DrawdownStatus
    stress_scenario: str


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """The state of the book at one moment.

    Parameters
    ----------
    overall_risk_score : float
        Largest strain of any hard limit x 100, 0 to 100; higher is worse.
    score_driver : str
        The limit that it comes from.
    level : str
        ``green``, ``amber`` from 80, ``red`` from 95.
    new_trades_allowed : bool
        From mode and limits, never from the score.
    blocked_by : tuple of str
        Why not.
    mode : TradingMode
    metrics : Mapping of str to float
        Every word of the vocabulary; NaN where it can't be said.
    limits : tuple of LimitUse
        The most strained first.
    heat : HeatMetrics
    correlation : CorrelationMetrics
    drawdown : DrawdownStatus
    stress_scenario : str
        The worst gate scenario.
    emergencies : tuple of str
        Protocols that acted in this assessment, each as a sentence.
    alerts : tuple of str
        Alerts that fired, each as a sentence.
    equity : float or None
    as_of : datetime
    state_version : int
    leans_on : tuple of str
    """

    overall_risk_score: float
    score_driver: str
    level: str
    new_trades_allowed: bool
    blocked_by: tuple[str, ...]
    mode: TradingMode
    metrics: Mapping[str, float]
    limits: tuple[LimitUse, ...]
    heat: HeatMetrics
    correlation: CorrelationMetrics
    drawdown: DrawdownStatus
    stress_scenario: str
    emergencies: tuple[str, ...]
    alerts: tuple[str, ...]
    equity: float | None
    as_of: datetime
    state_version: int
    leans_on: tuple[str, ...]

    def explain(self) -> str:
        """The assessment in a few lines for a person."""
        lines = [
            f"Risk score {self.overall_risk_score:.0f}/100 ({self.level}), driven by {self.score_driver}.",
            f"Mode {self.mode.value}; new trades {'allowed' if self.new_trades_allowed else 'stopped'}.",
        ]
        lines += [f"  stopped by: {reason}" for reason in self.blocked_by]
        most = self.limits[:SHOWN]
        lines += [f"  {use.explain()}" for use in most if use.use > 0.0]
        lines += [f"  emergency: {text}" for text in self.emergencies]
        if self.leans_on:
            lines.append("Leans on: " + "; ".join(text.rstrip(".") for text in self.leans_on) + ".")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        first, mode, *_ = self.explain().splitlines()
        rows = [
            (u.name.replace("_", " "), u.subject, u.level, amount(u.used, u.unit), amount(u.limit, u.unit))
            for u in self.limits
        ]
        notes = [mode, *(f"Stopped by: {reason}." for reason in self.blocked_by), *self.emergencies]
        notes += [f"Leans on: {said}" for said in self.leans_on]
        mark = {"amber": "warning", "red": "bad"}.get(self.level, "")
        return card(first, ("limit", "of", "level", "used", "limit"), rows, mark=mark, notes=notes, texts=3)


def measure(
    state: PortfolioState,
    config: RiskManagementConfig,
    *,
    failed_checks: int,
    now: datetime,
    leans_on: tuple[str, ...] = (),
) -> Measured:
    """Measure a state.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    failed_checks : int
        Decisions in a row in which a check failed.
    now : datetime
    leans_on : tuple of str
    """
    heat = heat_metrics(state, config, leans_on)
    correlation = correlation_metrics(state, config)
    stress = state.totals.stress + state.totals.reserved_stress
    worst = int(stress.argmin()) if stress.size else -1
    budgets = tuple(_budgets(state, config))
    metrics = {
        **_size_metrics(state, config, heat),
        **_loss_metrics(state, config),
        **_tail_metrics(state, config, -float(stress[worst]) if worst >= 0 else math.nan),
        **_correlation_metrics(correlation),
        "budget_use": max((use.use for use in budgets), default=0.0),
        "failed_checks": float(failed_checks),
        "stale_symbols": float(len(stale_symbols(state, config, now))),
    }
    limits = tuple(sorted((*_limits(state, config, metrics, heat, worst), *budgets), key=lambda u: -u.strain))
    hard = [use.strain for use in limits if use.hard]
    metrics["risk_score"] = 100.0 * max(hard, default=0.0)
    scenario = state.model.scenario_ids[worst] if worst >= 0 else ""
    status = drawdown_status(state, config)
    return Measured(MappingProxyType(metrics), limits, heat, correlation, status, scenario)


def _over(used: float, limit: float) -> float:
    """Used over limit; a limit of nothing is used up by anything."""
    if limit > 0.0:
        return used / limit
    return math.inf if used > 0.0 else 0.0 * used


def _base(state: PortfolioState) -> float:
    """Equity to divide by; NaN where there is none, so that no fraction is made up."""
    equity = state.totals.equity
    return equity if equity is not None and equity > 0.0 else math.nan


def _size_metrics(state: PortfolioState, config: RiskManagementConfig, heat: HeatMetrics) -> dict[str, float]:
    totals, equity, base = state.totals, state.totals.equity, _base(state)
    return {
        "equity": math.nan if equity is None else equity,
        "cash": totals.cash / SCALE,
        "high_water_mark": state.high_water_mark,
        "portfolio_heat": heat.raw_heat,
        "open_risk": heat.open_risk,
        "max_position": heat.max_single_position_pct,
        "single_name_use": max((use.use for use in _names(state, config)), default=0.0),
        "max_sector": max(map(abs, heat.by_sector.values()), default=0.0),
        "max_cluster": max((s.worst for s in totals.clusters.values()), default=0) / SCALE / base,
        "herfindahl": heat.herfindahl,
        "effective_names": heat.effective_names,
        "gross_exposure": heat.gross_exposure,
        "net_exposure": heat.net_exposure,
        "leverage": heat.leverage,
        "positions": float(heat.positions),
        "pending": float(heat.pending),
    }


def _loss_metrics(state: PortfolioState, config: RiskManagementConfig) -> dict[str, float]:
    return {
        "drawdown": state.drawdown.drawdown,
        "daily_loss": state.drawdown.daily_loss,
        "weekly_loss": state.drawdown.weekly_loss,
        "rolling_loss": state.drawdown.rolling_loss(config.drawdown_config.rolling_days),
        "position_multiplier": state.drawdown.effective_multiplier,
        "time_under_water": float(state.drawdown.under_water_days),
    }


def _tail_metrics(state: PortfolioState, config: RiskManagementConfig, stress: float) -> dict[str, float]:
    """VaR, expected shortfall and stress with what is approved; `stress` is the worst loss in money."""
    base = _base(state)
    (var, _), (_, es) = var_es(state.totals.pnl + state.totals.reserved_pnl, GATE_CONFIDENCES)
    return {
        "var_95": var / base,
        "es_975": es / base,
        "var_utilization": _over(var / base, var_limit(state, config)),
        "es_utilization": _over(es / base, es_limit(state, config)),
        "stress_loss": stress / base,
        "var_exceptions": float(state.var_record.exceptions),
        "var_zone": float(ZONES.index(state.var_record.zone)),
    }


def _correlation_metrics(correlation: CorrelationMetrics) -> dict[str, float]:
    return {
        "max_correlation": correlation.max_pairwise_correlation,
        "average_correlation": correlation.average_correlation,
        "correlation_spike": float(correlation.spike is not None),
        "volatility_ratio": correlation.volatility_ratio,
        "absorption_ratio": correlation.absorption_ratio,
    }


def _limits(
    state: PortfolioState,
    config: RiskManagementConfig,
    metrics: Mapping[str, float],
    heat: HeatMetrics,
    worst: int,
) -> Iterator[LimitUse]:
    limits, drawdown = config.portfolio_limits, config.drawdown_config
    yield from _names(state, config)
    base, totals = _base(state), state.totals
    sectors = {sector: sides.worst / SCALE / base for sector, sides in totals.sectors.items()}
    yield _largest("sector", sectors, limits.max_sector_exposure)
    yield LimitUse("cluster", "", metrics["max_cluster"], limits.max_cluster_exposure, "fraction")
    for strategy, share in heat.by_strategy.items():
        budget = limits.strategy_budgets.get(strategy, limits.max_strategy_exposure)
        yield LimitUse("strategy", strategy, share, budget, "fraction")
    for name, share in heat.by_bot.items():
        bot = state.bots.get(name)
        if name in ACCOUNT_WIDE:
            continue
        most = maximum(bot, config, base) / base
        room = may_hold(name, bot, config, base, state.drawdown.effective_multiplier) / base
        yield LimitUse("bot", name, share, room, "fraction", breach=most if room < most else None)
    yield LimitUse("gross", "", heat.gross_exposure, limits.max_gross_exposure, "fraction")
    yield LimitUse("net", "", totals.portfolio.worst / SCALE / base, limits.max_net_exposure, "fraction")
    yield _largest("leverage", heat.by_account, limits.max_leverage)
    yield LimitUse("positions", "", float(len(totals.names)), limits.max_positions, "count")
    yield LimitUse("heat", "", heat.raw_heat, 100.0, "score")
    scenario = state.model.scenario_ids[worst] if worst >= 0 else "none is loaded"
    yield LimitUse(
        "stress", scenario, metrics["stress_loss"], config.stress_config.max_stress_loss, "fraction"
    )
    yield LimitUse("drawdown", "", metrics["drawdown"], drawdown.max_portfolio_drawdown, "fraction")
    yield LimitUse("daily_loss", "", metrics["daily_loss"], drawdown.daily_loss_limit, "fraction")
    yield LimitUse("weekly_loss", "", metrics["weekly_loss"], drawdown.weekly_loss_limit, "fraction")
    yield LimitUse("rolling_loss", "", metrics["rolling_loss"], drawdown.rolling_loss_limit, "fraction")
    yield LimitUse("var", "", metrics["var_95"], var_limit(state, config), "fraction", hard=False)
    yield LimitUse(
        "expected_shortfall", "", metrics["es_975"], es_limit(state, config), "fraction", hard=False
    )


def _budgets(state: PortfolioState, config: RiskManagementConfig) -> Iterator[LimitUse]:
    """What each strategy uses of the risk budget, beside what it may use now."""
    equity = state.totals.equity
    if state.budget is None or equity is None or equity <= 0.0:
        return
    uses = budget_uses(state, state.budget)
    for strategy, used in uses.items():
        limit = budget_limit(state, config, state.budget, strategy, uses)
        yield LimitUse("budget", strategy, used / equity, limit / equity, "fraction", hard=False)


def _names(state: PortfolioState, config: RiskManagementConfig) -> Iterator[LimitUse]:
    """The most used single-name limit of each class."""
    equity = state.totals.equity
    if equity is None or equity <= 0.0:
        return
    limits = config.portfolio_limits
    best: dict[str, LimitUse] = {}
    for symbol, name in state.totals.names.items():
        kind = state.instruments[symbol].asset_class
        if kind == AssetClass.INDEX_FUND:
            label, limit = "index_fund", limits.max_index_fund_position
        elif kind == AssetClass.CRYPTO and symbol in limits.major_coins:
            label, limit = "major_coin", limits.max_major_coin_position
        elif kind == AssetClass.CRYPTO:
            label, limit = "coin", limits.max_coin_position
        else:
            label, limit = "single_name", limits.max_single_position
        use = LimitUse(label, symbol, name.sides.worst / SCALE / equity, limit, "fraction")
        if label not in best or use.use > best[label].use:
            best[label] = use
    yield from best.values()


def _largest(name: str, shares: Mapping[str, float], limit: float) -> LimitUse:
    subject = max(shares, key=lambda key: abs(shares[key]), default="")
    return LimitUse(name, subject, abs(shares[subject]) if subject else 0.0, limit, "fraction")


def stale_symbols(state: PortfolioState, config: RiskManagementConfig, now: datetime) -> list[str]:
    """Held symbols whose price or history is too old, or missing."""
    found = []
    for symbol, name in state.totals.names.items():
        quote = state.quotes.get(symbol)
        if not name.keys:
            continue
        if quote is None:
            coverage = state.model.matrix.coverage.get(symbol)
            is_stale = coverage is None or coverage.stale
        else:
            is_stale = (now - quote.time).total_seconds() > allowed_age(state, config, symbol, quote)
        if is_stale:
            found.append(symbol)
    return found


def allowed_age(state: PortfolioState, config: RiskManagementConfig, symbol: str, quote: Quote) -> float:
    """Seconds after which a quote authorises nothing any more."""
    settings = config.market_data_config
    if quote.daily:
        return settings.stale_days * 86_400.0
    known = state.instruments.get(symbol)  # a price may come of what nobody defined
    kind = "other" if known is None else known.asset_class
    return settings.quote_age.get(kind, settings.quote_age.get("other", 60.0))
