"""A person's own past fills, decided again under limits: what they would have stopped, saved and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.decision import judge
from risk_management.core.entry import checked_number, instrument_event
from risk_management.core.fill_report import FillReport, fill_event
from risk_management.core.foundation import LONGEST_WINDOW, Foundation, lay_foundation
from risk_management.core.proposal import Proposal
from risk_management.core.standing import Standing, folded
from risk_management.errors import InsufficientData, InvalidRequest, MarketDataError
from risk_management.market_data._series import close_moment
from risk_management.market_data.fills_file import FillRow
from risk_management.market_data.source import load_source
from risk_management.model.events import (
    BookOpened,
    BotChanged,
    Event,
    Filled,
    Marked,
    ModelRefreshed,
    QuotesReceived,
    TradeDecided,
)
from risk_management.model.market import PriceHistory
from risk_management.model.portfolio import OPERATOR, SYSTEM, Bot, Quote
from risk_management.model.risk_model import RiskModel
from risk_management.model.trade import Finding, TradeRequest
from risk_management.replay.comparison import Comparison
from risk_management.replay.journal import Progress, run
from risk_management.replay.marks import Marks, check_levels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["replay_fills"]

REFIT_DAYS: Final = 20
"""Closes between refits of clusters and scenario shocks; volatility moves with every one."""
WHOLE: Final = ("sample", "files")
"""Sources that hand out all they have; others are asked for symbols."""
INDEX_FUNDS: Final = ("SPY", "QQQ")
YEARS_BEFORE: Final = timedelta(days=6 * 365)
UNJUDGED: Final = {
    "max_orders_per_minute": 100_000,
    "max_orders_per_minute_total": 1_000_000,
    "duplicate_window": 0.0,
}
"""Fills are no orders: one order may be many of them in one second."""


def replay_fills(
    rows: Sequence[FillRow],
    config: RiskManagementConfig,
    portfolio_value: float,
    *,
    subject: str = "fills",
    prices: pd.DataFrame | PriceHistory | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Take every fill as a request at its time and price, and judge it under limits.

    Parameters
    ----------
    rows : sequence of FillRow
        From `read_fills`, oldest first.
    config : RiskManagementConfig
        The limits.
    portfolio_value : float
        Equity before the first fill, in money.
    subject : str
        What the file is called in errors and in the result.
    prices : DataFrame or PriceHistory, optional
        Closes, dates x symbols; without them the source that the settings name.
    since, until : datetime, optional
        The part that is compared; by default from the first fill to the end of the prices, or to the last
        fill where nothing is held after it.
    progress : callable, optional
        Told how many steps are done, and of about how many.

    Returns
    -------
    Comparison

    Raises
    ------
    MarketDataError
        Fills outside the prices, or in other units; the lines are named.
    InvalidRequest
        The value is no money above 0, or nothing lies in the period.
    InsufficientData
        Too little history before the first fill.

    Notes
    -----
    Between fills the book is marked and assessed at every close, so that drawdown, VaR and stress limits
    act as they would have. A decision reads nothing later than its own moment. Rates of orders and repeated
    orders are not judged, since one order may be many fills; bots are taken as registered.
    """
    value = checked_number(portfolio_value, "portfolio_value")
    limits = config.update(
        portfolio_value=value,
        environment="replay",
        shadow_mode=False,
        store=None,
        order_config=UNJUDGED,
    )
    if until is not None:
        rows = [row for row in rows if row.time <= until]
    if not rows:
        raise MarketDataError(f"{subject}: no fill lies before {until}; choose a later end")
    ground = _ground(limits, rows, prices)
    _inside(rows, ground, subject)
    check_levels(rows, ground.history, subject)
    account = _Account(ground, limits, rows, until)
    events = account.events()
    start = None
    if since is not None and since > rows[0].time:
        start, events = _from(events, since)
    found = run(events, start, limits, subject, account.steps, progress)
    return replace(found, notes=(*account.notes(), *found.notes))


