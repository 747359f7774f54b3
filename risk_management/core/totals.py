"""Carry the sums of the book along: take a symbol's old totals out, put its new ones in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from risk_management.model.amend import amended
from risk_management.model.instrument import ContractKind, Instrument
from risk_management.model.money import SCALE
from risk_management.model.portfolio import Position, PositionKey, Quote, Reservation
from risk_management.model.risk_model import RiskModel
from risk_management.model.strategy_risk import StrategyRisk
from risk_management.model.totals import (
    EMPTY_NAME,
    NO_RISK,
    NO_SIDES,
    NameTotals,
    SideRisk,
    Sides,
    Totals,
)

__all__ = [
    "empty_totals",
    "exposure_of",
    "name_totals",
    "present_price",
    "rebased",
    "swap",
    "with_cash",
    "with_strategies",
]

K = TypeVar("K")
V = TypeVar("V")
REBASE_AFTER = 1024
BULK = 32


def exposure_of(
    position: Position, quote: Quote | None, instrument: Instrument, rate: float | None
) -> int | None:
    """Signed exposure of a position in ledger units of the base currency, None without a mark.

    A position is marked at its own entry until a quote of its own instrument arrives.
    """
    if quote is None:
        return position.cost
    if rate is None:
        return None
    return round(position.quantity * quote.price * instrument.multiplier * rate)


def name_totals(
    positions: Iterable[Position],
    reservations: Iterable[Reservation],
    *,
    quote: Quote | None,
    rate: float | None,
    instrument: Instrument,
    model: RiskModel,
) -> NameTotals:
    """All that is held and approved in one symbol.

    Parameters
    ----------
    positions, reservations : iterables
        Those of the symbol that are not flat or closed.
    quote : Quote or None
        The instrument's own price.
    rate : float or None
        Base currency for one unit of the instrument's, None where no fresh one is known.
    instrument : Instrument
    model : RiskModel
    """
    column = model.column(instrument.symbol, instrument.asset_class)
    linear, margin = instrument.kind is ContractKind.LINEAR, instrument.initial_margin
    rates, unit = _risk_rates(column, model), present_price(quote, instrument, rate)
    owners: dict[tuple[str, str, str], Sides] = {}
    keys, ids = [], []
    net = value = claim = up = down = long = short = closing_buys = closing_sells = 0
    priced = True
    for position in positions:
        key, exposure = position.key, exposure_of(position, quote, instrument, rate)
        if exposure is None:
            priced, exposure = False, position.cost
        keys.append(key)
        owners[key.account_id, key.strategy, key.bot] = Sides(exposure, 0, 0)
        net += exposure
        value += exposure - position.cost if linear else exposure
        if linear:
            claim += int(abs(exposure) * margin)
        if exposure >= 0:
            up, long = up + _risk_of(position, exposure, rates), long + position.quantity
        else:
            down, short = down + _risk_of(position, exposure, rates), short - position.quantity
    buys = sells = 0
    for reservation in reservations:
        ids.append(reservation.request_id)
        # a working close counts on its side too: with other owners in the name it can swing the net
        amount, risk, is_buy = *_at_present(reservation, unit), reservation.side > 0
        if amount:
            _put(owners, reservation.key, Sides(0, amount, 0) if is_buy else Sides(0, 0, amount))
            if is_buy:
                buys, up = buys + amount, up + risk
            else:
                sells, down = sells + amount, down + risk
            if linear:
                claim += int(amount * margin)
            elif is_buy:
                claim += amount
        if is_buy:
            closing_buys += reservation.closing_quantity
        else:
            closing_sells += reservation.closing_quantity
    if not keys and not ids:
        return EMPTY_NAME
    return NameTotals(
        sides=Sides(net, buys, sells),
        owners=tuple([(*owner, part) for owner, part in owners.items()]),
        value=value,
        cash_claim=claim,
        risk=SideRisk(up, down),
        column=column,
        keys=tuple(keys),
        reservations=tuple(ids),
        long_quantity=long,
        short_quantity=short,
        closing_buys=closing_buys,
        closing_sells=closing_sells,
        priced=priced,
    )


def present_price(quote: Quote | None, instrument: Instrument, rate: float | None) -> float | None:
    """Money of one unit now, None where it is not known."""
    return None if quote is None or rate is None else quote.price * instrument.multiplier * rate


def _at_present(reservation: Reservation, unit: float | None) -> tuple[int, int]:
    """Money and open risk of an approval: as approved, or what its units cost by now where that is more.

    The broker fills units: a price that rose before it did made the order larger, one that fell may rise.
    """
    amount, risk = reservation.opening + reservation.closing, reservation.risk
    if reservation.price is None or unit is None or unit <= reservation.price:
        return amount, risk
    grown = unit / reservation.price
    return round(amount * grown), round(risk * grown)


def position_risk(position: Position, exposure: int, column: int, model: RiskModel) -> int:
    """Open risk of a position in ledger units: its stop, held against its one-day 99 % shortfall."""
    return _risk_of(position, exposure, _risk_rates(column, model))


def _risk_rates(column: int, model: RiskModel) -> tuple[float, float, float]:
    """Risk of a unit of exposure without a stop, and the shortfall of a long and of a short one."""
    long, short = model.es99_long[column], model.es99_short[column]
    return float(model.stop_free_risk[column]), float(long), float(short)


def _risk_of(position: Position, exposure: int, rates: tuple[float, float, float]) -> int:
    free, long, short = rates
    if not position.has_stop:
        return int(abs(exposure) * free)
    risk = int(exposure * long) if exposure >= 0 else int(-exposure * short)
    return risk if risk > position.stop_risk else position.stop_risk


def empty_totals(model: RiskModel, cash: int) -> Totals:
    """Totals of an empty book."""
    rows, columns = model.scenarios.shape
    flat = _sealed(np.zeros(rows))
    calm = _sealed(np.zeros(len(model.scenario_ids)))
    return Totals(
        names=MappingProxyType({}),
        cash=cash,
        value=0,
        equity=cash / SCALE,
        portfolio=NO_SIDES,
        gross=0,
        long=0,
        short=0,
        sectors=MappingProxyType({}),
        clusters=MappingProxyType({}),
        strategies=MappingProxyType({}),
        bots=MappingProxyType({}),
        accounts=MappingProxyType({}),
        cash_claim=0,
        cluster_risk=MappingProxyType({}),
        open_risk_squared=0,
        exposures=_sealed(np.zeros(columns)),
        pnl=flat,
        reserved_pnl=flat,
        stress=calm,
        reserved_stress=calm,
        unpriced=frozenset(),
    )


def swap(
    totals: Totals,
    changes: Mapping[str, NameTotals],
    *,
    model: RiskModel,
    instruments: Mapping[str, Instrument],
    cash: int,
) -> Totals:
    """Totals after the named symbols changed.

    Parameters
    ----------
    totals : Totals
    changes : Mapping of str to NameTotals
        New totals by symbol; an empty one takes the symbol out.
    model : RiskModel
    instruments : Mapping of str to Instrument
        Facts of every symbol in `changes`.
    cash : int
        Cash of all accounts, ledger units.
    """
    sums = _Sums(totals)
    for symbol, new in changes.items():
        sums.move(symbol, totals.names.get(symbol, EMPTY_NAME), new, model, instruments[symbol])
    result = sums.result(model, cash)
    return rebased(result, model) if result.updates >= REBASE_AFTER or not result.names else result


def with_cash(totals: Totals, cash: int) -> Totals:
    """Totals after cash alone changed."""
    equity = None if totals.unpriced else (cash + totals.value) / SCALE
    return amended(totals, cash=cash, equity=equity)


def rebased(totals: Totals, model: RiskModel) -> Totals:
    """Totals whose P&L vectors are computed from scratch, without the drift of many small steps."""
    columns = len(model.matrix.symbols)
    held, buys, sells = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    for name in totals.names.values():
        held[name.column] += name.sides.net / SCALE
        buys[name.column] += name.sides.buys / SCALE
        sells[name.column] += name.sides.sells / SCALE
    return amended(
        totals,
        exposures=_sealed(held),
        pnl=_sealed(model.scenarios @ held),
        reserved_pnl=_sealed(_worst(model.scenarios, buys, sells)),
        stress=_sealed(model.shocks @ held),
        reserved_stress=_sealed(_worst(model.shocks, buys, sells)),
        updates=0,
    )


def with_strategies(totals: Totals, model: RiskModel) -> Totals:
    """Totals that know what each strategy may lose, and will from here on."""
    sides: dict[str, dict[int, Sides]] = {}
    for name in totals.names.values():
        for _, strategy, _, part in name.owners:
            _add_sides(sides.setdefault(strategy, {}), name.column, part, 1)
    risks = {s: StrategyRisk(model.scenarios, held) for s, held in sides.items() if held}
    return amended(totals, strategy_risk=MappingProxyType(risks))


class _Sums:
    """Mutable copies of the sums while symbols are swapped; never leaves this module."""

    def __init__(self, totals: Totals) -> None:
        self.before = totals
        self.names = _copy(totals.names)
        self.sectors = _copy(totals.sectors)
        self.clusters = _copy(totals.clusters)
        self.strategies = _copy(totals.strategies)
        self.bots = _copy(totals.bots)
        self.accounts = _copy(totals.accounts)
        self.cluster_risk = _copy(totals.cluster_risk)
        self.portfolio = totals.portfolio
        self.value, self.claim, self.gross = totals.value, totals.cash_claim, totals.gross
        self.long, self.short = totals.long, totals.short
        self.risk_squared = totals.open_risk_squared
        self.unpriced = totals.unpriced
        self.moves: list[tuple[int, int, int, int]] = []
        risks = totals.strategy_risk
        self.strategy_risk = None if risks is None else _copy(risks)

    def move(
        self, symbol: str, old: NameTotals, new: NameTotals, model: RiskModel, instrument: Instrument
    ) -> None:
        """Take `old` out and put `new` in."""
        column = new.column if new.column >= 0 else old.column
        if column < 0:
            return
        if new is EMPTY_NAME:
            self.names.pop(symbol, None)
        else:
            self.names[symbol] = new
        delta = new.sides.minus(old.sides)
        self.value += new.value - old.value
        self.claim += new.cash_claim - old.cash_claim
        if delta != NO_SIDES:
            sign = model.cluster_sign[column]
            self.portfolio = self.portfolio.plus(delta)
            _add_sides(self.clusters, model.cluster[column], delta, sign)
            if instrument.asset_class != "index_fund":
                _add_sides(self.sectors, instrument.sector, delta, 1)
            self.moves.append((column, delta.net, delta.buys, delta.sells))
        if new.owners != old.owners:
            kept = set(old.owners).intersection(new.owners)  # of many owners, most often one moves
            self._owners((owner for owner in old.owners if owner not in kept), -1)
            self._owners((owner for owner in new.owners if owner not in kept), 1)
            if self.strategy_risk is not None:
                self._strategies(self.strategy_risk, column, old.owners, new.owners, model)
        if new.risk != old.risk:
            self._risk(model.cluster[column], model.cluster_sign[column], old.risk, new.risk)
        if new.priced != old.priced:
            self.unpriced = self.unpriced - {symbol} if new.priced else self.unpriced | {symbol}

    def _owners(self, owners: Iterable[tuple[str, str, str, Sides]], sign: int) -> None:
        strategies, bots, accounts = self.strategies, self.bots, self.accounts
        for account, strategy, bot, sides in owners:
            worst, net = sign * sides.worst, sides.net
            self.gross += worst
            _add(strategies, strategy, worst)
            _add(bots, bot, worst)
            _add(accounts, account, worst)
            if net > 0:
                self.long += sign * net
            else:
                self.short -= sign * net

    @staticmethod
    def _strategies(
        risks: dict[str, StrategyRisk],
        column: int,
        old: Iterable[tuple[str, str, str, Sides]],
        new: Iterable[tuple[str, str, str, Sides]],
        model: RiskModel,
    ) -> None:
        changes: dict[str, Sides] = {}
        for _, strategy, _, part in new:
            changes[strategy] = changes.get(strategy, NO_SIDES).plus(part)
        for _, strategy, _, part in old:
            changes[strategy] = changes.get(strategy, NO_SIDES).minus(part)
        for strategy, change in changes.items():
            if change != NO_SIDES:
                known = risks.get(strategy) or StrategyRisk(model.scenarios, {})
                moved = known.moved(column, change)
                if moved.sides:
                    risks[strategy] = moved
                else:
                    risks.pop(strategy, None)

    def _risk(self, label: int, sign: int, old: SideRisk, new: SideRisk) -> None:
        before = self.cluster_risk.get(label, NO_RISK)
        up, down = new.up - old.up, new.down - old.down
        if sign < 0:
            up, down = down, up
        after = SideRisk(before.up + up, before.down + down)
        self.risk_squared += after.worst**2 - before.worst**2
        if after == NO_RISK:
            self.cluster_risk.pop(label, None)
        else:
            self.cluster_risk[label] = after

    def result(self, model: RiskModel, cash: int) -> Totals:
        """The new totals."""
        old = self.before
        exposures, pnl, reserved_pnl = old.exposures, old.pnl, old.reserved_pnl
        stress, reserved_stress = old.stress, old.reserved_stress
        if self.moves:
            exposures, pnl, stress = _move_held(old, model, self.moves)
        if any(buys or sells for _, _, buys, sells in self.moves):
            reserved_pnl = _move_reserved(reserved_pnl, model.scenarios, self.moves)
            reserved_stress = _move_reserved(reserved_stress, model.shocks, self.moves)
        return amended(
            old,
            names=MappingProxyType(self.names),
            cash=cash,
            value=self.value,
            equity=None if self.unpriced else (cash + self.value) / SCALE,
            portfolio=self.portfolio,
            gross=self.gross,
            long=self.long,
            short=self.short,
            sectors=MappingProxyType(self.sectors),
            clusters=MappingProxyType(self.clusters),
            strategies=MappingProxyType(self.strategies),
            bots=MappingProxyType(self.bots),
            accounts=MappingProxyType(self.accounts),
            cash_claim=self.claim,
            cluster_risk=MappingProxyType(self.cluster_risk),
            open_risk_squared=self.risk_squared,
            exposures=exposures,
            pnl=pnl,
            reserved_pnl=reserved_pnl,
            stress=stress,
            reserved_stress=reserved_stress,
            unpriced=self.unpriced,
            updates=old.updates + len(self.moves),
            strategy_risk=None if self.strategy_risk is None else MappingProxyType(self.strategy_risk),
        )


def _move_held(
    old: Totals, model: RiskModel, moves: list[tuple[int, int, int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    exposures = old.exposures.copy()
    net = [(column, change / SCALE) for column, change, _, _ in moves if change]
    for column, change in net:
        exposures[column] += change
    if len(net) > BULK:
        # one product is cheaper than many columns
        return _sealed(exposures), _sealed(model.scenarios @ exposures), _sealed(model.shocks @ exposures)
    pnl, stress = old.pnl, old.stress
    for column, change in net:
        pnl = pnl + change * model.scenarios[:, column]
        stress = stress + change * model.shocks[:, column]
    return _sealed(exposures), _sealed(pnl), _sealed(stress)


def _move_reserved(
    vector: np.ndarray, returns: np.ndarray, moves: list[tuple[int, int, int, int]]
) -> np.ndarray:
    for column, _, buys, sells in moves:
        if buys:
            vector = vector + buys / SCALE * np.minimum(returns[:, column], 0.0)
        if sells:
            vector = vector - sells / SCALE * np.maximum(returns[:, column], 0.0)
    return _sealed(vector)


def _worst(returns: np.ndarray, buys: np.ndarray, sells: np.ndarray) -> np.ndarray:
    """In each scenario the losses that approved orders may bring, without their gains."""
    bought, sold = np.flatnonzero(buys), np.flatnonzero(sells)  # few names of many have open approvals
    losses: np.ndarray = np.minimum(returns[:, bought], 0.0) @ buys[bought]
    losses -= np.maximum(returns[:, sold], 0.0) @ sells[sold]
    return losses


def _sealed(array: np.ndarray) -> np.ndarray:
    """Read-only: a snapshot is handed out to anyone."""
    array.flags.writeable = False
    return array


def _copy(mapping: Mapping[K, V]) -> dict[K, V]:
    # MappingProxyType.copy copies the dict below at its own speed; dict(proxy) goes key by key
    return mapping.copy()  # type: ignore[attr-defined, no-any-return]


def _put(owners: dict[tuple[str, str, str], Sides], key: PositionKey, part: Sides) -> None:
    owner = (key.account_id, key.strategy, key.bot)
    before = owners.get(owner)
    owners[owner] = part if before is None else before.plus(part)


def _add(sums: dict[str, int], key: str, amount: int) -> None:
    total = sums.get(key, 0) + amount
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


def _add_sides(sums: dict[K, Sides], key: K, delta: Sides, sign: int) -> None:
    total = sums.get(key, NO_SIDES).plus(delta, sign)
    if total == NO_SIDES:
        sums.pop(key, None)
    else:
        sums[key] = total
