"""Put questions to methods: the same samples for all that share a horizon, a refusal kept as an answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np

from risk_management.calculators.var_methods._contract import (
    HorizonRule,
    Sample,
    TailEstimate,
    TailInput,
    VaRMethod,
)
from risk_management.errors import MeasureError

__all__ = ["Refusal", "ask", "overlaps", "questions"]

MIN_ROWS: Final = 20
"""Fewest returns for any figure."""
ROWS_A_TAIL: Final = 10
"""Horizons' worth of overlapping returns that the tail must hold, else the square root of time serves."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no figure."""

    reason: str
    horizon_rule: HorizonRule


def overlaps(rows: int, confidence: float, horizon: int) -> bool:
    """Whether daily `rows` give at least 10 h / (1 - confidence) overlapping returns over `horizon` days."""
    return (rows - horizon + 1) * (1.0 - confidence) >= ROWS_A_TAIL * horizon - 1e-9


def questions(
    plain: Sample,
    scaled: Sample,
    wanted: Sequence[tuple[float, int]],
    simulations: int,
    seed: tuple[int, ...],
    draws: str = "antithetic",
    margins: str = "empirical",
) -> list[TailInput]:
    """One question for each confidence and horizon, from daily samples."""
    spans: dict[int, tuple[Sample, Sample]] = {1: (plain, scaled)}
    made = []
    for confidence, horizon in wanted:
        step = horizon if overlaps(plain.observations, confidence, horizon) else 1
        if step not in spans:
            spans[step] = (plain.over(step), scaled.over(step))
        made.append(TailInput(*spans[step], plain, confidence, horizon, simulations, seed, draws, margins))
    return made


def ask(
    methods: Sequence[VaRMethod],
    inputs: Sequence[TailInput],
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[TailEstimate | Refusal]:
    """Each method's answer to its question, in order; `progress` hears how many are done, and of how many."""
    answers = (map if executor is None else executor.map)(_answer, methods, inputs)
    outcomes: list[TailEstimate | Refusal] = []
    for outcome in answers:
        outcomes.append(outcome)
        if progress is not None:
            progress(len(outcomes), len(inputs))
    return outcomes


def _answer(method: VaRMethod, question: TailInput) -> TailEstimate | Refusal:
    sample = question.plain
    if not sample.exposures.any():
        return question.estimate(0.0, 0.0, note="the book is empty: nothing to lose")
    if sample.observations < MIN_ROWS:
        reason = f"insufficient data: {sample.observations} returns, at least {MIN_ROWS} are needed"
        return Refusal(reason, question.rule)
    try:
        found = method(question)
    except MeasureError as refusal:
        return Refusal(str(refusal), question.rule)
    except (ArithmeticError, np.linalg.LinAlgError) as failure:
        return Refusal(f"the computation failed: {failure}", question.rule)
    if math.isfinite(found.var) and found.es == math.inf:
        return Refusal(
            f"the expected shortfall is infinite ({found.note or 'a tail without a mean'})", question.rule
        )
    if not (math.isfinite(found.var) and math.isfinite(found.es)):
        return Refusal("the computation gave no finite figure", question.rule)
    return found
