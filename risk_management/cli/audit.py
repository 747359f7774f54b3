"""``risk audit``: what happened, why a request was answered as it was, and whether the journal is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._entries import ROUTINE, entry_line
from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import Store, store_of
from risk_management.model.explain import amount, held_against

if TYPE_CHECKING:
    from risk_management.store.reader import Entry, StoreReader

__all__ = ["app"]

app = typer.Typer(
    help="The journal: what happened, why, and whether it is whole. It may be read while a service runs.\n\n"
    "[dim]risk audit why r-17[/dim]",
    no_args_is_help=True,
)
CORRUPT: Final = 1


@app.command("tail")
def tail(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", help="Entries to show.", min=1, max=10_000)] = 20,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="Of one kind, such as Filled; a wrong one lists them all.",
            show_default=False,
        ),
    ] = None,
    actor: Annotated[
        str | None, typer.Option("--actor", help="By one bot, person or token.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="With what is written at every look at the book, such as Marked.")
    ] = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """The newest entries, the latest last.

    [dim]risk audit tail -n 50 --kind TradeDecided[/dim]

    Marked, PeaksSeen and EmergencyStepped are left out unless they are asked for.
    """
    if kind is not None:
        _check_kind(kind)
    without = () if everything or kind is not None else ROUTINE
    with _reader(context, store) as reader:
        found = list(reader.newest(number, kind=kind, actor=actor, without=without))
    if as_json:
        show_json({"entries": [_row(entry) for entry in found]})
        return
    for entry in found:
        screen().print(_line(entry))
    if not found:
        screen().print("Nothing of that is in the journal.")


@app.command("why")
def why(
    context: typer.Context,
    request_id: Annotated[str, typer.Argument(help="Id of the request.", show_default=False)],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Why a request was answered as it was, with every number, and what became of it.

    [dim]risk audit why r-17[/dim]
    """
    with _reader(context, store) as reader:
        entry = reader.decided(request_id)
        if entry is None:
            typer.echo(f"error: no request has the id {request_id!r}", err=True)
            raise typer.Exit(1)
        event: Any = reader.event(entry)
        after = list(_of_request(reader, entry, request_id))
        tiers = _tiers(reader, entry)
    decision = event.decision
    if as_json:
        rows = [_row(later) for later in after]
        show_json({"entry": entry.seq, "hash": entry.hash.hex(), "decision": decision, "after": rows})
        return
    out = screen()
    out.print(Text(f"{request_id}: {decision.outcome}, entry {entry.seq} of {entry.at[:19]}", style="bold"))
    out.print(Text(decision.explain()))
    out.print(
        Text(f"Judged on the state after entry {decision.state_version}, settings {decision.config_digest}.")
    )
    measured = Table("check", "measured", "against", "of", box=None, pad_edge=False)
    for finding in decision.findings:
        if finding.measured == finding.measured:  # NaN: it had nothing to measure
            numbers = (amount(finding.measured, finding.unit), held_against(finding, tiers))
            measured.add_row(*map(Text, (finding.check, *numbers, finding.subject)))
    out.print(measured)
    for later in after:
        out.print(Text("then ").append_text(_line(later)))
    if not after:
        out.print("Nothing was reported of it so far.")


def _tiers(reader: StoreReader, entry: Entry) -> tuple[tuple[float, float], ...]:
    """The tiers of the drawdown in the settings that a decision was made under."""
    from risk_management.config.risk_config import DrawdownConfig  # noqa: PLC0415 - settings are read late

    before = [one for one in reader.of_kinds("BookOpened", "ConfigChanged") if one.seq < entry.seq]
    if not before:
        return ()
    settings: Any = json.loads(json.loads(before[-1].body)["config"])
    return DrawdownConfig.model_validate(settings["drawdown_config"]).tier_levels()


