"""From rows of a file to a manager that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from risk_management.clock import ManualClock, SystemClock
from risk_management.core.foundation import Foundation, lay_foundation
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.dashboard.snapshot import Snapshot
from risk_management.market_data._series import newest

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.market_data.positions_file import PositionRow

__all__ = ["OpenedBook", "PreparedBook", "open_book", "prepare_book"]


@dataclass(frozen=True, slots=True)
class OpenedBook:
    """A manager with the user's positions in it.

    Parameters
    ----------
    manager : AdvancedRiskManager
    name : str
        What the book is called in titles.
    notes : tuple of str
        What was taken for granted, each in a sentence.
    """

    manager: AdvancedRiskManager
    name: str
    notes: tuple[str, ...] = ()

    def look(self) -> Snapshot:
        """The book as it stands, with everything that is measured of it."""
        names = {i: one.name for i, one in self.manager.foundation.scenarios.items()}
        return Snapshot(self.manager.state, self.manager.look(), self.manager.config, names)

    def symbol(self, written: str) -> str:
        """The symbol as the prices know it."""
        return _known(written, self.manager.foundation)


@dataclass(frozen=True, slots=True)
class PreparedBook:
    """Rows as a manager will hold them, and what it will stand on.

    Parameters
    ----------
    foundation : Foundation
    rows : sequence of PositionRow
    deposits : dict of str to float
        What lies in each further account.
    notes : tuple of str
    """

    foundation: Foundation
    rows: Sequence[PositionRow]
    deposits: dict[str, float]
    notes: tuple[str, ...]

    def open(self, name: str, *, mark: float | None = None) -> OpenedBook:
        """In memory, for one look."""
        manager = AdvancedRiskManager.on(_standing(self.foundation))
        self.fill(manager, one_shot=True, mark=mark)
        return OpenedBook(manager, name, self.notes)

    def fill(
        self, manager: AdvancedRiskManager, *, one_shot: bool = False, mark: float | None = None
    ) -> None:
        """Put the positions into an empty book."""
        for account, value in self.deposits.items():
            manager.record_cash("deposit", value, account_id=account)
        manager.import_positions(self.rows, one_shot=one_shot, high_water_mark=mark)


def open_book(rows: Sequence[PositionRow], config: RiskManagementConfig, name: str) -> OpenedBook:
    """A manager that holds these rows; see `prepare_book`."""
    return prepare_book(rows, config).open(name)


def prepare_book(rows: Sequence[PositionRow], config: RiskManagementConfig) -> PreparedBook:
    """What a manager that holds these rows stands on.

    Positions are valued at the newest close of the user's own prices, on the sample at the price that the
    file gives. Without a portfolio value in the settings equity is the sum of the positions. With several
    accounts it lies in each by what it holds.
    """
    # a look leaves the store that the settings name alone, and waits for no comparison with their broker
    config = config.update(store=None, broker_config={"name": None})
    foundation = lay_foundation(config)
    rows = [
        replace(row, symbol=_known(row.symbol, foundation), account_id=row.account_id or config.account_id)
        for row in rows
    ]
    notes = [_cut_risk(row) for row in rows if (row.risk_amount or 0.0) > abs(row.size)]
    if not foundation.history.is_sample:
        rows = _at_newest_close(rows, foundation, notes)
    gross = sum(abs(row.size) for row in rows)
    value = config.portfolio_value
    if rows and "portfolio_value" not in config.model_fields_set:
        value = gross
        notes.append(
            f"equity is taken as the sum of the positions, {gross:,.2f}"
            f"{', shorts counted by their size' if any(row.size < 0.0 for row in rows) else ''}: "
            "give --portfolio-value to count what the account is worth"
        )
    shares: dict[str, float] = {}
    for row in rows:
        account = row.account_id or config.account_id
        shares[account] = shares.get(account, 0.0) + abs(row.size) / gross
    first, *others = shares or {config.account_id: 1.0}
    settings = config.update(account_id=first, portfolio_value=value * shares.get(first, 1.0))
    deposits = {account: value * shares[account] for account in others}
    return PreparedBook(replace(foundation, config=settings), rows, deposits, tuple(notes))


def _standing(foundation: Foundation) -> Foundation:
    """On the sample the clock stands still, so that a command says the same each time."""
    if not foundation.history.is_sample or isinstance(foundation.clock, SystemClock):
        return foundation
    return replace(foundation, clock=ManualClock(foundation.preparation.matrix.as_of))


def _known(written: str, foundation: Foundation) -> str:
    """``aapl`` is AAPL where only that is known."""
    known, upper = foundation.instruments, written.upper()
    return upper if written not in known and upper in known else written


def _at_newest_close(
    rows: Sequence[PositionRow], foundation: Foundation, notes: list[str]
) -> list[PositionRow]:
    """The same units at their newest close; what a stop may cost is counted from there too."""
    closes = newest(foundation.history, [row.symbol for row in rows])
    valued = []
    for row in rows:
        if row.price is None or row.symbol not in closes:
            valued.append(row)
            continue
        close, _ = closes[row.symbol]
        size = row.size / row.price * close
        risk = None if row.risk_amount is None else max(0.0, row.risk_amount + size - row.size)
        valued.append(replace(row, size=size, price=close, risk_amount=risk))
    count = sum(row is not old for row, old in zip(valued, rows, strict=True))
    if count:
        notes.append(f"{count} of {len(rows)} positions are valued at their newest close")
    return valued


def _cut_risk(row: PositionRow) -> str:
    return (
        f"line {row.line}: {row.symbol} can't lose more at its stop than its size: "
        f"{row.risk_amount:,.2f} was cut to {abs(row.size):,.2f}"
    )
