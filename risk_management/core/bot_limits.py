"""Limits of a bot's own: whether a change of them lets it do more than it may now."""

from __future__ import annotations

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.bot_room import kelly_share, maximum
from risk_management.errors import InvalidRequest
from risk_management.model.portfolio import Bot

__all__ = ["check_tightens"]


def check_tightens(config: RiskManagementConfig, equity: float | None, old: Bot | None, new: Bot) -> None:
    """Raise where a limit would be looser than the one that holds now.

    Parameters
    ----------
    config : RiskManagementConfig
        Its limits hold where the bot has none of its own.
    equity : float or None
        Money; where it is not known nothing but a limit of the bot's own can be tightened.
    old : Bot or None
        None for a bot that is new.
    new : Bot

    Raises
    ------
    InvalidRequest
        ``NOT_ALLOWED``
    """
    for field, wanted, now in (
        ("max_position_size", new.max_exposure, maximum(old, config, equity or 0.0)),
        ("kelly_fraction", new.kelly_fraction, kelly_share(old, config)),
    ):
        if wanted is not None and wanted > now:
            said = (
                f"{field} of {new.name!r} is {now:g} now; {wanted:g} loosens it: that takes an admin's token"
            )
            raise InvalidRequest("NOT_ALLOWED", field, said)
