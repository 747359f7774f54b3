"""All brokers that are known by name, and the way from settings to one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from risk_management.brokers.broker import Broker, BrokerSettings, Surroundings
from risk_management.errors import ConfigurationError
from risk_management.registry import Registry

__all__ = ["BROKERS", "BrokerFactory", "load_broker"]

BrokerFactory = Callable[[BrokerSettings, Surroundings], Broker]

BROKERS: Registry[BrokerFactory] = Registry("broker")
"""Built-in brokers and, after `load_broker` was called once, those of installed extensions."""


def load_broker(settings: BrokerSettings, around: Surroundings) -> Broker:
    """The broker that the settings name.

    Raises
    ------
    RegistryError
        No broker has that name, or an installed extension is broken.
    ConfigurationError
        It can't work with these settings; `MissingExtra` where a library is missing.
    """
    if settings.name is None:
        raise ConfigurationError("broker_config.name is missing; name a broker, such as 'paper'")
    _load_extensions()
    return BROKERS.get(settings.name)(settings, around)


@cache
def _load_extensions() -> None:
    BROKERS.load_entry_points()


def _paper(settings: BrokerSettings, around: Surroundings) -> Broker:
    from risk_management.brokers.paper import open_paper  # noqa: PLC0415 - loaded when named

    return open_paper(settings, around)


def _alpaca(settings: BrokerSettings, around: Surroundings) -> Broker:
    from risk_management.brokers.alpaca import AlpacaBroker  # noqa: PLC0415 - loaded when named

    return AlpacaBroker(settings, around)


def _exchange(settings: BrokerSettings, around: Surroundings) -> Broker:
    from risk_management.brokers.exchange import ExchangeBroker  # noqa: PLC0415 - loaded when named

    return ExchangeBroker(settings, around)


for _name, _factory in (("paper", _paper), ("alpaca", _alpaca), ("ccxt", _exchange)):
    BROKERS.register(_name)(_factory)
