"""``risk report``: everything about a book in one file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from risk_management.cli._options import BREACH, NO_BOOK, Example, File, Json, Value, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import Store, store_of

if TYPE_CHECKING:
    from risk_management.report.content import ReportContent

__all__ = ["run"]


def run(
    context: typer.Context,
    file: File = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the report goes; an old one is replaced.")
    ] = Path("report.html"),
    pdf: Annotated[
        bool, typer.Option("--pdf", help="Print it to PDF beside it, by a Chromium of this machine.")
    ] = False,
    store: Store = None,
    value: Value = None,
    example: Example = False,
    as_json: Json = False,
) -> None:
    """Everything about a book in one HTML file that opens anywhere, also without a network.

    Of a FILE of positions, of the store of a service (also while it runs), or of the example.

    [dim]risk report positions.csv -o report.html
    risk report --store risk.db --pdf[/dim]
    """
    if not as_json and not os.access(output.absolute().parent, os.W_OK):  # said before a report is made
        raise WrongUsage(f"{output} can't be written: its folder is not there, or not yours; name another")
    with ExitStack() as closing:
        content = _content(context, file, store, value, example=example, closing=closing)
    if as_json:
        show_json(content.as_dict())
    else:
        _write(content, output)
        said = f"{output}: the risk report of {content.title}, {output.stat().st_size / 1e6:.1f} MB."
        screen().print(said)
        if pdf:
            from risk_management.report.pdf import print_pdf  # noqa: PLC0415 - help must be quick

            paper = output.with_suffix(".pdf")
            print_pdf(output, paper)
            screen().print(f"{paper}: the same on paper.")
    if content.views["metrics"]["breached"]:
        raise typer.Exit(BREACH)


def _content(
    context: typer.Context,
    file: Path | None,
    store: str | None,
    value: float | None,
    *,
    example: bool,
    closing: ExitStack,
) -> ReportContent:
    from risk_management.clock import SystemClock  # noqa: PLC0415 - help must be quick
    from risk_management.integration.dashboard_integration import RiskDashboardAPI  # noqa: PLC0415
    from risk_management.report.content import gathered  # noqa: PLC0415

    now = SystemClock().now()
    if file is not None or example:
        if store is not None:
            raise WrongUsage("give a FILE, --example or --store, only one of them")
        book = options_of(context).book(file, example=example, value=value, command="report")
        return gathered(RiskDashboardAPI(book.manager), book.name, now, book.notes)

    from risk_management.cli._stored import stored_manager  # noqa: PLC0415
    from risk_management.store.database import is_there  # noqa: PLC0415
    from risk_management.store.place import place_of  # noqa: PLC0415
    from risk_management.store.reader import StoreReader  # noqa: PLC0415

    path = store_of(options_of(context), store)
    if store is None and not is_there(place_of(path)):
        raise WrongUsage(NO_BOOK.format(command="report"))
    reader = closing.enter_context(StoreReader.of_store(path))
    manager = stored_manager(reader)
    note = (
        f"read from {path} as its journal ends, entry {manager.state.version}; what its scenarios and its "
        f"backtest rest on comes from the source {manager.config.market_data_config.source!r} of its settings"
    )
    return gathered(RiskDashboardAPI(manager, reader=reader), place_of(path).beside.name, now, [note])


def _write(content: ReportContent, output: Path) -> None:
    """Whole or not at all, and for its owner's eyes: a report tells what is held."""
    from risk_management.report.page import as_html  # noqa: PLC0415 - help must be quick

    text = as_html(content)
    fresh = output.with_name(f".{output.name}.new")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as out:
            out.write(text)
        fresh.replace(output)
    except OSError as problem:
        raise WrongUsage(f"{output} can't be written: {problem.strerror}; name a file in a folder") from None
