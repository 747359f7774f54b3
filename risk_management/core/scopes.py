"""Whom a mode is set for: a name that the book knows, so that no stop stops nobody."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from risk_management.core.entry import RESERVED, checked_name, checked_symbol
from risk_management.errors import InvalidRequest
from risk_management.model.portfolio import PortfolioState, Scope

__all__ = ["checked_scope"]


def checked_scope(state: PortfolioState, scope: Scope, name: str) -> None:
    """Raise unless something in the book goes by this name: traded, held, registered or held in a mode.

    Raises
    ------
    InvalidRequest
        ``INVALID_NAME``, ``INVALID_SYMBOL``, or ``UNKNOWN_BOT``, ``UNKNOWN_STRATEGY``, ``UNKNOWN_SYMBOL``.
    """
    if scope is Scope.PORTFOLIO:
        if name != "":
            said = "the portfolio has no name; leave it out, or say which scope it is the name of"
            raise InvalidRequest("INVALID_NAME", "name", said)
        return
    if scope is Scope.SYMBOL:
        checked_symbol(name)
    if not (scope is Scope.STRATEGY and name == ""):  # of those that trade for no strategy
        checked_name(name, "name")
    if any((hold.scope, hold.name) == (scope, name) for hold in state.holds.values()):
        return  # what is held can always be held otherwise, or let go
    known = _known(state, scope)
    if name not in known:
        near = _near(name, known)
        said = f"the book knows no {scope.value} {name!r}" + (f"; did you mean {near}?" if near else "")
        raise InvalidRequest(f"UNKNOWN_{scope.name}", "name", f"{said}; nothing was set")


def _known(state: PortfolioState, scope: Scope) -> Collection[str]:
    keys = [*state.positions, *(one.key for one in state.reservations.values())]
    if scope is Scope.BOT:
        return {*state.bots, *(key.bot for key in keys), *RESERVED}
    if scope is Scope.STRATEGY:
        named = {*state.strategies, *(key.strategy for key in keys)}
        return named | {bot.strategy for bot in state.bots.values()}
    return {*state.quotes, *state.instruments, *state.model.matrix.symbols, *(key.symbol for key in keys)}


def _near(name: str, known: Collection[str]) -> str:
    """What it may have been meant for, upper and lower case being the same."""
    by_fold = {one.casefold(): one for one in known}
    near = get_close_matches(name.strip().casefold(), by_fold, n=3, cutoff=0.6)
    return ", ".join(repr(by_fold[one]) for one in near)
