"""The hash chain: every entry names all that came before it."""

from __future__ import annotations

import hashlib
from typing import Final

from pydantic_core import to_json

__all__ = ["START", "link"]

START: Final = bytes(32)
"""What the first entry is chained to."""


def link(before: bytes, seq: int, at: str, kind: str, actor: str, body: str) -> bytes:
    """SHA-256 of the entry before and of everything that this one says."""
    return hashlib.sha256(before + to_json((seq, at, kind, actor, body))).digest()
