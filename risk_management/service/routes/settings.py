"""Settings: read without secrets, changed whole or not at all; loosened by an admin alone."""

from __future__ import annotations

from difflib import get_close_matches
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from risk_management.config._base import Settings
from risk_management.config.carried import changed
from risk_management.dashboard.plain import plain
from risk_management.errors import ConfigurationError, shown
from risk_management.model.access import Access
from risk_management.model.codes import Code
from risk_management.model.events import Noted
from risk_management.service.answers import ConfigAnswer
from risk_management.service.models import ConfigPatch
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig

__all__ = ["ROUTES"]

SECRET: Final = {"alert_config", "store"}
"""Neither shown nor changed over HTTP: they hold channels, addresses and paths."""
FIXED: Final = frozenset(
    {
        *SECRET,
        "environment",
        "base_currency",
        "account_id",
        "portfolio_value",
        "market_data_config",
        "extensions",
        "stress_config.scenario_dir",
    }
)
"""Changed with the files of the server alone."""
# price_collar is neither: orders that close carry it as their limit, and a narrow one keeps them from filling
TIGHTER_BELOW: Final = {
    "portfolio_limits": """max_single_position max_index_fund_position max_coin_position
        max_major_coin_position max_sector_exposure max_cluster_exposure max_strategy_exposure
        max_gross_exposure max_net_exposure max_leverage max_positions max_risk_per_trade""",
    "order_config": """max_order_size max_order_quantity max_volume_share
        max_orders_per_minute max_orders_per_minute_total runaway_multiple""",
    "var_config": "daily_var_limit daily_es_limit",
    "kelly_config": "default_kelly_fraction",
    "drawdown_config": """max_portfolio_drawdown daily_loss_limit weekly_loss_limit rolling_loss_limit
        max_bot_drawdown max_strategy_drawdown""",
    "stress_config": "max_stress_loss",
    "heat_config": "max_open_risk",
    "bot_config": "max_exposure probation_share",
    "budget_config": "limit_share borrow_cap",
    "emergency_config": "liquidation_drawdown var_halt",
}
TIGHTER_ABOVE: Final = {
    "portfolio_limits": "min_cash",
    "order_config": "duplicate_window",
    "bot_config": "min_confidence full_confidence",
}
_patching = Lock()


class Change(NamedTuple):
    """One setting, as it was and as it shall be."""

    name: str
    old: Any
    new: Any

    @property
    def tightens(self) -> bool:
        """Whether less is allowed with it, for sure."""
        section, _, field = self.name.partition(".")
        if field in TIGHTER_BELOW.get(section, "").split():
            return bool(self.new <= self.old)
        if field in TIGHTER_ABOVE.get(section, "").split():
            return bool(self.new >= self.old)
        if self.name == "portfolio_limits.allow_shorts":
            return not self.new
        if self.name == "portfolio_limits.deny_symbols":
            return set(self.new) >= set(self.old)
        return False


def show(call: Call) -> Answer:
    """The settings in use."""
    standing = call.manager.book.standing
    differs = changed(standing.given, standing.config.as_text())
    said = {
        "digest": standing.digest,
        "settings": standing.config.model_dump(mode="json", exclude=SECRET),
        "changed": {name: {"given": given, "used": used} for name, (given, used) in differs.items()},
        "durable": call.durable,
    }
    return Answer(said)


def change(call: Call) -> Answer:
    """Use other settings from the next decision on."""
    with _patching:
        fresh, changes = _patched(call.manager.config, call.body.changes)
        loose = [one.name for one in changes if not one.tightens]
        if loose and call.who.access is not Access.ADMIN:
            said = f"{loose[0]} would be loosened, or may be: that takes an admin's token"
            raise Problem(Code.NOT_ALLOWED, loose[0], said)
        try:
            call.manager.reconfigure(fresh, actor=call.who.actor)
        except ConfigurationError as problem:
            raise Problem(Code.INCONSISTENT_LIMITS, "changes", str(problem)) from None
        told = ", ".join(f"{one.name} {plain(one.old)} -> {plain(one.new)}" for one in changes)
        note = f"{told}: {call.body.reason}"
        now = call.manager.clock.now()
        call.manager.book.apply(Noted(at=now, actor=call.who.actor, code="CONFIG_CHANGED", text=note))
    return show(call)


