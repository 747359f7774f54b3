"""What may be asked over HTTP; the OpenAPI document is made from these records."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema

from risk_management.alerts.records import AlertChannel, AlertSeverity, AlertType
from risk_management.model.budget import BudgetMeasure, BudgetMethod
from risk_management.model.codes import Code
from risk_management.model.events import CashKind
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.service.fields import (
    Action,
    AnyMoney,
    BotName,
    Condition,
    Equity,
    Moment,
    Money,
    Name,
    NoLoss,
    Part,
    Person,
    PricesBySymbol,
    RequestId,
    Share,
    SignedMoney,
    Symbol,
    Text,
    UnitsBySymbol,
    member_of,
)

__all__ = [
    "AlertTaken",
    "Asked",
    "AuditPage",
    "AuditSearch",
    "BotAsked",
    "BotToggled",
    "BrokerPositions",
    "BudgetAsked",
    "CashFlow",
    "ConditionAsked",
    "ConfigPatch",
    "EquityReport",
    "ExecutionReport",
    "HeartbeatForgotten",
    "HeartbeatGiven",
    "LiquidationAsked",
    "LoginCode",
    "ModeAsked",
    "Nothing",
    "PlanAsked",
    "Prices",
    "ReasonGiven",
    "RuleAsked",
    "SessionName",
    "SilenceAsked",
    "TradeAsked",
]


class Asked(BaseModel):
    """The base of all bodies: nothing but what is named, and no value that needs to be guessed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class Nothing(Asked):
    """No fields: the body is an empty object."""


class TradeAsked(Asked):
    """An order that a bot would like to send."""

    symbol: Symbol
    """What is traded, such as ``AAPL`` or ``BTC/USDT``."""
    action: Action
    """``buy`` or ``sell``; a sell beyond what is held opens a short."""
    size: Money
    """Money in the account's currency, not units."""
    bot_name: BotName | None = None
    """By default the bot of the token; an operator who names none trades for the account."""
    strategy: Text = ""
    """By default the bot's."""
    confidence: Share = 1.0
    """Of the signal, 0 to 1; neutral from 0.70 on, it never raises a size."""
    price: Money | None = None
    """Limit price, in the instrument's currency; without one it is a market order."""
    risk_amount: NoLoss | None = None
    """Money lost if the stop of the new position is hit."""
    request_id: RequestId | None = None
    """Asked again with it, the first answer comes back, also after a restart."""
    account_id: Name | None = None
    """By default the account of the settings."""
    reduce_only: StrictBool = False
    """Close only: what would open is left out."""


class ExecutionReport(Asked):
    """What became of an order at the broker."""

    executed_size: NoLoss
    """Money filled; 0 with `success` false: nothing was."""
    executed_price: NoLoss = 0.0
    """Average price of this fill; 0 where it is not known."""
    success: StrictBool = True
    """False: the broker refused it or nothing was filled; the approval is freed."""
    execution_id: Name | None = None
    """The broker's id: a report repeated under it is booked once."""
    final: StrictBool | None = None
    """Nothing more comes of the order; without it a fill within 0.5 % of the approval is the last."""
    executed_quantity: NoLoss | None = None
    """Units filled, where the broker tells them."""
    fee: NoLoss = 0.0
    """Money, besides `executed_size`."""
    environment: Name | None = None
    """``paper``, ``live`` or ``replay``: one that is not the book's is refused."""
    symbol: Symbol | None = None
    """Held against the request, where it is given."""
    action: Action | None = None
    """Held against the request, where it is given."""


class Prices(Asked):
    """Prices of instruments, in each one's currency."""

    prices: PricesBySymbol
    """Symbol to price, above 0."""
    at: Moment | None = None
    """When they were made; by default now. One in the future is refused, an older one than known ignored."""
    source: Text = ""
    """By default the name of the token."""
    daily: StrictBool = False
    """Daily closes: their age is counted in days."""


