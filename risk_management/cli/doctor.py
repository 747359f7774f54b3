"""``risk doctor``: is all as it should be, and how is what is not mended."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from risk_management.cli._findings import Found, failed, fine, warning
from risk_management.cli._options import Json, Options, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._store import Store, store_of
from risk_management.errors import RiskError, StoreError

if TYPE_CHECKING:
    from risk_management.clock import Clock
    from risk_management.config.risk_config import RiskManagementConfig

__all__ = ["run"]

STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}
DEFAULT_PORT: Final = 8321
SECRETS: Final = ("telegram_bot_token", "discord_webhook_url", "slack_webhook_url", "webhook_url", "urls")


def run(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", help="Where the service is; by default at RISK_URL, or 8321.", min=1, max=65535
        ),
    ] = None,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Look at settings, store, prices, channels, clock, files and service; each line says how to mend it.

    [dim]risk doctor --config risk.toml[/dim]

    No message is sent, nothing is changed.
    """
    with screen(stderr=True).status("Looking ..."):
        found = list(_examine(options_of(context), store, port))
    worst = "failed" if any(one.level == "failed" for one in found) else "ok"
    if as_json:
        show_json({"ok": worst == "ok", "findings": [asdict(one) for one in found]})
    else:
        _show(found)
    if worst == "failed":
        raise typer.Exit(1)


def _examine(options: Options, store: str | None, port: int | None) -> Iterator[Found]:
    from risk_management.cli._doctor_machine import (  # noqa: PLC0415 - help must be quick
        of_clock,
        of_versions,
    )
    from risk_management.cli._doctor_store import of_store, worker_of  # noqa: PLC0415
    from risk_management.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    yield from of_versions()
    yield from _files(options)
    worker = None
    try:
        config = options.config()
        path = store_of(options, store)
        yield fine(
            "settings",
            f"level {config.risk_level.value}, {config.portfolio_value:,.2f} "
            f"{config.base_currency}, {config.environment}, digest {config.digest()}",
        )
        yield from of_store(path)
        with suppress(StoreError):  # told already
            worker = worker_of(path)
    except RiskError as problem:
        yield failed("settings", str(problem), "mend what is named; 'risk config check' tells whether it is")
        return
    prices = list(_prices(config, path, clock))
    yield from prices
    yield from _start(config, path, {one.said for one in prices})
    yield from _broker(config)
    yield from _channels(config)
    drawdown = config.drawdown_config
    yield from of_clock(clock, drawdown.timezone, f"{drawdown.day_roll:%H:%M}")
    yield from _service(port, worker)


def _files(options: Options) -> Iterator[Found]:
    """The settings file: nobody else may change it, nor read it where a secret stands in it."""
    from risk_management.cli._doctor_store import OTHERS, of_files  # noqa: PLC0415 - help must be quick

    path = options.config_path or (Path(os.environ["RISK_CONFIG"]) if os.environ.get("RISK_CONFIG") else None)
    if path is None:
        yield warning("settings", "no file is named: the defaults hold", "risk init, then --config risk.toml")
        return
    try:
        text: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # loading the settings says it better
        return
    alerts = text.get("alert_config")
    secret = isinstance(alerts, dict) and any(name in alerts or "password" in str(alerts) for name in SECRETS)
    yield from of_files([path], "settings", OTHERS if secret else 0o022)
    if secret:
        yield warning("settings", f"a secret stands in {path}", "move it to the environment: docs/alerts.md")


