"""The risk budget of the strategies: how it stands, a new split, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from risk_management.dashboard.budgets import budget_view
from risk_management.model.access import Access
from risk_management.service.answers import BudgetAnswer
from risk_management.service.models import BudgetAsked, ReasonGiven
from risk_management.service.route import Answer, Call, Route

if TYPE_CHECKING:
    from risk_management.calculators.risk_budget import RiskBudget

__all__ = ["ROUTES"]


def show(call: Call) -> Answer:
    """The budget in force, and what each strategy uses of it."""
    return _answer(call, call.manager.risk_budget())


def allocate(call: Call) -> Answer:
    """Split it anew; a first split only tightens, and needs no admin."""
    body, who = call.body, call.who
    made = call.manager.allocate_risk_budget(
        body.budget,
        body.method,
        body.measure,
        body.strategies,
        preview=body.preview,
        reason=body.reason,
        actor=who.actor,
        may_loosen=who.access is Access.ADMIN,
    )
    return _answer(call, made)


def withdraw(call: Call) -> Answer:
    """End it: from here on no strategy is held to a budget."""
    call.manager.withdraw_risk_budget(call.body.reason, actor=call.who.actor)
    return _answer(call, call.manager.risk_budget())


def _answer(call: Call, budget: RiskBudget | None) -> Answer:
    return Answer({"budget": None if budget is None else budget_view(budget), "durable": call.durable})


ROUTES: Final = (
    Route(
        "GET",
        "/budgets",
        Access.READ,
        "The risk budget in force, by strategy",
        show,
        answers=BudgetAnswer,
    ),
    Route(
        "POST",
        "/budgets/allocate",
        Access.OPERATE,
        "Split the risk budget, or preview a split; to loosen takes an admin",
        allocate,
        asks=BudgetAsked,
        answers=BudgetAnswer,
    ),
    Route(
        "POST",
        "/budgets/withdraw",
        Access.ADMIN,
        "End the risk budget in force",
        withdraw,
        asks=ReasonGiven,
        answers=BudgetAnswer,
    ),
)