class EquityReport(Asked):
    """What the account is worth, from outside."""

    equity: Equity = Field(allow_inf_nan=True)
    """Money. What can't be, or jumps without a reason, is kept aside until a second report says the same."""
    confirmed: StrictBool = False
    """Believe it although it jumps."""


class CashFlow(Asked):
    """Cash that came (positive) or went (negative)."""

    kind: member_of(CashKind, Code.INVALID_KIND)  # type: ignore[valid-type]
    """Deposits and withdrawals are neutral to drawdown; all else is profit or loss."""
    amount: SignedMoney
    """Money in the base currency: positive came, negative went, as a fee does. A withdrawal always goes."""
    account_id: Name | None = None
    """By default the account of the settings; a deposit opens a new one."""
    symbol: Symbol | None = None
    """What it was paid for, such as a dividend's."""


class BrokerPositions(Asked):
    """An account as its broker tells it; what is not named is not held."""

    positions: UnitsBySymbol
    """Symbol to units, negative for a short."""
    cash: AnyMoney | None = None
    """In the base currency."""
    open_orders: Annotated[list[Name], Field(max_length=2000)] | None = None
    """Request ids of the orders that work at the broker."""
    prices: PricesBySymbol | None = None
    """The broker's marks, for symbols that we have no price of."""
    account_id: Name | None = None
    """By default the account of the settings."""
    settle: StrictBool = False
    """The broker is right: book every difference now."""


class BotAsked(Asked):
    """A bot's own limits; what is left out stays as it is."""

    strategy_type: Text = ""
    """Its strategy."""
    max_position_size: Money | None = None
    """Money that it may hold at most."""
    kelly_fraction: Share | None = None
    """Share of its Kelly size, 0 to 1."""


class BotToggled(Asked):
    """Why a bot is disabled."""

    reason: Text = ""
    """Kept, and shown with the bot."""


class BudgetAsked(Asked):
    """How the risk budget is split; what is left out stands in `budget_config`."""

    budget: Part | None = None
    """The whole of it, as a fraction of equity."""
    method: BudgetMethod | None = None
    """By which the shares are made."""
    measure: BudgetMeasure | None = None
    """What is split: one-day VaR, one-day expected shortfall, or loss from each strategy's peak."""
    strategies: Annotated[list[Text], Field(min_length=1, max_length=200)] | None = None
    """By default those of all bots and of all that is held."""
    preview: StrictBool = False
    """Say what it would be, and change nothing."""
    reason: Text = ""
    """For the journal."""


class ModeAsked(Asked):
    """What may be traded in a scope."""

    mode: member_of(TradingMode, Code.INVALID_MODE)  # type: ignore[valid-type]
    """``active``, ``reducing`` (closing only) or ``halted``."""
    scope: member_of(Scope, Code.INVALID_MODE) = Scope.PORTFOLIO  # type: ignore[valid-type]
    """Of what."""
    name: Text = ""
    """Of the strategy, bot or symbol; empty for the portfolio."""
    reason: Name
    """Kept in the journal."""


class PlanAsked(Asked):
    """What is to be closed: ``everything``, ``bot:NAME``, ``cluster:SPY``, ``gross:0.5`` of equity, ..."""

    scope: Name = "everything"
    """``everything``, ``bot:NAME``, ``strategy:NAME``, ``symbol:NAME``, ``cluster:SPY``, ``gross:0.5``."""


class LiquidationAsked(Asked):
    """A plan that was seen, and why it is carried out."""

    scope: Name = "everything"
    """``everything``, ``bot:NAME``, ``strategy:NAME``, ``symbol:NAME``, ``cluster:SPY``, ``gross:0.5``."""
    plan_id: Name
    """Of the plan that was looked at: another book than that is refused."""
    reason: Name
    """Kept in the journal."""


class HeartbeatGiven(Asked):
    """Who lives: a bot, a feed or an engine; a bot's token speaks for its bot."""

    kind: Name = "bot"
    """``bot``, ``feed`` or ``engine``."""
    name: Name | None = None
    """Whose."""


