"""A whole state as text and back: the same bytes for the same state, and a hash that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.initial_state import from_records
from risk_management.core.standing import Standing
from risk_management.errors import StoreCorrupt
from risk_management.model.alert_book import AlertBook, AlertLife, ChannelLoad, RuleFacts, Silence
from risk_management.model.budget import RiskAllocation
from risk_management.model.drawdown import DrawdownState
from risk_management.model.emergency import EmergencyMemory, RowCount
from risk_management.model.instrument import Instrument
from risk_management.model.layered import Layered
from risk_management.model.liquidation import Liquidation
from risk_management.model.portfolio import (
    Account,
    Bot,
    Hold,
    Position,
    Quote,
    Rate,
    Reservation,
    StrategyRecord,
)
from risk_management.model.reconciliation import NOTHING_TOLERATED, Break, ToleratedCash
from risk_management.model.risk_model import RiskModel
from risk_management.model.var_record import VarRecord
from risk_management.store.codec import text_adapter, written
from risk_management.store.model_codec import model_digest

__all__ = ["snapshot_bytes", "standing_from", "state_hash"]

Intent = tuple[str, str, int, int]
Executed = tuple[str, int, float, int]


@dataclass(frozen=True)
class _Alerts:
    """What is remembered of alerts."""

    lives: tuple[AlertLife, ...] = ()
    silences: tuple[Silence, ...] = ()
    rules: tuple[RuleFacts, ...] = ()
    removed: tuple[str, ...] = ()
    loads: tuple[tuple[str, ChannelLoad], ...] = ()

    @classmethod
    def of(cls, book: AlertBook) -> _Alerts:
        """As it is written."""
        return cls(
            tuple(book.lives.values()),
            tuple(book.silences.values()),
            tuple(book.rules.values()),
            tuple(sorted(book.removed)),
            tuple(book.loads.items()),
        )

    def book(self) -> AlertBook:
        """As it was."""
        return AlertBook(
            _named((life.alert.key, life) for life in self.lives),
            _named((silence.silence_id, silence) for silence in self.silences),
            _named((rule.rule_id, rule) for rule in self.rules),
            frozenset(self.removed),
            _named(self.loads),
        )


@dataclass(frozen=True)
class _Snapshot:
    """Everything that can't be computed from something else."""

    config: str
    model: str
    version: int
    as_of: datetime
    environment: str
    base_currency: str
    accounts: tuple[Account, ...]
    positions: tuple[Position, ...]
    quotes: tuple[tuple[str, Quote], ...]
    rates: tuple[tuple[str, Rate], ...]
    instruments: tuple[Instrument, ...]
    reservations: tuple[Reservation, ...]
    settled: tuple[Reservation, ...]
    executions: tuple[tuple[str, Executed], ...]
    bots: tuple[Bot, ...]
    strategies: tuple[tuple[str, StrategyRecord], ...]
    holds: tuple[Hold, ...]
    var_halted: bool
    requests: tuple[tuple[str, tuple[datetime, ...]], ...]
    intents: tuple[tuple[Intent, datetime], ...]
    drawdown: DrawdownState
    var_record: VarRecord
    unsure: tuple[str, ...]
    emergency: tuple[tuple[str, RowCount], ...]
    breaks: tuple[tuple[str, tuple[Break, ...]], ...] = ()
    prices_since: datetime | None = None
    alerts: _Alerts = _Alerts()
    budget: RiskAllocation | None = None
    given: str = ""
    liquidations: tuple[Liquidation, ...] = ()
    tolerated_cash: ToleratedCash = NOTHING_TOLERATED


def snapshot_bytes(standing: Standing, model: str | None = None) -> bytes:
    """The state as JSON text; `model` is the digest of its market model, where it is known already."""
    state, config = standing.state, standing.config.as_text()
    kept = _Snapshot(
        config=config,
        model=model or model_digest(state.model),
        version=state.version,
        as_of=state.as_of,
        environment=state.environment,
        base_currency=state.base_currency,
        accounts=tuple(state.accounts.values()),
        positions=tuple(state.positions.values()),
        quotes=tuple(state.quotes.items()),
        rates=tuple(state.rates.items()),
        instruments=tuple(state.instruments.values()),
        reservations=tuple(state.reservations.values()),
        settled=tuple(state.settled.values()),
        executions=tuple(state.executions.items()),
        bots=tuple(state.bots.values()),
        strategies=tuple(state.strategies.items()),
        holds=tuple(state.holds.values()),
        var_halted=state.var_halted,
        requests=tuple(state.requests.items()),
        intents=tuple(state.intents.items()),
        drawdown=state.drawdown,
        var_record=state.var_record,
        unsure=tuple(sorted(state.unsure)),
        emergency=tuple(state.emergency.counts.items()),
        breaks=tuple(state.breaks.items()),
        prices_since=state.prices_since,
        alerts=_Alerts.of(state.alerts),
        budget=state.budget,
        given=standing.given if standing.given != config else "",
        liquidations=tuple(state.liquidations.values()),
        tolerated_cash=state.tolerated_cash,
    )
    return written(_adapter(), kept)


def state_hash(standing: Standing) -> str:
    """SHA-256 of the state in hexadecimal digits: equal for equal states, whatever way led to them."""
    return hashlib.sha256(snapshot_bytes(standing)).hexdigest()


def standing_from(data: bytes, model_of: Callable[[str], RiskModel]) -> Standing:
    """The state that a snapshot holds; its sums are computed anew.

    Raises
    ------
    StoreCorrupt
        It is no snapshot of this version.
    """
    try:
        kept: _Snapshot = _adapter().validate_json(data)[0]
        config = RiskManagementConfig.model_validate_json(kept.config)
    except ValidationError as problem:
        raise StoreCorrupt(f"a snapshot can't be read: {problem.error_count()} fields are wrong") from None
    executions: Layered[str, Executed] = Layered.of(kept.executions)
    state = from_records(
        model_of(kept.model),
        version=kept.version,
        as_of=kept.as_of,
        environment=kept.environment,
        base_currency=kept.base_currency,
        accounts=_named((a.account_id, a) for a in kept.accounts),
        positions=_named((p.key, p) for p in kept.positions),
        quotes=_named(kept.quotes),
        rates=_named(kept.rates),
        instruments=_named((i.symbol, i) for i in kept.instruments),
        reservations=_named((r.request_id, r) for r in kept.reservations),
        settled=Layered.of((r.request_id, r) for r in kept.settled),
        executions=executions,
        bots=_named((b.name, b) for b in kept.bots),
        strategies=_named(kept.strategies),
        holds=_named((h.key, h) for h in kept.holds),
        var_halted=kept.var_halted,
        requests=_named(kept.requests),
        intents=_named(kept.intents),
        drawdown=kept.drawdown,
        var_record=kept.var_record,
        unsure=frozenset(kept.unsure),
        emergency=EmergencyMemory(_named(kept.emergency)),
        breaks=_named(kept.breaks),
        prices_since=kept.prices_since,
        alerts=kept.alerts.book(),
        liquidations=_named((one.liquidation_id, one) for one in kept.liquidations),
        budget=kept.budget,
        tolerated_cash=kept.tolerated_cash,
    )
    return Standing.of(state, config, kept.given)


def _named(pairs: Iterable[tuple[Any, Any]]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(dict(pairs))


@cache
def _adapter() -> TypeAdapter[Any]:
    return text_adapter(_Snapshot)
