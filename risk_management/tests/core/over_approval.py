"""A long random drive of one desk, with every approval held against limits that are summed anew each time.

The sums are integers over positions and open approvals, written here in a few lines: nothing is carried along
and nothing of the product's totals is read. Run as a function, so that several processes can drive at once.
"""

from __future__ import annotations

import random

from risk_management.core import drawdown as rules
from risk_management.core.fill_report import FillReport
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.order_desk import OrderTicket
from risk_management.model.events import BotChanged, DrawdownAdjusted, QuotesReceived
from risk_management.model.portfolio import Bot, Quote
from risk_management.tests.conftest import Desk
from risk_management.tests.core.test_against_naive import Driver, assert_approval_holds, run

SCALE = 10**8
SYMBOLS = ("SPY", "AAPL", "JPM", "XOM", "KO", "AMD")
BOTS = ("b1", "b2", "b3")
KINDS = ("asked", "approved", "cut", "refused", "filled", "cancelled", "priced", "closed")
TOLERANCE = 100  # of 1e-8: the one tolerance of the gate, a millionth of the currency, once for each rounding


def worst(state) -> dict[tuple[str, str], int]:
    """Largest exposure of every name, sector, strategy, bot, the gross and the net, whatever fills."""
    sides: dict[tuple[str, ...], list[int]] = {}
    for p in state.positions.values():
        quote = state.quotes[p.symbol].price
        sides.setdefault((p.symbol, p.key.strategy, p.key.bot), [0, 0, 0])[0] += round(p.quantity * quote)
    for r in state.reservations.values():
        held = sides.setdefault((r.key.symbol, r.key.strategy, r.key.bot), [0, 0, 0])
        held[1 if r.side > 0 else 2] += r.opening + r.closing
    found: dict[tuple[str, str], int] = {}
    nets: dict[tuple[str, str], list[int]] = {}
    for (symbol, strategy, bot), (net, buys, sells) in sides.items():
        most = max(abs(net + buys), abs(net - sells))
        for key in (("gross", ""), ("strategy", strategy), ("bot", bot)):
            found[key] = found.get(key, 0) + most
        instrument = state.instruments[symbol]
        groups = [("net", ""), ("name", symbol)]
        if instrument.asset_class != "index_fund":
            groups.append(("sector", instrument.sector))
        for key in groups:
            sums = nets.setdefault(key, [0, 0, 0])
            for place, value in enumerate((net, buys, sells)):
                sums[place] += value
    for key, (net, buys, sells) in nets.items():
        found[key] = max(abs(net + buys), abs(net - sells))
    return found


def caps(desk: Desk, decision) -> dict[tuple[str, str], int]:
    """The limits that an approval is held against, ledger units."""
    state, limits = desk.state, desk.book.config.portfolio_limits
    instrument = state.instruments[decision.symbol]
    is_fund = instrument.asset_class == "index_fund"
    shares = {
        ("gross", ""): limits.max_gross_exposure,
        ("net", ""): limits.max_net_exposure,
        ("name", decision.symbol): limits.max_index_fund_position if is_fund else limits.max_single_position,
        ("strategy", decision.strategy): limits.max_strategy_exposure,
    }
    if not is_fund:
        shares["sector", instrument.sector] = limits.max_sector_exposure
    known = {key: int(share * state.equity * SCALE) for key, share in shares.items()}
    bot = state.bots[decision.bot_name]
    known["bot", bot.name] = int(bot.max_exposure * SCALE)
    return known


def settings_of(ground: Foundation):
    """Limits as they ship, without what would end a long drive: rates, duplicates, probation."""
    rates = {
        "max_orders_per_minute": 100_000,
        "max_orders_per_minute_total": 1_000_000,
        "duplicate_window": 0.0,
    }
    return BASE(ground).update(order_config=rates, bot_config={"probation_share": 1.0})


def BASE(ground):  # noqa: N802 - a test puts other limits in its place
    """The settings that a drive begins from."""
    return ground.config


