"""``risk import``: a person's own account into a store, and its room under every limit."""

from __future__ import annotations

import csv
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.text import Text

from risk_management.cli._options import Json, Value, WrongUsage, options_of
from risk_management.cli._screen import first_rows, footer, money, screen, show_json, table
from risk_management.cli._store import Store, store_of
from risk_management.cli.assess import limits_table, verdict
from risk_management.errors import ConfigurationError, MarketDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risk_management.cli._book import PreparedBook
    from risk_management.cli._options import Options
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.market_data.positions_file import PositionRow

__all__ = ["run"]

LARGEST_HEADER: Final = 64 * 1024
MISSING: Final = "{name} is missing: {what}. It is asked for and never guessed"
VALUE: Final = "what is the account worth now, cash included"
ONE_STRATEGY: Final = (
    "Bots are named and no strategy: all of it counts as one strategy under that limit. "
    "A column strategy tells them apart."
)
MARK: Final = "what was the highest value that the account ever had"


class _Understood(NamedTuple):
    """What a file says."""

    kind: str
    rows: Sequence[PositionRow]
    read: list[str]
    left_alone: list[str]
    fills: int


def run(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV of your positions, or of your fills.", show_default=False),
    ],
    value: Value = None,
    high_water_mark: Annotated[
        float | None,
        typer.Option(
            "--high-water-mark", help="Highest value that the account ever had.", show_default=False
        ),
    ] = None,
    store: Store = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing, write.")] = False,
    as_json: Json = False,
) -> None:
    """Take your account into a new store, and show its room under every limit.

    Shows first what was understood of the file: positions or fills, told apart by their columns.

    [dim]risk import positions.csv --portfolio-value 25000 --high-water-mark 27500[/dim]

    With --json it writes only where --yes stands too.
    """
    options, silent = options_of(context), yes or as_json
    path = store_of(options, store)
    _check_new(path)
    understood = _read(file)
    if not as_json:
        _preview(understood)
    worth = _number("--portfolio-value", VALUE, value, silent=silent, known=_capital(options))
    mark = _number("--high-water-mark", MARK, high_water_mark, silent=silent, least=worth)
    from risk_management.cli._book import prepare_book  # noqa: PLC0415 - help must be quick
    from risk_management.dashboard.metrics import metrics_view  # noqa: PLC0415

    config = options.config(portfolio_value=worth)
    prepared = prepare_book(understood.rows, config)
    if not (silent or typer.confirm(f"Write {len(understood.rows)} positions into {path}?", default=True)):
        typer.echo("Nothing was written.")
        return
    written = yes or not as_json
    if written:
        _write(prepared, path, mark)
    book = prepared.open(file.name, mark=mark)
    differ = _differences(path, options.config()) if written else ()
    seen = book.look()
    if as_json:
        show_json(
            {
                **metrics_view(seen),
                **_told(understood, path if written else None, differ),
                "notes": book.notes,
            }
        )
    else:
        screen().print(verdict(seen, book.name), "", limits_table(seen), footer(seen, book.notes))
        over = dict.fromkeys(use.name for use in seen.assessment.limits if use.level == "breached")
        _next(path, differ, list(over))


def _read(file: Path) -> _Understood:
    """The rows of a file; its columns say whether they are positions or fills."""
    from risk_management.market_data.fills_file import FILL_COLUMNS, read_fills  # noqa: PLC0415
    from risk_management.market_data.held_after import held_after  # noqa: PLC0415 - help must be quick
    from risk_management.market_data.positions_file import COLUMNS, read_positions  # noqa: PLC0415

    header = _header(file)
    is_fills = any(name in header.values() for name in ("time", *FILL_COLUMNS["time"]))
    columns = FILL_COLUMNS if is_fills else COLUMNS
    known = {other for name, others in columns.items() for other in (name, *others)}
    read = [written for written, name in header.items() if name in known]
    left = [written for written, name in header.items() if name not in known]
    if not is_fills:
        rows = read_positions(file)
        _check_prices(rows, file)
        return _Understood("positions", rows, read, left, 0)
    fills = read_fills(file)
    return _Understood("fills", held_after(fills), read, left, len(fills))


def _header(file: Path) -> dict[str, str]:
    """The names of the columns as they are written, each with its plain form."""
    try:
        with file.expanduser().open("rb") as opened:
            text = opened.read(LARGEST_HEADER).decode("utf-8-sig", errors="replace")
    except OSError as problem:
        raise MarketDataError(f"{file}: can't be read ({problem.strerror}); check the path") from None
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    head = next(lines, "")
    delimiter = max(",;\t", key=head.count)
    cells = next(csv.reader([head], delimiter=delimiter, skipinitialspace=True), [])
    return {
        cell.strip(): "_".join(cell.lower().replace("-", " ").replace("_", " ").split()) for cell in cells
    }


