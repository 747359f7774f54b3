"""What is answered, field by field, for the OpenAPI document; tests hold the answers against it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AlertAnswer",
    "AuditAnswer",
    "BotAnswer",
    "BudgetAnswer",
    "CancelAnswer",
    "ChainAnswer",
    "ConfigAnswer",
    "DeliveryAnswer",
    "Done",
    "EquityAnswer",
    "ErrorAnswer",
    "ExecutionAnswer",
    "FindingAnswer",
    "ForgottenAnswer",
    "LimitsAnswer",
    "LiquidationAnswer",
    "LiquidationsAnswer",
    "Open",
    "PaperAnswer",
    "PlanAnswer",
    "PricesAnswer",
    "Readiness",
    "ReconciliationAnswer",
    "ReleaseAnswer",
    "RulesAnswer",
    "SessionAnswer",
    "SilencesAnswer",
    "StateAnswer",
    "StopAnswer",
    "TradeAnswer",
    "TradeWhy",
    "TriedAnswer",
    "WhatIfAnswer",
    "WhatIfWhy",
]


class Closed(BaseModel):
    """An answer of exactly these fields."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class ChannelDelivery(Closed):
    """How one channel stands."""

    channel: str
    """Its name."""
    configured: bool
    """Whether somebody serves it."""
    pending: int
    """Messages that wait."""
    sent: int
    """Of the last 10,000."""
    failed: int
    """Messages that will not be tried again."""
    oldest_at: str | None
    """Since when the oldest waits, UTC."""
    oldest_age_seconds: float | None
    """The same as an age."""
    lag_seconds: float | None
    """From cause to delivery, of the newest message sent."""
    last_error: str
    """What it said last, without secrets."""


class FailedMessage(Closed):
    """A message that was given up on one channel."""

    key: str
    """Of the message."""
    channel: str
    """That did not take it."""
    title: str
    """What it said."""
    at: str
    """UTC."""
    tries: int
    """How often it was tried."""
    error: str
    """Why, without secrets."""


class DeliveryAnswer(Closed):
    """What waits to be sent, was sent and failed."""

    channels: list[ChannelDelivery]
    """Each channel."""
    pending: int
    """Messages that wait, on all."""
    failed: int
    """Messages that failed, on all."""
    newest_failed: list[FailedMessage]
    """The last that failed."""


class Open(BaseModel):
    """A JSON object whose fields the page of the dashboard API describes."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)


class Error(Closed):
    """What went wrong."""

    code: str
    """A stable word, see codes.md."""
    field: str
    """What was wrong, dotted where it lies within something; empty where it was no field."""
    message: str
    """For people: what, which value, what to do."""


class ErrorAnswer(Closed):
    """A request that was not served."""

    error: Error
    """Why."""


class FindingAnswer(Closed):
    """What one check measured; null where there is nothing to say, or no bound."""

    check: str
    """Name of the check."""
    passed: bool
    """False where it is one of the reasons why the order was refused or cut."""
    code: str
    """Of a refusal or cut by this check."""
    cap: float | None
    """Largest opening that it allows, money; null: any."""
    measured: float | None
    """At the requested size, in `unit`."""
    limit: float | None
    """What it was held against."""
    unit: str
    """``money``, ``fraction``, ``score``, ``count``, ``seconds`` or ``price``."""
    subject: str
    """The symbol, sector, bot or scenario that is meant."""
    tier: float | None
    """Of the drawdown: where the size that `limit` names begins, or full size ends."""
    room: float | None
    """What is left until the limit."""
    message: str
    """In words."""


class WhatIfAnswer(Closed):
    """What would be decided."""

    approved: bool
    """Whether anything of it may be traded."""
    outcome: Literal["approved", "cut", "refused"]
    """In full, cut to a size, or refused."""
    requested_size: float
    """Money asked for."""
    recommended_size: float
    """Money that may be traded; 0 when refused."""
    closing_size: float
    """Part of it that closes."""
    opening_size: float
    """Part of it that opens."""
    symbol: str
    """As asked."""
    action: Literal["buy", "sell"]
    """As asked."""
    strategy: str
    """As asked, or the bot's."""
    bot_name: str
    """Whose order it is."""
    rejection_reasons: list[str]
    """Codes, the binding one first; see codes.md."""
    explanation: str
    """For people, in a few lines."""
    binding: FindingAnswer | None
    """The check that set the size."""
    price: float | None
    """Ours at the decision."""
    quantity: float | None
    """Units that may be traded, where a price is known."""
    decided_at: str
    """UTC."""
    valid_until: str
    """Not to be sent after this."""
    state_version: int
    """Of the book that it was judged on."""
    config_digest: str
    """Of the settings that it was judged by."""
    leans_on: list[str]
    """What the numbers rest on: sample data, proxies, stand-ins."""
    shadow: bool
    """Shadow mode: approved although the checks said otherwise."""
    durable: bool
    """Whether it will be known after a power cut."""
    request_id: str
    """For the report, the cancel and every question about it."""


