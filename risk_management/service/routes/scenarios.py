"""Scenarios of one's own, and the move that would break a limit; nothing is changed by asking."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from risk_management.dashboard.plain import plain
from risk_management.dashboard.stress import scenario_row
from risk_management.errors import UndefinedMeasure
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.service.answers import Open
from risk_management.service.fields import Name
from risk_management.service.models import Asked
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

__all__ = ["ROUTES", "ReverseAsked", "ScenarioAsked"]

Shock = Annotated[float, Field(ge=-1.0, le=100.0)]


class ScenarioAsked(Asked):
    """Shocks as fractions: -0.2 is a fall of 20 %."""

    name: Name
    """For the answer."""
    shocks: dict[str, Shock] = Field(default={}, max_length=200)
    """Of symbols, sectors or asset classes."""
    market: Shock | None = None
    """Of the market, propagated by beta to what `shocks` does not name."""


class ReverseAsked(Asked):
    """Which limit is to be broken."""

    limit: Name = "drawdown"
    """Which limit is to be broken."""
    horizon_days: Annotated[int, Field(ge=1, le=250)] = 1
    """Trading days of the move."""


def own(call: Call) -> Answer:
    """The book in a scenario of one's own."""
    asked = call.body
    found = call.manager.stress_tester.run_custom_scenario(asked.name, asked.shocks, asked.market)
    return Answer(scenario_row(found))


def reverse(call: Call) -> Answer:
    """The most plausible move of the book's names that breaks a limit."""
    try:
        found = call.manager.stress_tester.run_reverse_stress(call.body.limit, call.body.horizon_days)
    except UndefinedMeasure as problem:
        raise Problem(Code.UNDEFINED, "limit", str(problem)) from None
    return Answer({**plain(found), "explanation": found.explain()})


ROUTES: Final = (
    Route(
        "POST",
        "/stress/own",
        Access.READ,
        "The book in a scenario of one's own",
        own,
        asks=ScenarioAsked,
        answers=Open,
    ),
    Route(
        "POST",
        "/stress/reverse",
        Access.READ,
        "The most plausible move that breaks a limit",
        reverse,
        asks=ReverseAsked,
        answers=Open,
    ),
)
