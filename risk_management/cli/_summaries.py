"""What the daily summary and the weekly report would say of a book now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from risk_management.cli._store import store_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from risk_management.alerts.message import Message
    from risk_management.cli._options import Options
    from risk_management.core.risk_manager import AdvancedRiskManager

__all__ = ["summaries_of"]


def summaries_of(options: Options, store: str | None) -> tuple[Message, Message]:
    """Both messages, of the book in a store, or of the example where no store is named and none is there."""
    from risk_management.store.database import is_there  # noqa: PLC0415 - help must be quick
    from risk_management.store.place import place_of  # noqa: PLC0415

    path = store_of(options, store)
    if store is None and not is_there(place_of(path)):
        return _composed(options.book(None, example=True, value=None, command="alerts test").manager, {})
    from risk_management.cli._stored import stored_manager  # noqa: PLC0415 - help must be quick
    from risk_management.store.outbox import newest_message  # noqa: PLC0415
    from risk_management.store.reader import StoreReader  # noqa: PLC0415

    with StoreReader.of_store(path) as reader:
        manager = stored_manager(reader)
        with reader.looking() as connection:
            last = {kind: newest_message(connection, f"{kind}-") for kind in ("daily", "weekly")}
    return _composed(manager, last)


def _composed(manager: AdvancedRiskManager, last: Mapping[str, Message | None]) -> tuple[Message, Message]:
    from risk_management.alerts.occasions import DAILY, WEEKLY, Occasion  # noqa: PLC0415
    from risk_management.alerts.summary import before_of, summary_message  # noqa: PLC0415

    now, seen = manager.clock.now(), manager.look()

    def said(kind: str) -> Message:
        occasion = Occasion(kind, now.date(), now)
        return summary_message(manager.state, seen, occasion, before_of(last.get(kind)), now)

    return said(DAILY), said(WEEKLY)
