"""Facts as people report them, checked and turned into events: cash that moved, fills nobody approved."""

from __future__ import annotations

from datetime import datetime

from risk_management.core.accounts import account_equity
from risk_management.core.entry import checked_name, checked_number, checked_price, checked_symbol
from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import CashKind, CashMoved, Filled
from risk_management.model.instrument import Instrument
from risk_management.model.money import to_ledger
from risk_management.model.portfolio import EXTERNAL, OPERATOR, PortfolioState, PositionKey

__all__ = ["cash_event", "unapproved_fill"]


def cash_event(
    state: PortfolioState,
    now: datetime,
    kind: object,
    amount: float,
    account_id: str | None = None,
    symbol: str = "",
) -> CashMoved:
    """Cash that came (positive) or went (negative).

    Raises
    ------
    InvalidRequest
        ``INVALID_KIND``, ``UNKNOWN_ACCOUNT`` for anything but a deposit, or an amount that means nothing.
    """
    try:
        known = CashKind(kind) if isinstance(kind, str) else CashKind("")
    except ValueError:
        kinds = ", ".join(CashKind)
        raise InvalidRequest("INVALID_KIND", "kind", f"kind is one of {kinds}; got {shown(kind)}") from None
    money = checked_number(amount, "amount", signed=True)
    if known is CashKind.DEPOSIT and money < 0.0:
        raise InvalidRequest("NOT_POSITIVE", "amount", "a deposit is above 0; record a withdrawal instead")
    if known is CashKind.FEE and money > 0.0:
        said = f"a fee goes: give it below 0, such as -{money:g}; got {money:g}"
        raise InvalidRequest("OUT_OF_RANGE", "amount", said)
    account = account_id or next(iter(state.accounts))
    if account not in state.accounts and known is not CashKind.DEPOSIT:
        raise InvalidRequest("UNKNOWN_ACCOUNT", "account_id", f"no account is called {shown(account)}")
    if known is CashKind.WITHDRAWAL:
        money = -abs(money)
        worth = account_equity(state, account)
        has_another = len(state.accounts) > 1  # of a book in debt its one account may be told anything
        if state.totals.equity is not None and -money >= worth and (worth > 0.0 or has_another):
            said = f"equity of {account} is {worth:,.2f}; not all of it can be withdrawn"
            raise InvalidRequest("OUT_OF_RANGE", "amount", said)
    return CashMoved(
        at=now,
        actor=OPERATOR,
        account_id=checked_name(account, "account_id"),
        kind=known,
        amount=to_ledger(money),
        symbol=symbol,
    )


def unapproved_fill(  # noqa: PLR0913, PLR0917 - the facts of a fill
    state: PortfolioState,
    now: datetime,
    symbol: str,
    action: object,
    quantity: float,
    price: float,
    execution_id: str,
    bot_name: str | None = None,
    strategy: str = "",
    fee: float = 0.0,
) -> Filled:
    """A broker's fill that nobody approved; without a bot it belongs to `EXTERNAL`.

    Raises
    ------
    InvalidRequest
        For a value that means nothing.
    """
    side = {"buy": 1, "sell": -1}.get(action) if isinstance(action, str) else None
    if side is None:
        raise InvalidRequest("INVALID_ACTION", "action", f"action is 'buy' or 'sell'; got {shown(action)}")
    units = to_ledger(checked_number(quantity, "quantity"))
    instrument = state.instruments.get(
        checked_symbol(symbol), Instrument(symbol, currency=state.base_currency)
    )
    rate = state.rate_of(instrument.currency)
    if rate is None:
        said = f"there is no {instrument.currency} rate; set_rate it first"
        raise InvalidRequest("NO_RATE", "symbol", said)
    own = units * checked_price(price, "price") * instrument.multiplier
    cost = round(own * rate)
    owner = checked_name(bot_name, "bot_name") if bot_name else EXTERNAL
    account = next(iter(state.accounts))
    return Filled(
        at=now,
        actor=owner,
        request_id=f"unapproved-{execution_id}",
        execution_id=checked_name(execution_id, "execution_id"),
        key=PositionKey(account, symbol, checked_name(strategy, "strategy", empty=True), owner),
        quantity=side * units,
        cost=side * cost,
        fee=to_ledger(checked_number(fee, "fee", zero=True)),
        final=True,
        used_opening=0,
        used_closing=0,
        used_quantity=units,
        reported=round(own),
    )
