"""The demo on screen: every number in it was measured in the run that it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from risk_management.demo.bots import BOTS, SLEEVE
from risk_management.demo.charts import curve, underwater
from risk_management.demo.records import DemoResult, Event, PeriodResult
from risk_management.demo.report_alerts import alerts_part
from risk_management.demo.statistics import HINDSIGHT_DAYS
from risk_management.demo.words import MEANINGS

__all__ = ["opening", "period_report", "plain_result", "summary"]

SHOWN_EVENTS: Final = 40
LABEL: Final = 19
IMPORTANCE: Final = ("emergency", "recovery", "bot", "limit", "tier", "release")
STYLES: Final = {
    "emergency": "bold red",
    "limit": "red",
    "bot": "red",
    "tier": "yellow",
    "release": "green",
    "recovery": "bold green",
}
WIDEST: Final = 110


def opening(capital: float) -> RenderableType:
    """What is about to run."""
    lines = [
        Text("Four bots, one account, real prices. Do they survive?", style="bold"),
        Text(),
        *(Text.assemble((f"  {bot.name:14s}", "cyan"), bot.about) for bot in BOTS),
        Text(),
        Text(
            f"Each starts with {capital:,.0f} and may use {SLEEVE:.0%} of the account. They do not know of "
            f"each other: together they may want {len(BOTS) * SLEEVE:.0%}. Gated, every order asks first; "
            "ungated, nobody does."
        ),
    ]
    return Panel(Group(*lines), title="risk demo", title_align="left", box=box.ROUNDED, width=None)


def period_report(result: PeriodResult, width: int) -> RenderableType:
    """One period: arms, drawdowns, orders, what was forgone, alerts, what the risk system did."""
    width = min(width, WIDEST)
    parts: list[RenderableType] = [
        Rule(
            Text(f"{result.name}: {result.start} to {result.end}, {result.days} days", style="bold"),
            align="left",
        ),
        _arms(result),
        *_verdict(result),
        Text(),
        _chart(result, width),
        Text(),
        *_orders(result),
        _refusals(result),
        *_forgone(result),
        Text(),
        alerts_part(result),
        Text(),
        _events(result),
    ]
    return Group(*parts)


def summary(result: DemoResult) -> RenderableType:
    """All periods side by side, what the numbers stand on, and where to look next."""
    table = _table("In short", "", "gated", "same exposure", "vol. target", "ungated")
    for period in result.periods:
        arms = (period.gated, period.matched, period.arms[3], period.ungated)
        table.add_row(f"{period.name}: return", *(_signed(a.total_return) for a in arms))
        table.add_row("  maximum drawdown", *(_share(a.max_drawdown) for a in arms))
    return Group(
        Rule(style="bold"),
        table,
        *_claims(result),
        Text(),
        Text("What this stands on", style="bold"),
        *(Padding(Text(line, style="dim"), (0, 0, 0, 2)) for line in _grounds(result)),
        Text(),
        Text("Where to look next", style="bold"),
        *(Text.assemble(("  " + f"{command:28s}", "cyan"), said) for command, said in NEXT),
        Text(),
        Text(f"{result.decisions:,} decisions in {result.seconds:.1f} s.", style="dim"),
    )


NEXT: Final = (
    ("risk assess --example", "the risk of a book, limit by limit"),
    ("risk check AAPL buy 1200", "ask the gate about one order"),
    ("risk stress --example", "what 1987, 2008 and 2020 would do to a book"),
    ("risk demo --json", "all of this as data, with every event and curve"),
    ("docs/demo.md", "how to read this page, and how honest it is"),
)


def _arms(result: PeriodResult) -> Table:
    table = _table("", "", "final", "return", "max drawdown", "Calmar", "exposure", "costs")
    for arm in result.arms:
        style = "bold" if arm is result.gated else ""
        table.add_row(
            arm.name,
            f"{arm.final:,.0f}",
            _signed(arm.total_return),
            _share(arm.max_drawdown),
            _number(arm.calmar),
            f"{arm.average_exposure:.0%}",
            f"{arm.costs:,.0f}",
            style=style,
        )
    return table


def _verdict(result: PeriodResult) -> Iterator[Text]:
    gated, matched, whole = result.gated, result.matched, result.ungated
    said = f"{gated.max_drawdown:.1%} against {matched.max_drawdown:.1%}"
    if result.beats_matched:
        yield Text(f"✓ A smaller drawdown than the same exposure without a gate: {said}.", style="green")
    else:
        yield Text(f"✗ No smaller drawdown than the same exposure without a gate: {said}.", style="yellow")
    if result.calm:
        cost = whole.total_return - gated.total_return
        rest = matched.total_return - gated.total_return
        yield Text(
            f"The price of the insurance: {_points(cost)} of return against the ungated bots, "
            f"{_points(rest)} against the same exposure."
        )
    yield Text(f"S&P 500 over the same days, without dividends: {result.index_return:+.1%}.", style="dim")


def _chart(result: PeriodResult, width: int) -> Text:
    shown = result.arms[:4]
    room = max(20, min(72, width - LABEL - 10))
    deepest = max(arm.max_drawdown for arm in shown)
    text = Text(f"Below the high (a full block is {deepest:.0%})\n", style="bold")
    for arm in shown:
        style = "cyan" if arm is result.gated else "red" if arm is result.ungated else "dim"
        drawn = underwater(arm.equity, room, deepest).ljust(room)
        text.append(f"{arm.name:{LABEL}s}", style="bold" if arm is result.gated else "not bold")
        text.append(drawn, style=f"not bold {style}").append(f"{arm.max_drawdown:>7.1%}\n", style="not bold")
    most = max(result.ungated.largest_exposure, 1.0)
    text.append("Exposure", style="bold").append(f" (a full block is {most:.0%})\n", style="bold")
    for arm in (result.gated, result.ungated):
        style = "cyan" if arm is result.gated else "red"
        text.append(f"{arm.name:{LABEL}s}", style="bold" if arm is result.gated else "not bold")
        text.append(curve(arm.exposure, room, 0.0, most).ljust(room), style=f"not bold {style}")
        text.append(f"{arm.average_exposure:>7.0%}\n", style="not bold")
    text.append(f"{'':{LABEL}s}{result.start:<{room - 10}s}{result.end}", style="not bold dim")
    return text


def _orders(result: PeriodResult) -> Iterator[RenderableType]:
    exits = "all passed" if not result.exits_refused else f"{result.exits_refused} did not pass in full"
    yield Text.assemble(
        ("Orders", "bold"),
        f"  {result.asked + result.exits:,} decisions. Entries asked {result.asked:,}: approved ",
        (f"{result.approved:,}", "green"),
        ", cut ",
        (f"{result.cut:,}", "yellow"),
        ", refused ",
        (f"{result.refused:,}", "red"),
        f". Exits {result.exits:,}: {exits}.",
    )
    yield Text(
        "A bot asks again while its signal stands, so one wish may be refused many times.", style="dim"
    )
    table = _table("", "entries of", "approved", "cut", "refused")
    for name, counts in result.by_bot.items():
        table.add_row(name, *(f"{count:,}" for count in counts))
    yield table


def _refusals(result: PeriodResult) -> Table:
    table = _table("", "why", "refused", "cut", "kept back", "what it means")
    table.columns[-1].justify = "left"
    for row in result.refusals:
        meaning = MEANINGS.get(row.code, "")
        table.add_row(row.code, f"{row.refused:,}", f"{row.cut:,}", f"{row.money:,.0f}", meaning)
    return table


def _forgone(result: PeriodResult) -> Iterator[Text]:
    missed = result.forgone
    verb = "better" if missed.net >= 0.0 else "worse"
    yield Text.assemble(
        ("Forgone", "bold"),
        f"  {missed.wishes:,} wishes refused or cut, {missed.money:,.0f} in all, moved "
        f"{missed.mean_return:+.2%} on average in the next {HINDSIGHT_DAYS} days; what was approved moved "
        f"{missed.taken_return:+.2%}. Losses avoided {missed.losses:,.0f}, gains missed {missed.gains:,.0f}: "
        f"refusing was {abs(missed.net):,.0f} {verb}. In hindsight, repeats left out.",
    )


def _events(result: PeriodResult) -> RenderableType:
    shown = _chosen(result.events)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for event in shown:
        table.add_row(event.day, Text(event.kind, style=STYLES[event.kind]), event.text)
    head = Text.assemble(("What the risk system did", "bold"), f"  {_stopped(result)}")
    if not shown:
        return Group(head, Text("nothing but answers to orders"))
    left = Counter(e.kind for e in result.events) - Counter(e.kind for e in shown)
    more = ", ".join(f"{count} {kind}" for kind, count in left.items())
    return Group(head, table, *([Text(f"  and {more}: see --json", style="dim")] if more else []))


def _stopped(result: PeriodResult) -> str:
    said = f"{result.closed_days} of {result.days} days ended with nothing new allowed"
    closed = f"{result.protective} positions were trimmed or closed by it"
    if not result.protective:
        closed = "no position had to be trimmed or closed by it"
    back = f"{result.cancelled} approvals were taken back"
    return f"{said}; {closed}; {back}."


def _chosen(events: Sequence[Event]) -> list[Event]:
    """The most important ones, in the order of their days."""
    ranked = sorted(range(len(events)), key=lambda i: (IMPORTANCE.index(events[i].kind), i))
    return [events[i] for i in sorted(ranked[:SHOWN_EVENTS])]


def _claims(result: DemoResult) -> Iterator[Text]:
    held = [period.name for period in result.periods if period.beats_matched]
    failed = [period.name for period in result.periods if not period.beats_matched]
    yield Text(
        "Sitting in cash would also lose less than the ungated bots. The claim is a smaller drawdown at the "
        "same average exposure."
    )
    if held:
        yield Text(f"  It held in: {', '.join(held)}.", style="green")
    if failed:
        yield Text(f"  It did not hold in: {', '.join(failed)}.", style="yellow")
    better = [p.name for p in result.periods if p.gated.max_drawdown < p.arms[3].max_drawdown]
    said = ", ".join(better) if better else "no period"
    yield Text(f"  Against a plain volatility target at that exposure it was smaller in: {said}.")


def _grounds(result: DemoResult) -> Iterator[str]:
    alive = result.survivorship
    yield "Sample data, for demonstration: daily closes of 20 stocks, 1999 to 2022."
    yield (
        f"Survivors: those 20 made {alive.stocks:.1%} a year from {alive.start[:4]} to {alive.end[:4]}, the "
        f"index {alive.index:.1%}. What failed is not in the sample: every arm looks better than it was."
    )
    yield "Signal at one close, fill at the next: only closes exist for all 20 stocks."
    yield (
        f"Costs: commission {1e4 * result.commission:.0f} bp, half a spread {1e4 * result.half_spread:.0f} "
        f"bp, impact by the root of the order on an assumed {result.daily_volume / 1e6:,.0f} million a day."
    )
    yield "Cash earns nothing and borrowing costs nothing, which is kind to the ungated bots."
    yield "Bots and limits are textbook and defaults, fixed beforehand; each period starts afresh."
    yield '"Same exposure" and "volatility target" are scaled to the gated arm\'s average in hindsight.'
    yield "The index is the S&P 500 price index: without dividends, which the stocks' closes include."


def plain_result(result: DemoResult) -> dict[str, Any]:
    """The result as a dict of plain types, curves rounded."""
    from risk_management.dashboard.plain import plain  # noqa: PLC0415 - only for JSON

    content: dict[str, Any] = plain(result)
    for period, record in zip(content["periods"], result.periods, strict=True):
        period["beats_matched"] = record.beats_matched
        period["forgone"]["net"] = record.forgone.net
        for arm in period["arms"]:
            arm["equity"] = [round(value, 2) for value in arm["equity"]]
            arm["exposure"] = [round(value, 4) for value in arm["exposure"]]
    return content


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _share(value: float) -> str:
    return f"{value:.1%}"


def _signed(value: float) -> Text:
    return Text(f"{value:+.1%}", style="red" if value < 0.0 else "")


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"  # noqa: PLR0124 - NaN


def _points(value: float) -> str:
    return f"{100.0 * value:+.1f} points"
