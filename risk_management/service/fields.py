"""The fields of what may be asked over HTTP: what each may be, and how the OpenAPI document tells it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from risk_management.core.entry import (
    HIDDEN,
    checked_bot,
    checked_name,
    checked_number,
    checked_price,
    checked_symbol,
)
from risk_management.errors import InvalidRequest, shown
from risk_management.model.codes import Code
from risk_management.service.problems import Problem

__all__ = [
    "PRINTABLE",
    "Action",
    "AnyMoney",
    "BotName",
    "Condition",
    "Equity",
    "Moment",
    "Money",
    "Name",
    "NoLoss",
    "Part",
    "Person",
    "PricesBySymbol",
    "RequestId",
    "Share",
    "SignedMoney",
    "Symbol",
    "Text",
    "UnitsBySymbol",
    "member_of",
]

LARGEST: Final = 1e12
LONGEST_PERSON: Final = 40
PRINTABLE: Final = f"^[^{HIDDEN}]+$"


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


def _person(value: object, info: ValidationInfo) -> str:
    """A name of letters, digits and `' . -`: none that could be taken for the token that stands beside it."""
    name = checked_name(_given(value, info), "name").strip()
    if len(name) <= LONGEST_PERSON and name and all(one.isalnum() or one in " .'-" for one in name):
        return name
    said = f"a name has up to {LONGEST_PERSON} letters, digits, spaces and . ' -; got {shown(value)}"
    raise Problem(Code.OUT_OF_RANGE, "name", said)


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
AnyMoney = Annotated[float, BeforeValidator(_number(signed=True, zero=True)), WithJsonSchema(_SIGNED)]
Equity = Annotated[float, BeforeValidator(_equity), WithJsonSchema({"type": "number"})]
Part = Annotated[
    float,
    BeforeValidator(_number(most=1.0)),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1}),
]
Person = Annotated[
    str,
    BeforeValidator(_person),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_PERSON, "pattern": "^[A-Za-z0-9]+$"}),
]
Condition = Annotated[str, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 256})]


def member_of(kind: type[Any], code: Code) -> Any:
    """A field that is one of a kind's values."""
    schema = {"type": "string", "enum": [m.value for m in kind]}
    return Annotated[kind, BeforeValidator(_one_of(kind, code)), WithJsonSchema(schema)]
