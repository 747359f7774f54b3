"""``risk watch``: the book live in the terminal."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from risk_management.cli._entries import entry_line
from risk_management.cli._options import BREACH, Json, WrongUsage, options_of
from risk_management.cli._screen import COLOURS, bar, money, screen, share, show_json, table
from risk_management.cli._store import Store, store_of
from risk_management.errors import RiskError
from risk_management.model.explain import amount

if TYPE_CHECKING:
    from risk_management.cli._watched import Seen, Watched

__all__ = ["run"]

NARROW: Final = 70
"""Columns below which only the most needed ones are shown."""
MOST: Final = 8
GRAVE: Final = {"info": "", "warning": "yellow", "critical": "red", "emergency": "bold red"}


def run(
    context: typer.Context,
    store: Store = None,
    every: Annotated[
        float, typer.Option("--every", help="Seconds between two looks.", min=0.5, max=3600.0)
    ] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
    as_json: Json = False,
) -> None:
    """Vital signs, limits, positions, bots, last decisions and alerts, live; q or Ctrl-C ends it.

    [dim]risk watch[/dim], of the service of RISK_URL with RISK_TOKEN

    [dim]risk watch --store risk.db --once[/dim], read beside a running service

    Where no terminal is, it prints a line a look.
    """
    watched = _opened(context, store)
    try:
        if once or as_json:
            seen = watched.look()
            if as_json:
                show_json(_told(seen))
            else:
                screen().print(picture(seen, screen().width))
            if seen.metrics["breached"]:
                raise typer.Exit(BREACH)
        else:
            _go_on(watched, every)
    finally:
        watched.close()


def _opened(context: typer.Context, store: str | None) -> Watched:
    from risk_management.cli._watched import ServiceWatched, StoreWatched  # noqa: PLC0415 - help must be quick

    url, token = os.environ.get("RISK_URL"), os.environ.get("RISK_TOKEN")
    if store is None and url:
        if not token:
            raise WrongUsage("RISK_TOKEN is missing: 'risk token create --scope read' makes one for RISK_URL")
        return ServiceWatched(url, token)
    return StoreWatched(store_of(options_of(context), store))


def _go_on(watched: Watched, every: float) -> None:
    """Look until somebody ends it. One look that fails is told; the next may find it again."""
    console = screen()
    first = watched.look()  # what can't be watched at all is an error, not a screen that says so
    if not console.is_terminal:
        with suppress(KeyboardInterrupt):
            _print_lines(console, watched, first, every)
        return
    with _keys() as waits, Live(picture(first, console.width), console=console, screen=True) as live:
        while not waits(every):
            live.update(_next_picture(watched, console.width), refresh=True)


def _print_lines(console: Console, watched: Watched, seen: Seen, every: float) -> None:
    from threading import Event  # noqa: PLC0415 - help must be quick

    pause = Event()
    while True:
        console.print(_line(seen), soft_wrap=True)
        pause.wait(every)
        seen = watched.look()


def _next_picture(watched: Watched, width: int) -> RenderableType:
    try:
        return picture(watched.look(), width)
    except RiskError as problem:
        return Text(f"{problem}\nTrying again ...", style="bold red")


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Waits for seconds and says whether it shall end: by q, Ctrl-C or a signal; all is as before then.

    A signal is an event like a key: raised in the middle of a draw it would leave the screen broken.
    """
    import termios  # noqa: PLC0415 - not everywhere
    import tty  # noqa: PLC0415

    ended, end = os.pipe()
    signals = {one: signal.signal(one, lambda *_: os.write(end, b"q")) for one in (SIGINT, SIGTERM)}
    typed = [sys.stdin] if sys.stdin.isatty() else []
    before = [termios.tcgetattr(one) for one in typed]
    try:
        for one in typed:
            tty.setcbreak(one)
        yield lambda seconds: _is_end(select.select([ended, *typed], [], [], seconds)[0])
    finally:
        for one, kept in zip(typed, before, strict=True):
            termios.tcsetattr(one, termios.TCSADRAIN, kept)
        for number, handler in signals.items():
            signal.signal(number, handler)
        os.close(ended)
        os.close(end)


def _is_end(ready: Sequence[Any]) -> bool:
    """Any other key is a wish to look at once."""
    return any(one is not sys.stdin or os.read(one.fileno(), 1) in (b"q", b"Q", b"") for one in ready)


# -- for people ------------------------------------------------------------------------------------


def picture(seen: Seen, width: int) -> Group:
    """Everything on one screen, at most `width` columns wide."""
    parts: list[RenderableType] = [
        _head(seen),
        _limits(seen, width),
        _positions(seen, width),
        _bots(seen, width),
    ]
    return Group(*parts, _decisions(seen, width), _alerts(seen))


