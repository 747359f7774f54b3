"""The gated arm: every order is asked for, and what the risk system wants closed is closed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from risk_management.clock import ManualClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderTicket
from risk_management.core.reduction import CloseIntent
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.demo.accounting import Account, CostModel, Fill
from risk_management.demo.bots import BOTS, SLEEVE
from risk_management.demo.course import Course
from risk_management.demo.events import EventLog
from risk_management.demo.market import STOCKS, Market
from risk_management.demo.records import AlertCourse, Event, MeasureCourse
from risk_management.demo.simulation import Order, Path, Recorder, fill_of, orders_after
from risk_management.market_data._series import close_moment
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.risk_model import RiskModel
from risk_management.model.trade import TradeDecision

__all__ = ["Decided", "Gate", "GatedRun", "demo_config", "prepare", "run_gated"]

REFIT_DAYS = 20
"""Trading days between refits of clusters and scenario shocks; volatility moves every day."""
LONGEST_WAIT = 5 * 86_400.0
"""An approval waits for the next close, over weekends and holidays."""
BOT_INDEX = {bot.name: place for place, bot in enumerate(BOTS)}


@dataclass(frozen=True, slots=True)
class Decided:
    """One order and its answer.

    Parameters
    ----------
    row : int
        Row of the market at whose close it was asked.
    bot, column : int
    side : int
    requested, approved : float
        Money.
    outcome : str
        ``approved``, ``cut`` or ``refused``.
    codes : tuple of str
        The binding one first.
    """

    row: int
    bot: int
    column: int
    side: int
    requested: float
    approved: float
    outcome: str
    codes: tuple[str, ...]

    @property
    def forgone(self) -> float:
        """Money that was asked for and not approved."""
        return self.requested - self.approved


@dataclass(frozen=True, slots=True)
class GatedRun:
    """The gated arm: its path, every decision, what the risk system did, and how its days were spent.

    Parameters
    ----------
    path : Path
    decisions : tuple of Decided
    events : tuple of Event
    alerts : tuple of AlertCourse
    measures : tuple of MeasureCourse
    cancelled : int
        Approvals that an emergency took back before they were filled.
    protective : int
        Fills of what the risk system closed.
    mode_days : Mapping of str to int
        Days that ended in each mode or restriction.
    closed_days : int
        Days that ended with nothing new allowed.
    flags : int
        Fills that the desk flagged; none is expected.
    largest_gap : float
        Largest difference between the manager's equity and the demo's own, as a fraction.
    """

    path: Path
    decisions: tuple[Decided, ...]
    events: tuple[Event, ...]
    alerts: tuple[AlertCourse, ...]
    measures: tuple[MeasureCourse, ...]
    cancelled: int
    protective: int
    mode_days: dict[str, int]
    closed_days: int
    flags: int
    largest_gap: float


def demo_config(capital: float) -> RiskManagementConfig:
    """The default limits for an account of this size, in a replay of daily closes.

    One setting differs from the defaults: an approval is good until the next close and not for five
    minutes, because that is when these bots trade.
    """
    return RiskManagementConfig().update(
        environment="replay", portfolio_value=capital, order_config={"reservation_life": LONGEST_WAIT}
    )


def prepare(market: Market, capital: float) -> Foundation:
    """Volatility forecasts of the whole history, once; models of single days come from them."""
    config = demo_config(capital)
    longest = config.update(market_data_config={"window": 10_000})
    return lay_foundation(longest, prices=market.history).under(config)


class Gate:
    """The manager at work, one close after the other.

    Parameters
    ----------
    market : Market
    foundation : Foundation
        From `prepare`.
    first : int
        First row that is traded.
    capital : float
    costs : CostModel
    """

    def __init__(
        self, market: Market, foundation: Foundation, first: int, capital: float, costs: CostModel
    ) -> None:
        self._market, self._costs = market, costs
        self._preparation = foundation.preparation
        self._model = self._model_of(first - 1)
        clock = ManualClock(self._moment(first - 1))
        self._clock = clock
        self.manager = AdvancedRiskManager.on(
            replace(foundation, config=demo_config(capital), model=self._model, clock=clock),
            executor=self._wanted_closed,
        )
        for bot in BOTS:
            self.manager.register_bot(bot.name, bot.strategy, SLEEVE * capital)
        self.account = Account(capital, len(BOTS), len(STOCKS))
        self.decisions: list[Decided] = []
        self.log, self.course = EventLog(), Course(self.manager.config)
        self.manager.alert_manager.subscribe(self.course.hear)
        self.cancelled = self.protective = self.flags = self.closed_days = 0
        self.mode_days: dict[str, int] = {}
        self._approved: list[tuple[Order, TradeDecision]] = []
        self._intents: list[CloseIntent] = []
        self._age = 0

    def day(self, row: int) -> None:
        """Prices, fills of yesterday's orders, a fresh model, an assessment."""
        self._clock.move_to(self._moment(row))
        closes = self._market.closes[row]
        self.manager.update_prices(
            dict(zip(STOCKS, closes.tolist(), strict=True)), source="sample", daily=True
        )
        self._fill(row)
        self._close(row)
        self._age += 1
        refit = self._age % REFIT_DAYS == 0
        self._model = self._model_of(row, None if refit else self._model)
        self.manager.use_model(self._model)
        self._assess(row)

    def ask(self, row: int, orders: Sequence[Order]) -> None:
        """Ask for every order; what is approved waits for the next close."""
        for order in orders:
            action = "buy" if order.money > 0.0 else "sell"
            bot, symbol = BOTS[order.bot], STOCKS[order.column]
            ticket = OrderTicket(symbol, action, abs(order.money), bot.strategy, bot.name)
            decision = self.manager.request_trade(ticket)
            self.decisions.append(
                Decided(
                    row,
                    order.bot,
                    order.column,
                    1 if action == "buy" else -1,
                    abs(order.money),
                    decision.recommended_size,
                    decision.outcome,
                    decision.rejection_reasons,
                )
            )
            if decision.approved:
                self._approved.append((order, decision))

    def _fill(self, row: int) -> None:
        """Approvals that still stand are filled; an emergency may have cancelled them."""
        for order, decision in self._approved:
            reservation = self.manager.state.reservations.get(decision.request_id)
            if reservation is None:
                self.cancelled += 1
                continue
            units = -reservation.closing_quantity / SCALE
            money = decision.recommended_size if order.money > 0.0 else -decision.recommended_size
            fill = fill_of(self._market, row, replace(order, money=money, units=units), self._costs)
            report = FillReport(
                decision.request_id, decision.recommended_size, fill.price, final=True, fee=fill.fee
            )
            self.flags += len(self.manager.execute_trade(report).flags)
            self.account.book(fill, float(self._market.closes[row, order.column]))
        self._approved = []

    def _close(self, row: int) -> None:
        """What the protocols asked for at the last close is sold at this one."""
        intents, self._intents = self._intents, []
        for intent in intents:
            bot, column = BOT_INDEX[intent.key.bot], STOCKS.index(intent.key.symbol)
            held = float(self.account.units[bot, column])
            units = -min(held, -intent.quantity / SCALE)
            if units >= 0.0:
                continue
            money = units * float(self._market.closes[row, column])
            fill: Fill = fill_of(self._market, row, Order(bot, column, money, units), self._costs)
            self.manager.protocol.book_close(intent, fill.price, to_ledger(fill.fee))
            self.account.book(fill, float(self._market.closes[row, column]))
            self.protective += 1

    def _assess(self, row: int) -> None:
        assessment = self.manager.assess_overall_risk()
        state = self.manager.state
        day = str(self._market.dates[row])
        self.log.see(day, assessment, state)
        self.course.see(day, state)
        self.closed_days += not assessment.new_trades_allowed
        label = assessment.mode.value
        if state.drawdown.effective_multiplier == 0.0:
            label += ", no entries"
        if state.var_halted:
            label += ", nothing that adds VaR"
        self.mode_days[label] = self.mode_days.get(label, 0) + 1

    def _wanted_closed(self, intents: Sequence[CloseIntent]) -> None:
        self._intents += intents

    def _moment(self, row: int) -> datetime:
        return close_moment(self._market.dates[row])

    def _model_of(self, row: int, like: RiskModel | None = None) -> RiskModel:
        matrix = self._preparation.matrix
        known = int(np.searchsorted(matrix.dates, self._market.dates[row], side="right"))
        return self._preparation.model(known, like=like)


