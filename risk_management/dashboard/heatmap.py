"""Every position with its weight, profit and risk, and the sums by what they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.core.reduction import marked
from risk_management.core.totals import position_risk
from risk_management.dashboard.plain import Plain, plain
from risk_management.dashboard.snapshot import Snapshot, headline
from risk_management.model.money import SCALE

if TYPE_CHECKING:
    from risk_management.model.portfolio import Position

__all__ = ["heatmap_view"]


def heatmap_view(seen: Snapshot) -> Plain:
    """Positions, the largest first, what is approved and not yet filled, and shares of equity by group."""
    heat = seen.assessment.heat
    rows = [_row(seen, position) for position in seen.state.positions.values()]
    return {
        **headline(seen),
        "positions": sorted(rows, key=lambda row: -abs(row["value"])),
        "reservations": [
            plain(
                {
                    "request_id": r.request_id,
                    "symbol": r.key.symbol,
                    "strategy": r.key.strategy,
                    "bot": r.key.bot,
                    "account": r.key.account_id,
                    "side": "buy" if r.side > 0 else "sell",
                    "opening": r.opening / SCALE,
                    "closing": r.closing / SCALE,
                    "status": r.status,
                    "valid_until": r.valid_until,
                }
            )
            for r in seen.state.reservations.values()
        ],
        "groups": {
            name: plain(getattr(heat, f"by_{name}"))
            for name in ("symbol", "sector", "strategy", "bot", "account")
        },
        "largest_position": heat.largest_position,
        "herfindahl": plain(heat.herfindahl),
        "effective_names": plain(heat.effective_names),
    }


def _row(seen: Snapshot, position: Position) -> Plain:
    state, key = seen.state, position.key
    instrument, name = state.instruments[key.symbol], state.totals.names[key.symbol]
    quote = state.quotes.get(key.symbol)
    exposure = marked(state, position)
    profit = exposure - position.cost
    row: Plain = plain(
        {
            "symbol": key.symbol,
            "side": "long" if exposure >= 0 else "short",
            "value": exposure / SCALE,
            "weight": exposure / SCALE / seen.equity if seen.equity > 0.0 else None,
            "quantity": position.quantity / SCALE,
            "entry_price": position.entry_price,
            "price": None if quote is None else quote.price,
            "price_time": None if quote is None else quote.time,
            "pnl": profit / SCALE,
            "pnl_pct": profit / abs(position.cost) if position.cost else None,
            "risk": position_risk(position, exposure, name.column, state.model) / SCALE,
            "has_stop": position.has_stop,
            "stop_verified": position.stop_verified,
            "sector": instrument.sector,
            "asset_class": instrument.asset_class,
            "cluster": state.model.cluster[name.column],
            "strategy": key.strategy,
            "bot": key.bot,
            "account": key.account_id,
            "opened_at": position.opened_at,
            "has_history": not state.model.is_stand_in(key.symbol),
        }
    )
    return row
