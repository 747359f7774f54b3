"""A period of a store's journal, decided again under other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.standing import Standing, folded
from risk_management.model.events import Event
from risk_management.model.portfolio import TradingMode
from risk_management.replay.comparison import Arm, Comparison
from risk_management.replay.course import Course
from risk_management.replay.period import bounds
from risk_management.replay.rerun import Rerun, settings_for
from risk_management.store.reader import StoreReader
from risk_management.store.recovery import recovered

__all__ = ["compared", "replay_journal", "run"]

MODEL_SETTINGS = (
    ("var_config", ("default_method", "scaling_decay", "downside_weight", "long_run_weight", "ewma_decay")),
    ("heat_config", ("volatility_multiple", "min_risk", "min_risk_crypto")),
    (
        "correlation_config",
        ("method", "window", "overlap_days", "min_overlap", "ewma_decay", "cluster_threshold"),
    ),
    ("stress_config", ("scenario_dir", "unknown_beta")),
    ("market_data_config", ("window", "min_observations", "max_gap", "proxies", "stand_in_volatility")),
)
"""Settings that shape a market model, which a journal holds ready made."""
Progress = Callable[[int, int], None]


def replay_journal(
    store: str,
    config: RiskManagementConfig,
    *,
    since: str | None = None,
    until: str | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Decide a past period again under other settings; the store is only read, also while it is in use.

    Parameters
    ----------
    store : str
        Path or address of the store.
    config : RiskManagementConfig
        The other settings. Capital, currency, account and environment stay those of the book.
    since, until : str, optional
        First and last of the period, both included: a day, a moment (ISO 8601, UTC without a zone) or the
        number of an entry; the whole journal without them.
    progress : callable, optional
        Told how many entries are done, and of how many.

    Returns
    -------
    Comparison

    Raises
    ------
    InvalidRequest
        ``INVALID_PERIOD``.
    StoreUnavailable, StoreCorrupt

    Notes
    -----
    What happened is a fact: prices, cash, splits, rates, bots, holds of persons, fills that nobody approved.
    Requests are judged anew on the book as it would have been. A fill is booked in proportion to the new
    approval, at its price; an order that was refused then, or that only the system took back, is taken to be
    filled at our price of the decision, and counted as assumed. A close is asked in the proportion in
    which it closed then. What the system does itself - holds, trims, liquidations - is done by the replay's
    own watch whenever the book was assessed then, and booked at the marks.
    """
    with StoreReader.of_store(store) as reader:
        first, last = bounds(reader, since, until)
        start = recovered(reader, first - 1)
        events = map(reader.event, reader.chain(reader.tail(first - 1), last))
        return run(events, start, config, str(reader.place), last - first + 1, progress)


def run(
    events: Iterable[Event],
    start: Standing | None,
    config: RiskManagementConfig,
    subject: str,
    total: int,
    progress: Progress | None = None,
) -> Comparison:
    """Both arms over events; without a `start` the first event opens the book."""
    walk: Iterator[Event] = iter(events)
    opened = None
    if start is None:
        opened = next(walk)
        start = folded(None, opened)
    other = settings_for(config, start.config)
    rerun = Rerun(start, other)
    rerun.see()
    since = start.state.as_of if opened is not None else None
    until = start.state.as_of
    for number, event in enumerate(walk, 1 if opened is None else 2):
        rerun.take(event)
        since, until = since or event.at, event.at
        if progress is not None:
            progress(number, total)
    rerun.see()
    return compared(rerun, start, subject, since or until, until)


def compared(rerun: Rerun, start: Standing, subject: str, since: datetime, until: datetime) -> Comparison:
    """What a walk found."""
    was, other = rerun.was, rerun.other.book.standing
    names = rerun.differences.rows(was.state, other.state)
    return Comparison(
        subject=subject,
        since=since,
        until=until,
        currency=was.state.base_currency,
        digest_was=was.digest,
        digest=other.digest,
        was=_arm(rerun.course_was),
        would=_arm(rerun.course),
        decisions=tuple(rerun.decisions),
        names=names,
        assumed=rerun.assumed,
        assumed_money=rerun.assumed_money,
        notes=tuple(_notes(rerun, start)),
        leans_on=was.state.model.matrix.leans_on(tuple(dict.fromkeys(d.symbol for d in rerun.decisions))),
    )


def _arm(course: Course) -> Arm:
    on, worst = course.worst_day()
    return Arm(
        equity_start=course.start,
        equity_end=course.end,
        profit=course.profit,
        max_drawdown=course.max_drawdown,
        worst_day=worst,
        worst_day_on=on,
        halted_days=course.days_in(TradingMode.HALTED),
        reducing_days=course.days_in(TradingMode.REDUCING),
        closed_by_system=course.closed_by_system,
        fees=course.fees,
        days=course.days,
    )


def _notes(rerun: Rerun, start: Standing) -> Iterator[str]:
    """What the result rests on."""
    other = rerun.other.book.standing
    if rerun.assumed:
        yield (
            f"Assumed: {rerun.assumed:,} fills of {rerun.assumed_money:,.2f} {other.state.base_currency} "
            "that never were, at the price of the fill where the order was filled in a smaller size, else at "
            " our price of the decision"
        )
    if rerun.other.took_back:
        yield f"{len(rerun.other.took_back):,} approvals would have been taken back before they were filled"
    if rerun.course.closed_by_system:
        yield "What the system closes in the replay is booked at its marks, at once and without costs"
    if other.state.mode is not rerun.was.state.mode:
        said = f"The replay ends {other.state.mode.value}, where it was {rerun.was.state.mode.value}"
        latched = any(h.latched for h in other.state.holds.values() if h.key not in rerun.was.state.holds)
        yield said + ("; nobody released it, since nobody had to then" if latched else "")
    if start.state.version > 1 and start.state.holds:
        yield "The period begins with the holds that stood then, whoever set them"
    shaped = [f"{s}.{n}" for s, names in MODEL_SETTINGS for n in names if _differs(rerun.was, other, s, n)]
    if shaped:
        yield (
            f"The market models are those of the journal: {', '.join(shaped)} shape a model, and act here "
            "only where a limit reads them"
        )
    yield (
        "Bots are taken to ask the same again, and to close in the same proportion; prices to be the same "
        "whatever was traded"
    )


def _differs(one: Standing, other: Standing, section: str, name: str) -> bool:
    values = (getattr(getattr(standing.config, section), name) for standing in (one, other))
    return len({repr(value) for value in values}) > 1
