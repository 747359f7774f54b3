"""What a paper account assumes, and the faults that a test may turn on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from risk_management.config._base import Fraction, Leverage, PositiveMoney, Seconds, Settings, readable_errors
from risk_management.errors import ConfigurationError

__all__ = ["PaperOptions", "paper_options"]


class PaperOptions(Settings):
    """`broker_config.options` of the paper broker."""

    path: Path | None = None
    """SQLite file that keeps the account; None keeps it in memory."""
    cash: PositiveMoney = 10_000.0
    """What a new account begins with; the book's `portfolio_value` where this is not said."""
    half_spread: Fraction = 0.00025
    """Distance from the middle to bid or ask, as a fraction of the price."""
    commission: Fraction = 0.0001
    """Of the money traded."""
    impact: Fraction = 0.02
    """Share of the price that trading a whole day's volume would move it; less by the square root."""
    participation: Fraction = 0.05
    """Most of a day's volume that one fill takes; the rest fills later."""
    latency: Seconds = 0.0
    """From an order to its first fill, and between two fills at least one second."""
    leverage: Leverage = 2.0
    """Most gross exposure that an opening order may lead to, as a multiple of equity."""
    reject_rate: Fraction = 0.0
    """Share of orders that are refused for no reason."""
    partial_rate: Fraction = 0.0
    """Share of fills that take only a random part of what is left."""
    lost_answer_rate: Fraction = 0.0
    """Share of orders that are taken while the answer is lost."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of all that is random."""


def paper_options(options: Mapping[str, object], cash: float = 10_000.0) -> PaperOptions:
    """The options as they were written; `cash` where they don't say.

    Raises
    ------
    ConfigurationError
        All mistakes at once.
    """
    written = dict(options)
    written.setdefault("cash", cash)
    try:
        return PaperOptions.model_validate(written)
    except ValidationError as problem:
        lines = readable_errors(problem, prefix="broker_config.options")
        raise ConfigurationError("; ".join(lines)) from None
