"""What a liquidation has to trade: positions netted by symbol, rounded to what a market takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.liquidation.cost import assumed_half_spread, impact_cost, seconds_for, spread_cost
from risk_management.core.reduction import marked
from risk_management.model.broker import MarketState, MarketStatus
from risk_management.model.instrument import Instrument
from risk_management.model.liquidation import Part, PlannedOrder, Remainder
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import PortfolioState

__all__ = ["NO_BROKER", "Leg", "legs_of", "trading_problem"]

NO_BROKER: Final = "no_broker"


@dataclass(frozen=True, slots=True)
class Leg:
    """All that is to be traded in one symbol of one account.

    Parameters
    ----------
    account_id, symbol : str
    parts : tuple of (PositionKey, int)
        Signed ledger units by owner.
    quantity : int
        Their sum: what the broker is to trade.
    whole : int
        That of the first slice, which impact is reckoned by.
    unit_value : float
        Money in the base currency for one ledger unit.
    price : float
        Of one unit, in the instrument's currency.
    column : int
        Of the risk model.
    lot : int
        Least step, ledger units.
    slice : int
        Largest order at once, ledger units, positive.
    least : int
        Smallest order, ledger units.
    problem : str
        Why it can't be traded now, as in `Remainder.why`; empty where it can.
    text : str
        The same for people.
    """

    account_id: str
    symbol: str
    parts: tuple[Part, ...]
    quantity: int
    whole: int
    unit_value: float
    price: float
    column: int
    lot: int
    slice: int
    least: int
    problem: str = ""
    text: str = ""

    @property
    def exposure(self) -> float:
        """Money by which trading it all moves the net exposure."""
        return self.quantity * self.unit_value

    def order(
        self, quantity: int, state: PortfolioState, config: RiskManagementConfig, market: MarketState | None
    ) -> PlannedOrder:
        """An order of `quantity` of it, with its expected cost."""
        instrument, settings = state.instruments[self.symbol], config.liquidation_config
        spread = None if market is None else market.spread
        half = assumed_half_spread(instrument, settings) if spread is None else 0.5 * spread
        volume = _volume(instrument, market)
        notional = abs(quantity * self.unit_value)
        whole, units = abs(self.whole) / SCALE, abs(quantity) / SCALE
        impact = None
        if volume and units:
            volatility = float(state.model.volatility[self.column])
            # the law holds for the whole order, however it is sliced
            impact = impact_cost(notional, whole, volume, volatility, settings.impact)
        collar = config.order_config.price_collar * (1.0 if quantity > 0 else -1.0)
        tick = market.tick if market is not None else instrument.tick
        return PlannedOrder(
            self.account_id,
            self.symbol,
            quantity,
            self.shared(quantity),
            self.price,
            _on_tick(self.price * (1.0 + collar), tick),
            notional,
            spread_cost(notional, half),
            impact,
        )

    def shared(self, quantity: int) -> tuple[Part, ...]:
        """Whose units an order of `quantity` trades."""
        if quantity == self.quantity:
            return self.parts
        out, before, done = [], 0, 0
        for key, units in self.parts:
            before += units
            upto = before * quantity // self.quantity
            out.append((key, upto - done))
            done = upto
        return tuple(part for part in out if part[1])

    def without(self, quantity: int) -> Leg:
        """What is left of it behind an order of `quantity`."""
        taken = dict(self.shared(quantity))
        parts = tuple((key, units - taken.get(key, 0)) for key, units in self.parts)
        return replace(self, parts=tuple(p for p in parts if p[1]), quantity=self.quantity - quantity)

    def bite(self, share: float = 1.0) -> int:
        """Units of the next order: a slice, or a share of it, and no rest that would be too small."""
        whole = abs(self.quantity)
        size = min(whole, max(self.least, int(self.slice * share) // self.lot * self.lot))
        if whole - size < self.least:
            size = whole
        return size if self.quantity > 0 else -size

    def seconds(
        self, quantity: int, instrument: Instrument, market: MarketState | None, share: float
    ) -> float:
        """Seconds until the market has traded so much that `quantity` is the allowed share of it."""
        return seconds_for(abs(quantity) / SCALE, _volume(instrument, market), share, instrument.calendar)


def legs_of(
    state: PortfolioState,
    config: RiskManagementConfig,
    cuts: Iterable[Part],
    markets: Mapping[str, MarketState],
    paused: Mapping[str, str],
    served: str | None,
) -> tuple[tuple[Leg, ...], tuple[Remainder, ...]]:
    """Cuts by account and symbol, and what of them no market takes.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    cuts : iterable of (PositionKey, int)
        Signed units to trade, of the other sign than the position.
    markets : Mapping of str to MarketState
        What is not named is taken as open.
    paused : Mapping of str to str
        Symbols that are left alone for now, and why.
    served : str or None
        The account that orders reach; None where that is every one.
    """
    grouped: dict[tuple[str, str], list[Part]] = {}
    for key, units in cuts:
        if units:
            grouped.setdefault((key.account_id, key.symbol), []).append((key, units))
    legs, dust = [], []
    for (account, symbol), parts in sorted(grouped.items()):
        leg = _leg(state, config, account, symbol, parts, markets.get(symbol))
        if symbol in paused:
            leg = replace(leg, problem="paused", text=paused[symbol])
        if served is not None and account != served:
            text = (
                f"{symbol} of the account {account} waits: no broker is connected for it; close it there "
                "yourself and say so here"
            )
            leg = replace(leg, problem=NO_BROKER, text=text)
        rounded, rest = _to_lots(leg, state, markets.get(symbol))
        if rounded.parts:
            legs.append(rounded)
        if rest is not None:
            dust.append(rest)
    return tuple(legs), tuple(dust)


def _leg(
    state: PortfolioState,
    config: RiskManagementConfig,
    account: str,
    symbol: str,
    parts: list[Part],
    market: MarketState | None,
) -> Leg:
    instrument = state.instruments[symbol]
    position = state.positions[parts[0][0]]
    unit_value = abs(marked(state, position) / position.quantity) / SCALE
    quote = state.quotes.get(symbol)
    rate = state.rates.get(instrument.currency)
    each = instrument.multiplier * (rate.value if rate is not None else 1.0)
    mid = None if market is None else market.mid
    price = mid or (quote.price if quote is not None else unit_value * SCALE / each)
    quantity = sum(units for _, units in parts)
    lot = market.lot if market is not None else max(1, to_ledger(instrument.lot))
    problem, text = trading_problem(symbol, market, config)
    return Leg(
        account,
        symbol,
        tuple(sorted(parts)),
        quantity,
        quantity,
        unit_value,
        price,
        state.totals.names[symbol].column,
        lot,
        _slice(instrument, config, quantity, lot, market),
        _least(instrument, price, lot, market),
        problem,
        text,
    )


def trading_problem(symbol: str, market: MarketState | None, config: RiskManagementConfig) -> tuple[str, str]:
    """Why a symbol can't be traded now, as a word and a sentence; two empty texts where it can."""
    if market is None:
        return "", ""
    if market.status in (MarketStatus.CLOSED, MarketStatus.HALTED, MarketStatus.AUCTION):
        said = {
            MarketStatus.CLOSED: "its market is closed",
            MarketStatus.HALTED: "it is halted",
            MarketStatus.AUCTION: "it is in an auction",
        }[market.status]
        return market.status.value, f"{symbol} waits: {said}"
    widest = config.liquidation_config.widest_spread
    spread, normal = market.spread, market.normal_spread
    if spread is not None and normal and spread > widest * normal * (1.0 + 1e-9):
        return "wide_spread", (
            f"{symbol} waits: its spread is {spread:.2%}, {spread / normal:.1f} times the normal one, "
            f"allowed are {widest:g}"
        )
    return "", ""


