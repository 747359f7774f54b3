"""JSON over HTTP with a broker: one request, one answer or one error that says what is known."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from risk_management.errors import BrokerError, BrokerUnavailable, ConfigurationError

__all__ = ["Refusal", "Rest", "checked_url"]


class Refusal(BrokerError):
    """An answer of 4xx: what was asked was not done.

    Parameters
    ----------
    status : int
    text : str
        The broker's words.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def checked_url(url: str, key: str) -> str:
    """The address of a broker: https, or this machine.

    Raises
    ------
    ConfigurationError
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return url.rstrip("/")
    raise ConfigurationError(f"{key}: a broker is reached by https, got {parts.scheme}://{parts.hostname}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Rest:
    """Requests to one broker.

    Parameters
    ----------
    broker : str
        For texts.
    headers : Mapping of str to str
        Of every request; they hold the keys and are never shown.
    timeout : float
        Seconds.
    """

    def __init__(self, broker: str, headers: Mapping[str, str], timeout: float) -> None:
        self._broker = broker
        self._client = httpx.Client(headers=dict(headers), timeout=timeout)

    def ask(self, method: str, url: str, **words: Any) -> Any:
        """The JSON of an answer, None for an empty one.

        Raises
        ------
        Refusal
            The broker said no.
        BrokerUnavailable
            It said nothing that can be used: too late, overloaded, broken.
        """
        where = f"{method} {urlsplit(url).path}"
        try:
            answer = self._client.request(method, url, **words)
        except httpx.HTTPError as problem:
            said = f"{self._broker} gave no answer to {where} ({type(problem).__name__})"
            raise BrokerUnavailable(f"{said}; ask again with the same id") from None
        if answer.status_code == 429:
            raise BrokerUnavailable(
                f"{self._broker} asks to wait ({where}: too many requests); ask again later"
            )
        if answer.status_code >= 500 or answer.is_redirect:
            raise BrokerUnavailable(f"{self._broker} answered {where} with {answer.status_code}; ask again")
        try:
            content = answer.json() if answer.content else None
        except ValueError:
            raise BrokerUnavailable(
                f"{self._broker} answered {where} with something else than JSON"
            ) from None
        if answer.is_client_error:
            text = content.get("message") if isinstance(content, dict) else None
            raise Refusal(answer.status_code, str(text or answer.reason_phrase)[:300])
        return content

    def close(self) -> None:
        """Let connections go."""
        self._client.close()
