"""What was wrong with a value, in our words: pydantic's name its own workings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["in_words"]

NUMBER: Final = "must be a number"
WHOLE: Final = "must be a whole number"
TRUTH: Final = "must be true or false"
TEXT: Final = "must be text"
LIST: Final = "must be a list"
TABLE: Final = "must be a table of names and values"
DATE: Final = "must be a date such as 2026-03-02"
TIME: Final = "must be a time of day such as 17:00"
MOMENT: Final = "must be a moment such as 2026-03-02T15:00:00+00:00"
WORDS: Final[Mapping[str, str]] = {
    "bool_parsing": TRUTH,
    "bool_type": TRUTH,
    "date_from_datetime_parsing": DATE,
    "date_parsing": DATE,
    "date_type": DATE,
    "datetime_from_date_parsing": MOMENT,
    "datetime_parsing": MOMENT,
    "datetime_type": MOMENT,
    "decimal_parsing": NUMBER,
    "decimal_type": NUMBER,
    "dict_type": TABLE,
    "enum": "must be {expected}",
    "finite_number": "must be a finite number",
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "int_from_float": WHOLE,
    "int_parsing": WHOLE,
    "int_parsing_size": "is too large",
    "int_type": WHOLE,
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "list_type": LIST,
    "literal_error": "must be {expected}",
    "mapping_type": TABLE,
    "missing": "is missing",
    "model_attributes_type": TABLE,
    "model_type": TABLE,
    "path_type": "must be a path",
    "string_pattern_mismatch": "is not written as it must be ({pattern})",
    "string_sub_type": TEXT,
    "string_too_long": "must have {max_length} or fewer characters",
    "string_too_short": "must have {min_length} or more characters",
    "string_type": TEXT,
    "string_unicode": TEXT,
    "time_parsing": TIME,
    "time_type": TIME,
    "too_long": "must have {max_length} or fewer entries",
    "too_short": "must have {min_length} or more entries",
    "tuple_type": LIST,
}
"""By pydantic's type of error; what a validator of ours says is passed on as it is."""


def in_words(error: Mapping[str, Any]) -> str:
    """One error of a `ValidationError`, to be put behind the name of what it is about.

    Parameters
    ----------
    error : mapping
        An entry of `ValidationError.errors()`.
    """
    known = WORDS.get(error["type"])
    if known is None:
        return str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    numbers = {k: f"{v:g}" if isinstance(v, float) else v for k, v in (error.get("ctx") or {}).items()}
    return known.format_map(numbers)
