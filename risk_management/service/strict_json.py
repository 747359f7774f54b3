"""JSON as it comes over the wire, read strictly: what has two readings is refused."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final, NamedTuple

from risk_management.model.codes import Code
from risk_management.service.problems import Problem

__all__ = ["MOST_BYTES", "check_texts", "read_object"]

MOST_BYTES: Final = 64 * 1024
DEEPEST: Final = 16
MOST_DIGITS: Final = 17
"""What a double can hold."""
MOST_WHOLE_DIGITS: Final = 400
_TEXTS: Final = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS: Final = re.compile(r"[\[\]{}]")
_MARKS: Final = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class _Bad(NamedTuple):
    """Stands for a number that can't be taken, until the name of its field is known."""

    code: Code
    said: str


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body says.

    Parameters
    ----------
    body : bytes
        At most 64 KiB of UTF-8. NaN and Infinity come out as such numbers: each field says what it takes.

    Raises
    ------
    Problem
        ``BODY_TOO_LARGE``, ``INVALID_ENCODING``, ``INVALID_JSON``, ``TOO_DEEP``, ``DUPLICATE_FIELD``,
        ``TOO_PRECISE``, ``OUT_OF_RANGE`` or ``BODY_NOT_OBJECT``.
    """
    if len(body) > MOST_BYTES:
        raise Problem(Code.BODY_TOO_LARGE, "", f"a body has at most {MOST_BYTES} bytes")
    text = _text(body)
    _check_depth(text)
    try:
        read = json.loads(text, object_pairs_hook=_object, parse_int=_whole, parse_float=_broken)
    except json.JSONDecodeError as problem:
        raise Problem(Code.INVALID_JSON, "", f"the body is not JSON at character {problem.pos}") from None
    if isinstance(read, _Bad):
        raise Problem(read.code, "", read.said)
    if not isinstance(read, dict):
        raise Problem(Code.BODY_NOT_OBJECT, "", 'the body is a JSON object, such as {"symbol": "AAPL"}')
    return read


def check_texts(read: dict[str, Any]) -> None:
    """Refuse half a surrogate pair: an escape of JSON can say it, and nothing could write it in an answer.

    For an object whose fields were looked at: one that knows better, such as a symbol, has its own code.

    Raises
    ------
    Problem
        ``INVALID_ENCODING``
    """
    for name, value in read.items():
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            said = f"{_named(name)} holds half a surrogate pair, which UTF-8 can't hold"
            raise Problem(Code.INVALID_ENCODING, _named(name), said) from None


def _text(body: bytes) -> str:
    try:
        if body.startswith(_MARKS) or b"\x00" in body:
            raise UnicodeError
        return body.decode("utf-8")
    except UnicodeError:
        said = "the body is UTF-8 without a byte order mark"
        raise Problem(Code.INVALID_ENCODING, "", said) from None


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_TEXTS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise Problem(Code.TOO_DEEP, "", f"JSON is nested at most {DEEPEST} deep here")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, value in pairs:
        if not name.isprintable():  # no field of ours, and nothing to be written anywhere
            raise Problem(Code.UNKNOWN_FIELD, _named(name), f"{_named(name)} is no field of this request")
        if name in read:
            raise Problem(Code.DUPLICATE_FIELD, _named(name), f"{_named(name)} stands twice")
        bad = _bad(value)
        if bad is not None:
            raise Problem(bad.code, _named(name), bad.said)
        read[name] = value
    return read


def _bad(value: Any) -> _Bad | None:
    if isinstance(value, _Bad):
        return value
    if isinstance(value, list):
        return next((bad for item in value if (bad := _bad(item)) is not None), None)
    return None


def _whole(text: str) -> int | _Bad:
    if len(text) > MOST_WHOLE_DIGITS:
        return _Bad(Code.OUT_OF_RANGE, f"a number of {len(text)} digits is too large")
    return int(text)


def _broken(text: str) -> float | _Bad:
    digits = re.split("[eE]", text)[0].replace(".", "").lstrip("-0").rstrip("0")
    if len(digits) > MOST_DIGITS:
        return _Bad(Code.TOO_PRECISE, f"a number has at most {MOST_DIGITS} significant digits")
    return float(text)


def _named(name: str) -> str:
    """A field's name for an answer: plain, and not longer than is useful."""
    return ascii(name)[1:-1][:80]
