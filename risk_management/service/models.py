"""What may be asked over HTTP, field by field; the OpenAPI document is made from these records."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from risk_management.alerts.records import AlertChannel, AlertSeverity, AlertType
from risk_management.config.mistakes import in_words
from risk_management.core.entry import (
    HIDDEN,
    checked_bot,
    checked_name,
    checked_number,
    checked_price,
    checked_symbol,
)
from risk_management.errors import InvalidRequest, shown
from risk_management.model.budget import BudgetMeasure, BudgetMethod
from risk_management.model.codes import Code
from risk_management.model.events import CashKind
from risk_management.model.portfolio import Scope, TradingMode
from risk_management.service.problems import Problem

__all__ = [
    "AlertTaken",
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
    "read",
    "read_query",
]

M = TypeVar("M", bound=BaseModel)

LARGEST: Final = 1e12
LONGEST_PERSON: Final = 40
WHOLE: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
PRINTABLE: Final = f"^[^{HIDDEN}]+$"
CODES: Final[dict[str, Code]] = {
    "missing": Code.MISSING_FIELD,
    "extra_forbidden": Code.UNKNOWN_FIELD,
    "too_long": Code.OUT_OF_RANGE,
    "too_short": Code.OUT_OF_RANGE,
    "string_too_long": Code.OUT_OF_RANGE,
    "string_too_short": Code.OUT_OF_RANGE,
    "greater_than": Code.OUT_OF_RANGE,
    "greater_than_equal": Code.OUT_OF_RANGE,
    "less_than": Code.OUT_OF_RANGE,
    "less_than_equal": Code.OUT_OF_RANGE,
    "finite_number": Code.NOT_FINITE,
    "literal_error": Code.UNKNOWN_METHOD,
}
"""Codes of the mistakes that pydantic finds by itself; all others are of the wrong type."""


def _number(**range_: Any) -> Callable[[object, ValidationInfo], float]:
    return lambda value, info: checked_number(_given(value, info), str(info.field_name), **range_)


def _name(*, empty: bool = False) -> Callable[[object, ValidationInfo], str]:
    return lambda value, info: checked_name(_given(value, info), str(info.field_name), empty=empty)


def _given(value: object, info: ValidationInfo) -> object:
    if value is None:
        raise Problem(Code.MISSING_FIELD, str(info.field_name), f"{info.field_name} is null; give a value")
    return value


def _share(value: object, info: ValidationInfo) -> float:
    name = str(info.field_name)
    number = checked_number(_given(value, info), name, signed=True, zero=True) if value == value else -1.0  # noqa: PLR0124 - NaN
    if not 0.0 <= number <= 1.0:
        raise Problem(Code.OUT_OF_RANGE, name, f"{name} is a fraction from 0 to 1; got {shown(value)}")
    return number


def _equity(value: object, info: ValidationInfo) -> float:
    """Any number: what means nothing is quarantined, and that is an answer of its own."""
    if isinstance(_given(value, info), bool) or not isinstance(value, int | float):
        raise Problem(Code.WRONG_TYPE, "equity", f"equity must be a number; got {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise Problem(Code.OUT_OF_RANGE, "equity", f"equity may be at most {LARGEST:g}") from None


def _action(value: object) -> str:
    if isinstance(value, str) and value in ("buy", "sell"):
        return value
    raise Problem(Code.INVALID_ACTION, "action", f"action is 'buy' or 'sell'; got {shown(value)}")


def _request_id(value: object) -> str:
    try:
        return checked_name(value, "request_id")
    except InvalidRequest as problem:
        raise Problem(Code.INVALID_REQUEST_ID, "request_id", problem.message) from None


def _moment(value: object, info: ValidationInfo) -> datetime:
    name = str(info.field_name)
    wrong = Problem(
        Code.INVALID_TIMESTAMP,
        name,
        f"{name} is a time with its zone, 2026-03-02T14:30:00Z; got {shown(value)}",
    )
    if not isinstance(value, str):
        raise wrong
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if moment.tzinfo is None or not 1970 <= moment.year <= 2200:
        raise wrong
    return moment.astimezone(UTC)


def _one_of(kind: type[Any], code: Code) -> Callable[[object, ValidationInfo], Any]:
    def check(value: object, info: ValidationInfo) -> Any:
        if isinstance(_given(value, info), str):
            for member in kind:
                if member.value == value:
                    return member
        said = f"{info.field_name} is one of {', '.join(m.value for m in kind)}; got {shown(value)}"
        raise Problem(code, str(info.field_name), said)

    return check


def _prices(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Problem(Code.WRONG_TYPE, "prices", f"prices map symbols to prices; got {shown(value)}")
    return {
        checked_symbol(symbol): checked_price(price, f"prices.{symbol}") for symbol, price in value.items()
    }


def _units(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Problem(Code.WRONG_TYPE, "positions", f"positions map symbols to units; got {shown(value)}")
    return {
        checked_symbol(symbol): checked_number(units, f"positions.{symbol}", signed=True, zero=True)
        for symbol, units in value.items()
    }


_POSITIVE: Final = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}
_SIGNED: Final = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
_PRICE: Final = {"type": "number", "minimum": 1e-9, "maximum": LARGEST}
_SYMBOL: Final = {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._/:=^-]{0,31}$", "maxLength": 32}
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": PRINTABLE}
_TEXT: Final = {"type": "string", "maxLength": 128}

Symbol = Annotated[str, BeforeValidator(lambda v, i: checked_symbol(_given(v, i))), WithJsonSchema(_SYMBOL)]
Action = Annotated[str, BeforeValidator(_action), WithJsonSchema({"type": "string", "enum": ["buy", "sell"]})]
BotName = Annotated[str, BeforeValidator(lambda v, i: checked_bot(_given(v, i))), WithJsonSchema(_NAME)]
Name = Annotated[str, BeforeValidator(_name()), WithJsonSchema(_NAME)]
Text = Annotated[str, BeforeValidator(_name(empty=True)), WithJsonSchema(_TEXT)]
RequestId = Annotated[str, BeforeValidator(_request_id), WithJsonSchema(_NAME)]
Money = Annotated[float, BeforeValidator(_number()), WithJsonSchema(_POSITIVE)]
NoLoss = Annotated[
    float,
    BeforeValidator(_number(zero=True)),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST}),
]
SignedMoney = Annotated[
    float,
    BeforeValidator(_number(signed=True)),
    WithJsonSchema({"type": "number", "minimum": -LARGEST, "maximum": LARGEST, "not": {"const": 0}}),
]
Price = Annotated[
    float,
    BeforeValidator(lambda v, i: checked_price(_given(v, i), str(i.field_name))),
    WithJsonSchema(_PRICE),
]
Share = Annotated[
    float, BeforeValidator(_share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})
]
Moment = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
PricesBySymbol = Annotated[
    dict[str, float],
    BeforeValidator(_prices),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": _SYMBOL,
            "additionalProperties": _PRICE,
            "minProperties": 1,
            "maxProperties": 2000,
        }
    ),
    Field(min_length=1, max_length=2000),
]


UnitsBySymbol = Annotated[
    dict[str, float],
    BeforeValidator(_units),
    WithJsonSchema(
        {"type": "object", "propertyNames": _SYMBOL, "additionalProperties": _SIGNED, "maxProperties": 2000}
    ),
    Field(max_length=2000),
]


def _members(kind: type[Any], code: Code) -> Any:
    schema = {"type": "string", "enum": [m.value for m in kind]}
    return Annotated[kind, BeforeValidator(_one_of(kind, code)), WithJsonSchema(schema)]


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

    equity: Annotated[float, BeforeValidator(_equity), WithJsonSchema({"type": "number"})] = Field(
        allow_inf_nan=True
    )
    """Money. What can't be, or jumps without a reason, is kept aside until a second report says the same."""
    confirmed: StrictBool = False
    """Believe it although it jumps."""


