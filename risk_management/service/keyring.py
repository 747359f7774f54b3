"""Where tokens are known: a store, or one secret of the environment."""

from __future__ import annotations

import hmac
import os
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from risk_management.errors import ConfigurationError
from risk_management.model.access import Access, Token

if TYPE_CHECKING:
    from risk_management.service.route import Views

__all__ = ["EmbeddedKeyring", "Keyring", "checked_secret"]

VARIABLE: Final = "RISK_TOKEN"
SHORTEST: Final = 32
FEWEST: Final = 8
"""Different characters of a secret."""


OF_ENVIRONMENT: Final = Token(
    "environment", VARIABLE, Access.OPERATE, None, datetime(1970, 1, 1, tzinfo=UTC), "environment"
)


class Keyring(Protocol):
    """Knows tokens."""

    def find(self, secret: str) -> Token | None:
        """The token of a secret, None for an unknown or revoked one."""
        ...

    def holds(self, token_id: str) -> bool:
        """Whether the token of an id is known and not revoked."""
        ...


def checked_secret(secret: str, name: str) -> str:
    """A secret that can't be guessed.

    Raises
    ------
    ConfigurationError
        It is short, or of few different characters. The secret itself is not shown.
    """
    if len(secret) < SHORTEST or len(set(secret)) < FEWEST:
        raise ConfigurationError(
            f"{name}: a token has at least {SHORTEST} characters; make one with 'risk token create', or "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return secret


class EmbeddedKeyring:
    """For routes in somebody's app: the secret in ``RISK_TOKEN`` may operate; so may tokens of the store.

    Parameters
    ----------
    views : Views
        Whose manager names the store.

    Raises
    ------
    ConfigurationError
        The variable holds a secret that could be guessed.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        # with RISK_URL it is the token of a client, which is not to operate here
        secret = None if os.environ.get("RISK_URL") else os.environ.get(VARIABLE)
        self._hash = None if not secret else sha256(checked_secret(secret, VARIABLE).encode()).digest()
        self._stored: Keyring | None = None

    def find(self, secret: str) -> Token | None:
        """The token of a secret."""
        given = secret.encode("utf-8", "surrogatepass")
        if self._hash is not None and hmac.compare_digest(self._hash, sha256(given).digest()):
            return OF_ENVIRONMENT
        stored = self._store()
        return None if stored is None else stored.find(secret)

    def holds(self, token_id: str) -> bool:
        """Whether the token of an id is known and not revoked."""
        if token_id == OF_ENVIRONMENT.token_id:
            return self._hash is not None
        stored = self._store()
        return stored is not None and stored.holds(token_id)

    def _store(self) -> Keyring | None:
        store = self._views.manager.config.store
        if store is not None and self._stored is None:
            from risk_management.store.tokens import TokenStore  # noqa: PLC0415 - only where there is a store

            self._stored = TokenStore(store)
        return self._stored