@app.command("verify")
def verify(
    context: typer.Context,
    store: Store = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Make every recorded decision once more, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hold the whole journal against its chain, its signed end, its indexes, models and snapshots.

    [dim]risk audit verify --decisions[/dim]

    Ends with 1 where anything was changed; the first bad entry is named.
    """
    from risk_management.store.redecide import redecided  # noqa: PLC0415 - help must be quick
    from risk_management.store.verify import verify as looked_through  # noqa: PLC0415

    with _reader(context, store) as reader:
        verdict = looked_through(reader)
        again = list(redecided(reader)) if decisions and verdict.first_bad is None else []
    otherwise = [one for one in again if one.differences]
    if as_json:
        shown = (
            {"decisions": len(again), "otherwise": [asdict(one) for one in otherwise]} if decisions else {}
        )
        show_json({**asdict(verdict), **shown})
    else:
        for problem in verdict.problems:
            screen().print(Text(problem, style="red"))
        whole = verdict.note or "the journal is whole, and signed to its end"
        said = whole if verdict.is_clean else "the journal is NOT what was written"
        screen().print(f"{verdict.entries:,} entries follow one another; {said}.")
        for one in otherwise:
            said = f"entry {one.seq}, {one.request_id}: {'; '.join(one.differences)}"
            screen().print(Text(said, style="red"))
        if again:
            screen().print(f"{len(again):,} decisions made once more, {len(otherwise):,} came out otherwise.")
    if otherwise or not verdict.is_clean:
        raise typer.Exit(CORRUPT)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to; one JSON object a line.", show_default=False)],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Write all entries with their hashes to a new file; the signed end is printed.

    [dim]risk audit export journal.jsonl[/dim]
    """
    from risk_management.store.head import signed_head  # noqa: PLC0415 - help must be quick

    count = 0
    try:
        file.touch(mode=0o600, exist_ok=False)  # as private as the store
    except OSError as problem:
        raise WrongUsage(f"{file} can't be made: {problem.strerror}; name a new file in a folder") from None
    with _reader(context, store) as reader, file.open("w", encoding="utf-8") as out:
        for entry in reader.chain():
            out.write(json.dumps(_row(entry), ensure_ascii=False) + "\n")
            count += 1
        head = signed_head(reader.place)
    if as_json:
        show_json({"file": str(file), "entries": count, "seq": head.seq, "hash": head.hash.hex()})
        return
    typer.echo(f"{count:,} entries in {file}; signed to entry {head.seq}, hash {head.hash.hex()}.")


def _check_kind(kind: str) -> None:
    """Raise for a kind that no entry can be of: a mistyped one would look like nothing of that kind."""
    from risk_management.model.events import Event  # noqa: PLC0415 - help must be quick

    kinds = sorted({one.__name__ for one in Event.__subclasses__()})
    if kind not in kinds:
        raise WrongUsage(f"no entry is of the kind {kind!r}; there are {', '.join(kinds)}")


def _reader(context: typer.Context, store: str | None) -> StoreReader:
    from risk_management.store.reader import StoreReader  # noqa: PLC0415 - help must be quick

    return StoreReader.of_store(store_of(options_of(context), store))


def _of_request(reader: StoreReader, decided: Entry, request_id: str) -> Iterator[Entry]:
    """What was told of a request after it was answered."""
    for entry in reader.entries(decided.seq):
        if request_id in entry.body and json.loads(entry.body).get("request_id") == request_id:
            yield entry


def _line(entry: Entry) -> Text:
    """One entry for people: its number, moment, kind and actor, and what it says."""
    return Text.assemble(
        (f"{entry.seq} {entry.at[:19].replace('T', ' ')} ", "dim"),
        (entry.kind, "bold"),
        f" {entry_line(entry.kind, entry.body)}",
        (f" (by {entry.actor})", "dim"),
    )


def _row(entry: Entry) -> dict[str, Any]:
    return {**entry._asdict(), "body": json.loads(entry.body), "hash": entry.hash.hex()}