class CashFlow(Asked):
    """Cash that came (positive) or went (negative)."""

    kind: _members(CashKind, Code.INVALID_KIND)  # type: ignore[valid-type]
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
    cash: (
        Annotated[float, BeforeValidator(_number(signed=True, zero=True)), WithJsonSchema(_SIGNED)] | None
    ) = None
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

    budget: (
        Annotated[
            float,
            BeforeValidator(_number(most=1.0)),
            WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
        ]
        | None
    ) = None
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

    mode: _members(TradingMode, Code.INVALID_MODE)  # type: ignore[valid-type]
    """``active``, ``reducing`` (closing only) or ``halted``."""
    scope: _members(Scope, Code.INVALID_MODE) = Scope.PORTFOLIO  # type: ignore[valid-type]
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

    condition: Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})]
    """Over the vocabulary, such as ``portfolio_heat > 80``."""
    scope: Text = "portfolio"
    """``portfolio``, or ``bot``, ``strategy`` or ``symbol``: for each one."""


_CHANNEL: Any = _members(AlertChannel, Code.INVALID_RULE)


class RuleAsked(Asked):
    """An alert rule."""

    rule_id: Name
    """Letters, digits and ``_ . : @ -``."""
    name: Name
    """For people."""
    condition: Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})]
    """Over the vocabulary, such as ``portfolio_heat > 80``."""
    alert_type: _members(AlertType, Code.INVALID_RULE) = AlertType.POSITION_LIMIT  # type: ignore[valid-type]
    """What it is about."""
    severity: _members(AlertSeverity, Code.INVALID_RULE) = AlertSeverity.WARNING  # type: ignore[valid-type]
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


