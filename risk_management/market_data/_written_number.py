"""A number as a person writes it in a cell, read without guessing."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["written_number"]

PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
LONE_GROUP: Final = re.compile(r"[+-]?\d{1,3},\d{3}", re.ASCII)
LARGEST: Final = 1e12

HINTS: Final = (
    (re.compile(r"\(.*\)"), "write a negative number with a minus sign"),
    (re.compile(r".*%"), "an amount is meant, not a percentage"),
    (
        re.compile(r"[^\d.,+-]+[\d.,+-].*|.*\d\s*[^\d.,)]+"),
        "write the number alone, without currency or unit",
    ),
    (re.compile(r"[\d.,+-]*,[\d.,]*"), "write a decimal point and no separator, such as 1234.5"),
)


def written_number(text: str, *, comma_is_thousands: bool = True) -> float:
    """The number that a cell holds: ``1234.5``, ``-2e3`` or ``1,000.50``.

    Parameters
    ----------
    text : str
        Without blanks around it.
    comma_is_thousands : bool
        Whether ``1,000`` is a thousand. Where cells are separated by semicolons or tabs it may as well be
        one, and is refused.

    Raises
    ------
    ValueError
        It is no number, more than 1e12, or can be read in two ways; the text is the remedy.
    """
    lone = LONE_GROUP.fullmatch(text)
    if lone and not comma_is_thousands:
        raise ValueError("can be read in two ways; write a decimal point and no separator, such as 1234.5")
    if THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if not PLAIN.fullmatch(text):
        hint = next((said for form, said in HINTS if form.fullmatch(text)), "write a number such as 1234.5")
        raise ValueError(f"is not a plain number; {hint}")
    number = float(text)
    if abs(number) > LARGEST:
        raise ValueError(f"is too large; at most {LARGEST:g}")
    return number
