"""Bots that fail again and again: counted in a row, switched off until a person puts them back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from risk_management.config.risk_config import BotConfig, RiskManagementConfig
from risk_management.model.amend import amended
from risk_management.model.events import BotChanged
from risk_management.model.portfolio import SYSTEM, PortfolioState

__all__ = ["Failures"]

MOST_COUNTED: Final = 10_000
"""Orders of a row that are told apart; more than any limit on them."""


class Failures:
    """How often in a row each bot's orders came to nothing, or its requests meant nothing.

    The counts live in this process; what they led to is durable.
    """

    def __init__(self) -> None:
        self._rejects: dict[str, set[str]] = {}
        self._ended: dict[str, int] = {}
        """The longest row that a fill ended since somebody looked."""
        self._errors: dict[str, int] = {}

    def not_filled(self, bot: str, request_id: str) -> None:
        """An approved order of a bot was reported as not filled; told again, whenever, it counts once."""
        rejects = self._rejects.setdefault(bot, set())
        if len(rejects) < MOST_COUNTED:
            rejects.add(request_id)

    def filled(self, bot: str) -> None:
        """An order of a bot was filled: a row ends, and was one all the same."""
        ended = self._rejects.pop(bot, None)
        if ended:
            self._ended[bot] = max(len(ended), self._ended.get(bot, 0))

    def malformed(self, bot: str) -> None:
        """A request of a bot meant nothing."""
        self._errors[bot] = self._errors.get(bot, 0) + 1

    def well_formed(self, bot: str) -> None:
        """A request of a bot was judged."""
        if self._errors:
            self._errors.pop(bot, None)

    def forgive(self, bot: str) -> None:
        """A person put the bot back."""
        self._rejects.pop(bot, None)
        self._ended.pop(bot, None)
        self._errors.pop(bot, None)

    def events(
        self, state: PortfolioState, config: RiskManagementConfig, now: datetime
    ) -> Iterator[BotChanged]:
        """Bots that failed too often in a row, switched off."""
        for name, bot in state.bots.items():
            why = self._why(state, config.bot_config, name) if bot.enabled else ""
            if why:
                text = f"{name} was switched off after {why}; look at it, then enable it"
                changed = amended(bot, enabled=False, disabled_reason=text)
                yield BotChanged(at=now, actor=SYSTEM, bot=changed)
        self._ended.clear()

    def _why(self, state: PortfolioState, settings: BotConfig, name: str) -> str:
        unfilled = max(len(self._rejects.get(name, ())), self._ended.get(name, 0))
        counted = (
            (state.bots[name].record.losses_in_a_row, settings.max_losses_in_a_row, "losing trades"),
            (unfilled, settings.max_rejects_in_a_row, "orders that did not fill"),
            (self._errors.get(name, 0), settings.max_errors_in_a_row, "malformed requests"),
        )
        for count, most, what in counted:
            if most and count >= most:
                return f"{count} {what} in a row (limit {most})"
        return ""
