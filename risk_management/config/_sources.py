"""Gather raw settings from keywords, the environment and a TOML file, and remember where each came from."""

from __future__ import annotations

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsError

from risk_management.errors import ConfigurationError

__all__ = ["FLAT_NAMES", "gather"]

FLAT_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "RISK_LEVEL": ("risk_level",),
    "PORTFOLIO_VALUE": ("portfolio_value",),
    "MAX_PORTFOLIO_DRAWDOWN": ("drawdown_config", "max_portfolio_drawdown"),
    "TELEGRAM_BOT_TOKEN": ("alert_config", "telegram_bot_token"),
    "TELEGRAM_CHAT_ID": ("alert_config", "telegram_chat_id"),
    "DISCORD_WEBHOOK_URL": ("alert_config", "discord_webhook_url"),
    "SLACK_WEBHOOK_URL": ("alert_config", "slack_webhook_url"),
    "WEBHOOK_URL": ("alert_config", "webhook_url"),
    "SMTP_SERVER": ("alert_config", "smtp_server"),
    "SMTP_PORT": ("alert_config", "smtp_port"),
    "SMTP_USERNAME": ("alert_config", "smtp_username"),
    "SMTP_PASSWORD": ("alert_config", "smtp_password"),
    "ALERT_EMAIL_TO": ("alert_config", "email_to"),
    "ALERT_URLS": ("alert_config", "urls"),
    "RISK_STORE": ("store",),
}
"""The flat environment names and the setting that each gives."""

NESTED_PREFIX: Final = "RISK__"
LARGEST: Final = 2**20
"""Bytes of a file."""


def gather(
    model: type[BaseModel], path: str | Path | None, overrides: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Merge all sources, the strongest last.

    Returns
    -------
    values : dict
        Nested raw values for `model`.
    names : dict of str to str
        For every dotted key the name and kind of its source, for error texts.
    """
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    chosen = path if path is not None else os.environ.get("RISK_CONFIG")
    if chosen:
        _merge(values, names, _read_toml(Path(chosen)), lambda key: f"{key} ({chosen})")
    nested = _read_nested(model)
    if "private_hosts" in nested.get("alert_config", {}):
        raise ConfigurationError(
            f"{_nested_name('alert_config.private_hosts')} (environment): hosts that messages may go to "
            "stand in the settings file alone"
        )
    _merge(values, names, nested, lambda key: f"{_nested_name(key)} (environment)")
    for variable, keys in FLAT_NAMES.items():
        text = os.environ.get(variable)
        if text:
            _merge(values, names, _at(keys, _typed(variable, text)), _from_variable(variable))
    _merge(values, names, overrides, lambda key: f"{key} (keyword)")
    return values, names


def _typed(variable: str, text: str) -> Any:
    if variable == "RISK_LEVEL":
        return text.strip().lower()
    if variable == "ALERT_URLS":
        return tuple(part for part in text.split() if part)
    return text


def _from_variable(variable: str) -> Any:
    return lambda _key: f"{variable} (environment)"


def _at(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def _merge(target: dict[str, Any], names: dict[str, str], source: Any, name: Any, at: str = "") -> None:
    for key, value in source.items():
        dotted = f"{at}{key}"
        if isinstance(value, BaseModel):
            value = value.model_dump(exclude_unset=True)  # noqa: PLW2901
        if isinstance(value, dict) and isinstance(target.get(key, {}), dict):
            _merge(target.setdefault(key, {}), names, value, name, f"{dotted}.")
        else:
            target[key] = value
            names[dotted] = name(dotted)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ConfigurationError(f"{path}: larger than {LARGEST // 2**20} MB; no settings are")
        return tomllib.loads(text.decode())
    except OSError as problem:
        raise ConfigurationError(f"{path}: can't be read ({problem.strerror}); check the path") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: nested too deeply; settings have two levels") from None
    except ValueError as problem:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigurationError(f"{path}: not valid TOML: {problem}") from None


def _read_nested(model: type[BaseModel]) -> dict[str, Any]:
    class Nested(BaseSettings, model):  # type: ignore[misc, valid-type]
        """Only names the fields for the source below."""

    known = tuple(f"{NESTED_PREFIX}{name}".upper() for name in model.model_fields)
    for variable in os.environ:
        section = variable.upper().split("__")[1] if variable.upper().startswith(NESTED_PREFIX) else None
        if section is not None and f"{NESTED_PREFIX}{section}" not in known:
            near = get_close_matches(section.lower(), model.model_fields, n=1, cutoff=0.6)
            hint = f"; did you mean {NESTED_PREFIX}{near[0].upper()}?" if near else ""
            raise ConfigurationError(f"{variable} (environment): no such setting{hint}")
    source = EnvSettingsSource(Nested, env_prefix=NESTED_PREFIX, env_nested_delimiter="__")
    try:
        return source()
    except SettingsError as problem:
        raise ConfigurationError(f"a variable that starts with {NESTED_PREFIX}: {problem}") from None


def _nested_name(key: str) -> str:
    return NESTED_PREFIX + key.upper().replace(".", "__")
