"""Liquidations: looked at before they are sent, begun with a reason, followed to their end."""

from __future__ import annotations

from typing import Final

from risk_management.dashboard.plain import Plain, plain
from risk_management.model.access import Access
from risk_management.model.liquidation import Liquidation, LiquidationPlan, PlannedStep
from risk_management.model.money import SCALE
from risk_management.service.answers import LiquidationAnswer, LiquidationsAnswer, PlanAnswer
from risk_management.service.models import LiquidationAsked, PlanAsked, ReasonGiven
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES"]


def preview(call: Call) -> Answer:
    """A plan; nothing is sent by asking for it."""
    made = call.manager.plan_liquidation(call.body.scope)
    has_broker = call.manager.protocol.closing.has_broker
    return Answer({**_plan(made), "has_broker": has_broker, "durable": call.durable})


def begin(call: Call) -> Answer:
    """Carry out a plan that was seen; positions that are others by now begin nothing."""
    body = call.body
    one = call.manager.liquidate(body.scope, body.reason, plan_id=body.plan_id, actor=call.who.actor)
    return Answer({**_liquidation(one), "durable": call.durable})


def end(call: Call) -> Answer:
    """End one, in the name of the token: what works is cancelled first, what is held stays."""
    name = call.path["liquidation_id"]
    one = call.manager.end_liquidation(name, actor=call.who.actor, reason=call.body.reason)
    return Answer({**_liquidation(one), "durable": call.durable})


def look(call: Call) -> Answer:
    """Liquidations that go on, and the newest that have ended."""
    known = call.manager.state.liquidations.values()
    return Answer(
        {
            "liquidations": [_liquidation(one) for one in known],
            "has_broker": call.manager.protocol.closing.has_broker,
            "durable": call.durable,
        }
    )


def _plan(made: LiquidationPlan) -> Plain:
    return {
        "plan_id": made.plan_id,
        "scope": str(made.scope),
        "made_at": made.made_at,
        "state_version": made.state_version,
        "before": plain(made.before),
        "after": plain(made.after),
        "steps": [_step(step) for step in made.steps],
        "left": [
            {"symbol": one.symbol, "quantity": one.quantity / SCALE, "why": one.why, "text": one.text}
            for one in made.left
        ],
        "cancels": made.cancels,
        "protective": made.protective,
        "spread_cost": made.spread_cost,
        "impact_cost": made.impact_cost,
        "cost": made.cost,
        "seconds": made.seconds,
        "notes": made.notes,
    }


def _step(step: PlannedStep) -> Plain:
    orders = [
        {
            "account_id": order.account_id,
            "symbol": order.symbol,
            "side": {1: "buy", -1: "sell", 0: "cross"}[order.side],
            "quantity": order.units,
            "notional": order.notional,
            "price": order.price,
            "limit_price": order.limit_price,
            "spread_cost": order.spread_cost,
            "impact_cost": order.impact_cost,
            "reduce_only": order.reduce_only,
        }
        for order in step.orders
    ]
    return {"number": step.number, "starts": step.starts, "orders": orders, "after": plain(step.after)}


def _liquidation(one: Liquidation) -> Plain:
    orders = [
        {
            "client_order_id": order.client_order_id,
            "symbol": order.symbol,
            "quantity": order.quantity / SCALE,
            "filled": order.filled / SCALE,
            "limit_price": order.limit_price,
            "status": order.status,
            "sent_at": order.sent_at,
        }
        for order in one.orders
    ]
    return {
        "liquidation_id": one.liquidation_id,
        "scope": one.scope,
        "cause": one.cause,
        "actor": one.actor,
        "reason": one.reason,
        "started_at": one.started_at,
        "orders": orders,
        "ended_at": None if one.ended_at is None else one.ended_at.isoformat(),
        "outcome": one.outcome,
        "stopped_by": one.stopped_by,
        "stop_reason": one.stop_reason,
    }


ROUTES: Final = (
    Route(
        "POST",
        "/liquidation/plan",
        Access.READ,
        "How a part of the book would be closed; nothing is sent",
        preview,
        asks=PlanAsked,
        answers=PlanAnswer,
        refuses=(404,),
    ),
    Route(
        "POST",
        "/liquidation",
        Access.OPERATE,
        "Close a part of the book, by a plan that was seen",
        begin,
        asks=LiquidationAsked,
        answers=LiquidationAnswer,
        refuses=(404, 409),
    ),
    Route(
        "GET",
        "/liquidation",
        Access.READ,
        "Liquidations that go on, and the newest that have ended",
        look,
        answers=LiquidationsAnswer,
    ),
    Route(
        "DELETE",
        "/liquidation/{liquidation_id}",
        Access.OPERATE,
        "End a liquidation: what works is cancelled first, what is held stays",
        end,
        asks=ReasonGiven,
        answers=LiquidationAnswer,
        refuses=(404,),
    ),
)
