"""``risk serve``: the service, with a store that outlives it."""

from __future__ import annotations

from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Final

import typer

from risk_management.cli._options import WrongUsage, options_of
from risk_management.cli._serving import LogLevel, ending_by_code, listening, log_to_stderr, stopped_by
from risk_management.cli._store import Store, store_of
from risk_management.errors import ConfigurationError

if TYPE_CHECKING:
    from socket import socket

    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.integration.trading_integration import TradingSystemIntegration
    from risk_management.store.tokens import TokenStore

__all__ = ["run"]

LINE: Final = "\n  "


def run(
    context: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535)] = 8321,
    store: Store = None,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen on other than this machine; put TLS in front.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name that the server is called by; may be said twice."),
    ] = None,
    accept_new_settings: Annotated[
        bool,
        typer.Option(
            "--accept-new-settings",
            help="Keep the book although prices, capital or account changed; it is journalled.",
        ),
    ] = False,
    log_level: LogLevel = "warning",
) -> None:
    """Serve the risk system over HTTP: every order of every bot, in any process, asks it first.

    [dim]risk serve[/dim], then [dim]risk token create --bot RSI2[/dim]
    """
    log_to_stderr(log_level)
    address, path = _checked(context, host, store)
    is_local = ip_address(address).is_loopback
    if not (is_local or allow_remote):
        raise WrongUsage(
            f"{address} can be reached from other machines: say --allow-remote, and put TLS in front"
        )
    config = _config(options_of(context).config(), path)
    with ExitStack() as closing:
        port_taken = listening(address, port, path)
        closing.callback(port_taken.close)
        changes = _accepted(config, path, accepted=accept_new_settings)
        integration, tokens = _opened(config)
        closing.callback(tokens.close)
        closing.callback(integration.close)
        if changes:
            _note(integration, changes)
        names = frozenset([*(name or []), address])
        _serve(integration, tokens, address, port_taken, names, path, is_local=is_local)
    outage = integration.risk_manager.book.outage
    kept = f"what happened since the store failed is not ({outage})" if outage else "the state is kept"
    typer.echo(f"Stopped: what was asked is answered, {kept}.", err=True)


def _checked(context: typer.Context, host: str, store: str | None) -> tuple[str, str]:
    """Where to listen, and the store; what means nothing is a wrong option, like any other."""
    from risk_management.service.server import checked_address  # noqa: PLC0415 - help must be quick
    from risk_management.store.place import place_of  # noqa: PLC0415

    path = store_of(options_of(context), store)
    try:
        place_of(path)
        return checked_address(host), path
    except ConfigurationError as problem:
        raise WrongUsage(str(problem)) from None


def _config(config: RiskManagementConfig, path: str) -> RiskManagementConfig:
    """The settings with this store; a bot that nobody registered is refused, unless they say otherwise."""
    if "register_unknown" in config.bot_config.model_fields_set:
        return config.update(store=path)
    return config.update(store=path, bot_config={"register_unknown": False})


def _accepted(config: RiskManagementConfig, path: str, *, accepted: bool) -> tuple[str, ...]:
    """What a kept book would stand on otherwise than before; refused unless somebody said so."""
    from risk_management.store.kept_settings import changes_of_book  # noqa: PLC0415 - help must be quick

    with ending_by_code():
        changes = changes_of_book(path, config)
    if changes and not accepted:
        raise ConfigurationError(
            f"the book in {path} was kept under other settings:\n  {LINE.join(changes)}\n"
            "start with the settings of that book (--config), or say --accept-new-settings"
        )
    return changes


def _note(integration: TradingSystemIntegration, changes: tuple[str, ...]) -> None:
    from risk_management.core.risk_manager import library_actor  # noqa: PLC0415 - help must be quick
    from risk_management.model.events import Noted  # noqa: PLC0415

    manager = integration.risk_manager
    manager.book.apply(Noted(manager.clock.now(), library_actor(), "SETTINGS_ACCEPTED", "; ".join(changes)))


def _opened(config: RiskManagementConfig) -> tuple[TradingSystemIntegration, TokenStore]:
    from risk_management.integration.trading_integration import (  # noqa: PLC0415 - help must be quick
        TradingSystemIntegration,
    )
    from risk_management.store.tokens import TokenStore  # noqa: PLC0415 - help must be quick

    with ending_by_code():
        integration = TradingSystemIntegration(config)
        return integration, TokenStore(str(config.store))


def _serve(
    integration: TradingSystemIntegration,
    tokens: TokenStore,
    host: str,
    port: socket,
    names: frozenset[str],
    path: str,
    *,
    is_local: bool,
) -> None:
    from risk_management.clock import SystemClock  # noqa: PLC0415
    from risk_management.integration.dashboard_integration import RiskDashboardAPI  # noqa: PLC0415
    from risk_management.service.application import make_app  # noqa: PLC0415
    from risk_management.service.collector import Collector  # noqa: PLC0415
    from risk_management.service.server import STREAMS, Server  # noqa: PLC0415
    from risk_management.service.sessions import Sessions  # noqa: PLC0415
    from risk_management.store.place import place_of  # noqa: PLC0415

    sessions = Sessions(file=place_of(path).with_end(".sessions"), is_valid=tokens.holds)
    app = make_app(RiskDashboardAPI(integration), tokens, names=names, sessions=sessions, streams=STREAMS)
    server = Server(app, host, port)
    stopped_by(server.stop)
    code = sessions.code() if is_local else None
    _say(integration, tokens, code, f"http://{host}:{server.port}", path)
    integration.start_monitoring()
    with Collector(SystemClock()) as collector:
        server.run(collector)


def _say(
    integration: TradingSystemIntegration,
    tokens: TokenStore,
    code: str | None,
    address: str,
    path: str,
) -> None:
    from risk_management.model.portfolio import Scope, TradingMode  # noqa: PLC0415 - help must be quick

    state = integration.risk_manager.state
    lines = [
        f"Serving {address}/api/risk, store {path}.",
        f"{state.environment} book, {state.mode.value}, {len(state.positions)} held, entry {state.version}.",
    ]
    if state.mode is not TradingMode.ACTIVE:
        whole = [hold for hold in state.holds.values() if hold.scope is Scope.PORTFOLIO]
        lines += [f"{hold.mode.value}: {hold.reason}." for hold in whole]
    if state.model.matrix.is_sample:
        until = f"{state.model.matrix.as_of:%Y-%m-%d}"
        lines.append(
            f"Prices: embedded sample data, for demonstration; the clock runs on from its last day, {until}. "
            "For real time: risk init, or set market_data_config.source."
        )
    if integration.risk_manager.send_to_paper is not None:
        lines.append("Paper account: bots trade on it with trade_on_paper, and report nothing themselves.")
    if not any(token.revoked_at is None for token in tokens.tokens()):
        lines.append("There is no token yet: risk token create --bot NAME")
    if code is not None:
        lines.append(f"Dashboard, this link once within 10 minutes: {address}/login?code={code}")
    typer.echo("\n".join(lines))
