"""What ``risk serve`` and ``risk demo --serve`` share: starts that fail, and the end."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

import typer

from risk_management.errors import StoreCorrupt, StoreInUse, StoreTooNew, StoreUnavailable

if TYPE_CHECKING:
    from socket import socket

__all__ = ["LogLevel", "ending_by_code", "listening", "log_to_stderr", "stopped_by"]

LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    typer.Option("--log-level", help="What goes to standard error: alerts are warnings and errors."),
]

IN_USE: Final = 73
UNREADABLE: Final = 65
NO_DISK: Final = 74
NO_PORT: Final = 69


def log_to_stderr(level: str) -> None:
    """A running service says on standard error what happens to it: it may be all that anyone sees."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )


@contextmanager
def ending_by_code() -> Iterator[None]:
    """End the command by one line and a code of its own where a store can't be opened."""
    try:
        yield
    except StoreInUse as problem:
        _end(problem, IN_USE)
    except (StoreCorrupt, StoreTooNew) as problem:
        _end(problem, UNREADABLE)
    except StoreUnavailable as problem:
        _end(problem, NO_DISK)


def listening(host: str, port: int, store: str) -> socket:
    """A port, taken before anything is written; the command ends where it is taken already."""
    from risk_management.service.server import listening_socket  # noqa: PLC0415 - help must be quick

    try:
        return listening_socket(host, port)
    except OSError as problem:
        _end_in_use(store)  # most likely by the service that has the port
        _end(
            f"{host}:{port} can't be listened on: {os.strerror(problem.errno or 0)}; choose another --port",
            NO_PORT,
        )


def stopped_by(stop: Callable[[], None]) -> None:
    """Have SIGTERM and Ctrl-C call this."""
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop())


def _end_in_use(store: str) -> None:
    """End the command where a process works on the store."""
    from risk_management.store.lock import StoreLock, holder  # noqa: PLC0415 - help must be quick
    from risk_management.store.place import place_of  # noqa: PLC0415

    place = place_of(store)
    with ending_by_code():
        if holder(place) is not None:
            StoreLock(place).release()


def _end(problem: object, code: int) -> NoReturn:
    typer.echo(f"error: {problem}", err=True)
    raise typer.Exit(code)
