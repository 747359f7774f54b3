"""How every command ends, as a number for scripts; the help and docs/cli.md say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

__all__ = ["ENDS", "commands_of", "say_ends"]

LIMIT: Final = "a limit is breached"
CANT_START: Final = {65: "the store can't be read", 69: "the port is taken", 73: "the store is in use"}
CANT_START_HERE: Final = {**CANT_START, 74: "the disk fails"}
ENDS: Final[Mapping[str, Mapping[int, str]]] = {
    "alerts list": {3: "an alert of CRITICAL or above is active"},
    "alerts status": {3: "a message stands as failed"},
    "alerts test": {1: "one did not arrive"},
    "assess": {3: LIMIT},
    "audit verify": {1: "anything was changed"},
    "audit why": {1: "no request has the id"},
    "backtest-var": {3: "the default method stands in the red zone over the last 250 days"},
    "backup": {1: "the copy is not what was written"},
    "budget": {3: "a strategy uses more than it may"},
    "check": {3: "the order is cut or refused"},
    "demo": CANT_START_HERE,
    "doctor": {1: "something failed"},
    "heat": {3: "heat is above 100"},
    "liquidate": {1: "the scope was not typed again"},
    "report": {3: LIMIT},
    "rules check": {2: "there is a mistake"},
    "rules test": {1: "a case came out otherwise"},
    "selftest": {1: "a limit or rule can't fire, or fires too early"},
    "serve": CANT_START_HERE,
    "simulate": {1: "something broke"},
    "stress": {3: "a scenario loses more than is allowed"},
    "var": {3: "VaR or expected shortfall is above its limit"},
    "watch": {3: f"{LIMIT} (with --once)"},
}
"""Beside 0 (fine), 1 (an error) and 2 (wrong usage), with which every command may end."""
COMMON: Final = "Takes the options of all commands too: --config FILE, --prices PATH, --level LEVEL."


def commands_of(app: typer.Typer, front: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its words, such as ``audit why``, with what typer knows of it."""
    for command in app.registered_commands:
        yield f"{front}{command.name}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands_of(group.typer_instance, f"{front}{group.name} ")


def say_ends(app: typer.Typer) -> None:
    """Have the help of every command end with its codes and the options of all commands."""
    for words, command in commands_of(app):
        ends = {0: "fine", 1: "an error", 2: "wrong usage"}
        for code, when in ENDS.get(words, {}).items():
            ends[code] = f"{ends[code]}, or {when}" if code in ends else when
        said = "; ".join(f"{code} {when}" for code, when in sorted(ends.items()))
        command.epilog = f"Ends with {said}.\n\n{COMMON}"
