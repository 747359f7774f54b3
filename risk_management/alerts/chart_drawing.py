"""Draws one chart: what to draw as JSON on standard input, the PNG on standard output.

It runs as a process of its own (`alerts/chart.py`), so it imports nothing of the rest.
"""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any

__all__ = ["drawing", "main"]

LINE, LIMIT, INK, GRID = "#2563eb", "#dc2626", "#334155", "#e2e8f0"


def main() -> None:
    """Read, draw, write."""
    sys.stdout.buffer.write(drawing(json.load(sys.stdin)))


def drawing(asked: dict[str, Any]) -> bytes:
    """A chart as PNG, 704 times 352 pixels.

    Parameters
    ----------
    asked : dict
        ``title``, ``unit``, ``at`` (seconds since 1970), ``values`` and ``limits``.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 - the extra charts
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    moments: Any = [datetime.fromtimestamp(second, UTC) for second in asked["at"]]
    figure = Figure(figsize=(6.4, 3.2), dpi=110, layout="constrained", facecolor="white")
    axes = figure.subplots()
    axes.plot(moments, asked["values"], color=LINE, linewidth=1.6)
    axes.plot(moments[-1:], asked["values"][-1:], color=LINE, marker="o", markersize=5)
    for limit in asked["limits"]:
        axes.axhline(limit, color=LIMIT, linewidth=1.2, linestyle="--")
    axes.set_title(f"{asked['title']} (UTC)", loc="left", fontsize=11, color=INK)
    if asked["unit"] == "fraction":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    made = io.BytesIO()
    figure.savefig(made, format="png")
    return made.getvalue()


if __name__ == "__main__":
    main()
