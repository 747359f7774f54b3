"""``risk simulate``: engine, clock, store, feed, broker, bots and people in one process, from one seed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from risk_management.cli._options import Json
from risk_management.cli._screen import heading, progress, screen, show_json, table

if TYPE_CHECKING:
    from risk_management.simulate.outcome import Outcome

__all__ = ["run"]

HOUR: Final = 3600.0
MOST_CODES: Final = 10
DONE: Final = (
    ("calls", "requests"),
    ("approved in full", "approved"),
    ("cut to a size", "cut"),
    ("refused", "refused"),
    ("that close a position", "closes"),
    ("asked again, answered the same", "asked again"),
    ("without an answer: it was down, or could not write", "requests without an answer"),
    ("fills at the broker", "fills"),
    ("price updates", "price updates"),
    ("prices that awaited a second one", "prices quarantined"),
    ("comparisons with the broker", "reconciliations"),
    ("differences taken over from it", "differences adopted"),
    ("crashes", "crashes"),
    ("recoveries, each to the exact state", "recoveries"),
    ("answers looked up after a recovery", "answers looked up after a recovery"),
)
NEVER: Final = (
    ("false halts", ("false halts",)),
    ("false liquidations", ("false liquidations",)),
    (
        "false stops of a bot, strategy or symbol",
        ("false stops of a bot", "false stops of a bot or strategy", "false stops of a symbol"),
    ),
    ("closes refused", ("closes refused",)),
)


def run(
    seed: Annotated[int, typer.Option("--seed", help="Two runs of one seed are identical.")] = 1,
    hours: Annotated[float, typer.Option("--hours", help="Simulated hours.", min=0.01, max=24.0 * 365)] = 1.0,
    faults: Annotated[
        str, typer.Option("--faults", help="all, none, or groups such as store,clock,feed.")
    ] = "all",
    bots: Annotated[int, typer.Option("--bots", min=1, max=200, help="Each asks every other second.")] = 20,
    as_json: Json = False,
) -> None:
    """Drive the whole engine through faults, and hold it against what must never happen.

    Prices are moved by real daily returns of the embedded sample, drawn at random: it is a simulation.

    [dim]risk simulate --seed 42 --hours 1 --faults all[/dim]

    Ends with 1 where something that must never happen did; it names the seed.
    """
    from risk_management.simulate.faults import chosen_groups  # noqa: PLC0415 - help must be quick
    from risk_management.simulate.world import simulate  # noqa: PLC0415 - help must be quick

    groups = chosen_groups(faults)
    with progress() as shown:
        bar = shown.add_task(f"Seed {seed}", total=hours * HOUR)
        outcome = simulate(
            seed, hours, groups=groups, bots=bots, progress=lambda at: shown.update(bar, completed=at)
        )
    if as_json:
        show_json(_plain(outcome))
    else:
        _show(outcome)
    if outcome.broken is not None:
        raise typer.Exit(1)


def _plain(outcome: Outcome) -> dict[str, object]:
    broken = outcome.broken
    return {
        "seed": outcome.seed,
        "hours": outcome.hours,
        "bots": outcome.bots,
        "faults_at_work": list(outcome.groups),
        "digest": outcome.digest,
        "never": _never(outcome),
        "did": dict(sorted(outcome.tally.did.items())),
        "refused": dict(outcome.tally.refused.most_common()),
        "faults": dict(sorted(outcome.tally.faults.items())),
        "broken": None
        if broken is None
        else {"invariant": broken.name, "numbers": broken.numbers, "at": outcome.moment.isoformat()},
        "again": outcome.again,
    }


def _never(outcome: Outcome) -> dict[str, int]:
    did = outcome.tally.did
    return {name: sum(did[key] for key in keys) for name, keys in NEVER}


def _show(outcome: Outcome) -> None:
    out, tally = screen(), outcome.tally
    at_work = ", ".join(outcome.groups) or "none"
    out.print(
        heading(
            (f"{outcome.hours:g} simulated hours", "bold"),
            f", {outcome.bots} bots, seed {outcome.seed}, faults of: {at_work}.\n",
        )
    )
    done = table("What was done", "", "times")
    for words, key in DONE:
        done.add_row(words, f"{tally.did[key]:,}")
    out.print(done)
    out.print(_counts("Refused or cut, by code", Counter(dict(tally.refused.most_common(MOST_CODES)))))
    out.print(_counts("Faults injected", tally.faults))
    never = table("What must never happen", "", "times")
    for name, count in _never(outcome).items():
        never.add_row(name, Text(f"{count:,}", style="bold red" if count else "green"))
    out.print(never)
    if outcome.broken is None:
        out.print(Text(f"Nothing broke. Digest {outcome.digest}.", style="green"))
    else:
        out.print(Text(f"BROKEN: {outcome.broken.name}", style="bold red"))
        out.print(Text(outcome.broken.numbers))
        out.print(f"Seed {outcome.seed}, second {outcome.at:,.3f}, {outcome.moment:%Y-%m-%d %H:%M:%S} UTC.")
    out.print(Text(f"Again: {outcome.again}", style="dim"))
    out.print(
        Text(
            "A simulation: prices are moved by real daily returns of the embedded sample, drawn at random.",
            style="dim",
        )
    )


def _counts(title: str, counts: Counter[str]) -> object:
    made = table(title, "", "times")
    for name, count in counts.most_common():
        made.add_row(name, f"{count:,}")
    return made