def _ground(
    limits: RiskManagementConfig, rows: Sequence[FillRow], prices: pd.DataFrame | PriceHistory | None
) -> Foundation:
    """Prices, and volatility forecasts of the whole history, once; models of single days come from them."""
    settings = limits.market_data_config
    if prices is None and settings.source not in WHOLE:
        wanted = dict.fromkeys(
            (
                *(row.symbol for row in rows),
                *settings.sectors,
                *settings.asset_classes,
                *settings.proxies,
                *settings.proxies.values(),
                *INDEX_FUNDS,
            )
        )
        prices = load_source(settings).history(tuple(wanted), start=(rows[0].time - YEARS_BEFORE).date())
    longest = limits.update(market_data_config={"window": LONGEST_WINDOW})
    return lay_foundation(longest, prices=prices).under(limits)


def _inside(rows: Sequence[FillRow], ground: Foundation, subject: str) -> None:
    """Hold the times of the fills against the days of the prices."""
    matrix, settings = ground.preparation.matrix, ground.config.market_data_config
    source = "the sample" if matrix.is_sample else f"the source {matrix.source!r}"
    remedy = "hand in your own with --prices" if matrix.is_sample else "load more of them"
    last = matrix.as_of + timedelta(days=settings.stale_days)
    late = [row for row in rows if row.time > last]
    if late:
        raise MarketDataError(
            f"{subject}, line {late[0].line}: {len(late)} of {len(rows)} fills, from {late[0].time.date()} "
            f"on, lie after the last prices of {source} ({matrix.as_of.date()}); {remedy}"
        )
    known = _known(ground, rows[0].time)
    if known < settings.min_observations:
        raise InsufficientData(
            f"{subject}, line {rows[0].line}: {source} gives {known} daily returns before the first fill of "
            f"{rows[0].time.date()}, the measures need {settings.min_observations}; {remedy}, or lower "
            "market_data_config.min_observations"
        )


def _known(ground: Foundation, moment: datetime) -> int:
    """Returns that were known before a moment."""
    dates = ground.preparation.matrix.dates
    day = np.datetime64(moment.date())
    return int(np.searchsorted(dates, day, side="right" if moment > close_moment(day) else "left"))


def _from(events: Iterator[Event], since: datetime) -> tuple[Standing | None, Iterator[Event]]:
    """How the account stood at a moment, and what came from there on."""
    standing: Standing | None = None
    for event in events:
        if event.at >= since:
            return standing, chain([event], events)
        standing = folded(standing, event)
    raise InvalidRequest("INVALID_PERIOD", "from", f"nothing lies after {since}; choose an earlier beginning")


