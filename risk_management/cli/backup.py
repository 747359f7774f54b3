"""``risk backup`` and ``risk restore``: a copy of the store, and the way back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from risk_management.cli._options import Json, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import Store, store_of

__all__ = ["backup", "restore"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]


def backup(context: typer.Context, file: File, store: Store = None, as_json: Json = False) -> None:
    """Copy the store, also while a service works on it, and look through the copy.

    [dim]risk backup backups/monday.db[/dim]

    The copy is a store like any other, with its signed end and the key beside it: keep all three files.
    Ends with 1 where the copy is not what was written.
    """
    from risk_management.store.backup import back_up  # noqa: PLC0415 - help must be quick

    verdict = back_up(store_of(options_of(context), store), file)
    if as_json:
        show_json({"file": str(file), **asdict(verdict)})
    else:
        for problem in verdict.problems:
            screen().print(Text(problem, style="red"))
        if verdict.note:
            screen().print(Text(verdict.note, style="yellow"))
        whole = (
            "looked through and whole" if verdict.is_clean else "NOT what was written, as the store itself"
        )
        screen().print(f"{file}: {verdict.entries:,} entries, {whole}.")
    if not verdict.is_clean:
        raise typer.Exit(1)


def restore(
    context: typer.Context,
    file: File,
    store: Store = None,
    force: Annotated[
        bool, typer.Option("--force", help="Keep a store that stands there under another name.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the store, after it was looked through.

    [dim]risk restore backups/monday.db --force[/dim]

    Refused while a service works on the store. The next start only closes until positions were compared with
    the broker: what happened after the backup is not in it.
    """
    from risk_management.store.backup import restore as put_back  # noqa: PLC0415 - help must be quick

    place = store_of(options_of(context), store)
    aside = put_back(file, place, force=force)
    if as_json:
        show_json({"store": place, "replaced": None if aside is None else str(aside)})
        return
    screen().print(f"{place} is {file} now; the next start only closes until positions were compared.")
    if aside is not None:
        screen().print(f"The store that stood there is {aside}.")
    screen().print("Tokens are those of the backup: revoke again what was revoked since.")