def _check_prices(rows: Sequence[PositionRow], file: Path) -> None:
    """A book that will see quotes has to know how many units it holds."""
    bare = [f"{row.symbol} (line {row.line})" for row in rows if row.price is None]
    if bare:
        more = f" and {len(bare) - 5} more" if len(bare) > 5 else ""
        raise MarketDataError(
            f"{file}: no price of {', '.join(bare[:5])}{more}: add the column 'price', what was paid for a "
            "unit; to measure once without it: risk assess"
        )


def _capital(options: Options) -> float | None:
    """What the settings say that the account is worth; their default is no answer."""
    config = options.config()
    return config.portfolio_value if "portfolio_value" in config.model_fields_set else None


def _number(
    name: str,
    what: str,
    given: float | None,
    *,
    silent: bool,
    least: float = 0.0,
    known: float | None = None,
) -> float:
    """A number that was said, or is asked for; `known` is what the settings say."""
    said = known if given is None and silent else given
    if said is None and silent:
        raise WrongUsage(MISSING.format(name=name, what=what))
    if said is None:
        try:
            said = typer.prompt(f"{what[0].upper()}{what[1:]}?", default=known, type=float, err=True)
        except typer.Abort:
            raise WrongUsage(MISSING.format(name=name, what=what)) from None
    if not max(least, 1e-8) <= said <= 1e13:
        floor = f"at least {least:,.2f}, what it is worth now" if least else "money above 0"
        raise WrongUsage(f"{name} is {floor}; got {said:g}")
    return float(said)


def _check_new(path: str) -> None:
    from risk_management.store.place import store_file  # noqa: PLC0415 - help must be quick

    file = store_file(path)
    if file.is_file() and file.stat().st_size:
        raise ConfigurationError(
            f"{file} holds a book already; --store names a new one. A book that runs is compared with its "
            "broker over HTTP: docs/reconciliation.md"
        )


def _write(prepared: PreparedBook, path: str, mark: float) -> None:
    """All or nothing: what fails on the way leaves no half account behind."""
    from dataclasses import replace  # noqa: PLC0415 - help must be quick

    from risk_management.core.risk_manager import AdvancedRiskManager  # noqa: PLC0415
    from risk_management.store.place import store_file  # noqa: PLC0415

    prepared.open("", mark=mark)  # what is wrong shows here
    foundation = prepared.foundation
    stored = replace(foundation, config=foundation.config.update(store=path))
    with ExitStack() as failed:
        failed.callback(_forget, store_file(path))
        with AdvancedRiskManager.on(stored) as manager:
            prepared.fill(manager, mark=mark)
        failed.pop_all()


def _forget(file: Path) -> None:
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()


# -- for people ------------------------------------------------------------------------------------


def _preview(understood: _Understood) -> None:
    out, rows = screen(), understood.rows
    held = f"{len(rows)} position{'' if len(rows) == 1 else 's'}"
    if understood.kind == "fills":
        held = f"{understood.fills:,} fills, which leave {held} where nothing was held before them"
    out.print(Text.assemble("Understood as ", (understood.kind, "bold"), f": {held}."))
    alone = f" Left alone: {', '.join(understood.left_alone)}." if understood.left_alone else ""
    out.print(Text(f"Columns: {', '.join(understood.read)}.{alone}", style="dim"))
    has_bots = any(row.bot for row in rows)
    made = table("", "symbol", "units", "paid a unit", "paid", "strategy", *(["bot"] if has_bots else []))
    made.title = None
    for column in made.columns[4:]:
        column.justify = "left"
    for row in first_rows(rows, made):
        units = row.size / row.unit_cost
        owners = (row.strategy or "-", row.bot or "-") if has_bots else (row.strategy or "-",)
        made.add_row(row.symbol, f"{units:,.8g}", f"{row.unit_cost:,.8g}", money(row.size), *owners)
    out.print(made)
    if has_bots and not any(row.strategy for row in rows):
        out.print(Text(ONE_STRATEGY, style="yellow"))


def _told(understood: _Understood, path: str | None, differ: tuple[str, ...]) -> dict[str, Any]:
    """What a script wants to know of the import beside the view of the book."""
    names = ("symbol", "size", "price", "strategy", "bot", "line")
    rows = [{name: getattr(row, name) for name in names} for row in understood.rows]
    return {
        "kind": understood.kind,
        "fills": understood.fills,
        "rows": rows,
        "store": path,
        "differs": differ,
    }


def _differences(path: str, config: RiskManagementConfig) -> tuple[str, ...]:
    from risk_management.store.kept_settings import changes_of_book  # noqa: PLC0415 - help must be quick

    return changes_of_book(path, config)


def _next(path: str, differ: tuple[str, ...], over: Sequence[str]) -> None:
    show = screen().print
    show(Text(f"\nWritten: {path}", style="green"))
    if over:
        said = "is above its limit already" if len(over) == 1 else "are above their limits already"
        show(
            Text(f"{', '.join(over)} {said}: what adds to it is refused, what closes passes.", style="yellow")
        )
    for one in differ:
        show(Text(f"Other than in your settings, where it belongs: {one}", style="yellow"))
    command = f"risk serve --store {path}{' --accept-new-settings' if differ else ''}"
    show(Text.assemble("Next: ", (command, "bold"), "   # every order asks first"))