class WhatIfWhy(WhatIfAnswer):
    """The same with all that was measured."""

    findings: list[FindingAnswer]
    """Of every check."""


class TradeAnswer(WhatIfAnswer):
    """A decision; an approval is reserved until it is reported, cancelled or past its time."""


class TradeWhy(WhatIfAnswer):
    """A decision with all that was measured, and what became of it."""

    findings: list[FindingAnswer]
    """Of every check."""
    status: str | None
    """Of the approval; null where none is known any more."""
    remaining: float
    """Money of the approval that is still open."""


class ExecutionAnswer(Closed):
    """What a report did."""

    request_id: str
    """Of the order."""
    execution_id: str
    """Of the fill."""
    recorded: bool
    """Always true: a fact is kept."""
    booked: float
    """Money booked; 0 for a repeated report."""
    quantity: float
    """Units booked."""
    remaining: float
    """Money of the approval that is still open."""
    duplicate: bool
    """It had been booked before."""
    flags: list[str]
    """Codes of what was unusual, such as OVERFILL or LATE_FILL."""
    durable: bool
    """Whether it will be known after a power cut."""


class PaperAnswer(Closed):
    """How the order of an approval stands at the paper account. Its fills are booked already."""

    request_id: str
    """Of the approval, and of its order."""
    status: str
    """accepted, partial, filled or cancelled."""
    quantity: float
    """Units ordered."""
    executed_quantity: float
    """Units filled so far."""
    executed_price: float | None
    """Average of what was filled."""
    fee: float
    """Money."""
    reason: str
    """Why it was cancelled."""
    durable: bool
    """Whether what was booked will be known after a power cut."""


class CancelAnswer(Closed):
    """What is left of the approval is free."""

    request_id: str
    """Of the order."""
    durable: bool
    """Whether it will be known after a power cut."""


class Done(Closed):
    """It was done."""

    durable: bool
    """False: in memory alone, the store can't be written now."""


class ModeAnswer(Done):
    """A mode was set or ended."""

    mode: str
    """The mode in force there now: a stop by another cause stays, and is ended by its own release."""


class CashAnswer(Done):
    """Cash was booked."""

    account_id: str
    """Where: a deposit to a name that was not known opened it."""
    cash: float
    """Of that account now."""
    equity: float | None
    """Of the whole book now, None while it is unknown."""


class ForgottenAnswer(Closed):
    """Nobody waits for it any more."""

    forgotten: bool
    """False: nobody did before."""
    durable: bool
    """Whether it will be known after a power cut."""


class StopAnswer(Closed):
    """All trading is stopped."""

    durable: bool
    """Whether it will be known after a power cut."""
    outage: str
    """Why it is known to this engine alone, such as another that has taken the book over; empty else."""
    cancelled: list[dict[str, str | float]]
    """Approved entries that were cancelled: request_id, symbol, side, amount."""


class PlanAnswer(Open):
    """How a part of the book would be closed: steps with their orders, what waits, cost, time, risk path."""

    plan_id: str
    """Hand it back to carry out this plan."""
    scope: str
    """What would be closed."""
    steps: list[dict[str, Any]]
    """Orders in sequence, with the risk behind each."""
    left: list[dict[str, Any]]
    """What stays, and why."""
    cost: float
    """Money expected: spread and impact."""
    has_broker: bool
    """False: nothing would be sent; the positions would be booked as closed at our marks."""
    durable: bool
    """Whether it will be known after a power cut."""


class LiquidationAnswer(Open):
    """A liquidation that began, and how it stands."""

    liquidation_id: str
    """Names it."""
    scope: str
    """What is closed."""
    ended_at: str | None
    """UTC; null while it goes on, also while the orders of one that a person ends are being cancelled."""
    stopped_by: str
    """The person who ends it; empty where nobody does."""
    durable: bool
    """Whether it will be known after a power cut."""


class LiquidationsAnswer(Closed):
    """Those that go on, and the newest that have ended."""

    liquidations: list[dict[str, Any]]
    """The newest, those that go on first."""
    has_broker: bool
    """Without one, closes are booked at the marks."""
    durable: bool
    """Whether it will be known after a power cut."""


class PricesAnswer(Closed):
    """Symbols by what became of their price."""

    accepted: list[str]
    """Taken in."""
    ignored: list[str]
    """OUT_OF_ORDER: older than what is known."""
    quarantined: list[str]
    """A jump that a second price must confirm."""
    durable: bool
    """Whether they will be known after a power cut."""


class EquityAnswer(Closed):
    """Whether the report was believed."""

    status: Literal["ACCEPTED", "QUARANTINED"]
    """Believed, or kept aside."""
    equity: float | None
    """As the book has it now."""
    drawdown: float
    """Fraction below the highest mark."""
    durable: bool
    """Whether it will be known after a power cut."""


