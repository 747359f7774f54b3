"""Settings as TOML text; the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["as_toml"]

BARE: Final = re.compile(r"[A-Za-z0-9_-]+\Z")


def as_toml(content: Mapping[str, Any]) -> str:
    """Plain values first, then one table a section; what is None becomes a comment."""
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    lines = [_line(key, value) for key, value in plain.items()]
    for name, section in content.items():
        if isinstance(section, Mapping):
            lines += [*([""] if lines else []), f"[{_key(name)}]"]
            lines += [_line(key, value) for key, value in section.items()]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> str:
    return f"# {_key(key)} is not set" if value is None else f"{_key(key)} = {_value(value)}"


def _key(name: str) -> str:
    return name if BARE.match(name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    # JSON's texts, numbers and booleans are TOML's too
    return json.dumps(value, ensure_ascii=False)
