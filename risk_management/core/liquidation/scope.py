"""What a scope holds, and what has to be traded of it."""

from __future__ import annotations

from collections.abc import Sequence

from risk_management.core.reduction import CloseIntent, cut_to_gross, cut_to_var
from risk_management.core.scopes import checked_scope
from risk_management.errors import InvalidRequest
from risk_management.model.liquidation import LiquidationScope, Part, ScopeKind
from risk_management.model.portfolio import PortfolioState, PositionKey, Scope

__all__ = ["cuts_of", "held_in", "held_scope", "is_inside"]

NAMED = {
    ScopeKind.STRATEGY: Scope.STRATEGY,
    ScopeKind.BOT: Scope.BOT,
    ScopeKind.SYMBOL: Scope.SYMBOL,
    ScopeKind.CLUSTER: Scope.SYMBOL,
}


def cuts_of(state: PortfolioState, scope: LiquidationScope) -> tuple[Part, ...]:
    """Signed units to trade of each position.

    Raises
    ------
    InvalidRequest
        The scope names nobody that is known; ``EQUITY_UNKNOWN`` for a target while equity is.
    """
    if scope.kind is ScopeKind.CUTS:
        raise InvalidRequest("INVALID_SCOPE", "scope", "the cuts of an emergency row are chosen by it alone")
    if scope.kind in NAMED:
        checked_scope(state, NAMED[scope.kind], scope.name)
    if not scope.kind.is_target:
        inside = [p for p in state.positions.values() if is_inside(state, scope, p.key)]
        return tuple((p.key, -p.quantity) for p in sorted(inside, key=lambda p: p.key))
    equity = state.totals.equity
    if equity is None:
        said = "equity is unknown: a held symbol has no price, so no share of it can be aimed at"
        raise InvalidRequest("EQUITY_UNKNOWN", "scope", said)
    money = (scope.target or 0.0) * max(equity, 0.0)
    cut = cut_to_gross if scope.kind is ScopeKind.GROSS else cut_to_var
    return _parts(cut(state, money, scope.kind.value))


def held_in(state: PortfolioState, scope: LiquidationScope, cuts: Sequence[Part]) -> tuple[Part, ...]:
    """The positions that a plan rests on, with their units: all of the book for a target."""
    keys = state.positions if scope.kind.is_target else dict(cuts)
    return tuple((key, state.positions[key].quantity) for key in keys if key in state.positions)


def held_scope(scope: LiquidationScope) -> tuple[Scope, str] | None:
    """Over what a hold stands while a scope is closed: a cluster or a target takes the whole portfolio.

    None for the cuts of an emergency row, which sets holds of its own.
    """
    if scope.kind is ScopeKind.CUTS:
        return None
    if scope.kind in (ScopeKind.STRATEGY, ScopeKind.BOT, ScopeKind.SYMBOL):
        return NAMED[scope.kind], scope.name
    return Scope.PORTFOLIO, ""


def _parts(cuts: Sequence[CloseIntent]) -> tuple[Part, ...]:
    return tuple((cut.key, cut.quantity) for cut in cuts)


def is_inside(state: PortfolioState, scope: LiquidationScope, key: PositionKey) -> bool:
    """Whether a position or an order lies in what a scope closes; a target may take any of them."""
    if scope.kind is ScopeKind.EVERYTHING or scope.kind.is_target:
        return True
    if scope.kind is ScopeKind.CUTS:
        return False
    if scope.kind is ScopeKind.STRATEGY:
        bot = state.bots.get(key.bot)
        return scope.name in (key.strategy, bot.strategy if bot is not None else key.strategy)
    if scope.kind is ScopeKind.CLUSTER:
        return _cluster(state, key.symbol) == _cluster(state, scope.name)
    return scope.name == (key.bot if scope.kind is ScopeKind.BOT else key.symbol)


def _cluster(state: PortfolioState, symbol: str) -> int:
    instrument = state.instruments.get(symbol)
    column = state.model.column(symbol, instrument.asset_class if instrument is not None else "other")
    return state.model.cluster[column]
