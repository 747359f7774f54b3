"""Settings that a person changed while the system ran outlive it: three sets are merged, name by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from risk_management.config._base import Settings
from risk_management.config._levels import stricter
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.errors import ConfigurationError

__all__ = ["Carried", "carried_over", "changed"]

_LEVEL: Final = "risk_level"
_ROWS: Final = "emergency_config.rows"


@dataclass(frozen=True, slots=True)
class Carried:
    """Settings for a start.

    Parameters
    ----------
    config : RiskManagementConfig
        To be used.
    kept : Mapping of str to (given, used)
        Changed while the last run ran, and standing still, by dotted name.
    overruled : Mapping of str to (last run's, given now)
        Changed while the last run ran, and given anew since: what is given now stands.
    conflict : str
        Why nothing was carried over although there was something; else empty.
    """

    config: RiskManagementConfig
    kept: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    overruled: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    conflict: str = ""


def changed(given: str, used: str) -> dict[str, tuple[Any, Any]]:
    """What differs between two texts of settings, by dotted name: as given, as used.

    A name that one of them does not know is no difference: another version wrote it.
    """
    if given == used:
        return {}
    before, after = _leaves(given), _leaves(used)
    return {
        name: (before[name], value)
        for name, value in after.items()
        if name in before and before[name] != value
    }


def carried_over(given_before: str, used_before: str, given: RiskManagementConfig) -> Carried:
    """The settings of a start: those that are given, with what a person changed while the last run ran.

    Mappings, such as the budgets of strategies, are held against each other key by key, emergency rows by
    their names.

    Parameters
    ----------
    given_before, used_before : str
        What the last run was started with, and what it used in the end.
    given : RiskManagementConfig
        What this one is started with. Where it writes another value than before it is the later word; of
        what only follows from another level the stricter stands.
    """
    changes = changed(given_before, used_before)
    if not changes:
        return Carried(given)
    before, now = _leaves(given_before), _leaves(given.as_text())
    kept: dict[str, tuple[Any, Any]] = {}
    overruled: dict[str, tuple[Any, Any]] = {}
    for name, (_, used) in changes.items():
        if name not in now or now[name] == used:
            continue
        if now[name] == before[name]:
            kept[name] = (now[name], used)
        elif not _is_given(given, name):
            _follows(name, used, now[name], kept, overruled)
        elif isinstance(used, dict):
            merged = _merged(name, before[name], used, now[name], overruled)
            if merged != now[name]:
                kept[name] = (now[name], merged)
        elif name == _ROWS and (rows := _merged_rows(before[name], used, now[name], overruled)) is not None:
            if rows != now[name]:
                kept[name] = (now[name], rows)
        else:
            overruled[name] = (used, now[name])
    try:
        return Carried(_with(given, kept), kept, overruled)
    except ConfigurationError as problem:
        return Carried(given, overruled=overruled, conflict=f"{', '.join(kept)}: {problem}")


def _follows(
    name: str,
    used: Any,
    now: Any,
    kept: dict[str, tuple[Any, Any]],
    overruled: dict[str, tuple[Any, Any]],
) -> None:
    """What another level or a line taken out gives: the stricter of it and of what was used stands."""
    stands = stricter(name, used, now)
    if stands != now:
        kept[name] = (now, stands)
    if stands != used:
        overruled[name] = (used, stands)


def _merged_rows(
    before: list[dict[str, Any]],
    used: list[dict[str, Any]],
    now: list[dict[str, Any]],
    overruled: dict[str, tuple[Any, Any]],
) -> list[dict[str, Any]] | None:
    """Emergency rows merged by their names; None where two rows share one."""
    named = [{row["name"]: row for row in rows} for rows in (before, used, now)]
    if any(len(by_name) != len(rows) for by_name, rows in zip(named, (before, used, now), strict=True)):
        return None
    return list(_merged(_ROWS, named[0], named[1], named[2], overruled).values())


def _merged(
    name: str,
    before: Mapping[str, Any],
    used: Mapping[str, Any],
    now: Mapping[str, Any],
    overruled: dict[str, tuple[Any, Any]],
) -> dict[str, Any]:
    """A mapping as it is given now, with what was changed in it while the last run ran, key by key."""
    merged = dict(now)
    for key in {**before, **used}:
        was, ran, is_now = before.get(key), used.get(key), now.get(key)
        if ran in (was, is_now):
            continue
        if is_now != was:
            overruled[f"{name}.{key}"] = (ran, is_now)
        elif key in used:
            merged[key] = ran
        else:
            merged.pop(key, None)
    return merged


def _is_given(config: RiskManagementConfig, name: str) -> bool:
    """Whether a setting was written down, and does not only follow from the level or a default."""
    section, _, leaf = name.rpartition(".")
    group: Settings = getattr(config, section) if section else config
    return leaf in group.model_fields_set


def _with(config: RiskManagementConfig, kept: Mapping[str, tuple[Any, Any]]) -> RiskManagementConfig:
    """A checked copy with some settings changed. The level comes first: it moves others, which then agree."""
    copy = config.model_copy(deep=True)
    if _LEVEL in kept:
        copy.risk_level = kept[_LEVEL][1]
        copy.adjust_for_risk_level()
    now = _leaves(copy.as_text())
    for name, (_, used) in kept.items():
        if now[name] != used:
            section, _, leaf = name.rpartition(".")
            setattr(getattr(copy, section) if section else copy, leaf, used)
    copy.adjust_for_risk_level()
    copy.check()
    return copy


def _leaves(text: str) -> dict[str, Any]:
    """Every setting by its dotted name; a mapping within a section is one name."""
    found: dict[str, Any] = {}
    for name, value in json.loads(text).items():
        if isinstance(value, dict) and _is_section(name):
            found.update({f"{name}.{leaf}": item for leaf, item in value.items()})
        else:
            found[name] = value
    return found


def _is_section(name: str) -> bool:
    kind = RiskManagementConfig.model_fields.get(name)
    return kind is not None and isinstance(kind.annotation, type) and issubclass(kind.annotation, Settings)
