"""The books of a paper account in SQLite: deposits, transfers, orders, fills. All else is a sum over them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any, Final

from risk_management.errors import BrokerError
from risk_management.model.broker import BrokerFill, BrokerOrder, OrderKind, OrderStatus, TimeInForce

__all__ = ["PaperAccount", "WorkingOrder"]

TABLES: Final = """
CREATE TABLE IF NOT EXISTS deposits (amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS transfers (symbol TEXT NOT NULL, quantity INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    place INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL,
    side INTEGER NOT NULL, quantity INTEGER NOT NULL, kind TEXT NOT NULL, limit_price REAL, stop_price REAL,
    reduce_only INTEGER NOT NULL, time_in_force TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    is_triggered INTEGER NOT NULL, submitted_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    due_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fills (
    place INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, symbol TEXT NOT NULL, side INTEGER NOT NULL,
    quantity INTEGER NOT NULL, price REAL NOT NULL, cost INTEGER NOT NULL, fee INTEGER NOT NULL,
    at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """A row of `orders`."""

    place: int
    client_order_id: str
    symbol: str
    side: int
    quantity: int
    kind: OrderKind
    limit_price: float | None
    stop_price: float | None
    reduce_only: bool
    time_in_force: TimeInForce
    status: OrderStatus
    reason: str
    is_triggered: bool
    submitted_at: datetime
    updated_at: datetime
    due_at: datetime

    @property
    def is_protective(self) -> bool:
        """A stop that only closes."""
        return self.kind is OrderKind.STOP and self.reduce_only


class PaperAccount:
    """One account in a file, or in memory. Several processes may open the same file.

    Parameters
    ----------
    path : Path or None
    cash : int
        First deposit of an account that is new, ledger units.
    holdings : Mapping of str to int
        What is transferred into an account that is new, signed ledger units by symbol.
    """

    def __init__(
        self, path: Path | None, cash: int, holdings: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._lock = RLock()
        try:
            self._sql = sqlite3.connect(
                path or ":memory:", isolation_level=None, timeout=10.0, check_same_thread=False
            )
            self._sql.row_factory = sqlite3.Row
            self._sql.executescript(TABLES)
        except sqlite3.Error as problem:
            raise BrokerError(
                f"the paper account {path} can't be opened: {problem}; check the path"
            ) from None
        with self.changing():
            if self._one("SELECT COUNT(*) FROM deposits") == 0:
                self._sql.execute("INSERT INTO deposits VALUES (?)", (cash,))
                self._sql.executemany("INSERT INTO transfers VALUES (?, ?)", holdings.items())

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All or nothing of what is done inside, alone among all threads and processes."""
        with self._lock:
            if self._sql.in_transaction:
                yield
                return
            self._sql.execute("BEGIN IMMEDIATE")
            with self._sql:  # commits, or rolls back what raised
                yield

    def cash(self) -> int:
        """Deposits less what was paid, ledger units."""
        return int(
            self._one("SELECT COALESCE(SUM(amount), 0) FROM deposits")
            - self._one("SELECT COALESCE(SUM(cost + fee), 0) FROM fills")
        )

    def positions(self) -> dict[str, int]:
        """Signed ledger units by symbol, without those that are flat."""
        rows = self._all(
            "SELECT symbol, SUM(quantity) AS held FROM (SELECT symbol, side * quantity AS quantity FROM fills"
            " UNION ALL SELECT symbol, quantity FROM transfers) GROUP BY symbol"
        )
        return {row["symbol"]: row["held"] for row in rows if row["held"]}

    def add(self, order: WorkingOrder) -> None:
        """Keep a new order; its place is given by the account."""
        values = {**asdict(order), **{n: getattr(order, n).isoformat() for n in _MOMENTS}}
        del values["place"]
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        self._sql.execute(f"INSERT INTO orders ({names}) VALUES ({marks})", values)  # noqa: S608 - own names

    def change(self, order: WorkingOrder, **fields: Any) -> WorkingOrder:
        """Change some fields of an order."""
        changed = replace(order, **fields)
        self._sql.execute(
            "UPDATE orders SET status = ?, reason = ?, is_triggered = ?, updated_at = ?, due_at = ? "
            "WHERE place = ?",
            (
                changed.status,
                changed.reason,
                changed.is_triggered,
                changed.updated_at.isoformat(),
                changed.due_at.isoformat(),
                changed.place,
            ),
        )
        return changed

    def find(self, client_order_id: str) -> WorkingOrder | None:
        """An order by its id."""
        rows = self._all("SELECT * FROM orders WHERE client_order_id = ?", client_order_id)
        return _order(rows[0]) if rows else None

    def working(self) -> list[WorkingOrder]:
        """Orders that may still fill, the oldest first."""
        rows = self._all("SELECT * FROM orders WHERE status IN ('accepted', 'partial') ORDER BY place")
        return [_order(row) for row in rows]

    def fill(
        self, order: WorkingOrder, quantity: int, price: float, cost: int, fee: int, at: datetime
    ) -> None:
        """Book an execution; `cost` is signed money, ledger units."""
        self._sql.execute(
            "INSERT INTO fills (client_order_id, symbol, side, quantity, price, cost, fee, at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (order.client_order_id, order.symbol, order.side, quantity, price, cost, fee, at.isoformat()),
        )

    def filled(self, client_order_id: str) -> int:
        """Ledger units that an order has filled."""
        said = "SELECT COALESCE(SUM(quantity), 0) FROM fills WHERE client_order_id = ?"
        return int(self._one(said, client_order_id))

    def fills(self) -> list[BrokerFill]:
        """All executions, the oldest first."""
        return [
            BrokerFill(
                f"paper-{row['place']}",
                row["client_order_id"],
                row["client_order_id"],
                row["symbol"],
                row["side"],
                row["quantity"],
                row["price"],
                row["fee"],
                datetime.fromisoformat(row["at"]),
            )
            for row in self._all("SELECT * FROM fills ORDER BY place")
        ]

    def as_told(self, order: WorkingOrder) -> BrokerOrder:
        """An order as the world sees it."""
        row = self._all(
            "SELECT COALESCE(SUM(quantity), 0) AS units, SUM(quantity * price) AS money, "
            "COALESCE(SUM(fee), 0) AS fee FROM fills WHERE client_order_id = ?",
            order.client_order_id,
        )[0]
        return BrokerOrder(
            order.client_order_id,
            f"paper-order-{order.place}",
            order.symbol,
            order.side,
            order.quantity,
            order.kind,
            order.status,
            row["units"],
            row["money"] / row["units"] if row["units"] else None,
            row["fee"],
            order.reason,
            order.is_protective,
            order.limit_price,
            order.stop_price,
            order.submitted_at,
            order.updated_at,
        )

    def mark(self, name: str) -> str | None:
        """A value that was kept by `set_mark`."""
        rows = self._all("SELECT value FROM marks WHERE name = ?", name)
        return rows[0]["value"] if rows else None

    def set_mark(self, name: str, value: str | None) -> None:
        """Keep a value, or forget it."""
        self._sql.execute("DELETE FROM marks WHERE name = ?", (name,))
        if value is not None:
            self._sql.execute("INSERT INTO marks VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._sql.close()

    def _all(self, said: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._sql.execute(said, values).fetchall()

    def _one(self, said: str, *values: object) -> Any:
        return self._all(said, *values)[0][0]


_MOMENTS: Final = ("submitted_at", "updated_at", "due_at")


def _order(row: sqlite3.Row) -> WorkingOrder:
    values = dict(zip(row.keys(), row, strict=True))
    for name, kind in (("kind", OrderKind), ("status", OrderStatus), ("time_in_force", TimeInForce)):
        values[name] = kind(values[name])
    for name in ("reduce_only", "is_triggered"):
        values[name] = bool(values[name])
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name])
    return WorkingOrder(**values)
