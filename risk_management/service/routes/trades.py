"""Orders: asked, reported, cancelled, explained."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from risk_management.alerts.records import AlertSeverity, AlertType
from risk_management.core.fill_report import FillReport
from risk_management.core.order_desk import OrderTicket
from risk_management.errors import OrderRejected, UnknownRequest
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.model.explain import tier_of
from risk_management.model.money import SCALE
from risk_management.model.trade import Execution
from risk_management.service.answers import (
    CancelAnswer,
    ExecutionAnswer,
    PaperAnswer,
    TradeAnswer,
    TradeWhy,
    WhatIfWhy,
)
from risk_management.service.models import ExecutionReport, TradeAsked
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

if TYPE_CHECKING:
    from risk_management.dashboard.plain import Plain
    from risk_management.model.portfolio import Reservation
    from risk_management.model.trade import Finding, TradeDecision

__all__ = ["ROUTES"]

SAID: Final = (
    "request_id",
    "approved",
    "outcome",
    "requested_size",
    "recommended_size",
    "closing_size",
    "opening_size",
    "symbol",
    "action",
    "strategy",
    "bot_name",
    "rejection_reasons",
    "price",
    "quantity",
    "decided_at",
    "valid_until",
    "state_version",
    "config_digest",
    "leans_on",
    "shadow",
    "durable",
)
BOOKED: Final = ("request_id", "execution_id", "booked", "quantity", "remaining", "duplicate", "flags")


def ask(call: Call) -> Answer:
    """Judge a request and reserve what is approved."""
    return Answer(_said(call, call.manager.request_trade(_ticket(call))))


def what_if(call: Call) -> Answer:
    """Judge a request and change nothing; every check says what it measured."""
    decision = call.manager.desk.ask(_ticket(call))
    return Answer({**_said(call, decision), "findings": _findings(call, decision)})


def why(call: Call) -> Answer:
    """The decision of an id with all that was measured, and what became of it."""
    request_id = call.path["request_id"]
    decision = _decision(call, request_id)
    state = call.manager.state
    still_open = state.reservations.get(request_id)
    known = still_open or state.settled.get(request_id)
    return Answer(
        {
            **_said(call, decision),
            "findings": _findings(call, decision),
            "status": None if known is None else known.status,
            "remaining": 0.0 if still_open is None else (still_open.opening + still_open.closing) / SCALE,
        }
    )


def report(call: Call) -> Answer:
    """Book what became of an order. A fact is always recorded."""
    request_id, body = call.path["request_id"], call.body
    known = call.manager.desk.approval(request_id)
    if known is not None:
        call.own(known.key.bot)
        _check_order(call, known)
    fill = FillReport(
        request_id,
        body.executed_size,
        body.executed_price,
        body.success,
        body.execution_id,
        body.final,
        body.executed_quantity,
        body.fee,
        body.environment,
        call.who.actor,
    )
    try:
        done = call.manager.execute_trade(fill)
    except UnknownRequest as problem:  # recorded, and people were told
        done = Execution(request_id, body.execution_id or "", 0.0, 0.0, 0.0, flags=(problem.code,))
    said: Plain = {name: getattr(done, name) for name in BOOKED}
    return Answer({**said, "recorded": True, "durable": call.durable})


def on_paper(call: Call) -> Answer:
    """Give an approval to the paper account, once."""
    request_id = call.path["request_id"]
    _check_owner(call, request_id)
    try:
        done = call.manager.trade_on_paper(request_id)
    except OrderRejected as problem:
        text = f"the paper account took no order: {problem}; the approval stands"
        raise Problem(problem.code, "request_id", text) from None
    return Answer({**asdict(done), "durable": call.durable})


def cancel(call: Call) -> Answer:
    """Free what is left of an approval."""
    request_id = call.path["request_id"]
    _check_owner(call, request_id)
    call.manager.desk.cancel(request_id, "cancelled", call.who.actor)
    return Answer({"request_id": request_id, "durable": call.durable})


def _ticket(call: Call) -> OrderTicket:
    body = call.body
    return OrderTicket(
        body.symbol,
        body.action,
        body.size,
        body.strategy,
        call.own(body.bot_name),
        body.confidence,
        body.price,
        body.risk_amount,
        body.account_id,
        body.request_id,
        body.reduce_only,
        call.who.actor,
    )


def _decision(call: Call, request_id: str) -> TradeDecision:
    decision = call.manager.desk.decision(request_id)
    if decision is None:
        raise _unknown(request_id)
    call.own(decision.bot_name)
    return decision


def _check_owner(call: Call, request_id: str) -> None:
    known = call.manager.desk.approval(request_id)
    if known is None:
        raise _unknown(request_id)
    call.own(known.key.bot)


def _unknown(request_id: str) -> Problem:
    return Problem(Code.UNKNOWN_REQUEST, "request_id", f"no request has the id {ascii(request_id)[:80]}")


def _check_order(call: Call, known: Reservation) -> None:
    """Raise where the report names another symbol or side than was asked for, and tell people."""
    asked_for = {"symbol": known.key.symbol, "action": "buy" if known.side > 0 else "sell"}
    for name, asked in asked_for.items():
        told = getattr(call.body, name)
        if told not in (None, asked):
            text = f"a fill of {known.request_id} names the {name} {told}, not {asked}; it was not booked"
            call.manager.alert_manager.raise_alert(
                AlertType.SYSTEM_ERROR,
                AlertSeverity.CRITICAL,
                text,
                key=Code.EXECUTION_CONFLICT,
                about=known.request_id,
            )
            raise Problem(Code.EXECUTION_CONFLICT, name, text)


def _said(call: Call, decision: TradeDecision) -> Plain:
    said: Plain = {name: getattr(decision, name) for name in SAID}
    said["explanation"] = decision.explain()
    said["binding"] = None if decision.binding is None else _finding(call, decision, decision.binding)
    return said


def _findings(call: Call, decision: TradeDecision) -> list[Plain]:
    return [_finding(call, decision, finding) for finding in decision.findings]


def _finding(call: Call, decision: TradeDecision, finding: Finding) -> Plain:
    # counts are whole numbers until the journal has held them: the same answer has the same bytes
    numbers = {name: float(getattr(finding, name)) for name in ("cap", "measured", "limit", "room")}
    said, tier, manager = finding, None, call.manager
    if finding.code == Code.STRESS_LIMIT and finding.subject in manager.foundation.scenarios:
        said = finding._replace(subject=manager.foundation.scenarios[finding.subject].name)
    elif finding.code == Code.DRAWDOWN_LIMIT:
        tier = tier_of(finding, manager.config.drawdown_config.tier_levels())
    words = {"passed": decision.passed(finding), "message": decision.says(said)}
    return {**finding._asdict(), **numbers, **words, "tier": tier}


ROUTES: Final = (
    Route(
        "POST",
        "/trades",
        Access.TRADE,
        "Ask before trading; what is approved is reserved",
        ask,
        asks=TradeAsked,
        answers=TradeAnswer,
        refuses=(409,),
    ),
    Route(
        "GET",
        "/trades/{request_id}",
        Access.READ,
        "A decision, every number behind it, and what became of it",
        why,
        answers=TradeWhy,
        refuses=(404,),
    ),
    Route(
        "DELETE",
        "/trades/{request_id}",
        Access.TRADE,
        "Free what is left of an approval",
        cancel,
        answers=CancelAnswer,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/trades/{request_id}/executions",
        Access.TRADE,
        "Report a fill, or that there was none",
        report,
        asks=ExecutionReport,
        answers=ExecutionAnswer,
        refuses=(409,),
    ),
    Route(
        "POST",
        "/trades/{request_id}/paper",
        Access.TRADE,
        "Have the paper account trade an approval; its fills are booked",
        on_paper,
        answers=PaperAnswer,
        refuses=(404, 409),
    ),
    Route(
        "POST",
        "/what-if",
        Access.READ,
        "What would be approved; nothing is reserved",
        what_if,
        asks=TradeAsked,
        answers=WhatIfWhy,
    ),
)