def _patched(
    config: RiskManagementConfig, asked: dict[str, Any]
) -> tuple[RiskManagementConfig, list[Change]]:
    """A checked copy with the changes, and what differs."""
    copy = config.model_copy(deep=True)
    changes = []
    for section, value in asked.items():
        group = getattr(copy, section, None) if section in type(copy).model_fields else None
        if isinstance(group, Settings) and section not in FIXED:
            if not isinstance(value, dict):
                raise Problem(
                    Code.WRONG_TYPE, section, f"{section} is an object of settings; got {shown(value)}"
                )
            changes += [_set(group, f"{section}.", field, item) for field, item in value.items()]
        else:
            changes.append(_set(copy, "", section, value))
    try:
        copy.adjust_for_risk_level()
        copy.check()
    except ConfigurationError as problem:
        raise Problem(Code.INCONSISTENT_LIMITS, "changes", str(problem)) from None
    return copy, [one for one in changes if one.old != one.new]


def _set(group: Settings, prefix: str, field: str, value: Any) -> Change:
    name = f"{prefix}{field}"
    shown_name = ascii(name)[1:-1][:80]
    if name in FIXED:
        raise Problem(Code.UNKNOWN_FIELD, shown_name, f"{shown_name} can't be set over HTTP; see GET config")
    if field not in type(group).model_fields:
        raise Problem(Code.UNKNOWN_FIELD, shown_name, _unknown(group, field, shown_name))
    old = getattr(group, field)
    if not _is_like(value, plain(old)):
        raise Problem(
            Code.WRONG_TYPE, shown_name, f"{shown_name} is now {plain(old)!r:.60}; got {shown(value)}"
        )
    try:
        setattr(group, field, value)
    except ConfigurationError as problem:
        code = Code.WRONG_TYPE if value is None else Code.OUT_OF_RANGE
        raise Problem(code, shown_name, str(problem)) from None
    if not _is_as_said(value, group.model_dump(mode="json", include={field})[field]):
        said = f"{shown_name} holds text where a number is meant, or the reverse; got {shown(value)}"
        raise Problem(Code.WRONG_TYPE, shown_name, said)
    return Change(name, old, getattr(group, field))


def _unknown(group: Settings, field: str, shown_name: str) -> str:
    section, dot, rest = field.partition(".")
    if dot and section in type(group).model_fields:
        return f"write {shown_name} as an object within its section: {{{section!r}: {{{rest!r}: ...}}}}"
    near = get_close_matches(field, type(group).model_fields, n=1, cutoff=0.6)
    return f"there is no setting {shown_name}{f'; did you mean {near[0]!r}?' if near else '; see GET config'}"


def _is_like(value: Any, old: Any) -> bool:
    """Whether a value is of the JSON type that the setting has: text is never taken for a number."""
    if old is None or value is None:
        return value is None or (isinstance(value, int | float | str) and not isinstance(value, bool))
    if isinstance(old, bool) or isinstance(value, bool):
        return isinstance(old, bool) and isinstance(value, bool)
    if isinstance(old, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(old))


def _is_as_said(value: Any, kept: Any) -> bool:
    """Whether a setting holds what was sent: within it, too, no text was read as a number."""
    if isinstance(value, dict) and isinstance(kept, dict):
        return all(name in kept and _is_as_said(item, kept[name]) for name, item in value.items())
    if isinstance(value, list) and isinstance(kept, list):
        return len(value) == len(kept) and all(map(_is_as_said, value, kept))
    return isinstance(value, str) == isinstance(kept, str)


ROUTES: Final = (
    Route("GET", "/config", Access.READ, "The settings in use, without secrets", show, answers=ConfigAnswer),
    Route(
        "PATCH",
        "/config",
        Access.OPERATE,
        "Change settings, all or none; to loosen takes an admin",
        change,
        asks=ConfigPatch,
        answers=ConfigAnswer,
    ),
)