@dataclass
class _Account:
    """What an account did that nobody limited, as the events of a journal."""

    ground: Foundation
    limits: RiskManagementConfig
    rows: Sequence[FillRow]
    until: datetime | None
    marks: Marks = field(init=False)
    _standing: Standing | None = None
    _digest: str = ""
    _closes: int = 0

    def __post_init__(self) -> None:
        self.marks = Marks(self.ground.history)
        dates = self.ground.history.dates
        first = np.searchsorted(dates, np.datetime64(self.rows[0].time.date()))
        end = self.ground.preparation.matrix.as_of
        self._end = end if self.until is None else min(end, self.until)
        last = np.searchsorted(dates, np.datetime64(self._end.date()), side="right")
        self._days = range(int(first), int(last))

    @property
    def steps(self) -> int:
        """About how many events there will be."""
        return 3 * len(self._days) + 3 * len(self.rows)

    def events(self) -> Iterator[Event]:
        """The events, in order; none rests on what comes after it."""
        free = self.limits.update(shadow_mode=True)
        at = self.rows[0].time
        self._digest = free.digest()
        self._model = self._fresh_model(at)
        known = tuple(self.ground.instruments.values())
        yield self._take(BookOpened(at, SYSTEM, free.as_text(), known, self._model))
        waiting = 0
        for day in self._days:
            close = close_moment(self.ground.history.dates[day])
            while waiting < len(self.rows) and self.rows[waiting].time <= close:
                yield from self._fill(self.rows[waiting])
                waiting += 1
            if close > self._end or (waiting == len(self.rows) and self._is_flat()):
                break
            yield from self._close(day, close)
        for row in self.rows[waiting:]:  # within the days that prices may be old
            yield from self._fill(row)

    def notes(self) -> Iterator[str]:
        """What was taken for granted."""
        days = sum(row.is_day for row in self.rows)
        if days:
            yield f"{days:,} of {len(self.rows):,} fills name a day alone: each is taken at the close of it"
        yield (
            "Equity is the value that you gave and what was earned since; deposits, withdrawals and "
            "dividends are not in a file of fills"
        )
        if any(row.bot for row in self.rows):
            yield (
                "Bots are taken as registered on their first fill, and begin on probation as every new one "
                "does; bot_config.probation_share = 1 leaves that out"
            )
        yield "Rates of orders and repeated orders are not judged: one order may be many fills"
        if self.marks.scaled:
            yield (
                f"Closes of {_few(self.marks.scaled)} stand at another level than the fills: they are marked "
                "at the fill, and from there on by returns"
            )
        unknown = {row.symbol for row in self.rows} - set(self.ground.history.symbols)
        if unknown:
            yield (
                f"No prices of {_few(unknown)}: marked at the last fill until the next, and the risk is that "
                "of a conservative stand-in"
            )
        for symbol, day, made in self.marks.jumps[:3]:
            yield f"{symbol} moved by {made:+.0%} on {day}: if that was a split, the file does not tell of it"

    def _take(self, event: Event) -> Event:
        self._standing = folded(self._standing, event)
        return event

    def _is_flat(self) -> bool:
        return self._standing is not None and not self._standing.state.positions

    def _fill(self, row: FillRow) -> Iterator[Event]:
        """The price, the request as if nobody had judged it, and the fill."""
        assert self._standing is not None  # noqa: S101 - `events` opened the book
        state, owner = self._standing.state, row.bot or OPERATOR
        fresh = instrument_event(state, row.symbol, row.time)
        if fresh is not None:
            yield self._take(fresh)
        if row.bot and row.bot not in state.bots:
            yield self._take(BotChanged(row.time, OPERATOR, Bot(row.bot, row.strategy, row.time)))
        self.marks.fill(row.symbol, row.price)
        quote = Quote(row.price, row.time, "fill")
        yield self._take(QuotesReceived(row.time, "fill", ((row.symbol, quote),)))
        name = f"line-{row.line}"
        request = TradeRequest(
            request_id=name,
            symbol=row.symbol,
            side=row.side,
            size=row.money,
            strategy=row.strategy,
            bot=owner,
            account_id=self.limits.account_id,
            confidence=1.0,
            limit_price=None,
            risk_amount=None,
            requested_at=row.time,
            reserves=True,
        )
        standing = self._standing
        judged = judge(standing.state, request, standing.config, _UNJUDGED, row.time, self._digest)
        yield self._take(TradeDecided(row.time, owner, request, judged.decision, judged.reservation))
        if judged.reservation is None:
            return
        report = FillReport(
            name,
            row.money,
            row.price,
            execution_id=row.execution_id or name,
            final=True,
            quantity=row.quantity,
            fee=row.fee,
        )
        booked: Filled = fill_event(
            self._standing.state, judged.reservation, report, standing.config, row.time
        ).event
        yield self._take(booked)

    def _close(self, day: int, close: datetime) -> Iterator[Event]:
        """The closes of a day, a fresh market model, and a look at the book."""
        marks = self.marks.closes(day)
        if marks:
            quotes = tuple((s, Quote(price, close, "close", daily=True)) for s, price in marks.items())
            yield self._take(QuotesReceived(close, "close", quotes))
        self._closes += 1
        like = None if self._closes % REFIT_DAYS == 0 else self._model
        self._model = self._fresh_model(close + timedelta(seconds=1), like)
        yield self._take(ModelRefreshed(close, SYSTEM, self._model))
        yield self._take(Marked(close, SYSTEM))

    def _fresh_model(self, moment: datetime, like: RiskModel | None = None) -> RiskModel:
        return self.ground.preparation.model(_known(self.ground, moment), like=like)


def _unlimited(_: Proposal) -> Finding:
    """Shadow mode lets pass what this refuses: the account asked nobody."""
    return Finding("unlimited", "UNLIMITED", 0.0)


_UNJUDGED: Final = (("unlimited", _unlimited),)


def _few(symbols: set[str]) -> str:
    chosen = sorted(symbols)
    return ", ".join(chosen[:6]) + (f" and {len(chosen) - 6} more" if len(chosen) > 6 else "")
