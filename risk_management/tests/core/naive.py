"""The oracle: everything recomputed from positions and reservations, with nothing carried along."""

from __future__ import annotations

import itertools
import math

import numpy as np

SCALE = 10**8


def exposure(state, position) -> int:
    quote = state.quotes.get(position.symbol)
    if quote is None:
        return position.cost
    instrument = state.instruments[position.symbol]
    return round(position.quantity * quote.price * instrument.multiplier)


def column_of(state, symbol) -> int:
    return state.model.column(symbol, state.instruments[symbol].asset_class)


def open_risk_of(state, position) -> int:
    size = abs(exposure(state, position))
    column = column_of(state, position.symbol)
    if not position.has_stop:
        return int(size * float(state.model.stop_free_risk[column]))
    tail = state.model.es99_long if position.quantity > 0 else state.model.es99_short
    return max(position.stop_risk, int(size * float(tail[column])))


def grown(state, reservation) -> float:
    """By how much the units of an approval cost more now than when it was given; 1 where they cost less."""
    quote, instrument = state.quotes.get(reservation.key.symbol), state.instruments[reservation.key.symbol]
    foreign = instrument.currency != state.base_currency
    rate = state.rates.get(instrument.currency) if foreign else None
    if quote is None or reservation.price is None or (foreign and rate is None):
        return 1.0
    unit = quote.price * instrument.multiplier * (rate.value if foreign else 1.0)
    return max(1.0, unit / reservation.price)


def legs(state):
    """Approved orders as (symbol, owner, signed ledger money at present prices, open risk)."""
    found = []
    for r in state.reservations.values():
        if r.opening + r.closing:
            share = grown(state, r)
            money = round((r.opening + r.closing) * share)
            found.append((r.key.symbol, r.key, r.side * money, round(r.risk * share) if r.opening else 0))
    return found


def book(state, filled=()):
    """Every measure of the book with some approved orders filled, in plain money."""
    held = [(p.symbol, p.key, exposure(state, p), open_risk_of(state, p)) for p in state.positions.values()]
    parts = held + list(filled)
    by_symbol, by_owner, by_sector, by_cluster, risk = {}, {}, {}, {}, {}
    exposures = np.zeros(len(state.model.matrix.symbols))
    for symbol, key, money, open_risk in parts:
        instrument = state.instruments[symbol]
        column = column_of(state, symbol)
        label, sign = state.model.cluster[column], state.model.cluster_sign[column]
        by_symbol[symbol] = by_symbol.get(symbol, 0) + money
        owner = (key.account_id, key.strategy, key.bot, symbol)
        by_owner[owner] = by_owner.get(owner, 0) + money
        if instrument.asset_class != "index_fund":
            by_sector[instrument.sector] = by_sector.get(instrument.sector, 0) + money
        by_cluster[label] = by_cluster.get(label, 0) + sign * money
        exposures[column] += money / SCALE
        up = (money > 0) == (sign > 0)
        sides = risk.setdefault(label, [0, 0])
        sides[0 if up else 1] += open_risk
    pnl = state.model.scenarios @ exposures
    losses = np.sort(-pnl)[::-1]
    return {
        "name": {s: abs(v) / SCALE for s, v in by_symbol.items()},
        "sector": {s: abs(v) / SCALE for s, v in by_sector.items()},
        "cluster": {s: abs(v) / SCALE for s, v in by_cluster.items()},
        "gross": sum(abs(v) for v in by_owner.values()) / SCALE,
        "bot": _sum(by_owner, 2),
        "strategy": _sum(by_owner, 1),
        "net": abs(sum(by_symbol.values())) / SCALE,
        "var": -float(np.quantile(pnl, 0.05)),
        "es": _es(losses, 0.025),
        "stress": -float((state.model.shocks @ exposures).min(initial=0.0)),
        "open_risk": math.sqrt(sum((max(s) / SCALE) ** 2 for s in risk.values())),
    }


def worst(state):
    """Largest value of each measure over all subsets of the approved orders being filled."""
    pending = legs(state)
    assert len(pending) <= 10
    best = None
    for chosen in itertools.product((False, True), repeat=len(pending)):
        now = book(state, [leg for leg, filled in zip(pending, chosen, strict=True) if filled])
        best = now if best is None else _larger(best, now)
    return best


def _larger(a, b):
    merged = {}
    for key, value in a.items():
        if isinstance(value, dict):
            merged[key] = {k: max(value.get(k, 0.0), b[key].get(k, 0.0)) for k in {*value, *b[key]}}
        else:
            merged[key] = max(value, b[key])
    return merged


def _sum(by_owner, place):
    sums = {}
    for owner, money in by_owner.items():
        sums[owner[place]] = sums.get(owner[place], 0.0) + abs(money) / SCALE
    return sums


def _es(losses, tail):
    """Rockafellar-Uryasev by a plain loop."""
    left, total = tail * len(losses), 0.0
    for loss in losses:
        weight = min(1.0, left)
        total += weight * loss
        left -= weight
        if left <= 1e-12:
            break
    return total / (tail * len(losses))
