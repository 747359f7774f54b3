"""A request beside the state it meets: what every check reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.far_ticks import unsure_gain
from risk_management.core.fills import ACCOUNT_WIDE
from risk_management.core.liquidation.closes import working_closes
from risk_management.core.totals import present_price
from risk_management.measures.tail import tails_of
from risk_management.model.instrument import Instrument
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Bot, PortfolioState, Quote, ReservationStatus
from risk_management.model.totals import EMPTY_NAME, NO_SIDES, NameTotals, Sides
from risk_management.model.trade import TradeRequest

__all__ = ["GATE_CONFIDENCES", "Proposal", "propose"]

Float = NDArray[np.float64]
GATE_CONFIDENCES = (0.95, 0.975)
"""The gate's VaR stands at 95 %, its expected shortfall at 97.5 %."""


@dataclass(slots=True)
class Proposal:
    """What a check needs, looked up once. Checks read it and change nothing.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
    request : TradeRequest
    now : datetime
    instrument : Instrument
    quote : Quote or None
        The instrument's own price.
    unit_price : float or None
        Base currency for one unit, None without a price.
    bot : Bot or None
        None for an operator and for an unknown bot.
    name : NameTotals
        What is held and approved in the symbol.
    owner : Sides
        What the request's own account, strategy and bot hold and may open in it.
    column : int
        Column of the risk model.
    closing, opening : float
        Money of the request that reduces the owner's position, and that is new exposure.
    closing_quantity : int
        Units of the closing part, ledger units.
    equity : float
        Money; 0 where it is unknown.
    confidence_multiplier : float
        Share of the size that the request's confidence allows, 0 to 1.
    drawdown_multiplier : float
        Share of the size that the drawdown allows, 0 to 1.
    risk_rate : float
        Open risk for each unit of money opened.
    """

    state: PortfolioState
    config: RiskManagementConfig
    request: TradeRequest
    now: datetime
    instrument: Instrument
    quote: Quote | None
    unit_price: float | None
    bot: Bot | None
    name: NameTotals
    owner: Sides
    column: int
    closing: float
    opening: float
    closing_quantity: int
    equity: float
    confidence_multiplier: float
    drawdown_multiplier: float
    risk_rate: float
    _base: Float | None = field(default=None)
    _tails: dict[float, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    @property
    def scale(self) -> float:
        """Drawdown and confidence together; they scale the request."""
        return self.confidence_multiplier * self.drawdown_multiplier

    @property
    def limit_scale(self) -> float:
        """The same for the limits of one trade. A confidence that leaves nothing is no part of it: it refuses
        by itself, and limits of 0 would only repeat that under other names.
        """
        return (self.confidence_multiplier or 1.0) * self.drawdown_multiplier

    def used(self, sides: Sides, sign: int = 1) -> float:
        """Money on the request's own side, with the closing part filled and nothing opened yet.

        ``limit - used`` is the largest opening that keeps the worst case of that side at the limit.
        """
        if self.request.side * sign > 0:
            return (sides.net + sides.buys) / SCALE + self.closing
        return (sides.sells - sides.net) / SCALE + self.closing

    def tail_after(self, opening: float) -> tuple[tuple[float, float], ...]:
        """VaR and ES of the book, its reservations and this request, at each gate confidence.

        The closing part is taken as filled. Money, positive for a loss.
        """
        known = self._tails.get(opening)
        if known is None:
            totals = self.state.totals
            if self._base is None:
                self._base = totals.pnl + totals.reserved_pnl
            size = self.request.side * (self.closing + opening)
            pnl = self._base + size * self.state.model.scenarios[:, self.column]
            known = self._tails[opening] = tails_of(pnl, GATE_CONFIDENCES)
        return known

    def tail_now(self) -> tuple[tuple[float, float], ...]:
        """VaR and ES of the book and its reservations, before this request."""
        return self.tail_after(-self.closing)

    def stress_after(self, opening: float) -> Float:
        """P&L in each gate scenario, reservations at their worst, this request filled; shape (S,)."""
        totals = self.state.totals
        size = self.request.side * (self.closing + opening)
        shocks: Float = self.state.model.shocks[:, self.column]
        return totals.stress + totals.reserved_stress + size * shocks


def propose(
    state: PortfolioState, config: RiskManagementConfig, request: TradeRequest, now: datetime
) -> Proposal:
    """Look up what the checks need and split the request into its closing and its opening part."""
    instrument = state.instruments.get(request.symbol) or Instrument(request.symbol)
    name = state.totals.names.get(request.symbol, EMPTY_NAME)
    column = state.model.column(request.symbol, instrument.asset_class)
    quote = state.quotes.get(request.symbol)
    unit_price = present_price(quote, instrument, state.rate_of(instrument.currency))
    closing, quantity = _closing_part(state, request, name, unit_price)
    stop_free = float(state.model.stop_free_risk[column])
    tail = state.model.es99_long if request.side > 0 else state.model.es99_short
    risk_rate = stop_free
    if request.risk_amount is not None:
        risk_rate = max(min(request.risk_amount / request.size, 1.0), float(tail[column]))
    return Proposal(
        state=state,
        config=config,
        request=request,
        now=now,
        instrument=instrument,
        quote=quote,
        unit_price=unit_price,
        bot=state.bots.get(request.bot),
        name=name,
        owner=_owner_sides(name, request),
        column=column,
        closing=closing,
        opening=max(0.0, request.size - closing),
        closing_quantity=quantity,
        equity=_equity(state),
        confidence_multiplier=_confidence_multiplier(request.confidence, config),
        drawdown_multiplier=state.drawdown.effective_multiplier,
        risk_rate=risk_rate,
    )


def _owner_sides(name: NameTotals, request: TradeRequest) -> Sides:
    for account, strategy, bot, sides in name.owners:
        if account == request.account_id and strategy == request.strategy and bot == request.bot:
            return sides
    return NO_SIDES


def _closing_part(
    state: PortfolioState, request: TradeRequest, name: NameTotals, unit_price: float | None
) -> tuple[float, int]:
    """Money and units of the request that reduce what its owner holds, less closes already approved.

    A bot closes its own; an operator, the system and the broker close the account's. In no case more
    than the account holds on that side less all closes that work already, those of liquidations too.
    """
    if not name.keys:
        return 0.0, 0
    wide = request.bot in ACCOUNT_WIDE
    units = value = held = 0
    for key in name.keys:
        position = state.positions[key]
        if position.quantity * request.side >= 0 or key.account_id != request.account_id:
            continue
        held += abs(position.quantity)
        if wide or key.bot == request.bot:
            units += abs(position.quantity)
            value += abs(position.cost)
    if units == 0:
        return 0.0, 0
    price = unit_price if unit_price is not None else value / units
    working, mine = working_closes(state, request) if state.liquidations else (0, 0)
    for request_id in name.reservations:
        reservation = state.reservations[request_id]
        if reservation.status is ReservationStatus.EXPIRED_UNCONFIRMED:
            continue  # it may not be sent any more: it must not keep its bot from closing
        if reservation.side == request.side and reservation.key.account_id == request.account_id:
            working += reservation.closing_quantity
            mine += reservation.closing_quantity * (reservation.key.bot == request.bot)
    left = held - working
    if not wide:
        left = min(left, units - mine)
    left = max(0, left)
    wanted = round(request.size / price * SCALE) if price > 0.0 else left
    # the whole rest is closed when the size comes within a cent of it, so that no dust stays
    if abs(wanted - left) * price <= 0.01 * SCALE:
        wanted = left
    units = min(wanted, left)
    if units == 0:
        return 0.0, 0
    worth = units / SCALE * price
    # what rounding to units left of the money opens nothing
    return (worth if request.size > worth + price / SCALE else request.size), units


def _equity(state: PortfolioState) -> float:
    """Money that limits are shares of; what a single far tick adds to it opens nothing."""
    gain = unsure_gain(state, state.totals) or 0
    return max(0.0, (state.totals.equity or 0.0) - max(0, gain) / SCALE)


def _confidence_multiplier(confidence: float, config: RiskManagementConfig) -> float:
    settings = config.bot_config
    if confidence >= settings.full_confidence:
        return 1.0
    if confidence < settings.min_confidence:
        return 0.0
    span = settings.full_confidence - settings.min_confidence
    low = settings.low_confidence_multiplier
    return low + (1.0 - low) * (confidence - settings.min_confidence) / span
