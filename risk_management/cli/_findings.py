"""What ``risk doctor`` found: one line a matter, with how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Found", "failed", "fine", "warning"]


@dataclass(frozen=True, slots=True)
class Found:
    """One matter.

    Parameters
    ----------
    area : str
    level : str
    said : str
        What is so.
    remedy : str
        What mends it; empty where nothing has to be.
    """

    area: str
    level: Literal["ok", "warning", "failed"]
    said: str
    remedy: str = ""


def fine(area: str, said: str) -> Found:
    """As it should be."""
    return Found(area, "ok", said)


def warning(area: str, said: str, remedy: str) -> Found:
    """It works, and somebody should know."""
    return Found(area, "warning", said, remedy)


def failed(area: str, said: str, remedy: str) -> Found:
    """It does not work, or is not safe."""
    return Found(area, "failed", said, remedy)