class HeartbeatForgotten(Asked):
    """A feed or an engine that is gone, or was never there."""

    kind: Name = "feed"
    """``feed`` or ``engine``."""
    name: Name
    """Whose."""
    reason: Name
    """Why it is gone, for the journal."""


class ReasonGiven(Asked):
    """Why everything is stopped, or let go on, or a liquidation is ended; it is kept."""

    reason: Name
    """For people who look later."""


class AlertTaken(Asked):
    """What is said to an alert that somebody takes on or ends."""

    comment: Text = ""
    """For those who look later."""


class SilenceAsked(Asked):
    """Alerts that nobody is told of for a while: all that is named must match, and one must be named."""

    seconds: Money
    """From now on; 30 days at most."""
    reason: Name
    """Kept."""
    rule_id: Text = ""
    """An EMERGENCY is silenced by its exact rule alone."""
    alert_type: Text = ""
    """Only of this type."""
    bot: Text = ""
    """Only of this bot."""
    symbol: Text = ""
    """Only of this symbol."""


class ConditionAsked(Asked):
    """A condition that is held against the present metrics."""

    condition: Condition
    """Over the vocabulary, such as ``portfolio_heat > 80``."""
    scope: Text = "portfolio"
    """``portfolio``, or ``bot``, ``strategy`` or ``symbol``: for each one."""


_CHANNEL: Any = member_of(AlertChannel, Code.INVALID_RULE)


class RuleAsked(Asked):
    """An alert rule."""

    rule_id: Name
    """Letters, digits and ``_ . : @ -``."""
    name: Name
    """For people."""
    condition: Condition
    """Over the vocabulary, such as ``portfolio_heat > 80``."""
    alert_type: member_of(AlertType, Code.INVALID_RULE) = AlertType.POSITION_LIMIT  # type: ignore[valid-type]
    """What it is about."""
    severity: member_of(AlertSeverity, Code.INVALID_RULE) = AlertSeverity.WARNING  # type: ignore[valid-type]
    """How much it matters."""
    channels: Annotated[list[_CHANNEL], Field(max_length=7)] = []
    """None: by the routes of the settings."""
    cooldown: NoLoss | None = None
    """Seconds after a resolution before it may fire again."""
    repeat: NoLoss | None = None
    """Seconds after which it is said again; 0: once."""
    hold: NoLoss = 0.0
    """Seconds for which the condition must hold."""
    release: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 256})] = ""
    """What ends it, where that is more than the condition's end."""
    scope: Text = "portfolio"
    """``bot``, ``strategy`` or ``symbol``: judged for each one."""
    message: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 1000})] = ""
    """A sentence in which ``{drawdown}`` stands for the number."""
    reason: Text = ""
    """Why it is watched so; kept in the journal."""


class ConfigPatch(Asked):
    """Settings to be changed, section by section; all of them or none."""

    changes: dict[str, Any] = Field(max_length=20)
    """Such as ``{"var_config": {"daily_var_limit": 0.015}}``."""
    reason: Name
    """Kept in the journal."""


class AuditPage(Asked):
    """Which part of the journal."""

    after: Annotated[int, Field(ge=-1, le=10**15)] = -1
    """Number of the entry before the first one wanted."""
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    """Entries of a page."""


class AuditSearch(Asked):
    """What to look for in the journal."""

    kinds: Annotated[str, Field(max_length=512)] = ""
    """Kinds of events, with commas between; all of them where it is empty."""
    text: Text = ""
    """Of the actor or the body."""
    before: Annotated[int, Field(ge=0, le=10**15)] = 10**15
    """Number of the entry behind the first one wanted."""
    limit: Annotated[int, Field(ge=1, le=500)] = 100
    """Entries of a page."""


class LoginCode(Asked):
    """The code of a printed link."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    """Good for one use."""


class SessionName(Asked):
    """Who came by a printed link."""

    name: Person
    """Stands in the journal beside the link."""
