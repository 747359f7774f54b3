"""The connection to an exchange through ccxt: keys, addresses, one thread at a time, errors in our words."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping
from threading import RLock
from typing import Any, Final, Literal

from pydantic import ValidationError

from risk_management.brokers._rest import checked_url
from risk_management.config._base import Settings, readable_errors
from risk_management.errors import (
    BrokerError,
    BrokerUnavailable,
    ConfigurationError,
    MissingExtra,
    OrderRejected,
)
from risk_management.model.broker import Environment

__all__ = ["Connection", "ExchangeOptions", "exchange_options"]

_QUIET: Final = logging.getLogger(f"{__name__}.requests")
_QUIET.setLevel(logging.INFO)  # below it ccxt writes the signed headers of every request, the key with them


class ExchangeOptions(Settings):
    """`broker_config.options` of an exchange."""

    exchange: str
    """In ccxt's words, such as ``kraken``."""
    cash: str | None = None
    """Currency of the cash, by default the book's base currency; ``USDT`` on many."""
    kind: Literal["spot", "swap"] = "spot"
    """Coins, or linear perpetual contracts."""
    ignore: tuple[str, ...] = ()
    """Coins of a spot account that are no positions: other currencies, staked ones, dust."""
    url: str | None = None
    """In place of every address of the exchange."""


def exchange_options(options: Mapping[str, object]) -> ExchangeOptions:
    """The options as they were written.

    Raises
    ------
    ConfigurationError
        All mistakes at once.
    """
    try:
        return ExchangeOptions.model_validate(dict(options))
    except ValidationError as problem:
        lines = readable_errors(problem, prefix="broker_config.options")
        raise ConfigurationError("; ".join(lines)) from None


class Connection:
    """A client of ccxt that several threads may use.

    Parameters
    ----------
    options : ExchangeOptions
    environment : {"paper", "live"}
    timeout : float
        Seconds.
    """

    def __init__(self, options: ExchangeOptions, environment: Environment, timeout: float) -> None:
        self.ccxt = _ccxt()
        self.lock = RLock()
        self.exchange = options.exchange
        self.client = self._connected(options, environment, timeout)

    def _connected(self, options: ExchangeOptions, environment: Environment, timeout: float) -> Any:
        if options.exchange not in self.ccxt.exchanges:
            raise ConfigurationError(
                f"broker_config.options.exchange: ccxt knows no exchange {options.exchange!r}"
            )
        words = {
            "apiKey": _secret("EXCHANGE_API_KEY"),
            "secret": _secret("EXCHANGE_SECRET"),
            "password": os.environ.get("EXCHANGE_PASSWORD"),
            "timeout": int(timeout * 1000),
            "enableRateLimit": options.url is None,  # a machine of one's own has no limit to keep
            "options": {"defaultType": options.kind, "maxRetriesOnFailure": 0},
        }
        client = getattr(self.ccxt, options.exchange)(words)
        client.logger = _QUIET
        if options.url is not None:
            client.urls["api"] = _moved(
                client.urls["api"], checked_url(options.url, "broker_config.options.url")
            )
        elif environment == "paper":
            if not client.urls.get("test"):
                raise ConfigurationError(
                    f"{options.exchange} has no paper account; use the broker 'paper', or say 'live' twice"
                )
            client.set_sandbox_mode(True)
        return client

    def ask(self, method: str, *words: Any) -> Any:
        """What a method of ccxt answers; its errors are ours."""
        with self.lock:  # a client of ccxt serves one thread at a time
            try:
                return getattr(self.client, method)(*words)
            except self.ccxt.NetworkError as problem:
                raise self.silence(method, problem) from None
            except self.ccxt.AuthenticationError as problem:
                raise BrokerError(
                    f"{self.exchange} does not accept the keys for {method}: {_said(problem)}; check "
                    "EXCHANGE_API_KEY and EXCHANGE_SECRET, and what the key may do"
                ) from None
            except self.ccxt.BaseError as problem:
                raise BrokerError(f"{self.exchange} refused {method}: {_said(problem)}") from None

    def silence(self, method: str, problem: Exception) -> BrokerUnavailable:
        """No answer: what was asked may have been done."""
        # the text of such an error holds the whole signed address
        kind = type(problem).__name__
        return BrokerUnavailable(f"{self.exchange} gave no answer to {method} ({kind}); ask again")

    def refusal(self, client_order_id: str, problem: Exception) -> OrderRejected:
        """The exchange's no, with our code."""
        ccxt, text = self.ccxt, _said(problem)
        kinds = (
            (ccxt.InsufficientFunds, "INSUFFICIENT_FUNDS"),
            (ccxt.BadSymbol, "NOT_TRADED"),
            (ccxt.MarketClosed, "MARKET_NOT_OPEN"),
            (ccxt.AuthenticationError, "NOT_PERMITTED"),
            (ccxt.NotSupported, "NOT_SUPPORTED"),
        )
        code = next((code for kind, code in kinds if isinstance(problem, kind)), "BROKER_REFUSED")
        if isinstance(problem, ccxt.InvalidOrder):
            small = ("minimum", "too small", "precision", "not met")
            if "reduce" in text.lower():
                code = "NOT_REDUCING"
            elif any(word in text.lower() for word in small):
                code = "ORDER_TOO_SMALL"
        return OrderRejected(code, f"{self.exchange} refused {client_order_id}: {text}")


def _said(problem: Exception) -> str:
    return str(problem)[:300]


def _moved(urls: Any, url: str) -> Any:
    """Every address of a client on another host."""
    return {key: _moved(value, url) for key, value in urls.items()} if isinstance(urls, dict) else url


def _secret(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"{name} (environment): missing; the broker 'ccxt' needs it")
    return value


def _ccxt() -> Any:
    try:
        return importlib.import_module("ccxt")
    except ImportError as problem:
        raise MissingExtra(
            "the broker 'ccxt' needs ccxt; install the extra: pip install 'risk-management[exchange]'"
        ) from problem
