"""``risk kelly``: sizes by the growth of capital."""

from __future__ import annotations
import typer

__all__ = ["run"]


def run(symbols: list[str]) -> None:
    """Not there yet."""
