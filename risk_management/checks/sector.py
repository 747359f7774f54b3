"""Net exposure to one sector; unknown is a sector of its own, broad index funds are none."""

from __future__ import annotations

from risk_management.checks._limit import at_equity
from risk_management.core.proposal import Proposal
from risk_management.model.instrument import AssetClass
from risk_management.model.totals import NO_SIDES
from risk_management.model.trade import Finding

__all__ = ["check"]


def check(p: Proposal) -> Finding:
    """The sector of the symbol being traded."""
    if p.instrument.asset_class == AssetClass.INDEX_FUND:
        return Finding("sector", "SECTOR_LIMIT", subject=p.instrument.sector)
    used = p.used(p.state.totals.sectors.get(p.instrument.sector, NO_SIDES))
    limit = p.config.portfolio_limits.max_sector_exposure
    return at_equity("sector", "SECTOR_LIMIT", p, used, limit, p.instrument.sector)
