"""``risk config``: the settings in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import store_of
from risk_management.cli._toml import as_toml

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig

__all__ = ["app"]

app = typer.Typer(
    help="The settings in use: show them, or check a file.\n\n[dim]risk config show > risk.toml[/dim]",
    no_args_is_help=True,
)

SECRET: Final = "**********"  # noqa: S105 - what stands in place of one


@app.command("show")
def show(
    context: typer.Context,
    section: Annotated[
        str | None, typer.Argument(help="One section, such as portfolio_limits.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Print all settings as TOML, as files, environment and defaults give them together; no secrets.

    [dim]risk config show > risk.toml[/dim]
    """
    content = _content(options_of(context).config())
    if section is not None:
        if section not in content:
            known = ", ".join(name for name, value in content.items() if isinstance(value, dict))
            raise WrongUsage(f"no section is called {section!r}; known: {known}")
        content = {section: content[section]}
    if as_json:
        show_json(content)
    else:
        typer.echo(as_toml(content), nl=False)


@app.command("check")
def check(context: typer.Context, as_json: Json = False) -> None:
    """Whether 'risk serve' would start with these settings: they are loaded, and a start is tried in memory.

    [dim]risk config check --config risk.toml[/dim]

    Prices of files, rules, channels, broker and the kept book are looked at; the network is not asked.
    """
    from risk_management.cli._rehearsal import rehearse  # noqa: PLC0415 - help must be quick

    options = options_of(context)
    config = options.config()
    rehearse(config, store_of(options, None))
    reached = [name for name in _channels(config) if name]
    found = {
        "ok": True,
        "risk_level": config.risk_level.value,
        "digest": config.digest(),
        "source": config.market_data_config.source,
        "portfolio_value": config.portfolio_value,
        "alert_channels": reached,
    }
    if as_json:
        show_json(found)
        return
    console = screen()
    console.print("The settings are fine.", style="green")
    console.print(
        f"Level {config.risk_level.value}, {config.portfolio_value:,.2f} {config.base_currency}, prices from "
        f"{config.market_data_config.source}, digest {config.digest()}.",
        f"Alerts go to {', '.join(reached) or 'the log alone'}.",
        sep="\n",
    )
    console.print("Whether every limit can fire: risk selftest", style="dim")


def _content(config: RiskManagementConfig) -> dict[str, Any]:
    """All settings as JSON has them, without secrets."""
    content: dict[str, Any] = config.model_dump(mode="json")
    alerts = content["alert_config"]
    content["alert_config"] = {k: v for k, v in alerts.items() if v != SECRET and k != "urls"}
    return content


def _channels(config: RiskManagementConfig) -> list[str]:
    from risk_management.alerts.channels import configured  # noqa: PLC0415 - help must be quick

    return list(configured(config.alert_config))