def drive(seed: int, operations: int, foundation: Foundation | None = None) -> dict[str, int]:
    """Do random things to a desk; raises AssertionError at the first approval beyond a limit.

    Returns how often each thing was done, for the caller to see that the drive was a real one.
    """
    ground = foundation or lay_foundation()
    rnd = random.Random(seed)
    desk = Desk(ground, settings_of(ground))
    prices = dict(zip(SYMBOLS, (380.0, 126.0, 132.0, 108.0, 63.0, 62.0), strict=True))
    counts = dict.fromkeys(
        ("asked", "approved", "cut", "refused", "filled", "cancelled", "priced", "closed"), 0
    )
    for bot in BOTS:
        register(desk, bot, rnd.uniform(1000.0, 4000.0))
    quote(desk, prices)
    for _ in range(operations):
        what = rnd.random()
        if what < 0.5 and len(desk.state.reservations) < 40:
            _ask(desk, rnd, counts)
        elif what < 0.8 and desk.state.reservations:
            _fill(desk, rnd, prices, counts)
        elif what < 0.9 and desk.state.reservations:
            desk.desk.cancel(rnd.choice(list(desk.state.reservations)))
            counts["cancelled"] += 1
        else:
            desk.clock.advance(rnd.uniform(0.1, 10.0))
            moved = rnd.choice(SYMBOLS)
            prices[moved] = min(max(prices[moved] * (1.0 + rnd.gauss(0.0, 0.01)), 5.0), 5000.0)
            quote(desk, prices)
            counts["priced"] += 1
            if desk.state.drawdown.effective_multiplier < 1.0 or desk.state.equity < 3_000.0:
                _refund(desk)
    return counts


def register(desk, name, limit):
    now = desk.clock.now()
    desk.book.apply(BotChanged(at=now, actor="test", bot=Bot(name, "", now, max_exposure=limit)))


def _refund(desk):
    """A fresh mark, so that the drive doesn't end in its own drawdown."""
    settings, now = desk.book.config.drawdown_config, desk.clock.now()
    fresh = rules.begin(max(desk.state.equity, 1.0), now, settings)
    desk.book.apply(DrawdownAdjusted(at=now, actor="test", drawdown=fresh, reason="the drive goes on"))


def quote(desk, prices):
    now = desk.clock.now()
    quotes = tuple((symbol, Quote(price, now, "test")) for symbol, price in prices.items())
    desk.book.apply(QuotesReceived(at=now, actor="test", quotes=quotes))


def _ask(desk, rnd, counts):
    size = round(rnd.lognormvariate(6.0, 1.3), 2) + 0.01
    side = rnd.choice(("buy", "sell"))
    ticket = OrderTicket(rnd.choice(SYMBOLS), side, size, rnd.choice(("s", "t")), rnd.choice(BOTS))
    before = worst(desk.state)
    decision = desk.desk.request(ticket)
    counts["asked"] += 1
    counts[decision.outcome] += 1
    counts["closed"] += decision.closing_size > 0.0
    assert_holds(desk, before, decision)


def assert_holds(desk, before, decision):
    """No more than was asked, and no limit's worst case beyond the limit."""
    assert decision.recommended_size <= decision.requested_size + 1e-6
    if decision.opening_size == 0.0:
        return
    after = worst(desk.state)
    for key, cap in caps(desk, decision).items():
        now = after.get(key, 0)
        assert now <= max(cap, before.get(key, 0)) + TOLERANCE, (key, before.get(key), now, cap, decision)


def _fill(desk, rnd, prices, counts):
    request_id = rnd.choice(list(desk.state.reservations))
    reservation = desk.state.reservations[request_id]
    left = (reservation.opening + reservation.closing) / SCALE
    price = prices[reservation.key.symbol] * rnd.uniform(0.999, 1.001)
    desk.desk.execute(FillReport(request_id, left * rnd.choice((1.0, 1.0, 0.4)), price))
    counts["filled"] += 1


def drive_with_tail(seed: int, operations: int) -> int:
    """The same with VaR, shortfall, stress and heat recomputed over all subsets of what is approved.

    Returns the number of approvals.
    """
    desk = Desk(lay_foundation())
    desk = Desk(desk.foundation, settings_of(desk.foundation))
    driver, approvals = Driver(desk, seed), 0
    driver.most_open = 4
    for _, result in run(driver, operations):
        if result is not None:
            before, decision = result
            approvals += decision.approved
            assert_approval_holds(desk, before, decision)
    return approvals
