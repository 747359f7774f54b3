"""Which stops were false: latched or closed something where true prices and true cash would not have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.assessment import measure
from risk_management.core.emergency_rows import emergency_rows
from risk_management.core.initial_state import totals_from_scratch
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.model.events import BotChanged, Event, Filled, HoldSet, PeaksSeen
from risk_management.model.portfolio import (
    EMERGENCY_STOP,
    SYSTEM,
    Bot,
    Hold,
    PortfolioState,
    Scope,
    TradingMode,
)
from risk_management.simulate.broker import Broker
from risk_management.simulate.market import Market
from risk_management.simulate.outcome import BrokenInvariant, Tally
from risk_management.simulate.truth import Truth

__all__ = ["Stops"]

SLACK: Final = 0.9
"""A true loss of this share of a threshold excuses a stop: the engine's prices are some seconds older."""


class Stops:
    """Judges every stop and every closing that the engine decided by itself.

    Parameters
    ----------
    truth : Truth
    market : Market
    tally : Tally
    engine : callable
        The running engine, None while there is none.
    config : callable
        The settings in use.
    is_meant : callable
        Whether a person's stop is in force.
    asks_too_often : callable
        Whether a bot truly ran away.
    broker : Broker
        Knows what it truly filled, and when units were split.
    """

    def __init__(
        self,
        truth: Truth,
        market: Market,
        tally: Tally,
        engine: Callable[[], AdvancedRiskManager | None],
        config: Callable[[], RiskManagementConfig],
        is_meant: Callable[[], bool],
        asks_too_often: Callable[[str], bool],
        broker: Broker,
    ) -> None:
        self._truth, self._market, self._tally = truth, market, tally
        self._engine, self._settings = engine, config
        self._is_meant, self._asks_too_often = is_meant, asks_too_often
        self._broker = broker
        self.before: PortfolioState | None = None
        """The state before the assessment that is under way."""

    def judge(self, events: Sequence[Event]) -> None:
        """Look at what was just written."""
        for event in events:
            if isinstance(event, HoldSet):
                self._hold(event.hold)
            elif isinstance(event, BotChanged) and event.actor == SYSTEM and not event.bot.enabled:
                self._bot(event.bot)
            elif isinstance(event, Filled) and event.actor == SYSTEM and event.request_id.startswith(SYSTEM):
                self._closing(event)
            elif isinstance(event, PeaksSeen) and event.actor != SYSTEM and self._state() is not None:
                for name, _ in event.bots:
                    self._truth.begins_anew(f"b:{name}", self._known())
                for name, _ in event.strategies:
                    self._truth.begins_anew(f"s:{name}", self._known())

    def _state(self) -> PortfolioState | None:
        engine = self._engine()
        return self.before if engine is None else engine.state

    def _known(self) -> PortfolioState:
        state = self._state()
        assert state is not None  # noqa: S101 - something was written, so there is one
        return state

    def _hold(self, hold: Hold) -> None:
        if hold.scope is Scope.PORTFOLIO and hold.mode is TradingMode.HALTED:
            self._halt(hold)
        elif hold.cause == "strategy_drawdown":
            settings, limits = self._settings().drawdown_config, self._settings().portfolio_limits
            budget = limits.max_strategy_exposure * self._truth.equity()
            self._owner(f"s:{hold.name}", budget, settings.max_strategy_drawdown, hold.reason)
        elif hold.cause == "fill_price" and not self._broker.told_old_units(hold.name):
            self._false("false stops of a symbol", f"every fill was at a true price: {hold.reason}")

    def _halt(self, hold: Hold) -> None:
        self._tally.did["halts"] += 1
        if hold.cause == EMERGENCY_STOP and self._is_meant():
            return
        if hold.cause == "store":
            self._tally.did["halts while the store contradicted itself"] += 1
            return
        if hold.cause == "emergency_drawdown":
            self._drawdown("false halts", hold.cause, hold.reason)
            return
        self._false("false halts", f"{hold.cause}: {hold.reason}")

    def _bot(self, bot: Bot) -> None:
        reason = bot.disabled_reason
        if "times in a minute" in reason:
            self._tally.did["runaway bots switched off"] += 1
            if not self._asks_too_often(bot.name):
                self._false("false stops of a bot", f"{bot.name}: {reason}")
            return
        if "did not fill in a row" in reason:
            self._tally.did["bots switched off for orders that did not fill"] += 1
            if self._broker.unfilled_in_a_row(bot.name) < self._settings().bot_config.max_rejects_in_a_row:
                self._false("false stops of a bot", f"{bot.name}: {reason}")
            return
        config = self._settings()
        capital = bot.max_exposure or config.bot_config.max_exposure * self._truth.equity()
        self._owner(f"b:{bot.name}", capital, config.drawdown_config.max_bot_drawdown, reason)

    def _owner(self, name: str, capital: float, limit: float, reason: str) -> None:
        loss = self._truth.loss_of(name, self._known())
        self._tally.did["bots and strategies stopped by a true loss"] += 1
        if loss < SLACK * limit * capital:
            text = f"{name} truly lost {loss:.2f} of {capital:.2f}, the limit is {limit:.0%}; {reason}"
            self._false("false stops of a bot or strategy", text)

    def _closing(self, fill: Filled) -> None:
        """A position that a protocol closed."""
        cause = fill.request_id.split("-")[1]
        self._tally.did["positions closed by a protocol"] += 1
        if cause in {"emergency_drawdown", "drawdown_trim"}:
            self._drawdown("false liquidations", cause, fill.request_id)
            return
        row = next((row for row in emergency_rows(self._settings()) if row.name == cause), None)
        if row is None or self.before is None:
            self._false("false liquidations", f"nobody knows what {fill.request_id} is for")
            return
        value = self._true_metrics(self.before).get(row.metric, 0.0)
        if value < SLACK * row.threshold:
            told = f"the true {row.metric} is {value:.4f} of {row.threshold:.4f}"
            text = f"{cause} closed {fill.key.symbol}; {told}"
            self._false("false liquidations", text)

    def _drawdown(self, name: str, cause: str, said: str) -> None:
        row = next(row for row in emergency_rows(self._settings()) if row.name == cause)
        if self._truth.drawdown < SLACK * row.threshold:
            text = f"the true drawdown is {self._truth.drawdown:.2%} of {row.threshold:.2%}; {said}"
            self._false(name, text)

    def _true_metrics(self, state: PortfolioState) -> dict[str, float]:
        """The engine's own measures on its own positions at true prices."""
        quotes = {
            symbol: quote._replace(price=self._market.prices.get(symbol, quote.price), anchor=None)
            for symbol, quote in state.quotes.items()
        }
        true = replace(state, quotes=MappingProxyType(quotes), unsure=frozenset())
        true = replace(true, totals=totals_from_scratch(true))
        return dict(measure(true, self._settings(), failed_checks=0, now=state.as_of, leans_on=()).metrics)

    def _false(self, name: str, text: str) -> None:
        self._tally.did[name] += 1
        raise BrokenInvariant(name, text)
