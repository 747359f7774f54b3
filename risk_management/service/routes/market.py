"""What the world says: prices, equity, cash."""

from __future__ import annotations

import math
from typing import Final

from risk_management.model.access import Access
from risk_management.service.answers import CashAnswer, EquityAnswer, PricesAnswer
from risk_management.service.models import CashFlow, EquityReport, Prices
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def prices(call: Call) -> Answer:
    """Take in prices; a jump is not believed until a second price confirms it."""
    body = call.body
    source = body.source or call.who.name
    update = call.manager.update_prices(
        body.prices, at=body.at, source=source, daily=body.daily, actor=call.who.actor
    )
    said = {name: getattr(update, name) for name in ("accepted", "ignored", "quarantined")}
    return Answer({**said, "durable": call.durable}, 202 if update.quarantined else 200)


def equity(call: Call) -> Answer:
    """Take in what the account is worth; what can't be believed lets nothing open."""
    body = call.body
    # what is no number is doubted like a total loss
    told = body.equity if math.isfinite(body.equity) else 0.0
    believed = call.manager.report_equity(told, confirmed=body.confirmed, actor=call.who.actor)
    state = call.manager.state
    said = {
        "status": "ACCEPTED" if believed else "QUARANTINED",
        "equity": state.equity,
        "drawdown": state.drawdown.drawdown,
        "durable": call.durable,
    }
    return Answer(said, 200 if believed else 202)


def cash_flow(call: Call) -> Answer:
    """Book cash that came or went."""
    body = call.body
    call.manager.record_cash(
        body.kind,
        body.amount,
        account_id=body.account_id,
        symbol=body.symbol or "",
        actor=call.who.actor,
    )
    state = call.manager.state
    account = body.account_id or next(iter(state.accounts))
    cash = state.accounts[account].balance
    said = {"account_id": account, "cash": cash, "equity": state.equity, "durable": call.durable}
    return Answer(said)


ROUTES: Final = (
    Route(
        "POST",
        "/prices",
        Access.OPERATE,
        "Take in prices",
        prices,
        asks=Prices,
        answers=PricesAnswer,
        status=(200, 202),
    ),
    Route(
        "POST",
        "/equity",
        Access.OPERATE,
        "Take in what the account is worth",
        equity,
        asks=EquityReport,
        answers=EquityAnswer,
        status=(200, 202),
    ),
    Route(
        "POST",
        "/cash-flows",
        Access.OPERATE,
        "Book cash that came or went; each call is booked",
        cash_flow,
        asks=CashFlow,
        answers=CashAnswer,
    ),
)
