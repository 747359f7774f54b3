"""``risk alerts list, ack, resolve, silence, unsilence``: what is active, and what a person does about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json, table
from risk_management.cli._store import Store, store_of

if TYPE_CHECKING:
    from risk_management.integration.client import RiskClient

__all__ = ["acknowledge", "resolve", "show_active", "silence", "unsilence"]

GRAVE: Final = 3
"""Exit code while an alert of CRITICAL or above is active."""
STYLES: Final = {"info": "", "warning": "yellow", "critical": "red", "emergency": "bold red"}
MINUTE: Final = 60.0
Said = dict[str, Any]


def show_active(context: typer.Context, store: Store = None, as_json: Json = False) -> None:
    """Alerts that are active and silences that stand: of the service at RISK_URL, or read from a store.

    [dim]risk alerts list --store risk.db[/dim]

    Ends with 3 while an alert of CRITICAL or above is active, acknowledged or not.
    """
    if store is None and os.environ.get("RISK_URL"):
        with _client() as client:
            found = {"active": client.alerts(), "silences": client.silences()}
    else:
        found = _stored(store_of(options_of(context), store))
    if as_json:
        show_json(found)
    else:
        _show_alerts(found["active"])
        if found["silences"]:
            _show_silences(found["silences"])
    if any(alert["severity"] in ("critical", "emergency") for alert in found["active"]):
        raise typer.Exit(GRAVE)


def acknowledge(
    alert_id: Annotated[str, typer.Argument(help="Of 'risk alerts list'.", show_default=False)],
    comment: Annotated[str, typer.Option("--comment", help="What is done about it.")] = "",
    as_json: Json = False,
) -> None:
    """Take an active alert of the service at RISK_URL on: it repeats and escalates no more.

    [dim]risk alerts ack 5f0c1d2e3a4b5c6d --comment "closing KO by hand"[/dim]
    """
    with _client() as client:
        taken = client.acknowledge_alert(alert_id, comment)
    if as_json:
        show_json({"alert": taken})
    else:
        typer.echo(f"{taken['name']} is acknowledged by {taken['acknowledged_by']}.")


def resolve(
    alert_id: Annotated[str, typer.Argument(help="Of 'risk alerts list'.", show_default=False)],
    comment: Annotated[str, typer.Option("--comment", help="Why it is over.")] = "",
    as_json: Json = False,
) -> None:
    """End an alert of the service at RISK_URL that was raised and is over; one of a rule ends by itself.

    [dim]risk alerts resolve 5f0c1d2e3a4b5c6d --comment "the order was found at the broker"[/dim]
    """
    with _client() as client:
        ended = client.resolve_alert(alert_id, comment)
    if as_json:
        show_json({"alert": ended})
    else:
        typer.echo(ended["message"])


def silence(
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.", show_default=False)],
    minutes: Annotated[float, typer.Option("--minutes", help="From now on; 30 days at most.")] = 60.0,
    rule: Annotated[str, typer.Option("--rule", help="Id of a rule; an emergency takes its own.")] = "",
    alert_type: Annotated[str, typer.Option("--type", help="Such as drawdown.")] = "",
    bot: Annotated[str, typer.Option("--bot", help="Alerts of this bot.")] = "",
    symbol: Annotated[str, typer.Option("--symbol", help="Alerts of this symbol.")] = "",
    as_json: Json = False,
) -> None:
    """Tell nobody of some alerts for a while; all that is named must match. What still holds then is told.

    [dim]risk alerts silence --rule position_limit --minutes 120 --reason "moving in"[/dim]
    """
    with _client() as client:
        standing = client.silence(
            MINUTE * minutes, reason, rule_id=rule, alert_type=alert_type, bot=bot, symbol=symbol
        )
    _told(standing, as_json=as_json)


def unsilence(
    silence_id: Annotated[str, typer.Argument(help="Of 'risk alerts list'.", show_default=False)],
    as_json: Json = False,
) -> None:
    """End a silence of the service at RISK_URL before its time.

    [dim]risk alerts unsilence 5f0c1d2e[/dim]
    """
    with _client() as client:
        standing = client.end_silence(silence_id)
    _told(standing, as_json=as_json)


def _told(standing: list[Said], *, as_json: bool) -> None:
    if as_json:
        show_json({"silences": standing})
    else:
        _show_silences(standing)


def _client() -> RiskClient:
    from risk_management.integration.client import RiskClient  # noqa: PLC0415 - help must be quick

    url, token = os.environ.get("RISK_URL"), os.environ.get("RISK_TOKEN")
    if not url or not token:
        raise WrongUsage("set RISK_URL and RISK_TOKEN: alerts are taken on at a running service (risk serve)")
    return RiskClient(url, token)


def _stored(path: str) -> Said:
    """As the journal of a store ends; nothing is written."""
    from risk_management.clock import SystemClock  # noqa: PLC0415 - help must be quick
    from risk_management.core.alert_book import active_alerts, standing_silences  # noqa: PLC0415
    from risk_management.dashboard.plain import plain  # noqa: PLC0415
    from risk_management.errors import StoreUnavailable  # noqa: PLC0415
    from risk_management.store.reader import StoreReader  # noqa: PLC0415
    from risk_management.store.recovery import recovered  # noqa: PLC0415

    reader = StoreReader.of_store(path)
    try:
        standing = recovered(reader)
    finally:
        reader.close()
    if standing is None:
        raise StoreUnavailable(f"{path} holds no book yet; 'risk serve' begins one")
    state, book = standing.state, standing.state.alerts
    now = state.as_of if state.model.matrix.is_sample else max(state.as_of, SystemClock().now())
    return {
        "active": [alert.as_dict() for alert in active_alerts(book)],
        "silences": [plain(one) for one in standing_silences(book, now)],
    }


def _show_alerts(active: list[Said]) -> None:
    console = screen()
    if not active:
        console.print("No alert is active.", style="green")
        return
    made = table("Active alerts", "id", "severity", "what", "since", "times", left=3)
    for alert in active:
        by = f" (acknowledged by {alert['acknowledged_by']})" if alert["acknowledged_by"] else ""
        made.add_row(
            alert["alert_id"],
            Text(alert["severity"], style=STYLES.get(alert["severity"], "")),
            f"{alert['message']}{by}",
            alert["first_at"][:16].replace("T", " "),
            f"{alert['count']:,}",
        )
    made.columns[0].no_wrap = made.columns[1].no_wrap = True
    console.print(made)


def _show_silences(standing: list[Said]) -> None:
    console = screen()
    if not standing:
        console.print("No silence stands.")
        return
    made = table("Silences", "id", "of", "by", "reason", "until", left=4)
    for one in standing:
        matched = (f"{word} {one[word]}" for word in ("rule_id", "alert_type", "bot", "symbol") if one[word])
        until = one["until"][:16].replace("T", " ")
        made.add_row(one["silence_id"], ", ".join(matched), one["by"], one["reason"], until)
    console.print(made)