def _person(value: object, info: ValidationInfo) -> str:
    """A name of letters, digits and `' . -`: none that could be taken for the token that stands beside it."""
    name = checked_name(_given(value, info), "name").strip()
    if len(name) <= LONGEST_PERSON and name and all(one.isalnum() or one in " .'-" for one in name):
        return name
    said = f"a name has up to {LONGEST_PERSON} letters, digits, spaces and . ' -; got {shown(value)}"
    raise Problem(Code.OUT_OF_RANGE, "name", said)


class SessionName(Asked):
    """Who came by a printed link."""

    name: Annotated[
        str,
        BeforeValidator(_person),
        WithJsonSchema({"type": "string", "maxLength": LONGEST_PERSON, "pattern": "^[A-Za-z0-9]+$"}),
    ]
    """Stands in the journal beside the link."""


def read_query(model: type[M], query: dict[str, list[str]]) -> M:
    """The record that the query of an address says: each word once, whole numbers in plain digits."""
    body: dict[str, Any] = {}
    for name, values in query.items():
        if len(values) > 1:
            raise Problem(Code.DUPLICATE_FIELD, ascii(name)[1:-1][:80], "a word of the query stands twice")
        wanted = model.model_fields.get(name)
        is_number = wanted is not None and wanted.annotation is int
        body[name] = int(values[0]) if is_number and WHOLE.fullmatch(values[0]) else values[0]
    return read(model, body)


def read(model: type[M], body: dict[str, Any]) -> M:
    """The record that a body says.

    Raises
    ------
    Problem
        The first mistake, with its code and field.
    """
    try:
        return model.model_validate(body)
    except ValidationError as problem:
        raise _said(problem) from None


def _said(problem: ValidationError) -> Problem:
    errors = problem.errors(include_url=False, include_input=False)
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    field = ascii(".".join(str(part) for part in first["loc"]))[1:-1][:80]
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, InvalidRequest):
        return Problem(inner.code, inner.field or field, inner.message)
    code = CODES.get(first["type"], Code.WRONG_TYPE)
    if code is Code.UNKNOWN_FIELD:
        return Problem(code, field, f"{field} is no field of this request")
    if code is Code.MISSING_FIELD:
        return Problem(code, field, f"{field} is missing")
    return Problem(code, field, f"{field}: {in_words(first)}")
