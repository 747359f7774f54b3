"""``risk token``: who may ask the service."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import Store, store_of
from risk_management.errors import StoreUnavailable
from risk_management.model.access import Access

if TYPE_CHECKING:
    from risk_management.dashboard.plain import Plain
    from risk_management.model.access import Token
    from risk_management.store.place import Place
    from risk_management.store.tokens import TokenStore

__all__ = ["app"]

app = typer.Typer(
    help="Who may ask the service: make, list and revoke tokens, also while it runs.\n\n"
    "[dim]risk token create --bot RSI2[/dim]",
    no_args_is_help=True,
)


@app.command("create")
def create(
    context: typer.Context,
    bot: Annotated[
        str | None, typer.Option("--bot", help="The bot that it trades for.", show_default=False)
    ] = None,
    scope: Annotated[
        Access | None,
        typer.Option("--scope", help="read, operate or admin; trade comes with --bot.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="What people call it; by default the bot or scope.")
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Make a token. Its secret is shown this once; only a hash of it is kept.

    [dim]risk token create --bot RSI2[/dim]
    """
    access = scope or (Access.TRADE if bot is not None else None)
    if access is None:
        raise WrongUsage("say --bot NAME, or --scope read, operate or admin")
    from risk_management.core.risk_manager import library_actor  # noqa: PLC0415 - help must be quick

    with closing(_tokens(context, store)) as tokens:
        token, secret = tokens.create(name or bot or access.value, access, bot=bot, actor=library_actor())
    if as_json:
        show_json({**_row(token), "token": secret, "store": str(_place(context, store))})
        return
    typer.echo(secret)
    whose = f"trades for {bot}" if bot is not None else f"may {access.value}"
    where = f"in the store {_place(context, store)}"
    typer.echo(f"Token {token.token_id} {whose}, {where}. Keep it now: it can't be shown again.", err=True)


@app.command("list")
def show(context: typer.Context, store: Store = None, as_json: Json = False) -> None:
    """All tokens, without their secrets.

    [dim]risk token list[/dim]
    """
    with closing(_tokens(context, store)) as tokens:
        found = tokens.tokens()
    if as_json:
        show_json({"store": str(_place(context, store)), "tokens": [_row(token) for token in found]})
        return
    made = Table("id", "name", "scope", "bot", "made", "last used", "revoked", box=None)
    for token in found:
        moments = (token.created_at, token.last_used_at, token.revoked_at)
        said = [f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in moments]
        cells = (token.token_id, token.name, token.access.value, token.bot or "", *said)
        made.add_row(*(Text(cell) for cell in cells), style="dim" if token.revoked_at else "")
    screen().print(made if found else "There is no token yet: risk token create --bot NAME")
    screen().print(Text(f"Store: {_place(context, store)}", style="dim"))


@app.command("revoke")
def revoke(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="Its id, as 'risk token list' shows it.")],
    store: Store = None,
    as_json: Json = False,
) -> None:
    """End a token; a running service refuses it within a second.

    [dim]risk token revoke 1f0c3a9b[/dim]
    """
    with closing(_tokens(context, store)) as tokens:
        token = tokens.revoke(token_id)
        revoked = [_row(one) for one in tokens.tokens() if one.token_id == token.token_id]
    if as_json:
        show_json(*revoked)
        return
    typer.echo(f"Token {token.token_id} ({token.name}) is revoked.")


def _tokens(context: typer.Context, store: str | None) -> TokenStore:
    """The tokens of a store that is there: a mistyped path must not become one that nobody serves."""
    from risk_management.store.database import is_there  # noqa: PLC0415
    from risk_management.store.tokens import TokenStore  # noqa: PLC0415 - help must be quick

    place = _place(context, store)
    if not is_there(place):
        raise StoreUnavailable(f"there is no store at {place}; 'risk serve' makes one, --store names another")
    return TokenStore(store_of(options_of(context), store))


def _place(context: typer.Context, store: str | None) -> Place:
    from risk_management.store.place import place_of  # noqa: PLC0415 - help must be quick

    return place_of(store_of(options_of(context), store))


def _row(token: Token) -> Plain:
    return {
        "id": token.token_id,
        "name": token.name,
        "scope": token.access,
        "bot": token.bot,
        "created_at": token.created_at,
        "created_by": token.created_by,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
    }
