"""The fold: a pure step from a state and an event to the next state. Events are facts and never fail here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core import drawdown as drawdown_rules
from risk_management.core.alert_book import alerts_after
from risk_management.core.cash_tolerance import with_tolerated
from risk_management.core.fills import book_fill
from risk_management.core.liquidation import life as liquidation_life
from risk_management.core.totals import (
    empty_totals,
    name_totals,
    rebased,
    swap,
    with_cash,
    with_strategies,
)
from risk_management.model.amend import amended
from risk_management.model.budget import StrategyDay
from risk_management.model.emergency import EmergencyMemory
from risk_management.model.events import (
    AlertNoted,
    AlertTold,
    BotChanged,
    BreaksSeen,
    BudgetAllocated,
    BudgetCut,
    CashMoved,
    ClockStepped,
    ConfigChanged,
    DrawdownAdjusted,
    EmergencyStepped,
    EngineStarted,
    EquityReported,
    Event,
    Filled,
    HoldReleased,
    HoldSet,
    InstrumentDefined,
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStepDone,
    LiquidationStepSent,
    LiquidationStopped,
    Marked,
    ModelRefreshed,
    Noted,
    PeaksSeen,
    PositionAdded,
    QuotesReceived,
    RateReceived,
    ReservationClosed,
    RuleChanged,
    SilenceEnded,
    SilenceSet,
    SplitApplied,
    StrategyDaysRecorded,
    TradeDecided,
    VarHaltChanged,
    VarRecorded,
)
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.layered import Layered
from risk_management.model.liquidation import Liquidation
from risk_management.model.money import SCALE, to_ledger
from risk_management.model.portfolio import (
    Account,
    PortfolioState,
    Position,
    PositionKey,
    Reservation,
    ReservationStatus,
    StrategyRecord,
)
from risk_management.model.recent import MINUTE, with_moment
from risk_management.model.risk_model import RiskModel
from risk_management.model.totals import EMPTY_NAME, Totals

__all__ = ["evolve", "from_records", "initial_state", "totals_from_scratch"]

K = TypeVar("K")
V = TypeVar("V")
KEPT_SETTLED: Final = 10_000
KEPT_INTENTS: Final = 4096
KEPT_ASKERS: Final = 256
KEPT_DAYS: Final = 250


def initial_state(
    config: RiskManagementConfig,
    model: RiskModel,
    now: datetime,
    instruments: Mapping[str, Instrument] | None = None,
) -> PortfolioState:
    """An empty book with the initial capital in cash."""
    cash = to_ledger(config.portfolio_value)
    empty: Mapping[Any, Any] = MappingProxyType({})
    return PortfolioState(
        version=0,
        as_of=now,
        environment=config.environment,
        base_currency=config.base_currency,
        accounts=MappingProxyType({config.account_id: Account(config.account_id, cash)}),
        positions=empty,
        quotes=empty,
        rates=empty,
        instruments=MappingProxyType(dict(instruments or {})),
        reservations=empty,
        settled=Layered(),
        executions=Layered(),
        bots=empty,
        strategies=empty,
        holds=empty,
        var_halted=False,
        requests=empty,
        intents=empty,
        model=model,
        totals=empty_totals(model, cash),
        drawdown=drawdown_rules.begin(config.portfolio_value, now, config.drawdown_config),
    )


def from_records(model: RiskModel, **records: Any) -> PortfolioState:
    """A state from everything that can't be computed, with its sums made from scratch.

    Parameters
    ----------
    model : RiskModel
    **records
        All other fields of `PortfolioState` but `totals`.
    """
    cash = sum(account.cash for account in records["accounts"].values())
    state = PortfolioState(model=model, totals=empty_totals(model, cash), **records)
    return amended(state, totals=totals_from_scratch(state))


def totals_from_scratch(state: PortfolioState) -> Totals:
    """All sums over the positions and approvals of a state, with nothing carried along."""
    named: dict[str, tuple[list[PositionKey], list[str]]] = {}
    for key in state.positions:
        named.setdefault(key.symbol, ([], []))[0].append(key)
    for request_id, reservation in state.reservations.items():
        named.setdefault(reservation.key.symbol, ([], []))[1].append(request_id)
    return _summed(state, state.model, named)


def evolve(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    """The state after one event.

    Raises
    ------
    KeyError
        For an event of an unknown kind.
    """
    return _STEPS[type(event)](state, event, config)


def _next(state: PortfolioState, event: Event, **changes: Any) -> PortfolioState:
    as_of = event.at if event.at > state.as_of else state.as_of
    return amended(state, version=state.version + 1, as_of=as_of, **changes)


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """A read-only copy with one more entry."""
    fresh: dict[K, V] = mapping.copy()  # type: ignore[attr-defined]
    fresh[key] = value
    return MappingProxyType(fresh)


def without(mapping: Mapping[K, V], keys: Iterable[K]) -> Mapping[K, V]:
    """A read-only copy with some entries gone."""
    fresh: dict[K, V] = mapping.copy()  # type: ignore[attr-defined]
    for key in keys:
        fresh.pop(key, None)
    return MappingProxyType(fresh)


def _settle(
    state: PortfolioState,
    event: Event,
    config: RiskManagementConfig,
    symbols: Iterable[str],
    *,
    new_keys: Iterable[PositionKey] = (),
    new_reservation: str | None = None,
    explained: bool = True,
    moves_equity: bool = True,
) -> PortfolioState:
    """Recompute the named symbols and the sums, then let the drawdown rules see the new equity."""
    cash = sum(account.cash for account in state.accounts.values())
    changes = {}
    fresh = tuple(new_keys)
    for symbol in symbols:
        old = state.totals.names.get(symbol, EMPTY_NAME)
        keys = dict.fromkeys((*old.keys, *(key for key in fresh if key.symbol == symbol)))
        ids = dict.fromkeys(
            old.reservations if new_reservation is None else (*old.reservations, new_reservation)
        )
        instrument = state.instruments[symbol]
        changes[symbol] = name_totals(
            (state.positions[key] for key in keys if key in state.positions),
            (state.reservations[i] for i in ids if i in state.reservations),
            quote=state.quotes.get(symbol),
            rate=rate_of(state, instrument.currency),
            instrument=instrument,
            model=state.model,
        )
    if changes:
        totals = swap(state.totals, changes, model=state.model, instruments=state.instruments, cash=cash)
    else:
        totals = with_cash(state.totals, cash)
    drawdown = state.drawdown
    if moves_equity and totals.equity is not None:
        drawdown = drawdown_rules.advance(
            drawdown,
            totals.equity,
            event.at,
            config.drawdown_config,
            explained=explained,
            may_peak=state.is_sure,
        )
    return _next(state, event, totals=totals, drawdown=drawdown)


def _marked(
    state: PortfolioState, event: Event, config: RiskManagementConfig, *, explained: bool
) -> PortfolioState:
    equity = state.totals.equity
    if equity is None:
        return state
    moved = drawdown_rules.advance(
        state.drawdown,
        equity,
        event.at,
        config.drawdown_config,
        explained=explained,
        may_peak=state.is_sure,
    )
    return amended(state, drawdown=moved)


def rate_of(state: PortfolioState, currency: str) -> float | None:
    """Base currency for one unit of `currency`; None where no rate is known."""
    if currency == state.base_currency:
        return 1.0
    rate = state.rates.get(currency)
    return None if rate is None else rate.value


def _position_added(
    state: PortfolioState, event: PositionAdded, config: RiskManagementConfig
) -> PortfolioState:
    old = state.positions.get(event.key)
    quantity, cost = event.quantity, event.cost
    stop, has_stop, opened = event.stop_risk, event.has_stop, event.at
    realised = turnover = 0
    if old is not None:
        quantity, cost = old.quantity + quantity, old.cost + cost
        stop, has_stop = old.stop_risk + stop, old.has_stop and has_stop
        opened, realised, turnover = old.opened_at, old.realised, old.turnover
    position = Position(
        event.key,
        quantity,
        cost,
        opened,
        stop,
        has_stop,
        realised=realised,
        turnover=max(turnover, abs(cost)),
    )
    instrument = state.instruments[event.key.symbol]
    paid = event.cost if event.takes_cash and instrument.kind is not ContractKind.LINEAR else 0
    positions = put(state.positions, event.key, position)
    if quantity == 0:
        positions = without(positions, [event.key])
    changed = amended(
        state, positions=positions, accounts=_with_cash_moved(state, event.key.account_id, -paid)
    )
    return _settle(changed, event, config, [event.key.symbol], new_keys=[event.key])


def _with_cash_moved(state: PortfolioState, account_id: str, amount: int) -> Mapping[str, Account]:
    account = state.accounts.get(account_id, Account(account_id, 0))
    return put(state.accounts, account_id, Account(account_id, account.cash + amount))


def _quotes(state: PortfolioState, event: QuotesReceived, config: RiskManagementConfig) -> PortfolioState:
    quotes: dict[str, Any] = state.quotes.copy()  # type: ignore[attr-defined]
    quotes.update(event.quotes)
    held = [symbol for symbol, _ in event.quotes if symbol in state.totals.names]
    unsure = state.unsure
    for symbol, quote in event.quotes:
        if (quote.anchor is not None) != (symbol in unsure):
            unsure ^= {symbol}
    return _settle(amended(state, quotes=MappingProxyType(quotes), unsure=unsure), event, config, held)


def _rate(state: PortfolioState, event: RateReceived, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, rates=put(state.rates, event.currency, event.rate))
    held = [s for s in state.totals.names if state.instruments[s].currency == event.currency]
    return _settle(changed, event, config, held)


def _instrument(
    state: PortfolioState, event: InstrumentDefined, config: RiskManagementConfig
) -> PortfolioState:
    symbol = event.instrument.symbol
    changed = amended(state, instruments=put(state.instruments, symbol, event.instrument))
    if symbol not in state.totals.names:
        return _next(changed, event)
    # its sector or class may have moved: rebuild all sums
    return _next(changed, event, totals=_all_totals(changed, changed.model))


def _cash(state: PortfolioState, event: CashMoved, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, accounts=_with_cash_moved(state, event.account_id, event.amount))
    if event.kind.is_flow:
        changed = amended(changed, drawdown=drawdown_rules.flow(state.drawdown, event.amount / SCALE))
    if event.tolerated:
        changed = amended(changed, tolerated_cash=with_tolerated(state.tolerated_cash, event, config))
    return _settle(changed, event, config, [])


def _split(state: PortfolioState, event: SplitApplied, config: RiskManagementConfig) -> PortfolioState:
    name = state.totals.names.get(event.symbol, EMPTY_NAME)
    positions: dict[PositionKey, Position] = state.positions.copy()  # type: ignore[attr-defined]
    for key in name.keys:
        old = positions[key]
        positions[key] = amended(old, quantity=round(old.quantity * event.ratio))
    quotes = state.quotes
    if event.symbol in quotes:
        quote = quotes[event.symbol]
        anchor = None if quote.anchor is None else quote.anchor / event.ratio
        fresh = quote._replace(price=quote.price / event.ratio, anchor=anchor)
        quotes = put(quotes, event.symbol, fresh)
    settled = state.settled
    for request_id, reservation in _split_units(settled, event).items():
        settled = settled.with_entry(request_id, reservation, keep=KEPT_SETTLED)
    changed = amended(
        state,
        positions=MappingProxyType(positions),
        quotes=quotes,
        reservations=MappingProxyType({**state.reservations, **_split_units(state.reservations, event)}),
        settled=settled,
    )
    return _settle(changed, event, config, [event.symbol] if name.keys or name.reservations else [])


def _split_units(known: Mapping[str, Reservation], event: SplitApplied) -> dict[str, Reservation]:
    """Approvals in a split symbol: as many more units at as much less a price."""
    split: dict[str, Reservation] = {}
    for request_id, old in known.items():
        if old.key.symbol == event.symbol:
            units = None if old.quantity is None else round(old.quantity * event.ratio)
            price = None if old.price is None else old.price / event.ratio
            closing = round(old.closing_quantity * event.ratio)
            split[request_id] = amended(old, quantity=units, price=price, closing_quantity=closing)
    return split


def _bot(state: PortfolioState, event: BotChanged, config: RiskManagementConfig) -> PortfolioState:
    return _next(state, event, bots=put(state.bots, event.bot.name, event.bot))


def _decided(state: PortfolioState, event: TradeDecided, config: RiskManagementConfig) -> PortfolioState:
    changes: dict[str, Any] = {}
    request, decision = event.request, event.decision
    bot = state.bots.get(request.bot)
    if bot is not None:
        outcome = decision.outcome
        counted = {outcome: getattr(bot.record, outcome) + 1, "last_seen": event.at}
        changes["bots"] = put(state.bots, request.bot, amended(bot, record=amended(bot.record, **counted)))
    if decision.closing_size < request.size:
        settings = config.order_config
        keep = int(settings.runaway_multiple * settings.max_orders_per_minute) + 2
        moments = with_moment(state.requests.get(request.bot, ()), event.at, keep=keep)
        changes["requests"] = _pruned_requests(put(state.requests, request.bot, moments), event.at)
        if decision.approved:  # a refused order may come again once its cause is gone
            intent = (request.bot, request.symbol, request.side, to_ledger(request.size))
            intents = put(state.intents, intent, event.at)
            changes["intents"] = _pruned_intents(intents, event.at, config)
    if event.reservation is None:
        return _next(state, event, **changes)
    changes["reservations"] = put(state.reservations, request.request_id, event.reservation)
    return _settle(
        amended(state, **changes),
        event,
        config,
        [request.symbol],
        new_reservation=request.request_id,
        moves_equity=False,
    )


def _pruned_requests(
    requests: Mapping[str, tuple[datetime, ...]], now: datetime
) -> Mapping[str, tuple[datetime, ...]]:
    if len(requests) <= KEPT_ASKERS:
        return requests
    return MappingProxyType({bot: times for bot, times in requests.items() if abs(now - times[-1]) < MINUTE})


def _pruned_intents(
    intents: Mapping[tuple[str, str, int, int], datetime], now: datetime, config: RiskManagementConfig
) -> Mapping[tuple[str, str, int, int], datetime]:
    if len(intents) < KEPT_INTENTS:
        return intents
    window = timedelta(seconds=config.order_config.duplicate_window)
    return MappingProxyType({intent: at for intent, at in intents.items() if now - at <= window})


def _filled(state: PortfolioState, event: Filled, config: RiskManagementConfig) -> PortfolioState:
    booked = book_fill(state, event, config.kelly_config)
    positions: dict[PositionKey, Position] = state.positions.copy()  # type: ignore[attr-defined]
    for key, position in booked.positions.items():
        if position is None:
            positions.pop(key, None)
        else:
            positions[key] = position
    bots, strategies = state.bots, state.strategies
    for name, bot in booked.bots.items():
        bots = put(bots, name, bot)
    for name, amount in booked.realised.items():
        record = strategies.get(name, StrategyRecord())
        strategies = put(strategies, name, amended(record, realised=record.realised + amount))
    fact = (event.request_id, event.quantity, event.cost / SCALE, event.reported)
    changed = amended(
        state,
        positions=MappingProxyType(positions),
        accounts=_with_cash_moved(state, event.key.account_id, booked.cash),
        bots=bots,
        strategies=strategies,
        executions=state.executions.with_entry(
            event.execution_id, fact, keep=KEPT_SETTLED, needed=lambda known: known[0] in state.reservations
        ),
    )
    changed = _with_reservation_used(changed, event)
    return _settle(changed, event, config, [event.key.symbol], new_keys=booked.positions)


def _with_reservation_used(state: PortfolioState, event: Filled) -> PortfolioState:
    old = state.reservations.get(event.request_id)
    if old is None:
        late = state.settled.get(event.request_id)
        if late is None:
            return state
        filled = amended(late, filled=late.filled + abs(event.cost))
        return amended(state, settled=state.settled.with_entry(event.request_id, filled, keep=KEPT_SETTLED))
    opening = max(0, old.opening - event.used_opening)
    left = amended(
        old,
        opening=opening,
        closing=max(0, old.closing - event.used_closing),
        closing_quantity=max(0, old.closing_quantity - event.used_quantity),
        filled=old.filled + abs(event.cost),
        risk=old.risk * opening // old.opening if old.opening else 0,
        status=ReservationStatus.PARTIAL,
    )
    if event.final or (left.opening == 0 and left.closing_quantity == 0):
        return _with_settled(state, amended(left, status=ReservationStatus.FILLED))
    return amended(state, reservations=put(state.reservations, event.request_id, left))


def _with_settled(state: PortfolioState, reservation: Reservation) -> PortfolioState:
    return amended(
        state,
        reservations=without(state.reservations, [reservation.request_id]),
        settled=state.settled.with_entry(reservation.request_id, reservation, keep=KEPT_SETTLED),
    )


def _reservation_closed(
    state: PortfolioState, event: ReservationClosed, config: RiskManagementConfig
) -> PortfolioState:
    old = state.reservations.get(event.request_id)
    if old is None:
        return _next(state, event)
    changed = amended(old, status=event.status)
    if event.status.is_open:
        return _next(state, event, reservations=put(state.reservations, event.request_id, changed))
    return _settle(_with_settled(state, changed), event, config, [old.key.symbol], moves_equity=False)


def _noted(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    """What is only told: the Book itself takes new settings over."""
    return _next(state, event)


def _hold_set(state: PortfolioState, event: HoldSet, config: RiskManagementConfig) -> PortfolioState:
    return _next(state, event, holds=put(state.holds, event.hold.key, event.hold))


def _hold_released(
    state: PortfolioState, event: HoldReleased, config: RiskManagementConfig
) -> PortfolioState:
    return _next(state, event, holds=without(state.holds, [(event.scope, event.name, event.cause)]))


def _var_recorded(state: PortfolioState, event: VarRecorded, config: RiskManagementConfig) -> PortfolioState:
    return _next(state, event, var_record=event.record)


def _emergency(
    state: PortfolioState, event: EmergencyStepped, config: RiskManagementConfig
) -> PortfolioState:
    return _next(state, event, emergency=EmergencyMemory(MappingProxyType(dict(event.counts))))


def _breaks(state: PortfolioState, event: BreaksSeen, config: RiskManagementConfig) -> PortfolioState:
    if event.breaks:
        return _next(state, event, breaks=put(state.breaks, event.account_id, event.breaks))
    return _next(state, event, breaks=without(state.breaks, [event.account_id]))


def _clock_stepped(
    state: PortfolioState, event: ClockStepped, config: RiskManagementConfig
) -> PortfolioState:
    """A stamp may lie some seconds ahead: all that is known is from before the step, whatever it says."""
    stamps = [quote.time for quote in state.quotes.values()] + [rate.time for rate in state.rates.values()]
    return _next(state, event, prices_since=max([event.at, *stamps]))


def _var_halt(state: PortfolioState, event: VarHaltChanged, config: RiskManagementConfig) -> PortfolioState:
    return _next(state, event, var_halted=event.halted)


def _model(state: PortfolioState, event: ModelRefreshed, config: RiskManagementConfig) -> PortfolioState:
    changed = amended(state, model=event.model)
    return _next(changed, event, totals=_all_totals(changed, event.model))


def _all_totals(state: PortfolioState, model: RiskModel) -> Totals:
    """All sums from scratch."""
    named = {symbol: (name.keys, name.reservations) for symbol, name in state.totals.names.items()}
    return _summed(state, model, named)


def _summed(
    state: PortfolioState,
    model: RiskModel,
    named: Mapping[str, tuple[Sequence[PositionKey], Sequence[str]]],
) -> Totals:
    """The sums over the positions and reservations of each symbol."""
    cash = sum(account.cash for account in state.accounts.values())
    changes = {
        symbol: name_totals(
            (state.positions[key] for key in keys),
            (state.reservations[i] for i in reservations),
            quote=state.quotes.get(symbol),
            rate=rate_of(state, state.instruments[symbol].currency),
            instrument=state.instruments[symbol],
            model=model,
        )
        for symbol, (keys, reservations) in named.items()
    }
    fresh = swap(empty_totals(model, cash), changes, model=model, instruments=state.instruments, cash=cash)
    fresh = rebased(fresh, model)
    return fresh if state.budget is None else with_strategies(fresh, model)


def _equity(state: PortfolioState, event: EquityReported, config: RiskManagementConfig) -> PortfolioState:
    """Cash makes up the difference, unless the report is not believed."""
    moved = drawdown_rules.advance(
        state.drawdown, event.equity, event.at, config.drawdown_config, explained=False
    )
    if moved.quarantined is not None:
        return _next(state, event, drawdown=moved)
    account_id = next(iter(state.accounts))
    difference = to_ledger(event.equity) - state.totals.value - state.totals.cash
    accounts = _with_cash_moved(state, account_id, difference)
    cash = sum(account.cash for account in accounts.values())
    return _next(state, event, accounts=accounts, totals=with_cash(state.totals, cash), drawdown=moved)


def _mark(state: PortfolioState, event: Marked, config: RiskManagementConfig) -> PortfolioState:
    return _marked(_next(state, event), event, config, explained=True)


def _peaks(state: PortfolioState, event: PeaksSeen, config: RiskManagementConfig) -> PortfolioState:
    bots, strategies = state.bots, state.strategies
    for name, peak in event.bots:
        bots = put(bots, name, amended(bots[name], record=amended(bots[name].record, peak=peak)))
    for name, peak in event.strategies:
        record = strategies.get(name, StrategyRecord())
        strategies = put(strategies, name, amended(record, peak=peak))
    return _next(state, event, bots=bots, strategies=strategies)


def _budget(state: PortfolioState, event: BudgetAllocated, config: RiskManagementConfig) -> PortfolioState:
    if event.budget is None:
        totals = amended(state.totals, strategy_risk=None)
    elif state.budget is None:
        totals = with_strategies(state.totals, state.model)
    else:
        totals = state.totals
    return _next(state, event, budget=event.budget, totals=totals)


def _budget_cut(state: PortfolioState, event: BudgetCut, config: RiskManagementConfig) -> PortfolioState:
    if state.budget is None:
        return _next(state, event)
    cuts = dict(event.cuts)
    shares = tuple(amended(s, cut=cuts.get(s.strategy, s.cut)) for s in state.budget.shares)
    return _next(state, event, budget=amended(state.budget, shares=shares))


def _strategy_days(
    state: PortfolioState, event: StrategyDaysRecorded, config: RiskManagementConfig
) -> PortfolioState:
    strategies = dict(state.strategies)
    for name, profit, exposure in event.strategies:
        old = strategies.get(name, StrategyRecord())
        days = old.days
        if event.follows and old.evening is not None:
            day = StrategyDay(event.day, profit - old.evening_profit, old.evening_exposure)
            days = (*days, day)[-KEPT_DAYS:]
        strategies[name] = amended(
            old, evening=event.day, evening_profit=profit, evening_exposure=exposure, days=days
        )
    return _next(state, event, strategies=MappingProxyType(strategies))


def _drawdown_adjusted(
    state: PortfolioState, event: DrawdownAdjusted, config: RiskManagementConfig
) -> PortfolioState:
    return _next(state, event, drawdown=event.drawdown)


def _alerts(state: PortfolioState, event: Event, config: RiskManagementConfig) -> PortfolioState:
    return _next(state, event, alerts=alerts_after(state.alerts, event))


def _liquidation(
    step: Callable[[Any, Any], Mapping[str, Liquidation]],
) -> Callable[[PortfolioState, Any, RiskManagementConfig], PortfolioState]:
    """A step that changes what is known of liquidations alone."""
    return lambda state, event, _config: _next(state, event, liquidations=step(state.liquidations, event))


_STEPS: Final[dict[type[Event], Callable[[PortfolioState, Any, RiskManagementConfig], PortfolioState]]] = {
    EngineStarted: _noted,
    ConfigChanged: _noted,
    Noted: _noted,
    AlertTold: _alerts,
    AlertNoted: _alerts,
    RuleChanged: _alerts,
    SilenceSet: _alerts,
    SilenceEnded: _alerts,
    EmergencyStepped: _emergency,
    BreaksSeen: _breaks,
    ClockStepped: _clock_stepped,
    PositionAdded: _position_added,
    QuotesReceived: _quotes,
    RateReceived: _rate,
    InstrumentDefined: _instrument,
    CashMoved: _cash,
    SplitApplied: _split,
    BotChanged: _bot,
    TradeDecided: _decided,
    Filled: _filled,
    ReservationClosed: _reservation_closed,
    HoldSet: _hold_set,
    HoldReleased: _hold_released,
    VarHaltChanged: _var_halt,
    ModelRefreshed: _model,
    EquityReported: _equity,
    Marked: _mark,
    PeaksSeen: _peaks,
    DrawdownAdjusted: _drawdown_adjusted,
    BudgetAllocated: _budget,
    BudgetCut: _budget_cut,
    StrategyDaysRecorded: _strategy_days,
    VarRecorded: _var_recorded,
    LiquidationStarted: _liquidation(liquidation_life.started),
    LiquidationStepSent: _liquidation(liquidation_life.step_sent),
    LiquidationStepDone: _liquidation(liquidation_life.step_done),
    LiquidationStopped: _liquidation(liquidation_life.stopped),
    LiquidationEnded: _liquidation(liquidation_life.ended),
}
