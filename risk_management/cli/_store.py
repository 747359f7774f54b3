"""Where the store of the service is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from risk_management.cli._options import Options

__all__ = ["Store", "store_of"]

Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="File of the store, or postgresql://user@host/database; else RISK_STORE, the settings, or the "
        "user's folder.",
        show_default=False,
    ),
]
NAME: Final = "risk.db"


def store_of(options: Options, given: str | None) -> str:
    """The store that was named, on the command line or in the settings, else the one in the user's folder."""
    named = given or options.config().store
    if named:
        return named
    from platformdirs import user_data_path  # noqa: PLC0415 - help must be quick

    return str(Path(user_data_path("risk_management", appauthor=False)) / NAME)
