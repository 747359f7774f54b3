"""``risk simulate``: engine, clock, store, feed, broker, bots and people in one process, from one seed."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import Json
from risk_management.cli._screen import screen, show_json

__all__ = ["run"]


def run(
    seed: Annotated[int, typer.Option("--seed", help="Two runs of one seed are identical.")] = 1,
    hours: Annotated[float, typer.Option("--hours", help="Simulated hours.", min=0.01, max=24.0 * 365)] = 1.0,
    faults: Annotated[
        str, typer.Option("--faults", help="all, none, or groups such as store,clock,feed.")
    ] = "all",
    bots: Annotated[int, typer.Option("--bots", min=1, max=200)] = 20,
    as_json: Json = False,
) -> None:
    """Drive the whole engine through faults, and hold it against what must never happen.

    Prices are moved by real daily returns of the embedded sample, drawn at random: it is a simulation.

    [dim]risk simulate --seed 42 --hours 1 --faults all[/dim]

    Ends with 1 where something that must never happen did; it names the seed.
    """
    from risk_management.simulate.faults import chosen_groups  # noqa: PLC0415 - help must be quick
    from risk_management.simulate.world import simulate  # noqa: PLC0415 - help must be quick

    outcome = simulate(seed, hours, groups=chosen_groups(faults), bots=bots)
    broken = outcome.broken
    if as_json:
        show_json(
            {
                "seed": seed,
                "hours": hours,
                "digest": outcome.digest,
                "did": dict(outcome.tally.did),
                "refused": dict(outcome.tally.refused),
                "faults": dict(outcome.tally.faults),
                "broken": None if broken is None else str(broken),
                "again": outcome.again,
            }
        )
    else:
        out = screen()
        for title, counts in (
            ("what was done", outcome.tally.did),
            ("refusals and cuts by code", outcome.tally.refused),
            ("faults injected", outcome.tally.faults),
        ):
            table = Table(title, "times", box=None, pad_edge=False)
            for name, count in sorted(counts.items()):
                table.add_row(Text(name), f"{count:,}")
            out.print(table)
        out.print(f"Seed {seed}, {hours:g} simulated hours, digest {outcome.digest}.")
        if broken is not None:
            out.print(Text(f"BROKEN after {outcome.at:,.0f} simulated seconds: {broken}", style="red"))
            out.print(Text(f"Again: {outcome.again}"))
    if broken is not None:
        raise typer.Exit(1)
