"""What the manager is told of the account: positions, prices, cash, instruments, fills, the broker's word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from risk_management.core import drawdown as drawdown_rules
from risk_management.core.entry import (
    check_spelling,
    checked_instrument,
    checked_moment,
    checked_name,
    checked_number,
    checked_price,
    checked_symbol,
    entry_event,
    instrument_event,
)
from risk_management.core.facts import cash_event, unapproved_fill
from risk_management.core.manager._inside import Inside, library_actor
from risk_management.core.quotes import PriceUpdate, price_events
from risk_management.core.reconciliation import checked_report, compared, spelled
from risk_management.core.risk_model import with_stable_labels
from risk_management.errors import InvalidRequest, shown
from risk_management.model.events import (
    CashKind,
    DrawdownAdjusted,
    EquityReported,
    Filled,
    InstrumentDefined,
    ModelRefreshed,
    PositionAdded,
    RateReceived,
    SplitApplied,
)
from risk_management.model.instrument import Instrument
from risk_management.model.money import SCALE
from risk_management.model.portfolio import EXTERNAL, OPERATOR, PortfolioState, Position, PositionKey, Rate
from risk_management.model.reconciliation import Break, Reconciliation
from risk_management.model.risk_model import RiskModel

if TYPE_CHECKING:
    from risk_management.market_data.positions_file import PositionRow

__all__ = ["AccountFacts"]

FUTURE = timedelta(seconds=5)
MOST_SPLIT = 1e4
MOST_QUOTES = 20_000
NAMED_BREAKS = 3


class AccountFacts(Inside):
    """Facts of the account: kept whatever the limits say."""

    def add_position(
        self,
        symbol: str,
        size: float,
        entry_price: float,
        strategy: str = "",
        risk_amount: float | None = None,
        *,
        bot_name: str | None = None,
        account_id: str | None = None,
        takes_cash: bool = True,
    ) -> None:
        """Take in a position that exists already; it is a fact and kept, whatever the limits say.

        Parameters
        ----------
        symbol : str
        size : float
            Money paid, negative for a short; cash falls by it unless `takes_cash` is False.
        entry_price : float
            Above 0; the position is marked at it until a quote arrives.
        strategy : str
        risk_amount : float, optional
            Money lost if the stop is hit; more than the size is cut to it, with a warning.
        bot_name : str, optional
            Who may close it; an operator by default.
        account_id : str, optional

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        now = self.clock.now()
        with self.book.lock:
            event = entry_event(
                self.state,
                symbol,
                size,
                entry_price,
                strategy,
                risk_amount,
                now,
                bot=bot_name or OPERATOR,
                account_id=self._account(account_id),
                takes_cash=takes_cash,
            )
            self._know(event.key.symbol)
            self.book.apply(event)

    def import_positions(
        self,
        rows: Iterable[PositionRow],
        *,
        one_shot: bool = False,
        high_water_mark: float | None = None,
    ) -> int:
        """Take in positions read from a file; all or none. Returns how many.

        Parameters
        ----------
        rows : iterable of PositionRow
        one_shot : bool
            Accept rows that give only a size in money: they are taken at a unit price of 1, which holds
            for measuring once and not for a book that will see quotes.
        high_water_mark : float, optional
            Highest equity that the account has had, in money; it is asked for and never guessed. Without
            it the initial capital counts.

        Raises
        ------
        InvalidRequest
            ``MISSING_PRICE`` or a value that means nothing; nothing was changed.
        """
        now = self.clock.now()
        with self.book.lock:
            events = [
                entry_event(
                    self.state,
                    row.symbol,
                    row.size,
                    _entry_price(row, one_shot=one_shot),
                    row.strategy,
                    row.risk_amount,
                    now,
                    bot=row.bot or OPERATOR,
                    account_id=self._account(row.account_id),
                )
                for row in map(_checked_row, rows)
            ]
            mark = None if high_water_mark is None else checked_number(high_water_mark, "high_water_mark")
            _no_opposites(events)
            for event in events:
                self._know(event.key.symbol)
                self.book.apply(event)
            if mark is not None:
                marked = drawdown_rules.with_mark(self.state.drawdown, mark, now, self.config.drawdown_config)
                self._apply_now(DrawdownAdjusted, drawdown=marked, reason="mark given at the import")
        return len(events)

    def update_prices(
        self,
        prices: Mapping[str, float],
        *,
        at: datetime | None = None,
        source: str = "caller",
        daily: bool = False,
        actor: str | None = None,
    ) -> PriceUpdate:
        """Take in prices of the instruments themselves.

        Parameters
        ----------
        prices : Mapping of str to float
            In each instrument's currency, above 0.
        at : datetime, optional
            Aware time of the prices, by default now; more than 5 s in the future is refused, older
            than the stored one is ignored.
        source : str
        daily : bool
            Daily closes, whose age is counted in days.
        actor : str, optional
            Who says so, for the journal; by default the source.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        self.desk.clock_watch.look()
        now = self.clock.now()
        moment = now if at is None else self.desk.clock_watch.engine_time(checked_moment(at, "at"))
        if not isinstance(prices, Mapping):
            raise InvalidRequest("WRONG_TYPE", "prices", f"prices map symbols to prices; got {shown(prices)}")
        if moment > now + FUTURE:
            said = f"prices of {moment:%Y-%m-%d %H:%M:%S} lie in the future of {now:%Y-%m-%d %H:%M:%S} UTC"
            if self.state.model.matrix.is_sample:
                said += "; the sample's clock runs from its last day: set market_data_config.source"
            raise InvalidRequest("FUTURE_TIMESTAMP", "at", said)
        checked = {checked_symbol(s): checked_price(p, f"price of {s}") for s, p in prices.items()}
        if len(checked.keys() | self.state.quotes.keys()) > MOST_QUOTES:
            said = f"prices of more than {MOST_QUOTES:,} symbols are not kept; give those that are traded"
            raise InvalidRequest("OUT_OF_RANGE", "prices", said)
        with self.book.lock:
            check_spelling(self.state, checked, "prices")
            update = price_events(
                self.state,
                self.config,
                checked,
                moment,
                source,
                daily=daily,
                now=now,
                actor=actor or source,
            )
            for event in update.events:
                self.book.apply(event)
        self.heartbeats.prices_came(source)
        return update

    def record_cash(
        self,
        kind: CashKind | str,
        amount: float,
        *,
        account_id: str | None = None,
        symbol: str = "",
        actor: str = OPERATOR,
    ) -> None:
        """Book cash that came (positive) or went (negative): deposit, withdrawal, fee, funding, ...

        Deposits and withdrawals are neutral to drawdown; all else is profit or loss. A new account is
        opened by its first deposit.
        """
        with self.book.lock:
            event = cash_event(self.state, self.clock.now(), kind, amount, account_id, symbol)
            self.book.apply(replace(event, actor=actor))

    def report_equity(self, equity: float, *, confirmed: bool = False, actor: str = OPERATOR) -> bool:
        """Take in what the account is worth by its broker; cash makes up the difference.

        Parameters
        ----------
        equity : float
            Money.
        confirmed : bool
            Believe it although it jumps by more than `quarantine_jump` without a reason.
        actor : str

        Returns
        -------
        bool
            Whether it is believed; else it is kept aside until a second report of about its size comes, and
            nothing opens meanwhile.

        Raises
        ------
        InvalidRequest
            For anything but a finite number; nothing was changed.
        """
        value = checked_number(equity, "equity", zero=True, signed=True)
        with self.book.lock:
            for _ in range(1 + confirmed):  # a confirmation is the second report that the rules wait for
                self._apply_now(EquityReported, actor=actor, equity=value)
                if self.state.drawdown.quarantined is None:
                    return True
        return False

    def record_split(self, symbol: str, ratio: float) -> None:
        """Every unit became `ratio` units (2.0 for two-for-one); the price falls by the same ratio."""
        value = checked_number(ratio, "ratio", most=MOST_SPLIT)
        if value < 1.0 / MOST_SPLIT:
            raise InvalidRequest(
                "OUT_OF_RANGE", "ratio", f"ratio must be at least {1.0 / MOST_SPLIT:g}; got {value:g}"
            )
        self._apply_now(SplitApplied, symbol=checked_symbol(symbol), ratio=value)

    def set_rate(self, currency: str, rate: float, *, confirmed: bool = False) -> None:
        """Base currency for one unit of another; without a fresh one nothing opens in it.

        A move beyond `sure_move` is refused unless it is `confirmed`: it would move all that is held in it.
        """
        value, name = checked_number(rate, "rate"), checked_name(currency, "currency")
        most = self.book.config.market_data_config.sure_move
        with self.book.lock:
            old = self.state.rates.get(name)
            if old is not None and not confirmed and abs(value / old.value - 1.0) > most:
                said = f"{name} was {old.value:g}, now {value:g}; pass confirmed=True if so"
                raise InvalidRequest("RATE_JUMP", "rate", said)
            self._apply_now(RateReceived, currency=name, rate=Rate(value, self.clock.now()))

    def define_instrument(self, instrument: Instrument) -> None:
        """Set the facts of an instrument."""
        fresh = checked_instrument(instrument, self.config.base_currency)
        with self.book.lock:
            self._define(fresh)

    def _define(self, fresh: Instrument) -> None:
        known = self.state.instruments.get(fresh.symbol)
        changes = known is not None and (known.multiplier, known.currency, known.kind) != (
            fresh.multiplier,
            fresh.currency,
            fresh.kind,
        )
        if changes and fresh.symbol in self.state.totals.names:
            raise InvalidRequest(
                "INSTRUMENT_IN_USE",
                "instrument",
                f"{fresh.symbol} is held: its multiplier, currency and kind can't change; record a split, "
                "or close it first",
            )
        self._apply_now(InstrumentDefined, instrument=fresh)

    def use_model(self, model: RiskModel) -> None:
        """Put a freshly prepared market model in place; its clusters keep the labels that they had."""
        if not isinstance(model, RiskModel):
            raise InvalidRequest("WRONG_TYPE", "model", f"a RiskModel is needed; got {shown(model)}")
        with self.book.lock:
            self._apply_now(ModelRefreshed, model=with_stable_labels(model, self.state.model))

    def record_fill(
        self,
        symbol: str,
        action: str,
        quantity: float,
        price: float,
        *,
        execution_id: str,
        bot_name: str | None = None,
        strategy: str = "",
        fee: float = 0.0,
    ) -> None:
        """Book a broker's fill that nobody approved. It is a fact: booked, flagged and told.

        Without a bot it belongs to `EXTERNAL`. The same execution id is booked once.

        Raises
        ------
        InvalidRequest
            For a value that means nothing; ``EXECUTION_CONFLICT``: the id was booked with other numbers;
            ``PRICE_OUTLIER``: recorded and not booked until the true price is told.
        """
        with self.book.lock:
            check_spelling(self.state, [checked_symbol(symbol)])
            known = instrument_event(self.state, symbol, self.clock.now())
            event = unapproved_fill(
                self.state,
                self.clock.now(),
                symbol,
                action,
                quantity,
                price,
                execution_id,
                bot_name,
                strategy,
                fee,
            )
            booked = self.desk.executed(event.execution_id)
            if booked is not None:
                _same_fill(event, booked, self.state)
                return
            if known is not None:
                self.book.apply(known)
            self.desk.check_belief(event, price, fee)
            self.book.apply(event)
        owner = event.key.bot
        text = f"{owner} filled {action} {quantity:g} {symbol} without an approval"
        self._alarm("UNAPPROVED_FILL", text, f"{symbol} of {owner}")

    def reconcile(
        self,
        positions: Mapping[str, float],
        *,
        cash: float | None = None,
        open_orders: Iterable[str] | None = None,
        prices: Mapping[str, float] | None = None,
        account_id: str | None = None,
        settle: bool = False,
        actor: str = "",
        odd: Mapping[str, float] | None = None,
    ) -> Reconciliation:
        """Hold the account against what its broker says; the broker is right on quantities and cash.

        Parameters
        ----------
        positions : Mapping of str to float
            Units by symbol, negative for a short; all that the account holds.
        cash : float, optional
            In the base currency.
        open_orders : iterable of str, optional
            Request ids of the orders that work at the broker. With them approvals past their time that
            are not among them are freed.
        prices : Mapping of str to float, optional
            The broker's marks, for symbols that we have no price of.
        account_id : str, optional
        settle : bool
            Book every difference now; without it one that takes exposure away, or cash beyond
            `broker_config.cash_tolerance`, waits for a second report that says the same.
        actor : str, optional
        odd : Mapping of str to float, optional
            Units that the account holds under names that are no symbols here: each stays an open
            difference, beside which nothing opens.

        Returns
        -------
        Reconciliation
            Differences that approved orders explain are awaited; others are booked to `EXTERNAL`, or stay
            open and hold their symbol.

        Raises
        ------
        InvalidRequest
            Nothing was changed.
        """
        report = checked_report(positions, cash, open_orders, prices, odd)
        who = actor or library_actor()
        with self.book.lock:
            account = self._account(account_id)
            report = spelled(self.state, report)
            for symbol in report.positions:
                self._know(symbol)
            now = self.clock.now()
            before = self.state.positions
            events, found = compared(self.state, self.config, account, report, now, settle=settle, actor=who)
            for event in events:
                self.book.apply(event)
        if found.breaks:
            about = ", ".join(f"{one.kind} {one.subject}" for one in found.breaks)
            self._alarm("RECONCILIATION_BREAK", _told_together(found.breaks), about)
        if found.adopted:
            symbols = {one.subject for one in found.adopted if one.kind == "position"}
            owners = ", ".join(_owners_of_change(before, self.state.positions, symbols)) or EXTERNAL
            done = f"booked to {owners}" if symbols else "our cash is the broker's now"
            done += "".join(_partly(one, account, self.state.positions) for one in found.adopted)
            self._alarm("RECONCILED", f"{_told_together(found.adopted)}; {done}")
        if not self.state.breaks:
            self.alert_manager.resolve("RECONCILIATION_BREAK", now)
        return found


def _told_together(breaks: Sequence[Break]) -> str:
    """Differences as one sentence; a code has one alert, so that a second one would be folded away."""
    first = sorted(breaks, key=lambda one: one.kind == "order")
    said = "; ".join(one.explain() for one in first[:NAMED_BREAKS])
    more = len(breaks) - NAMED_BREAKS
    return (
        f"{len(breaks)} differences: {said}{f'; and {more} more' if more > 0 else ''}" if breaks[1:] else said
    )


def _partly(one: Break, account: str, after: Mapping[PositionKey, Position]) -> str:
    """What was booked of a difference, and what approved orders have yet to report, where that is not all."""
    if one.kind != "position":
        return ""
    ours = sum(p.quantity for k, p in after.items() if (k.account_id, k.symbol) == (account, one.subject))
    if ours == one.broker:
        return ""
    booked, awaited = ((ours - one.ours) / SCALE, (one.broker - ours) / SCALE)
    return (
        f"; of {one.subject} {booked:+,.12g} units are booked and {awaited:+,.12g} of approved orders awaited"
    )


def _owners_of_change(
    before: Mapping[PositionKey, Position], after: Mapping[PositionKey, Position], symbols: set[str]
) -> list[str]:
    """Who holds otherwise than before: units that are gone are taken from whoever has them."""
    changed = {
        key.bot
        for key in (*before, *after)
        if key.symbol in symbols and _units(before.get(key)) != _units(after.get(key))
    }
    return sorted(changed)


def _units(position: Position | None) -> int:
    return 0 if position is None else position.quantity


def _no_opposites(events: Sequence[PositionAdded]) -> None:
    """Raise where one owner is said to be long and short in one symbol: the rows would cancel each other."""
    sides: dict[PositionKey, int] = {}
    for event in events:
        if sides.setdefault(event.key, event.quantity) * event.quantity < 0:
            raise InvalidRequest(
                "OPPOSITE_POSITION",
                "rows",
                f"{event.key.symbol} stands long and short for one owner; write what is left in one line",
            )


def _same_fill(event: Filled, booked: tuple[str, int, float, int], state: PortfolioState) -> None:
    """Raise where an execution id was booked with another order, quantity or money.

    Money of another currency was booked at the rate of its time: what it was in that currency tells, but in
    entries of before that was kept.
    """
    request_id, units, money, own = booked
    instrument = state.instruments.get(event.key.symbol)
    is_foreign = instrument is not None and instrument.currency != state.base_currency
    is_same = own == event.reported if own else is_foreign or money == event.cost / SCALE
    if (request_id, units) != (event.request_id, event.quantity) or not is_same:
        said = (
            f"execution {event.execution_id!r} was booked with other numbers, and is not booked again; "
            "another fill has an id of its own"
        )
        raise InvalidRequest("EXECUTION_CONFLICT", "execution_id", said)


def _checked_row(row: PositionRow) -> PositionRow:
    if hasattr(row, "symbol") and hasattr(row, "size"):
        return row
    raise InvalidRequest(
        "WRONG_TYPE", "rows", f"rows are those of read_positions(); got {type(row).__name__} {shown(row)}"
    )


def _entry_price(row: PositionRow, *, one_shot: bool) -> float:
    if row.price is not None:
        return row.price
    if one_shot:
        return 1.0
    raise InvalidRequest(
        "MISSING_PRICE", "price", f"line {row.line}: {row.symbol} has no price; give what was paid for a unit"
    )
