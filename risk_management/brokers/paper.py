"""A paper account that is honest about its fills; what it assumes stands in ``docs/brokers.md``."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from risk_management.brokers._paper_account import PaperAccount, WorkingOrder
from risk_management.brokers._paper_fills import fill_price, is_marketable, most_at_once
from risk_management.brokers.broker import BrokerSettings, Surroundings
from risk_management.brokers.paper_options import PaperOptions, paper_options
from risk_management.errors import BrokerUnavailable, ConfigurationError, OrderRejected
from risk_management.model.broker import (
    BrokerAbilities,
    BrokerFill,
    BrokerOrder,
    Environment,
    MarketState,
    MarketStatus,
    OrderIntent,
    OrderKind,
    OrderStatus,
    TimeInForce,
)
from risk_management.model.instrument import Instrument
from risk_management.model.money import SCALE, to_ledger

__all__ = ["PaperBroker", "open_paper"]

LARGEST: Final = 2**60
"""Ledger units that an order may have: sums stay within 64 bits."""
BETWEEN_FILLS: Final = 1.0
TIMER: Final = "cancel_all_at"


def open_paper(settings: BrokerSettings, around: Surroundings) -> PaperBroker:
    """The paper broker that the settings describe."""
    if settings.environment != "paper":
        raise ConfigurationError(
            "broker_config.environment is 'live', and the broker 'paper' trades no money; say 'paper'"
        )
    return PaperBroker(around, paper_options(settings.options, around.capital))


class PaperBroker:
    """An account that fills at the prices it is shown.

    Parameters
    ----------
    around : Surroundings
        Its clock, and the prices that it fills at.
    options : PaperOptions, optional
    """

    name = "paper"
    environment: Environment = "paper"
    abilities = BrokerAbilities(
        reduce_only=True,
        stop_orders=True,
        cancel_timer=True,
        market_status=True,
        halts=True,
        fees_by_fill=True,
    )

    def __init__(self, around: Surroundings, options: PaperOptions | None = None) -> None:
        self._around = around
        self._options = options or PaperOptions()
        cash = around.cash if around.holdings else to_ledger(self._options.cash)
        self._account = PaperAccount(self._options.path, cash, around.holdings)
        self._markets: dict[str, tuple[MarketStatus, float]] = {}
        self._is_down = False
        self._refused = 0

    # -- what a test may turn on --------------------------------------------------------------------

    def set_market(
        self, symbol: str = "", status: MarketStatus = MarketStatus.OPEN, *, spread_times: float = 1.0
    ) -> None:
        """Open or shut a market, or make its spread wider by a factor; without a symbol, all of them."""
        self._markets[symbol] = (MarketStatus(status), spread_times)

    def set_outage(self, is_down: bool) -> None:
        """Answer nothing, or answer again."""
        self._is_down = is_down

    # -- what is held -------------------------------------------------------------------------------

    def positions(self) -> dict[str, int]:
        """Ledger units by symbol."""
        self._work()
        return self._account.positions()

    def cash(self) -> int:
        """Cash, ledger units."""
        self._work()
        return self._account.cash()

    def fills(self, since: datetime) -> Sequence[BrokerFill]:
        """Executions at or after a moment, the oldest first."""
        self._work()
        return [fill for fill in self._account.fills() if fill.at >= since]

    def market(self, symbol: str) -> MarketState:
        """The market as this account sees it: its own spread around the price that it is shown."""
        self._work()
        return self._market(symbol)

    # -- orders -------------------------------------------------------------------------------------

    def submit(self, intent: OrderIntent) -> BrokerOrder:
        """Take an order once; it fills at the next call that finds its market open."""
        self._work()
        with self._account.changing():
            known = self._account.find(intent.client_order_id)
            if known is None:
                self._check(intent)
                self._account.add(self._accepted(intent))
        if known is None and self._happens("lost", intent.client_order_id, self._options.lost_answer_rate):
            raise BrokerUnavailable(
                f"the paper broker's answer to {intent.client_order_id} was lost; ask again with the same id"
            )
        self._work()
        order = self.order(intent.client_order_id)
        assert order is not None  # noqa: S101 - it was added above
        return order

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """An order by its id."""
        self._work()
        found = self._account.find(client_order_id)
        return None if found is None else self._account.as_told(found)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Orders that may still fill."""
        self._work()
        return [self._account.as_told(order) for order in self._account.working()]

    def cancel(self, client_order_id: str) -> BrokerOrder | None:
        """Cancel an order that still works."""
        self._work()
        with self._account.changing():
            found = self._account.find(client_order_id)
            if found is not None and found.status.is_open:
                self._end(found, "cancelled on request")
        return self.order(client_order_id)

    def cancel_all(self, *, protective: bool = False) -> tuple[str, ...]:
        """Cancel what works; protective stops only if told."""
        self._work()
        return self._cancel_all("cancelled on request", protective=protective)

    def arm_cancel_all(self, seconds: float) -> bool:
        """Cancel everything unless this is called again in time."""
        self._work()
        with self._account.changing():
            due = self._around.clock.now() + timedelta(seconds=seconds)
            self._account.set_mark(TIMER, due.isoformat() if seconds > 0.0 else None)
        return True

    def close(self) -> None:
        """Let the file go."""
        self._account.close()

    # -- inside -------------------------------------------------------------------------------------

    def _check(self, intent: OrderIntent) -> None:
        """Refuse what a broker would refuse."""
        instrument, market = self._instrument(intent.symbol), self._market(intent.symbol)
        price = market.mid
        if instrument.currency != self._around.currency or price is None:
            raise OrderRejected("NOT_TRADED", f"{intent.symbol} has no price in {self._around.currency} here")
        if intent.quantity > LARGEST:
            raise OrderRejected(
                "BROKER_REFUSED", f"{intent.units:g} units are more than a paper account holds"
            )
        money = intent.units * price * instrument.multiplier
        if intent.quantity < market.lot or money < market.min_notional:
            raise OrderRejected(
                "ORDER_TOO_SMALL",
                f"{intent.units:,.12g} {intent.symbol} is less than {market.lot / SCALE:,.12g} units "
                f"or {market.min_notional:g} in money",
            )
        if self._happens("reject", f"{intent.client_order_id}-{self._refused}", self._options.reject_rate):
            self._refused += 1
            raise OrderRejected(
                "BROKER_REFUSED", f"the paper broker refuses {intent.client_order_id} at random"
            )
        self._check_effect(intent, price * instrument.multiplier)

    def _check_effect(self, intent: OrderIntent, each: float) -> None:
        held = self._account.positions()
        mine = held.get(intent.symbol, 0)
        closes = min(intent.quantity, max(0, -intent.side * mine))
        if intent.reduce_only:
            if closes == 0:
                said = f"{intent.symbol}: {mine / SCALE:,.12g} units are held, there is nothing to reduce"
                raise OrderRejected("NOT_REDUCING", said)
            return
        opens = (intent.quantity - closes) / SCALE * each
        values = {s: q / SCALE * self._each(s) for s, q in held.items()}
        equity = self._account.cash() / SCALE + sum(values.values())
        gross = sum(map(abs, values.values())) - closes / SCALE * each + opens
        if opens > 0.0 and gross > self._options.leverage * equity + 1e-6:
            raise OrderRejected(
                "INSUFFICIENT_FUNDS",
                f"gross exposure would be {gross:,.2f}, {self._options.leverage:g} times equity is "
                f"{self._options.leverage * equity:,.2f}",
            )

    def _each(self, symbol: str) -> float:
        """Money for one unit at the newest price; what has none counts as nothing."""
        found = self._around.prices(symbol)
        return 0.0 if found is None else found[0] * self._instrument(symbol).multiplier

    def _accepted(self, intent: OrderIntent) -> WorkingOrder:
        now = self._around.clock.now()
        due = now + timedelta(seconds=self._options.latency)
        return WorkingOrder(
            0,
            intent.client_order_id,
            intent.symbol,
            intent.side,
            intent.quantity,
            intent.kind,
            intent.limit_price,
            intent.stop_price,
            intent.reduce_only,
            intent.time_in_force,
            OrderStatus.ACCEPTED,
            "",
            is_triggered=False,
            submitted_at=now,
            updated_at=now,
            due_at=due,
        )

    def _work(self) -> None:
        """Fill what is due: the account moves when it is asked, never behind anybody's back."""
        if self._is_down:
            raise BrokerUnavailable("the paper broker is switched off; ask again with the same id")
        now = self._around.clock.now()
        with self._account.changing():
            timer = self._account.mark(TIMER)
            if timer is not None and now >= datetime.fromisoformat(timer):
                self._account.set_mark(TIMER, None)
                self._cancel_all("nobody was heard in time", protective=True)
            for order in self._account.working():
                if order.time_in_force is TimeInForce.DAY and order.submitted_at.date() < now.date():
                    self._end(order, "its day is over")
                elif order.due_at <= now:
                    self._try(order, now)

    def _try(self, order: WorkingOrder, now: datetime) -> None:
        """Fill an order that is due as far as its market lets it."""
        market = self._market(order.symbol)
        is_open = market.status is MarketStatus.OPEN
        if is_open and is_marketable(order, market):
            if order.kind is OrderKind.STOP and not order.is_triggered:
                order = self._account.change(order, is_triggered=True)
            order = self._fill(order, market, now)
        if order.status.is_open and order.time_in_force is TimeInForce.IOC:
            self._end(order, "not filled at once" if is_open else f"the market is {market.status}")

    def _fill(self, order: WorkingOrder, market: MarketState, now: datetime) -> WorkingOrder:
        filled = self._account.filled(order.client_order_id)
        left = order.quantity - filled
        if order.reduce_only:
            held = self._account.positions().get(order.symbol, 0)
            left = min(left, max(0, -order.side * held))
            if left == 0:
                return self._end(order, "nothing is left to reduce")
        take = self._slice(order, left, filled, market)
        price = fill_price(order, take, market, self._options.impact)
        multiplier = self._instrument(order.symbol).multiplier
        cost = round(order.side * take * price * multiplier)
        fee = round(abs(cost) * self._options.commission)
        self._account.fill(order, take, price, cost, fee, now)
        is_done = filled + take == order.quantity
        wait = timedelta(seconds=max(self._options.latency, BETWEEN_FILLS))
        status = OrderStatus.FILLED if is_done else OrderStatus.PARTIAL
        return self._account.change(order, status=status, updated_at=now, due_at=now + wait)

    def _slice(self, order: WorkingOrder, left: int, filled: int, market: MarketState) -> int:
        """Units of the next fill: no more than the volume bears, and at random less."""
        take = min(left, most_at_once(market, self._options.participation))
        name = f"{order.client_order_id}-{filled}"
        if take > market.lot and self._happens("partial", name, self._options.partial_rate):
            part = int(take * self._random("part", name)) // market.lot * market.lot
            take = max(market.lot, part)
        return take

    def _market(self, symbol: str) -> MarketState:
        status, times = self._markets.get(symbol) or self._markets.get("") or (MarketStatus.OPEN, 1.0)
        instrument, found = self._instrument(symbol), self._around.prices(symbol)
        state = MarketState(
            symbol,
            MarketStatus.UNKNOWN,
            self._around.clock.now(),
            normal_spread=2.0 * self._options.half_spread,
            daily_volume=instrument.average_daily_volume,
            lot=max(1, to_ledger(instrument.lot)),
            min_notional=instrument.min_notional,
            tick=instrument.tick,
        )
        if found is None:
            return state
        price, moment = found
        half = min(self._options.half_spread * times, 0.5)
        return replace(
            state, status=status, as_of=moment, bid=price * (1.0 - half), ask=price * (1.0 + half), last=price
        )

    def _instrument(self, symbol: str) -> Instrument:
        return self._around.instrument(symbol) or Instrument(symbol, currency=self._around.currency)

    def _end(self, order: WorkingOrder, reason: str) -> WorkingOrder:
        now = self._around.clock.now()
        return self._account.change(order, status=OrderStatus.CANCELLED, reason=reason, updated_at=now)

    def _cancel_all(self, reason: str, *, protective: bool) -> tuple[str, ...]:
        with self._account.changing():
            chosen = [o for o in self._account.working() if protective or not o.is_protective]
            for order in chosen:
                self._end(order, reason)
        return tuple(order.client_order_id for order in chosen)

    def _happens(self, what: str, name: str, rate: float) -> bool:
        return rate > 0.0 and self._random(what, name) < rate

    def _random(self, what: str, name: str) -> float:
        """The same number for the same seed and name, in every process."""
        return random.Random(f"{self._options.seed}-{what}-{name}").random()  # noqa: S311 - no secret