def _line(seen: Seen) -> Text:
    status = seen.metrics["status"]
    use = seen.metrics["limits"][0]
    return Text(
        f"{seen.metrics['as_of'][:19]} {status['mode']} equity {money(status['equity'])} score "
        f"{status['score']:.0f} by {status['score_driver']} drawdown {share(status['drawdown'])} "
        f"{use['name']} {use['use'] or 0.0:.0%} alerts {len(seen.alerts)}"
    )


def _head(seen: Seen) -> Text:
    status, data = seen.metrics["status"], seen.metrics["data"]
    said = Text.assemble(
        (str(status["mode"]).upper(), "bold green" if status["mode"] == "active" else "bold red"),
        f"  equity {money(status['equity'])} {seen.metrics['currency']}  score ",
        (f"{status['score']:.0f}", COLOURS[status["level"]]),
        f" by {status['score_driver']}\n",
        f"heat {status['portfolio_heat'] or 0.0:.0f}  drawdown {share(status['drawdown'])}  ",
        f"VaR used {share(status['var_utilization'], 0)}  sizes x {status['position_multiplier']:.2f}\n",
        (f"{seen.metrics['as_of'][:19]} UTC, {seen.metrics['environment']}, {seen.place}", "dim"),
    )
    if data["is_sample"]:
        said.append("\nsample data, for demonstration", style="yellow")
    for reason in status["blocked_by"]:
        said.append(f"\nNew trades are stopped: {reason}", style="bold red")
    return said


def _limits(seen: Seen, width: int) -> Table:
    columns = ("limit", "of", "used", "allowed", "") if width >= NARROW else ("limit", "")
    made = table("Limits", *columns, left=2 if width >= NARROW else 1)
    made.columns[-1].justify = "left"
    for row in seen.metrics["limits"][:MOST]:
        use = 9.99 if row["use"] is None else row["use"]
        cells = [amount(_number(row[name]), row["unit"]) for name in ("used", "limit")]
        between = (row["about"] or "-", *cells) if width >= NARROW else ()
        made.add_row(row["name"], *between, bar(use, row["level"]))
    return made


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _positions(seen: Seen, width: int) -> Table:
    wide = width >= NARROW
    made = table("Positions", "symbol", "value", "weight", *(("risk", "strategy") if wide else ()))
    for row in seen.positions[:MOST]:
        more = (money(row["risk"]), row["strategy"] or "-") if wide else ()
        made.add_row(row["symbol"], money(row["value"]), share(row["weight"]), *more)
    _say_more(made, len(seen.positions))
    return made


def _bots(seen: Seen, width: int) -> Table:
    wide = width >= NARROW
    made = table("Bots", "bot", "profit", "state", *(("passed", "cut", "refused") if wide else ()))
    for card in seen.bots["bots"][:MOST]:
        counts = card["decisions"]
        more = [f"{counts[name]:,}" for name in ("approved", "cut", "refused")] if wide else []
        state = "open" if card["enabled"] else "disabled"
        made.add_row(card["name"], money(card["profit"]["total"]), state, *more)
    _say_more(made, len(seen.bots["bots"]))
    return made


def _say_more(made: Table, count: int) -> None:
    if count > MOST:
        made.caption, made.caption_justify = f"... and {count - MOST} more", "left"
    elif not count:
        made.caption, made.caption_justify = "none", "left"


def _decisions(seen: Seen, width: int) -> Text:
    said = Text("Last decisions\n", style="bold")
    for entry in seen.decisions[:MOST]:
        line = Text(
            f"{entry['at'][11:19]} {entry_line(entry['kind'], _json(entry['body']))}", style="not bold"
        )
        line.truncate(width, overflow="ellipsis")
        said.append_text(line).append("\n")
    return said if seen.decisions else said.append("none\n", style="not bold")


def _json(body: object) -> str:
    import json  # noqa: PLC0415 - help must be quick

    return json.dumps(body)


def _alerts(seen: Seen) -> Text:
    said = Text("Alerts\n", style="bold")
    for alert in seen.alerts[:MOST]:
        style = f"not bold {GRAVE.get(str(alert['severity']), '')}"
        said.append(f"{alert['severity']}: {alert['message']}\n", style=style)
    return said if seen.alerts else said.append("none\n", style="not bold")


def _told(seen: Seen) -> dict[str, Any]:
    return {
        **seen.metrics,
        "place": seen.place,
        "positions": seen.positions,
        "bots": seen.bots["bots"],
        "decisions": seen.decisions,
        "alerts": seen.alerts,
    }
