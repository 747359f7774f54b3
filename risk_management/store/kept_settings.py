"""What a kept book stands on, beside what the settings say now."""

from __future__ import annotations

import json
from typing import Any, Final

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.store.database import is_there, look
from risk_management.store.place import place_of
from risk_management.store.reader import StoreReader

__all__ = ["changes_of_book"]

STANDS_ON: Final = (
    ("environment",),
    ("base_currency",),
    ("account_id",),
    ("portfolio_value",),
    ("market_data_config", "source"),
    ("market_data_config", "path"),
    ("market_data_config", "exchange"),
)
"""Settings that make it another book; all others, such as a limit, may change with every start."""


def changes_of_book(store: str, config: RiskManagementConfig) -> tuple[str, ...]:
    """What of a store's book the settings say otherwise, each in words; nothing where there is no book yet.

    Parameters
    ----------
    store : str
        Path or address.
    config : RiskManagementConfig
        What the next start would use.

    Raises
    ------
    StoreUnavailable, StoreCorrupt
    """
    kept = _kept(store)
    if kept is None:
        return ()
    wanted = config.model_dump(mode="json")
    pairs = ((".".join(keys), _at(kept, keys), _at(wanted, keys)) for keys in STANDS_ON)
    return tuple(f"{name}: kept {_said(was)}, now {_said(now)}" for name, was, now in pairs if was != now)


def _kept(store: str) -> dict[str, Any] | None:
    place = place_of(store)
    if not is_there(place):
        return None
    with StoreReader(place, look(place)) as reader:
        if reader.version() is None:
            return None
        entries = [e for kind in ("BookOpened", "ConfigChanged") for e in reader.newest(1, kind=kind)]
    if not entries:
        return None
    found: dict[str, Any] = json.loads(json.loads(max(entries).body)["config"])
    return found


def _at(settings: dict[str, Any], keys: tuple[str, ...]) -> Any:
    value: Any = settings
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _said(value: Any) -> str:
    return "none" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value)
