"""Texts cut to what a channel takes."""

from __future__ import annotations

__all__ = ["cut"]


def cut(text: str, most: int) -> str:
    """A text of at most so many UTF-16 units, which is how Telegram and Discord count."""
    if len(text) * 2 <= most or _units(text) <= most:
        return text
    kept = text.encode("utf-16-le", "replace")[: 2 * (most - 1)].decode("utf-16-le", "ignore")
    return kept + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "replace")) // 2
