"""The base of all settings: ranges in the fields, errors for people, one place for cross-field rules."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import time
from difflib import get_close_matches
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from risk_management.config.mistakes import in_words
from risk_management.errors import ConfigurationError, InvalidRequest, shown
from risk_management.model.instrument import checked_symbol

__all__ = [
    "Fraction",
    "Leverage",
    "LocalTime",
    "PositiveMoney",
    "Seconds",
    "Settings",
    "Symbol",
    "ZoneName",
    "readable_errors",
]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"no time zone is called {name!r}; write one like 'Europe/Berlin'") from None
    return name


def _without_offset(moment: time) -> time:
    if moment.tzinfo is not None:
        raise ValueError("write a local time without an offset, such as 18:00; its zone is set beside it")
    return moment


def _symbol(text: str) -> str:
    try:
        return checked_symbol(text)
    except InvalidRequest as problem:
        raise ValueError(problem.message) from None


Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share from 0 to 1; 0.15 is 15 %."""
Leverage = Annotated[float, Field(ge=0.0, le=20.0)]
"""A multiple of equity from 0 to 20; 1.0 is 100 %."""
PositiveMoney = Annotated[float, Field(gt=0.0, le=1e13)]
"""Money in the base currency, above 0."""
Seconds = Annotated[float, Field(ge=0.0, le=1e8)]
"""A span of time in seconds."""
Symbol = Annotated[str, AfterValidator(_symbol)]
"""A symbol, such as ``AAPL`` or ``BTC/USDT``; it need not be known."""
ZoneName = Annotated[str, AfterValidator(_known_zone)]
"""A time zone that exists, such as ``Europe/Berlin``."""
LocalTime = Annotated[time, AfterValidator(_without_offset)]
"""A time of day on the wall of a zone."""


class _SealedDict(dict[Any, Any]):
    """A mapping of settings in use: it can't be changed in place; a copy is a plain dict."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ConfigurationError(
            "these settings are in use; change a copy (config.update(...)) and hand it to reconfigure()"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return {key: deepcopy(value, memo) for key, value in self.items()}


class Settings(BaseModel):
    """A group of settings that refuses unknown keys, wrong types and values out of range.

    Assigning a wrong value raises ConfigurationError and keeps the old one.
    """

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    _in_use: bool = PrivateAttr(default=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("true or false is not meant here")
        return value

    def seal(self) -> None:
        """Refuse changes from now on: a manager decides by these settings. A copy is free again."""
        for part in self._parts():
            part.seal()
        for name, value in self.__dict__.items():
            if isinstance(value, dict):
                self.__dict__[name] = _SealedDict(value)
        self._in_use = True

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that may be changed."""
        copy = super().model_copy(update=update, deep=deep)
        copy._free()
        return copy

    def _free(self) -> None:
        self._in_use = False
        for name, value in self.__dict__.items():
            if isinstance(value, _SealedDict):
                self.__dict__[name] = dict(value)
        for part in self._parts():
            part._free()

    def _parts(self) -> list[Settings]:
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value for value in values if isinstance(value, Settings)]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and self._in_use:
            raise ConfigurationError(
                f"{type(self).__name__}.{name}: these settings are in use; change a copy "
                "(config.update(...)) and hand it to reconfigure()"
            )
        try:
            super().__setattr__(name, value)
        except ValidationError as problem:
            lines = readable_errors(problem, prefix=type(self).__name__)
            raise ConfigurationError("; ".join(lines)) from None
        except ValueError as problem:
            raise ConfigurationError(f"{type(self).__name__}: {problem}") from None


def readable_errors(
    problem: ValidationError, *, prefix: str = "", names: dict[str, str] | None = None
) -> list[str]:
    """One sentence for each mistake, with the key, its source and the remedy; values of secrets stay out.

    Parameters
    ----------
    problem : ValidationError
    prefix : str
        Put before the key, such as the class name.
    names : dict of str to str, optional
        Where a dotted key came from, such as ``{"portfolio_value": "PORTFOLIO_VALUE (environment)"}``.
    """
    lines = []
    for error in problem.errors(include_url=False):
        key = ".".join(str(part) for part in error["loc"])
        shown = (names or {}).get(key) or ".".join(part for part in (prefix, key) if part)
        said = in_words(error)
        if error["type"] == "extra_forbidden":
            said = "no such setting, see 'risk config show'"
        lines.append(f"{shown}: {said}{_hint(error)}")
    return lines


SHOWN: Final = frozenset(
    {"literal_error", "enum", "bool_parsing", "float_parsing", "int_parsing", "float_type", "int_type"}
)
"""Mistakes in what is no text, and so no secret: the value is told."""


def _hint(error: Any) -> str:
    value, context = _number(error.get("input")), error.get("ctx") or {}
    if error["type"] == "extra_forbidden":
        near = _near(str(error["loc"][-1]), str(error["loc"][0]))
        return f"; did you mean {near}?" if near else ""
    if error["type"].startswith("string_"):
        return ""  # secrets are texts
    if value is None:
        return f", got {shown(error['input'])}" if error["type"] in SHOWN else ""
    if 1.0 in (context.get("le"), context.get("lt")) and 1 < value <= 100:
        return f", got {value:g}: write {value / 100:g} for {value:g} %"
    return f", got {value:g}"


def _near(name: str, section: str) -> str:
    """A setting that may have been meant: one of the same section first."""
    kinds = Settings.__subclasses__()
    own = [kind for kind in kinds if kind.__name__.casefold() == section.replace("_", "")]
    for of in (own, kinds):
        names = {field for kind in of for field in kind.model_fields}
        near = get_close_matches(name, names, n=1, cutoff=0.6)
        if near:
            return near[0]
    return ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
