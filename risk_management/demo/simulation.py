"""One day loop for the arms without a gate: signal at one close, fill at the next, with costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from risk_management.demo.accounting import Account, CostModel, Fill
from risk_management.demo.bots import BAND, BOTS
from risk_management.demo.market import STOCKS, Market

__all__ = [
    "Order",
    "Path",
    "at_exposure",
    "buy_and_hold",
    "orders_after",
    "run_ungated",
    "run_volatility_target",
]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """What a bot sends after a close.

    Parameters
    ----------
    bot, column : int
    money : float
        Signed; a sale of everything is its value.
    units : float
        Signed units of a sale, 0 for a purchase: that is in money.
    """

    bot: int
    column: int
    money: float
    units: float = 0.0


@dataclass(frozen=True, slots=True)
class Path:
    """What an arm did, day by day.

    Parameters
    ----------
    name : str
    equity, exposure : ndarray of shape (D,)
        After the trades of each day; exposure is gross over equity.
    commissions, slippage, turnover : float
        Money.
    fills : int
    weights : ndarray of shape (D, N)
        What is held, as fractions of equity.
    """

    name: str
    equity: Float
    exposure: Float
    commissions: float
    slippage: float
    turnover: float
    fills: int
    weights: Float


class Recorder:
    """Collects a `Path`."""

    def __init__(self, name: str, account: Account) -> None:
        self._name, self._account = name, account
        self._equity: list[float] = []
        self._weights: list[Float] = []

    def day(self, closes: Float) -> float:
        """Note the account after the trades of a day; returns its equity."""
        equity = self._account.equity(closes)
        self._equity.append(equity)
        self._weights.append(self._account.units.sum(axis=0) * closes / equity)
        return equity

    def path(self) -> Path:
        """Everything noted."""
        weights = np.array(self._weights)
        account = self._account
        return Path(
            name=self._name,
            equity=np.array(self._equity),
            exposure=np.abs(weights).sum(axis=1),
            commissions=account.commissions,
            slippage=account.slippage,
            turnover=account.turnover,
            fills=account.fills,
            weights=weights,
        )


def orders_after(
    market: Market, row: int, account: Account, equity: float, share: float = 1.0
) -> list[Order]:
    """What the four bots send after a close: exits first, then the bots in turn.

    Which bot comes first rotates by day, so that none always finds the limits empty.
    """
    if equity <= 0.0:
        return []
    closes = market.closes[row]
    orders = []
    for turn in range(len(BOTS)):
        bot = (row + turn) % len(BOTS)
        held = account.units[bot] * closes / equity
        for want in market.signals[bot].wants(row, held, share):
            money = want.size * equity
            units = 0.0
            if money < 0.0:
                whole = float(account.units[bot, want.column])
                units = -whole if want.leaves else money / float(closes[want.column])
            orders.append(Order(bot, want.column, money, units))
    return sorted(orders, key=lambda order: order.money > 0.0)


def fill_of(market: Market, row: int, order: Order, costs: CostModel) -> Fill:
    """An order filled at the close of `row`, with costs."""
    close = float(market.closes[row, order.column])
    side = 1.0 if order.money > 0.0 else -1.0
    slip = costs.slippage(order.money, float(market.volatility[row - 1, order.column]))
    price = close * (1.0 + side * slip)
    units = order.units or order.money / price
    return Fill(order.bot, order.column, units, price, costs.fee(units * price))


def run_ungated(
    market: Market,
    rows: range,
    capital: float,
    costs: CostModel,
    *,
    share: float = 1.0,
    name: str = "ungated",
) -> Path:
    """The bots as they are: every order is sent.

    Parameters
    ----------
    market : Market
    rows : range
        Days that are traded.
    capital : float
    costs : CostModel
    share : float
        Every bot's size times this.
    name : str
    """
    account = Account(capital, len(BOTS), len(STOCKS))
    recorder = Recorder(name, account)
    pending: list[Order] = []
    for row in rows:
        for order in pending:
            account.book(fill_of(market, row, order, costs), float(market.closes[row, order.column]))
        equity = recorder.day(market.closes[row])
        pending = orders_after(market, row, account, equity, share)
    return recorder.path()


def run_volatility_target(
    market: Market, rows: range, capital: float, costs: CostModel, bots: Path, scale: float
) -> Path:
    """The ungated bots' book, scaled by `scale` over the present volatility of the 20 stocks.

    The volatility is that of their equal-weight book over the last 60 days up to the close before; a
    position is traded when it is off its target by more than `BAND`, or to leave it.

    Parameters
    ----------
    bots : Path
        The ungated arm.
    scale : float
        Daily volatility at which the bots' book is taken whole; never more than whole.
    """
    account = Account(capital, 1, len(STOCKS))
    recorder = Recorder("volatility target", account)
    index = market.closes[1:] / market.closes[:-1] - 1.0
    equal = index.mean(axis=1)
    for day, row in enumerate(rows):
        closes = market.closes[row]
        share = min(1.0, scale / float(equal[row - 61 : row - 1].std()))
        goal = share * bots.weights[day] * account.equity(closes) / closes
        off = goal - account.units[0]
        for j in np.flatnonzero((np.abs(off) > BAND * goal) & (off != 0.0)):
            money = float(off[j] * closes[j])
            order = Order(0, int(j), money, float(off[j]))
            account.book(fill_of(market, row, order, costs), float(closes[j]))
        recorder.day(closes)
    return recorder.path()


def buy_and_hold(market: Market, rows: range, capital: float, costs: CostModel) -> Path:
    """The 20 stocks bought in equal parts at the first close and kept."""
    account = Account(capital, 1, len(STOCKS))
    recorder = Recorder("20 stocks held", account)
    for row in rows:
        if row == rows[0]:
            for j in range(len(STOCKS)):
                order = Order(0, j, capital / len(STOCKS))
                account.book(fill_of(market, row, order, costs), float(market.closes[row, j]))
        recorder.day(market.closes[row])
    return recorder.path()


def at_exposure(run: Callable[[float], Path], target: float, start: float, rounds: int = 8) -> Path:
    """The path of `run(x)` whose average exposure is `target`; it rises with `x`.

    Stops when the average is within a thousandth of the target, or after `rounds`.
    """
    x, best = start, run(start)
    for _ in range(rounds):
        average = float(best.exposure.mean())
        if average <= 0.0 or abs(average - target) <= 1e-3 * max(target, 1e-3):
            break
        x *= target / average
        best = run(x)
    return best
