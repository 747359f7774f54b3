"""From the body or the query of a request to the record that it says, or to its first mistake."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from risk_management.config.mistakes import in_words
from risk_management.errors import InvalidRequest
from risk_management.model.codes import Code
from risk_management.service.problems import Problem

__all__ = ["read", "read_query"]

M = TypeVar("M", bound=BaseModel)

WHOLE: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)
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
