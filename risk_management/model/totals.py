"""Sums over positions and reservations that are carried along, so that a decision adds one column.

Money sums are ledger integers of 1e-8: they return to exactly zero. P&L vectors are floats and are
re-based from time to time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from risk_management.model.money import SCALE
from risk_management.model.portfolio import PositionKey

if TYPE_CHECKING:
    from risk_management.model.strategy_risk import StrategyRisk

__all__ = ["EMPTY_NAME", "NO_RISK", "NO_SIDES", "NameTotals", "SideRisk", "Sides", "Totals"]

Float = NDArray[np.float64]


class Sides(NamedTuple):
    """Net exposure and the orders that are approved on each side, in ledger units."""

    net: int
    buys: int
    sells: int

    @property
    def worst(self) -> int:
        """Largest absolute exposure over all ways in which the openings may fill."""
        net, buys, sells = self
        up, down = abs(net + buys), abs(net - sells)
        return up if up > down else down

    def plus(self, other: Sides, sign: int = 1) -> Sides:
        """Sum with another; with ``sign=-1`` its sides swap."""
        (net, buys, sells), (more, bought, sold) = self, other
        if sign > 0:
            return Sides(net + more, buys + bought, sells + sold)
        return Sides(net - more, buys + sold, sells + bought)

    def minus(self, other: Sides, sign: int = 1) -> Sides:
        """Difference with another; with ``sign=-1`` its sides swap."""
        (net, buys, sells), (more, bought, sold) = self, other
        if sign > 0:
            return Sides(net - more, buys - bought, sells - sold)
        return Sides(net + more, buys - sold, sells - bought)


NO_SIDES = Sides(0, 0, 0)


class SideRisk(NamedTuple):
    """Open risk of a cluster by the side on which it moves, in ledger units; approved openings included."""

    up: int
    down: int

    @property
    def worst(self) -> int:
        """Risks of one side add; the other side is a hedge and adds nothing."""
        return self.up if self.up > self.down else self.down


class NameTotals(NamedTuple):
    """All that is held and approved in one symbol.

    Parameters
    ----------
    sides : Sides
        The account's net and the approved openings.
    owners : tuple of (str, str, str, Sides)
        Account, strategy, bot and what that owner holds and may open.
    value : int
        What the positions add to equity, ledger units.
    cash_claim : int
        Cash that approved purchases will take.
    risk : SideRisk
        Open risk by the symbol's own direction: long is up.
    column : int
        Column of the risk model.
    keys : tuple of PositionKey
        Its positions that are not flat.
    reservations : tuple of str
        Its open reservations, by request id.
    long_quantity, short_quantity : int
        Units held on each side, both positive, ledger units.
    closing_buys, closing_sells : int
        Units of approved closing parts, ledger units.
    priced : bool
        Whether every position has a mark in the base currency.
    """

    sides: Sides
    owners: tuple[tuple[str, str, str, Sides], ...]
    value: int
    cash_claim: int
    risk: SideRisk
    column: int
    keys: tuple[PositionKey, ...]
    reservations: tuple[str, ...]
    long_quantity: int
    short_quantity: int
    closing_buys: int
    closing_sells: int
    priced: bool


NO_RISK = SideRisk(0, 0)
EMPTY_NAME = NameTotals(
    sides=NO_SIDES,
    owners=(),
    value=0,
    cash_claim=0,
    risk=NO_RISK,
    column=-1,
    keys=(),
    reservations=(),
    long_quantity=0,
    short_quantity=0,
    closing_buys=0,
    closing_sells=0,
    priced=True,
)


@dataclass(frozen=True)  # no slots: see amended
class Totals:
    """Sums over the whole book.

    Parameters
    ----------
    names : Mapping of str to NameTotals
        Symbols that are held or approved.
    cash, value : int
        Cash of all accounts, and what positions add to it; ledger units.
    equity : float or None
        Their sum in money; None while a position has no price.
    portfolio : Sides
        Net over all symbols.
    gross : int
        Worst gross over all owners, approved openings included; ledger units.
    long, short : int
        Held exposure by side, ledger units, both positive.
    sectors : Mapping of str to Sides
    clusters : Mapping of int to Sides
        By the side on which the cluster moves.
    strategies, bots, accounts : Mapping of str to int
        Worst gross by owner, ledger units.
    cash_claim : int
        Cash that approved purchases will take, ledger units.
    cluster_risk : Mapping of int to SideRisk
    open_risk_squared : int
        Sum over clusters of the square of the worst open risk, ledger units squared.
    exposures : ndarray of shape (N,)
        Net held exposure by column, money.
    pnl : ndarray of shape (T,)
        P&L of what is held in each scenario of the risk model, money.
    reserved_pnl : ndarray of shape (T,)
        Sum over approved openings of the losses they may bring, 0 or below.
    stress : ndarray of shape (S,)
        P&L of what is held in each gate scenario.
    reserved_stress : ndarray of shape (S,)
        The losses that approved openings may bring.
    unpriced : frozenset of str
        Symbols held without a price or exchange rate.
    updates : int
        Changes since the vectors were last computed from scratch.
    strategy_risk : Mapping of str to StrategyRisk, or None
        By strategy; None while no risk budget is in force.
    """

    names: Mapping[str, NameTotals]
    cash: int
    value: int
    equity: float | None
    portfolio: Sides
    gross: int
    long: int
    short: int
    sectors: Mapping[str, Sides]
    clusters: Mapping[int, Sides]
    strategies: Mapping[str, int]
    bots: Mapping[str, int]
    accounts: Mapping[str, int]
    cash_claim: int
    cluster_risk: Mapping[int, SideRisk]
    open_risk_squared: int
    exposures: Float
    pnl: Float
    reserved_pnl: Float
    stress: Float
    reserved_stress: Float
    unpriced: frozenset[str]
    updates: int = 0
    strategy_risk: Mapping[str, StrategyRisk] | None = None

    @property
    def open_risk(self) -> float:
        """Open risk of the book in money: they add in a cluster, across clusters in squares."""
        return float(math.sqrt(self.open_risk_squared)) / SCALE
