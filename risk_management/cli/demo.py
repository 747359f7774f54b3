"""``risk demo``: four bots trade through real crises."""

from __future__ import annotations

from typing import Annotated

import typer

from risk_management.cli._options import Json

__all__ = ["run"]


def run(
    quick: Annotated[
        bool, typer.Option("--quick", help="Parts of the periods, in a third of the time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Four bots trade through real crises, with the gate between them and the broker.

    [dim]risk demo[/dim]
    """
    from risk_management.demo import demo_command  # noqa: PLC0415 - help must be quick

    code = demo_command(quick=quick, as_json=as_json)
    if code:
        raise typer.Exit(code)
