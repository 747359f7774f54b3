"""``risk alerts``: what is active and what is done about it, and whether alerts reach people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from risk_management.cli._alert_desk import acknowledge, resolve, show_active, silence, unsilence
from risk_management.cli._options import Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json, table
from risk_management.cli._store import Store, store_of
from risk_management.cli._summaries import summaries_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risk_management.alerts.message import Message
    from risk_management.alerts.outcome import Outcome, Sender
    from risk_management.clock import Clock
    from risk_management.dashboard.plain import Plain
    from risk_management.store.outbox import SqlOutbox

__all__ = ["app"]

FAILED: Final = 3
"""Exit code while a message stands as failed."""
MOST: Final = 20

app = typer.Typer(
    help="What is active, taken on or silenced, and whether alerts reach people.\n\n"
    "[dim]risk alerts list[/dim]",
    no_args_is_help=True,
)
app.command("list")(show_active)
app.command("ack")(acknowledge)
app.command("resolve")(resolve)
app.command("silence")(silence)
app.command("unsilence")(unsilence)
Channel = Annotated[str | None, typer.Option("--channel", help="This channel alone.", show_default=False)]

Summary = Annotated[
    bool, typer.Option("--summary", help="Show what the summaries would say; nothing is sent.")
]


@app.command("test")
def send_test(
    context: typer.Context,
    channel: Channel = None,
    summary: Summary = False,
    store: Store = None,
    as_json: Json = False,
) -> None:
    """Send one message to every channel of the settings, and show what came back.

    With --summary nothing is sent: it shows what the daily summary and the weekly report would say now, of
    the book in the store, or of the example where there is none.

    [dim]risk alerts test --channel telegram[/dim]
    """
    if summary:
        _show_summaries(summaries_of(options_of(context), store), as_json=as_json)
        return
    from risk_management.alerts.secrets import guard_logs  # noqa: PLC0415 - help must be quick
    from risk_management.alerts.senders import senders_of  # noqa: PLC0415
    from risk_management.clock import SystemClock  # noqa: PLC0415

    config = options_of(context).config()
    guard_logs(config.alert_config)
    senders = senders_of(config.alert_config)
    if channel is not None and channel not in senders:
        known = ", ".join(senders) or "none yet; see docs/alerts-delivery.md"
        raise WrongUsage(f"{channel!r} is not configured; configured are {known}")
    clock = SystemClock()
    rows = [
        _tried(name, sender, clock, config.environment)
        for name, sender in senders.items()
        if channel in (None, name)
    ]
    if as_json:
        show_json({"channels": rows})
    else:
        _show_tests(rows)
    if any(row["outcome"] != "delivered" for row in rows):
        raise typer.Exit(1)


@app.command("status")
def status(context: typer.Context, store: Store = None, as_json: Json = False) -> None:
    """What waits, was sent and failed, by channel; also while the service runs.

    [dim]risk alerts status[/dim]

    Ends with 3 while a message stands as failed: send it again, or put it aside.
    """
    from risk_management.alerts.channels import configured  # noqa: PLC0415 - help must be quick
    from risk_management.alerts.outbox import RowState  # noqa: PLC0415
    from risk_management.dashboard.delivery import delivery_view  # noqa: PLC0415
    from risk_management.store.outbox import looked  # noqa: PLC0415

    options = options_of(context)
    counts, rows, last = looked(store_of(options, store), RowState.FAILED, MOST)
    found = delivery_view(counts, rows, configured(options.config().alert_config), last)
    if as_json:
        show_json(found)
    else:
        _show_status(found)
    if found["failed"]:
        raise typer.Exit(FAILED)


@app.command("retry")
def retry(
    context: typer.Context, channel: Channel = None, store: Store = None, as_json: Json = False
) -> None:
    """Send again what failed; a running service begins within seconds, another one at its start.

    [dim]risk alerts retry --channel slack[/dim]
    """
    number = _outbox(context, store).retry(channel)
    if as_json:
        show_json({"waiting": number})
    else:
        typer.echo(f"{number} messages wait to be sent again.")


@app.command("dismiss")
def dismiss(
    context: typer.Context, channel: Channel = None, store: Store = None, as_json: Json = False
) -> None:
    """Put aside what failed, once somebody has read it in 'risk alerts status'.

    [dim]risk alerts dismiss[/dim]
    """
    number = _outbox(context, store).dismiss(channel)
    if as_json:
        show_json({"dismissed": number})
    else:
        typer.echo(f"{number} messages are put aside.")


def _outbox(context: typer.Context, store: str | None) -> SqlOutbox:
    """The outbox of a store that is there, with tables of this version."""
    from risk_management.store.outbox import SqlOutbox  # noqa: PLC0415 - help must be quick
    from risk_management.store.reader import StoreReader  # noqa: PLC0415

    path = store_of(options_of(context), store)
    StoreReader.of_store(path).close()
    return SqlOutbox(path)


def _show_summaries(found: Sequence[Message], *, as_json: bool) -> None:
    if as_json:
        show_json({"messages": [{"title": one.title, "text": one.text} for one in found]})
        return
    for one in found:
        typer.echo(f"{one.title}\n{one.text}\n")


def _tried(name: str, sender: Sender, clock: Clock, environment: str) -> Plain:
    from risk_management.alerts.message import Message  # noqa: PLC0415 - help must be quick
    from risk_management.model.alert import AlertSeverity  # noqa: PLC0415

    now = clock.now()
    said = Message(
        key=f"test-{name.replace(':', '-')}-{now:%Y%m%d%H%M%S%f}",
        severity=AlertSeverity.INFO,
        title=f"[{environment}] Test of the channel {name}",
        text=f"Alerts of the risk system arrive here. {now:%Y-%m-%d %H:%M:%S} UTC.",
        at=now,
    )
    begun = clock.monotonic()
    outcome: Outcome = sender.send(said)
    return {
        "channel": name,
        "outcome": outcome.verdict.value,
        "seconds": round(clock.monotonic() - begun, 3),
        "reason": outcome.reason,
        "remedy": outcome.remedy,
    }


def _show_tests(rows: list[Plain]) -> None:
    made = table("Test of the channels", "channel", "outcome", "what came back", "seconds", left=3)
    for row in rows:
        is_fine = row["outcome"] == "delivered"
        said = "; ".join(text for text in (row["reason"], row["remedy"]) if text)
        style = "green" if is_fine else "bold red"
        made.add_row(
            row["channel"], Text(row["outcome"], style=style), said or "taken", f"{row['seconds']:.2f}"
        )
    screen().print(made if rows else "No channel is configured: alerts go to the log alone.")


def _show_status(found: Plain) -> None:
    made = table("Delivery of alerts", "channel", "last error", "waiting", "oldest", "sent", "failed", left=2)
    for one in found["channels"]:
        age = one["oldest_age_seconds"]
        name = one["channel"] if one["configured"] else f"{one['channel']} (not configured)"
        oldest = "" if age is None else f"{age:,.0f} s"
        numbers = (str(one["pending"]), oldest, str(one["sent"]), str(one["failed"]))
        made.add_row(name, one["last_error"], *numbers, style="red" if one["failed"] else "")
    console = screen()
    console.print(made if found["channels"] else "No channel is configured: alerts go to the log alone.")
    for row in found["newest_failed"]:
        console.print(
            f"failed on {row['channel']}: {row['at'][:19]} {row['title']} ({row['error']})", style="dim"
        )
    if found["failed"]:
        console.print("Send them again: risk alerts retry. Put them aside: risk alerts dismiss.")