def run_gated(
    market: Market,
    foundation: Foundation,
    rows: range,
    capital: float,
    costs: CostModel,
    *,
    seen: Callable[[int], None] | None = None,
) -> GatedRun:
    """The bots with the gate between them and the broker.

    Parameters
    ----------
    market : Market
    foundation : Foundation
        From `prepare`.
    rows : range
        Days that are traded.
    capital : float
    costs : CostModel
    seen : callable, optional
        Told each row when its day is over.
    """
    gate = Gate(market, foundation, rows[0], capital, costs)
    recorder = Recorder("gated", gate.account)
    gap = 0.0
    for row in rows:
        gate.day(row)
        equity = recorder.day(market.closes[row])
        gap = max(gap, abs((gate.manager.state.equity or 0.0) / equity - 1.0))
        gate.ask(row, orders_after(market, row, gate.account, equity))
        if seen is not None:
            seen(row)
    return GatedRun(
        path=recorder.path(),
        decisions=tuple(gate.decisions),
        events=tuple(gate.log.events),
        alerts=gate.course.alerts,
        measures=gate.course.measures,
        cancelled=gate.cancelled,
        protective=gate.protective,
        mode_days=gate.mode_days,
        closed_days=gate.closed_days,
        flags=gate.flags,
        largest_gap=gap,
    )