def _to_lots(leg: Leg, state: PortfolioState, market: MarketState | None) -> tuple[Leg, Remainder | None]:
    """A leg in whole lots and above the smallest order, and the dust that is left."""
    if leg.quantity == 0:
        return leg, None
    side = 1 if leg.quantity > 0 else -1
    whole = abs(leg.quantity) // leg.lot * leg.lot * side
    least = market.min_notional if market is not None else state.instruments[leg.symbol].min_notional
    too_small = abs(whole) < leg.least
    rest = leg.quantity if too_small else leg.quantity - whole
    if rest == 0:
        return leg, None
    is_part = any(abs(units) < abs(state.positions[key].quantity) for key, units in leg.parts)
    reason = (
        f"the smallest order there is {least:g}"
        if too_small and whole
        else f"lots are {leg.lot / SCALE:,.12g}"
    )
    text = f"{leg.symbol}: {abs(rest) / SCALE:,.12g} units can't be traded, {reason}; they stay as dust"
    # what rounding leaves of a cut stays part of a position that stays anyway
    dust = None if is_part else Remainder(leg.symbol, -rest, "dust", text)
    if too_small:
        return replace(leg, parts=(), quantity=0), dust
    return replace(leg, parts=leg.shared(whole), quantity=whole, whole=whole), dust


def _slice(
    instrument: Instrument,
    config: RiskManagementConfig,
    quantity: int,
    lot: int,
    market: MarketState | None,
) -> int:
    """Largest order at once: some minutes of the allowed share of volume, in lots."""
    settings, whole = config.liquidation_config, abs(quantity)
    slices = settings.crypto_slices if instrument.is_crypto else 1
    volume = _volume(instrument, market)
    if volume:
        day = seconds_for(whole / SCALE, volume, settings.volume_share, instrument.calendar)
        slices = max(slices, min(settings.max_slices, math.ceil(day / SLICE_SECONDS)))
    return max(lot, -(-(whole // slices) // lot) * lot) if slices > 1 else max(whole, lot)


SLICE_SECONDS = 300.0
"""Seconds of a market's volume that one order may be the allowed share of."""


def _least(instrument: Instrument, price: float, lot: int, market: MarketState | None) -> int:
    """Smallest order in ledger units: in whole lots, and worth the smallest notional."""
    least = market.min_notional if market is not None else instrument.min_notional
    units = to_ledger(least / (price * instrument.multiplier) * (1.0 - 1e-12)) if least else 0
    return max(lot, -(-units // lot) * lot)


def _volume(instrument: Instrument, market: MarketState | None) -> float | None:
    """Units a day, by the market or else by the instrument's own facts."""
    told = None if market is None else market.daily_volume
    return told or instrument.average_daily_volume


def _on_tick(price: float, tick: float) -> float:
    return round(price / tick) * tick if tick > 0.0 else price
