"""A crash replayed against a running service: its bots ask over HTTP, and what they do is in its store.

Nothing is kept beside the store. Where a replay stands, what its bots hold and what they were answered is
read from the engine's book, so that a start goes on where a kill ended the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from threading import Event
from typing import Final

import numpy as np

from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.demo.accounting import Account, CostModel
from risk_management.demo.bots import BOTS, SLEEVE
from risk_management.demo.gate import BOT_INDEX, REFIT_DAYS, demo_config, prepare
from risk_management.demo.market import STOCKS, Market, Period
from risk_management.demo.replay_clock import ReplayClock
from risk_management.demo.run import CAPITAL
from risk_management.demo.simulation import Order, fill_of, orders_after
from risk_management.errors import ConfigurationError, InvalidRequest
from risk_management.integration.client import RiskClient
from risk_management.market_data._series import close_moment
from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey, Reservation
from risk_management.model.risk_model import RiskModel
from risk_management.store.sql_journal import SqlJournal

__all__ = ["Replay"]

STALE_DAYS: Final = 14
"""Calendar days: a week of trading days with holidays."""
MODEL_DAYS: Final = 5
"""Trading days of a market model; each is kept in the store, with 0.7 MB."""


class Replay:
    """The demo's market played to a manager, day by day, from where its store ends.

    Parameters
    ----------
    market : Market
    period : Period
    store : str
        File of the store.

    Raises
    ------
    ConfigurationError
        The store holds a replay of another period.
    StoreInUse, StoreUnavailable, StoreCorrupt, StoreTooNew
    """

    def __init__(self, market: Market, period: Period, store: str) -> None:
        self._market, self._costs = market, CostModel()
        self.rows = market.rows(period)
        self._ground = prepare(market, CAPITAL)
        with ExitStack() as failed:
            self.journal = SqlJournal(store)
            failed.callback(self.journal.close)
            self._clock, self.first = self._found(period, store)
            self.manager = self._taken_up(store)
            failed.pop_all()

    def run(
        self, clients: Mapping[str, RiskClient], speed: float, ended: Event, seen: Callable[[int], None]
    ) -> None:
        """Play the days that are left, one after the other, until the last or until `ended` is set.

        Parameters
        ----------
        clients : Mapping of str to RiskClient
            One a bot.
        speed : float
            Days a second.
        ended : Event
        seen : callable
            Told each row when its day is over.
        """
        for row in range(max(self.first, self.rows[0]), self.rows[-1] + 1):
            self._day(row, clients)
            seen(row)
            if ended.wait(1.0 / speed):
                return

    def close(self) -> None:
        """Keep the state and let another process have the store."""
        self.manager.close()

    # -- a day --------------------------------------------------------------------------------------

    def _day(self, row: int, clients: Mapping[str, RiskClient]) -> None:
        """Prices, fills of earlier approvals, once a week a model, an assessment, then the bots' orders.

        Begun again after a kill it repeats what is on disk already and changes nothing by it: fills and
        orders carry ids of their day.
        """
        with self.manager.book.lock:
            self._clock.move_to(self._moment(row))
            closes = dict(zip(STOCKS, self._market.closes[row].tolist(), strict=True))
            self.manager.update_prices(closes, source="sample", daily=True)
        day = str(self._market.dates[row])
        for reservation in self.manager.state.reservations.values():
            if _is_ours(reservation.key) and not reservation.request_id.startswith(day):
                self._fill(row, reservation, clients[reservation.key.bot])
        if self._fitted(row) == row:
            self.manager.use_model(self._model_of(row))
        self.manager.assess_overall_risk()
        equity = self.manager.state.equity or 0.0
        for order in orders_after(self._market, row, self._account(), equity):
            self._ask(day, order, clients[BOTS[order.bot].name])

    def _ask(self, day: str, order: Order, client: RiskClient) -> None:
        bot, symbol = BOTS[order.bot].name, STOCKS[order.column]
        action = "buy" if order.money > 0.0 else "sell"
        try:
            client.request_trade(
                bot,
                symbol,
                action,
                abs(order.money),
                request_id=f"{day}-{bot}-{symbol}",
                reduce_only=order.money < 0.0,
            )
        except InvalidRequest as problem:
            # asked before a kill, of another equity: somebody else traded meanwhile. The answer stands
            if problem.code != "REQUEST_ID_REUSED":
                raise

    def _fill(self, row: int, reservation: Reservation, client: RiskClient) -> None:
        """What is left of an approval trades at this close, with costs."""
        left = (reservation.opening + reservation.closing) / SCALE
        column = STOCKS.index(reservation.key.symbol)
        order = Order(
            BOT_INDEX[reservation.key.bot],
            column,
            reservation.side * left,
            -reservation.closing_quantity / SCALE,
        )
        fill = fill_of(self._market, row, order, self._costs)
        name = reservation.request_id
        client.execute_trade(name, left, fill.price, execution_id=f"{name}-fill", final=True, fee=fill.fee)

    def _account(self) -> Account:
        """What the bots hold by the engine's book, in the form that their rules read."""
        account = Account(0.0, len(BOTS), len(STOCKS))
        for position in self.manager.state.positions.values():
            if _is_ours(position.key):
                place = BOT_INDEX[position.key.bot], STOCKS.index(position.symbol)
                account.units[place] += position.quantity / SCALE
        return account

    # -- from where the store ends ------------------------------------------------------------------

    def _found(self, period: Period, store: str) -> tuple[ReplayClock, int]:
        """A clock that stands where the store ends, and the row of the day."""
        standing, before = self.journal.recover(), self.rows[0] - 1
        if standing is None:
            return ReplayClock(self._moment(before)), before
        last = self._row_at(standing.state.as_of)
        if not before <= last <= self.rows[-1]:
            raise ConfigurationError(
                f"{store} holds a replay that stands at {self._market.dates[last]}, outside of {period.name} "
                f"({period.start} to {period.end}); name another --store or --period"
            )
        return ReplayClock(standing.state.as_of), last

    def _taken_up(self, store: str) -> AdvancedRiskManager:
        config = demo_config(CAPITAL).update(
            store=store,
            bot_config={"register_unknown": False},
            # a model is used for a week here, over a holiday too; every day's would fill the disk
            market_data_config={"stale_days": STALE_DAYS},
        )
        ground = replace(self._ground, config=config, model=self._model_of(self.first), clock=self._clock)
        manager = AdvancedRiskManager.on(ground, journal=self.journal)
        for bot in BOTS:
            if bot.name not in manager.state.bots:
                manager.register_bot(bot.name, bot.strategy, SLEEVE * CAPITAL)
        return manager

    def _row_at(self, moment: datetime) -> int:
        """The day whose close was the last one at a moment."""
        day = np.datetime64(moment.date())
        row = int(np.searchsorted(self._market.dates, day, side="right")) - 1
        return row if self._moment(row) <= moment else row - 1

    def _moment(self, row: int) -> datetime:
        return close_moment(self._market.dates[row])

    def _fitted(self, row: int) -> int:
        """The day of the market model that is used on a day."""
        before = self.rows[0] - 1
        return before + (row - before) // MODEL_DAYS * MODEL_DAYS

    def _model_of(self, row: int) -> RiskModel:
        """The market model that is used on a day: its volatility; clusters and shocks of the last refit."""
        before, fitted = self.rows[0] - 1, self._fitted(row)
        refit = before + (row - before) // REFIT_DAYS * REFIT_DAYS
        base = self._ground.preparation.model(self._known(refit))
        return base if refit == fitted else self._ground.preparation.model(self._known(fitted), like=base)

    def _known(self, row: int) -> int:
        dates = self._ground.preparation.matrix.dates
        return int(np.searchsorted(dates, self._market.dates[row], side="right"))


def _is_ours(key: PositionKey) -> bool:
    """Whether a bot of the replay would trade it: others may trade beside them, in their names too."""
    return key.bot in BOT_INDEX and key.symbol in STOCKS
