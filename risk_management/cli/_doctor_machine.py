"""What ``risk doctor`` looks at on the machine: versions and the clock."""

from __future__ import annotations

import ctypes
import platform
import sqlite3
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from risk_management import __version__
from risk_management.cli._findings import Found, fine, warning
from risk_management.clock import Clock

__all__ = ["of_clock", "of_versions"]

LIBRARIES: Final = ("numpy", "scipy", "pydantic", "sqlalchemy", "flask", "waitress")
ROOM_OF_TIMEX: Final = 512
"""More bytes than the kernel's `struct timex` has."""
NOT_SYNCHRONISED: Final = 5
STEPPED: Final = 0.5


def of_versions() -> Iterator[Found]:
    """The package, Python and what it stands on."""
    base = {
        "risk-management": __version__,
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    known = base | {name: _version(name) for name in LIBRARIES}
    yield fine("versions", ", ".join(f"{name} {number}" for name, number in known.items()))


def of_clock(clock: Clock, timezone: str, day_roll: str) -> Iterator[Found]:
    """Whether the wall clock stands still beside the monotonic one, and who keeps it right."""
    offset = clock.wall_offset()
    yield fine("clock", f"{clock.now():%Y-%m-%d %H:%M:%S} UTC; the trading day ends {day_roll} {timezone}")
    if abs(offset) > STEPPED:
        yield warning(
            "clock", f"the wall clock stepped by {offset:+.1f} s just now", "let a time service run"
        )
    kept = _is_synchronised()
    if kept is None:
        yield fine("clock", "whether a time service keeps it is not known on this system")
    elif kept:
        yield fine("clock", "a time service keeps it")
    else:
        yield warning(
            "clock",
            "the kernel knows of no time service: a clock that is off makes prices old or refused",
            "run chrony, ntpd or systemd-timesyncd, here or on the host",
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _is_synchronised() -> bool | None:
    """What the kernel says of its clock; None where it can't be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(ROOM_OF_TIMEX))
    except (OSError, AttributeError, TypeError):
        return None
    return None if state < 0 else state != NOT_SYNCHRONISED
