"""The picture of an alert: what its metric did against its limit, drawn by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import Final

from risk_management.errors import RiskError
from risk_management.model.explain import amount

__all__ = ["Chart", "NoPicture", "Picture", "can_draw", "drawn"]

PATIENCE: Final = 4.0
"""Seconds that drawing may take; what takes longer is ended."""
MOST_BYTES: Final = 1_000_000
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT", "PYTHONPATH", "MPLCONFIGDIR")
"""What the process that draws sees of the environment: no secret is among it."""


class NoPicture(RiskError):
    """A picture could not be drawn; the text goes without it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn chart.

    Parameters
    ----------
    png : bytes
    text : str
        What it shows, for those who can't see it.
    """

    png: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: one line, and the limits that it is held against.

    Parameters
    ----------
    title : str
    unit : str
        As in the vocabulary: ``fraction`` is drawn in percent.
    points : tuple of (datetime, float)
        Aware, the oldest first; at least two.
    limits : tuple of float
    """

    title: str
    unit: str
    points: tuple[tuple[datetime, float], ...]
    limits: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """What it shows, in a sentence."""
        values = [value for _, value in self.points]
        first, last = self.points[0][0], self.points[-1][0]
        against = ", ".join(amount(limit, self.unit) for limit in self.limits)
        limit = f"; limit {against}" if against else ""
        return (
            f"Chart of {self.title} from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC: between "
            f"{amount(min(values), self.unit)} and {amount(max(values), self.unit)}, now "
            f"{amount(values[-1], self.unit)}{limit}."
        )


def can_draw() -> bool:
    """Whether the library that draws is installed (the extra ``charts``)."""
    return find_spec("matplotlib") is not None  # looked up, not imported: that would take a second


def drawn(chart: Chart, seconds: float = PATIENCE) -> Picture:
    """Draw a chart. No decision waits for it: it is done by another process, which is ended if it hangs.

    Raises
    ------
    NoPicture
        It can't be drawn, or takes too long.
    """
    asked = {
        "title": chart.title,
        "unit": chart.unit,
        "at": [at.timestamp() for at, _ in chart.points],
        "values": [value for _, value in chart.points],
        "limits": list(chart.limits),
    }
    given = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    command = [sys.executable, "-P", "-m", "risk_management.alerts.chart_drawing"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**given, "MPLBACKEND": "Agg"},
        )
    except subprocess.TimeoutExpired:
        raise NoPicture(f"drawing took more than {seconds:g} s") from None
    except OSError as problem:
        raise NoPicture(f"drawing could not begin: {type(problem).__name__}") from None
    if done.returncode or not done.stdout.startswith(SIGNATURE) or len(done.stdout) > MOST_BYTES:
        raise NoPicture(f"drawing failed with code {done.returncode}")
    return Picture(done.stdout, chart.text)