class BotAnswer(Closed):
    """A bot as it is registered."""

    name: str
    """Of the bot."""
    strategy: str
    """Of the bot."""
    enabled: bool
    """Whether it may open."""
    max_position_size: float | None
    """Money; null: the settings' share of equity."""
    kelly_fraction: float | None
    """0 to 1; null: the settings'."""
    cancelled: list[str]
    """Open approvals that ended with this call."""
    durable: bool
    """Whether it will be known after a power cut."""


class BudgetAnswer(Closed):
    """The risk budget in force, or a preview of one."""

    budget: dict[str, Any] | None
    """How it is split and used, by strategy (see risk-budgets.md); null while none is in force."""
    durable: bool
    """Whether it will be known after a power cut."""


class ReleaseAnswer(Closed):
    """What was released, in words."""

    released: list[str]
    """What was stopped and is no longer; what still holds, too."""
    durable: bool
    """Whether it will be known after a power cut."""


class ReconciliationAnswer(Open):
    """What a comparison with the broker found and did."""

    account_id: str
    """Which account."""
    is_clean: bool
    """Nothing differs."""
    lacking: list[str]
    """What a book that waits for its first whole comparison lacks beside what differs, in words."""
    durable: bool
    """Whether it will be known after a power cut."""


class StateAnswer(Open):
    """The book as it stands."""

    as_of: str
    """Time of the last event, UTC."""
    state_version: int
    """Number of the last event."""
    mode: str
    """Of the portfolio."""
    equity: float | None
    """Money; null: a held name has no price."""
    cash: float
    """Money of all accounts."""
    durable: bool
    """Whether the store can be written."""


class LimitsAnswer(Closed):
    """Every limit with its use, warning, limit and room, the nearest to a breach first."""

    limits: list[dict[str, Any]]
    """Name, use, warning, limit, room and subject of each."""
    bots: list[dict[str, Any]]
    """The same for each bot."""
    mode: str
    """Of the portfolio."""
    blocked_by: list[str]
    """Why nothing new is opened now, in words."""


class RulesAnswer(Closed):
    """The alert rules, and what keeps them from being heard."""

    rules: list[dict[str, Any]]
    """Each with its condition, severity and channels."""
    warnings: list[str]
    """Channels that can't be reached, with the remedy."""


class AlertAnswer(Closed):
    """An alert as it stands."""

    alert: dict[str, Any]
    """Its rule, state, count and message, and who took it on."""
    durable: bool
    """Whether it is on disk, where there is a store."""


class SilencesAnswer(Closed):
    """Silences that stand."""

    silences: list[dict[str, Any]]
    """Each with what it matches, by whom, why and until when; the one that ends first first."""
    durable: bool
    """Whether all that was written is on disk, where there is a store."""


class TriedAnswer(Closed):
    """What a condition says of the present metrics; nothing was changed."""

    results: list[dict[str, Any]]
    """For the book, or for each one of the scope: its ``subject``, whether it ``holds`` (null where that
    can't be said), the ``values`` it read and the words that are ``missing``."""


class Entry(Closed):
    """One entry of the journal."""

    seq: int
    """Without gaps."""
    at: str
    """UTC."""
    kind: str
    """Of the event."""
    actor: str
    """Who caused it."""
    body: dict[str, Any]
    """What happened."""
    hash: str
    """Of this entry and all before it, hexadecimal."""


class AuditAnswer(Closed):
    """A page of the journal; `next` is the `after` of the next page, or the `before` where it is searched."""

    entries: list[Entry]
    """Oldest first."""
    next: int | None
    """Null at the end."""


class ChainAnswer(Closed):
    """Whether the journal is whole, with what is wrong with it and the hash of the last good entry."""

    ok: bool
    """Nothing is wrong."""
    entries: int
    """How many there are."""
    first_bad: int | None
    """Number of the first that is wrong."""
    problems: list[str]
    """In words."""
    hash: str
    """Of the last good entry."""


class Changed(Closed):
    """A setting that was changed while the service ran."""

    given: Any
    """At the start."""
    used: Any
    """Now."""


class ConfigAnswer(Closed):
    """The settings in use, without secrets."""

    digest: str
    """Of the settings, as decisions name it."""
    settings: dict[str, Any]
    """By section."""
    changed: dict[str, Changed]
    """What differs from the settings of the start, by name. It outlives a restart."""
    durable: bool
    """Whether they will be known after a power cut."""


class Readiness(Closed):
    """Whether it serves in full."""

    ready: bool
    """Whether it serves in full."""
    why: list[str]
    """What is in the way."""


class SessionAnswer(Closed):
    """Who asks, and what a browser sends back with every change."""

    name: str
    """Of the token or session."""
    access: str
    """``read``, ``trade``, ``operate`` or ``admin``."""
    bot: str | None
    """Of a trade token."""
    csrf: str = Field(description="For the header X-CSRF-Token; empty for a token.")
    by_link: bool
    """True for whoever came by a printed link, who may say a name."""
    is_named: bool
    """False for whoever came by a printed link and has not said who it is."""
