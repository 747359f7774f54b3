"""``risk replay``: a past period under other limits, from the store or from a file of fills."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import Json, Options, Value, WrongUsage, options_of
from risk_management.cli._screen import heading, money, progress, screen, share, show_json, signed, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.dashboard.plain import Plain
    from risk_management.replay.comparison import Comparison, Redecided

__all__ = ["run"]

SHOWN: Final = 15
"""Decisions and names that a person reads; --csv and --json have them all."""
WIDE: Final = 110
"""Columns that the whole row of a decision needs."""
STYLES: Final = {"stopped": "red", "cut": "yellow", "allowed": "green", "raised": "green", "held": "dim"}
CENT: Final = 0.005
NO_PAST: Final = """\
This command needs a past. Name the store that your engine keeps,

    risk replay risk.db --with other.toml

or set RISK_STORE; or hand in fills as a CSV file, one line a fill, with what the account was worth before:

    time,symbol,side,quantity,price
    2022-03-01 14:30,AAPL,buy,10,163.2
    2022-03-08 15:10,AAPL,sell,10,157.4

    risk replay --fills fills.csv --with limits.toml --portfolio-value 10000"""
NO_VALUE: Final = (
    "what was the account worth before its first fill, cash included? Say it with --portfolio-value: limits "
    "are shares of it, and it is never guessed"
)


def run(  # noqa: PLR0913, PLR0917 - the words of the command
    context: typer.Context,
    store: Annotated[
        str | None,
        typer.Argument(help="Store of an engine; else the one of the settings.", show_default=False),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option("--with", help="Settings to replay under, a TOML file.", show_default=False),
    ] = None,
    fills: Annotated[
        Path | None,
        typer.Option("--fills", help="CSV of past fills instead of a store.", show_default=False),
    ] = None,
    value: Value = None,
    since: Annotated[
        str | None,
        typer.Option("--from", help="First day, moment, or number of an entry.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Last of the same, included.", show_default=False)
    ] = None,
    table_file: Annotated[
        Path | None,
        typer.Option("--csv", help="Write every differing decision to this file.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """What other limits would have stopped or allowed, saved and cost.

    [dim]risk replay risk.db --with other.toml --from 2022-03-01[/dim]

    [dim]risk replay --fills fills.csv --with limits.toml --portfolio-value 10000[/dim]

    A store is only read, also while an engine works on it. Without --with the settings in use apply.
    """
    options = options_of(context)
    config = (options if other is None else replace(options, config_path=other)).config()
    if fills is not None:
        if store is not None:
            raise WrongUsage("give a STORE or --fills, not both")
        if value is None:
            raise WrongUsage(NO_VALUE)
        found = _of_fills(fills, config, value, since, until)
    else:
        if value is not None:
            raise WrongUsage(
                "the store knows what the account was worth; --portfolio-value goes with --fills"
            )
        found = _of_store(store or _store_of(options, config), config, since, until)
    if table_file is not None:
        _write(found, table_file)
    if as_json:
        show_json(_view(found))
        return
    name = other.name if other is not None else f"the settings in use ({config.risk_level})"
    _show(found, name, screen())


def _store_of(options: Options, config: RiskManagementConfig) -> str:
    """The store that the settings name: those of --with, or those in use."""
    found = config.store or options.config().store
    if found is None:
        raise WrongUsage(NO_PAST)
    return found


def _of_store(store: str, config: RiskManagementConfig, since: str | None, until: str | None) -> Comparison:
    from risk_management.replay.journal import replay_journal  # noqa: PLC0415 - help must be quick

    with progress() as shown:
        told = _teller(shown.add_task("Deciding again ...", total=None), shown.update)
        return replay_journal(store, config, since=since, until=until, progress=told)


def _of_fills(
    path: Path, config: RiskManagementConfig, value: float, since: str | None, until: str | None
) -> Comparison:
    from risk_management.market_data.fills_file import read_fills  # noqa: PLC0415 - help must be quick
    from risk_management.replay.fills import replay_fills  # noqa: PLC0415
    from risk_management.replay.period import moment  # noqa: PLC0415

    rows = read_fills(path)
    first = None if since is None else moment(since, "from")
    last = None if until is None else moment(until, "to", end=True)
    with progress() as shown:
        told = _teller(shown.add_task("Deciding again ...", total=None), shown.update)
        return replay_fills(rows, config, value, subject=str(path), since=first, until=last, progress=told)


def _teller(task: int, update: Callable[..., None]) -> Callable[[int, int], None]:
    return lambda done, total: update(task, completed=done, total=total)


# -- for people ------------------------------------------------------------------------------------


def _show(found: Comparison, name: str, console: Console) -> None:
    span = f"{found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}"
    console.print(heading("Replay of ", (found.subject, "bold"), f", {span}, under ", (name, "bold"), ".\n"))
    console.print(_arms(found))
    if found.by_code:
        console.print(_codes(found))
    if found.differing:
        console.print(_differing(found, wide=console.width >= WIDE))
    if found.names:
        console.print(_names(found))
    decided, earned, *notes = found.sentences
    console.print(f"{decided} {earned}\n")
    console.print(_small(found, notes))


def _arms(found: Comparison) -> Table:
    made = table("", "", "as it was", "replayed", "difference")
    made.title = None
    was, would = found.was, found.would
    for said, one, two in (
        ("equity at the start", was.equity_start, would.equity_start),
        ("equity at the end", was.equity_end, would.equity_end),
        ("profit", was.profit, would.profit),
    ):
        made.add_row(said, money(one), money(two), signed(two - one) if abs(two - one) >= CENT else "")
    fees = would.fees - was.fees
    made.add_row("fees in it", money(was.fees), money(would.fees), money(fees) if abs(fees) >= CENT else "")
    made.add_row("largest drawdown", share(was.max_drawdown), share(would.max_drawdown), _points(found))
    made.add_row("worst day", share(was.worst_day), share(would.worst_day), "")
    made.add_row("  on", *(f"{arm.worst_day_on or '-'}" for arm in (was, would)), "")
    then, now = found.outcomes(replayed=False), found.outcomes(replayed=True)
    counts = [
        (f"requests {outcome}", then[outcome], now[outcome]) for outcome in ("approved", "cut", "refused")
    ]
    if now["nothing to close"]:
        counts.append(("nothing to close", 0, now["nothing to close"]))
    counts += [
        ("days halted", was.halted_days, would.halted_days),
        ("days closing only", was.reducing_days, would.reducing_days),
        ("closed by the system", was.closed_by_system, would.closed_by_system),
    ]
    for said, one, two in counts:
        made.add_row(said, f"{one:,}", f"{two:,}", f"{two - one:+,}" if two != one else "")
    return made


def _points(found: Comparison) -> str:
    change = found.would.max_drawdown - found.was.max_drawdown
    return f"{100.0 * change:+.1f} points" if abs(change) >= 0.0005 else ""


def _codes(found: Comparison) -> Table:
    made = table("Which limit", "limit", "stopped", "cut", "allowed", "raised", "less", "more")
    for row in found.by_code:
        counts = (f"{n:,}" if n else "" for n in (row.stopped, row.cut, row.allowed, row.raised))
        made.add_row(row.code or "-", *counts, *(money(m) if m else "" for m in (row.less, row.more)))
    return made


def _differing(found: Comparison, *, wide: bool) -> Table:
    rows = found.differing
    first = f", the first {SHOWN} of {len(rows):,}" if len(rows) > SHOWN else ""
    columns = ["when", "symbol", "asked", "was", "would be", "why"]
    if wide:
        columns[1:1] = ["bot"]
    made = table(f"Decisions that differ{first}", *columns, left=1)
    for place, column in enumerate(made.columns):
        if columns[place] in ("bot", "symbol", "why"):
            column.justify, column.no_wrap = "left", columns[place] == "symbol"
    for row in rows[:SHOWN]:
        cells = [f"{row.at:%Y-%m-%d %H:%M}" if wide else f"{row.at:%Y-%m-%d}"]
        cells += [row.bot] if wide else []
        cells += [f"{row.action} {row.symbol}", money(row.asked), money(row.was), money(row.would_be)]
        made.add_row(*cells, Text(_why(row), STYLES[row.change]))
    if first:
        made.caption, made.caption_justify = "--csv FILE writes them all", "left"
    return made


def _why(row: Redecided) -> str:
    if row.change == "held":
        return "less to close" if row.would_be < row.was else "more to close"
    return row.reason if row.would_be < row.was else f"was {row.reason}"


def _names(found: Comparison) -> Table:
    more = f", the first {SHOWN} of {len(found.names):,}" if len(found.names) > SHOWN else ""
    made = table(f"What holding otherwise did{more}", "bot", "symbol", "saved", "cost")
    made.columns[1].justify = "left"
    for row in found.names[:SHOWN]:
        made.add_row(row.bot, row.symbol, money(row.saved) if row.saved else "", _cost(row.cost))
    made.add_row(Text("all", "bold"), "", money(found.saved), _cost(found.cost), style="bold")
    return made


def _cost(value: float) -> Text:
    return Text(money(value) if value else "", "red")


def _small(found: Comparison, notes: list[str]) -> RenderableType:
    """What the result rests on."""
    lines = Table.grid(padding=(0, 1))
    for name, texts in (("Note:", notes), ("Leans on:", list(found.leans_on))):
        for place, text in enumerate(texts):
            lines.add_row("" if place else name, Text(text.rstrip(".") + "."))
    return Styled(Padding(lines, 0), "dim")


# -- for scripts -----------------------------------------------------------------------------------


def _view(found: Comparison) -> Plain:
    from risk_management.dashboard.plain import plain  # noqa: PLC0415 - help must be quick

    view: Plain = {
        "subject": found.subject,
        "since": plain(found.since),
        "until": plain(found.until),
        "currency": found.currency,
        "digest_was": found.digest_was,
        "digest": found.digest,
        "requests": len(found.decisions),
        "changes": plain(found.changes),
        "outcomes_was": found.outcomes(replayed=False),
        "outcomes": found.outcomes(replayed=True),
        "was": plain(found.was),
        "would": plain(found.would),
        "saved": found.saved,
        "cost": found.cost,
        "assumed": {"fills": found.assumed, "money": found.assumed_money},
        "by_code": plain(found.by_code),
        "names": plain(found.names),
        "differing": [_row(row) for row in found.differing],
        "sentences": list(found.sentences),
        "leans_on": list(found.leans_on),
    }
    return view


def _row(row: Redecided) -> Plain:
    from risk_management.dashboard.plain import plain  # noqa: PLC0415 - help must be quick

    return {**plain(row), "change": row.change.value, "reason": row.reason}


def _write(found: Comparison, path: Path) -> None:
    """Every differing decision, one a line."""
    rows = [_row(row) for row in found.differing]
    columns = list(rows[0]) if rows else ["at", "request_id", "change"]
    try:
        with path.expanduser().open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    except OSError as problem:
        raise typer.BadParameter(
            f"{path} can't be written ({problem.strerror}); name another file", param_hint="--csv"
        ) from None