def _prices(config: RiskManagementConfig, store: str, clock: Clock) -> Iterator[Found]:
    """Where prices come from, and how old the newest ones are."""
    from risk_management.cli._doctor_store import last_quote  # noqa: PLC0415 - help must be quick
    from risk_management.core.foundation import lay_foundation  # noqa: PLC0415
    from risk_management.market_data.source import load_source  # noqa: PLC0415

    settings = config.market_data_config
    try:
        if settings.source == "sample":
            yield warning(
                "prices",
                "embedded sample data, for demonstration",
                "set market_data_config.source to files, yahoo or exchange",
            )
        elif settings.source == "files":
            until = lay_foundation(config).preparation.matrix.as_of
            age = (clock.now() - until).days
            said = f"files end on {until:%Y-%m-%d}, {age} days ago"
            if age > settings.stale_days:
                yield warning("prices", f"{said}; allowed are {settings.stale_days}", "load newer closes")
            else:
                yield fine("prices", said)
        else:
            load_source(settings)
            yield fine(
                "prices", f"{settings.source} is asked at the start, every {settings.poll_interval:g} s then"
            )
    except RiskError as problem:
        yield failed("prices", str(problem), "mend market_data_config")
    quoted = last_quote(store)
    if quoted is not None and settings.source != "sample":
        yield fine(
            "prices", f"the newest in the store came {_span((clock.now() - quoted).total_seconds())} ago"
        )


def _start(config: RiskManagementConfig, store: str, told: set[str]) -> Iterator[Found]:
    """Whether the service would start; what was told already is not told again."""
    from risk_management.cli._rehearsal import rehearse  # noqa: PLC0415 - help must be quick

    try:
        rehearse(config, store)
    except StoreError:  # told with the store
        return
    except RiskError as problem:
        if str(problem) not in told:
            yield failed("start", str(problem), "'risk serve' does not start before it is mended")
        return
    yield fine("start", "the service would start with these settings")


def _broker(config: RiskManagementConfig) -> Iterator[Found]:
    """A paper account in memory is empty at the next start, and the kept book then agrees with nothing."""
    settings = config.broker_config
    if settings.name == "paper" and "path" not in settings.options:
        yield warning(
            "broker",
            "the paper account lives in memory and is empty again at the next start",
            'set broker_config.options.path, such as "paper.db"',
        )


def _service(port: int | None, worker: str | None) -> Iterator[Found]:
    """Who answers at the port that is named, at RISK_URL, or where the service is by default."""
    from risk_management.cli._doctor_service import of_port, of_service  # noqa: PLC0415 - help must be quick

    url = os.environ.get("RISK_URL")
    if url and port is None:
        yield from of_service(url, os.environ.get("RISK_TOKEN"), worker)
    else:
        yield from of_port("127.0.0.1", DEFAULT_PORT if port is None else port, worker)


def _span(seconds: float) -> str:
    from risk_management.model.explain import amount  # noqa: PLC0415 - help must be quick

    return amount(seconds, "seconds")


def _channels(config: RiskManagementConfig) -> Iterator[Found]:
    """Which channels can be reached by their settings. A half-set one was meant and stays silent."""
    from risk_management.alerts.channels import missing_settings  # noqa: PLC0415 - help must be quick
    from risk_management.alerts.records import AlertChannel  # noqa: PLC0415

    alerts, reached = config.alert_config, []
    for channel in AlertChannel:
        whole = missing_settings(channel, type(alerts)())
        missing = missing_settings(channel, alerts)
        if not whole:  # the log and what needs nothing
            continue
        if not missing:
            reached.append(channel.value)
        elif len(missing) < len(whole):
            yield warning(
                "channels", f"{channel.value} lacks {', '.join(missing)}", "set it in the environment"
            )
    if reached or alerts.urls:
        urls = [f"{len(alerts.urls)} further addresses"] if alerts.urls else []
        yield fine("channels", f"alerts go to {', '.join([*reached, *urls])}")
    else:
        yield warning(
            "channels", "alerts go to the log alone", "set the variables of a channel: docs/alerts.md"
        )


def _show(found: list[Found]) -> None:
    out = screen()
    for one in found:
        line = Text.assemble((f"{one.level:<8}", STYLES[one.level]), (f"{one.area}: ", "bold"), one.said)
        line.append(f" -> {one.remedy}" if one.remedy else "", style="cyan")
        out.print(line)
    counts = {level: sum(one.level == level for one in found) for level in STYLES}
    out.print(Text(f"\n{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed."))
