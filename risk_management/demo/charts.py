"""Small charts of block characters: curves over time on one line each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["curve", "underwater"]

BLOCKS = "▁▂▃▄▅▆▇█"


def curve(values: Sequence[float], width: int, low: float, high: float) -> str:
    """The values as one line of blocks, the lowest at `low` and the highest at `high`.

    Each character stands for the mean of an equal part of the values.
    """
    span = high - low
    parts = np.array_split(np.asarray(values, dtype=np.float64), max(1, min(width, len(values))))
    heights = [(float(part.mean()) - low) / span if span > 0.0 else 0.0 for part in parts]
    return "".join(BLOCKS[_level(height)] for height in heights)


def underwater(equity: Sequence[float], width: int, deepest: float) -> str:
    """How far below its high an equity curve stands: the taller the deeper, blank at a high.

    Each character stands for the deepest day of an equal part; a full block is `deepest`.
    """
    values = np.asarray(equity, dtype=np.float64)
    fall = 1.0 - values / np.maximum.accumulate(values)
    parts = np.array_split(fall, max(1, min(width, len(fall))))
    worst = [float(part.max()) / deepest if deepest > 0.0 else 0.0 for part in parts]
    return "".join(" " if share <= 0.0 else BLOCKS[_level(share)] for share in worst)


def _level(share: float) -> int:
    return min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))
