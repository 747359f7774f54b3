"""What is answered, field by field, for the OpenAPI document; tests hold the answers against it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AuditAnswer",
    "BotAnswer",
    "CancelAnswer",
    "ChainAnswer",
    "ConfigAnswer",
    "Done",
    "EquityAnswer",
    "ErrorAnswer",
    "ExecutionAnswer",
    "FindingAnswer",
    "LimitsAnswer",
    "Open",
    "PricesAnswer",
    "Readiness",
    "ReconciliationAnswer",
    "ReleaseAnswer",
    "RulesAnswer",
    "SessionAnswer",
    "StateAnswer",
    "TradeAnswer",
    "TradeWhy",
    "WhatIfAnswer",
    "WhatIfWhy",
]


class Closed(BaseModel):
    """An answer of exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class Open(BaseModel):
    """A JSON object whose fields the page of the dashboard API describes."""

    model_config = ConfigDict(extra="allow")


class Error(Closed):
    """What went wrong."""

    code: str
    """A stable word, see codes.md."""
    field: str
    message: str


class ErrorAnswer(Closed):
    """A request that was not served."""

    error: Error


class FindingAnswer(Closed):
    """What one check measured; null where there is nothing to say, or no bound."""

    check: str
    code: str
    cap: float | None
    measured: float | None
    limit: float | None
    unit: str
    subject: str
    room: float | None
    message: str


class WhatIfAnswer(Closed):
    """What would be decided."""

    approved: bool
    outcome: Literal["approved", "cut", "refused"]
    requested_size: float
    recommended_size: float
    closing_size: float
    opening_size: float
    symbol: str
    action: Literal["buy", "sell"]
    strategy: str
    bot_name: str
    rejection_reasons: list[str]
    explanation: str
    binding: FindingAnswer | None
    price: float | None
    quantity: float | None
    decided_at: str
    valid_until: str
    state_version: int
    config_digest: str
    leans_on: list[str]
    shadow: bool
    durable: bool
    request_id: str


class WhatIfWhy(WhatIfAnswer):
    """The same with all that was measured."""

    findings: list[FindingAnswer]


class TradeAnswer(WhatIfAnswer):
    """A decision; an approval is reserved until it is reported, cancelled or past its time."""


class TradeWhy(WhatIfAnswer):
    """A decision with all that was measured, and what became of it."""

    findings: list[FindingAnswer]
    status: str | None
    """Of the approval; null where none is known any more."""
    remaining: float


class ExecutionAnswer(Closed):
    """What a report did."""

    request_id: str
    execution_id: str
    recorded: bool
    booked: float
    quantity: float
    remaining: float
    duplicate: bool
    flags: list[str]
    durable: bool


class CancelAnswer(Closed):
    """What is left of the approval is free."""

    request_id: str
    durable: bool


class Done(Closed):
    """It was done."""

    durable: bool
    """False: in memory alone, the store can't be written now."""


class PricesAnswer(Closed):
    """Symbols by what became of their price."""

    accepted: list[str]
    ignored: list[str]
    """OUT_OF_ORDER: older than what is known."""
    quarantined: list[str]
    """A jump that a second price must confirm."""
    durable: bool


class EquityAnswer(Closed):
    """Whether the report was believed."""

    status: Literal["ACCEPTED", "QUARANTINED"]
    equity: float | None
    drawdown: float
    durable: bool


class BotAnswer(Closed):
    """A bot as it is registered."""

    name: str
    strategy: str
    enabled: bool
    max_position_size: float | None
    kelly_fraction: float | None
    cancelled: list[str]
    """Open approvals that ended with this call."""
    durable: bool


class ReleaseAnswer(Closed):
    """What was released, in words."""

    released: list[str]
    durable: bool


class ReconciliationAnswer(Open):
    """What a comparison with the broker found and did."""

    account_id: str
    is_clean: bool
    durable: bool


class StateAnswer(Open):
    """The book as it stands."""

    as_of: str
    state_version: int
    mode: str
    equity: float | None
    cash: float
    durable: bool


class LimitsAnswer(Closed):
    """Every limit with its use, warning, limit and room, the most used first."""

    limits: list[dict[str, Any]]
    bots: list[dict[str, Any]]
    mode: str
    blocked_by: list[str]


class RulesAnswer(Closed):
    """The alert rules, and what keeps them from being heard."""

    rules: list[dict[str, Any]]
    warnings: list[str]


class Entry(Closed):
    """One entry of the journal."""

    seq: int
    at: str
    kind: str
    actor: str
    body: dict[str, Any]
    hash: str


class AuditAnswer(Closed):
    """A page of the journal; `next` is the `after` of the next page, or the `before` where it is searched."""

    entries: list[Entry]
    next: int | None


class ChainAnswer(Closed):
    """Whether the journal is whole, with what is wrong with it and the hash of the last good entry."""

    ok: bool
    entries: int
    first_bad: int | None
    problems: list[str]
    hash: str


class ConfigAnswer(Closed):
    """The settings in use, without secrets."""

    digest: str
    settings: dict[str, Any]
    durable: bool


class Readiness(Closed):
    """Whether it serves in full."""

    ready: bool
    why: list[str]


class SessionAnswer(Closed):
    """Who asks, and what a browser sends back with every change."""

    name: str
    access: str
    bot: str | None
    csrf: str = Field(description="For the header X-CSRF-Token; empty for a token.")
