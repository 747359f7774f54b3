"""Secrets of the channels stay out of the log, whoever writes it and at whatever level."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

from risk_management.config.risk_config import AlertConfig

__all__ = ["MaskSecrets", "guard_logs"]

SHORTEST: Final = 6
"""Characters of a value that is masked: a shorter one stands in too many innocent words."""
MASK: Final = "***"
BOT: Final = re.compile(r"/bot\d+:[\w-]+")
LIBRARIES: Final = (
    "apprise",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "httpx",
    "requests",
    "urllib3",
    "urllib3.connectionpool",
)
"""Loggers that tell addresses: httpx at INFO, the others at DEBUG."""


class MaskSecrets(logging.Filter):
    """Puts stars in the place of known values, and of everything that looks like a bot's address.

    Parameters
    ----------
    values : iterable of str
    """

    def __init__(self, values: frozenset[str]) -> None:
        super().__init__()
        self.values = values

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes, without secrets."""
        text = self.masked(record.getMessage())
        if text != record.getMessage():
            record.msg, record.args = text, ()
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.masked(record.exc_text)
        return True

    def masked(self, text: str) -> str:
        """The text without secrets."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, MASK)
        return BOT.sub(f"/bot{MASK}", text)


def guard_logs(settings: AlertConfig) -> MaskSecrets:
    """Mask the secrets of these settings: in what libraries log, and in every handler that there is.

    The libraries that tell addresses are quiet below WARNING, unless they are told otherwise later.
    """
    mask = MaskSecrets(secret_values(settings))
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        _replace(logger, mask)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        _replace(handler, mask)
    return mask


def secret_values(settings: AlertConfig) -> frozenset[str]:
    """Everything that must not be told: values, and for addresses the parts that hold a secret."""
    found: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, SecretStr):
                found |= _parts(one.get_secret_value())
    return frozenset(text for text in found if len(text) >= SHORTEST)


def _parts(text: str) -> set[str]:
    found = {text, quote(text, safe="")}
    if "://" not in text:
        return found
    try:
        address = urlsplit(text)
    except ValueError:
        return found
    told = (address.path, address.query, address.username, address.password)
    pieces = {piece for part in told if part for piece in (part, *re.split(r"[/&=?]", part))}
    return found | pieces


def _replace(place: logging.Filterer, mask: MaskSecrets) -> None:
    for old in [one for one in place.filters if isinstance(one, MaskSecrets)]:
        place.removeFilter(old)
    place.addFilter(mask)
