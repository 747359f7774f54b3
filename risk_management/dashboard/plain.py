"""Records as plain JSON: the one place where numbers, times and enums become what JSON knows."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from pathlib import Path
from typing import Any

__all__ = ["Plain", "as_json", "plain"]

Plain = dict[str, Any]
"""A JSON object: strings, finite numbers, booleans, None, lists and objects of them."""


def plain(value: object) -> Any:  # noqa: PLR0911 - one line a kind
    """The value in JSON's own kinds.

    Parameters
    ----------
    value : object
        A frozen record, mapping, sequence, array, enum, time or scalar, nested at will. A number that is
        NaN or infinite becomes None, and -0.0 is 0.0; a time is written in ISO 8601.

    Raises
    ------
    TypeError
        For anything else: an unknown kind is never turned into its `repr`.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # -0.0 becomes 0.0
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "tolist"):  # numpy's scalars and arrays, without importing numpy
        return plain(value.tolist())
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"no JSON for a value of type {type(value).__name__}")


def as_json(value: object, *, indent: int | None = None) -> str:
    """The value as strict JSON text, without NaN and Infinity."""
    return json.dumps(plain(value), indent=indent, allow_nan=False, ensure_ascii=False)
