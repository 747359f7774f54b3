"""``risk demo``: four bots trade through real crises."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from risk_management.cli._options import Json, WrongUsage

__all__ = ["run"]


class Crash(StrEnum):
    """What a served demo replays."""

    Y2008 = "2008"
    Y2020 = "2020"
    CALM = "calm"


def run(
    quick: Annotated[
        bool, typer.Option("--quick", help="Parts of the periods, in a third of the time.")
    ] = False,
    as_json: Json = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Replay one period against a running service, to look at.")
    ] = False,
    period: Annotated[
        Crash | None, typer.Option("--period", help="With --serve: what is replayed; else 2020.")
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option("--speed", help="With --serve: days a second; else 1.", min=0.001, max=1000.0),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="With --serve: else 8321; 0 takes a free one.", min=0, max=65535),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="With --serve: folder of its store; else a new one.", metavar="FOLDER"),
    ] = None,
) -> None:
    """Four bots trade through real crises, with the gate between them and the broker.

    [dim]risk demo[/dim], or [dim]risk demo --serve[/dim], which is killed and goes on
    """
    served = (period, speed, port, store)
    if serve and (quick or as_json):
        raise WrongUsage("--serve replays one period and prints lines: leave --quick and --json out")
    if not serve and any(word is not None for word in served):
        raise WrongUsage("--period, --speed, --port and --store go with --serve")
    if serve:
        from risk_management.cli._demo_service import serve as served_demo  # noqa: PLC0415 - help must be quick

        folder = store or Path(tempfile.mkdtemp(prefix="risk-demo-"))
        served_demo(
            period or Crash.Y2020, 1.0 if speed is None else speed, 8321 if port is None else port, folder
        )
        return
    from risk_management.demo import demo_command  # noqa: PLC0415 - help must be quick

    code = demo_command(quick=quick, as_json=as_json)
    if code:
        raise typer.Exit(code)
