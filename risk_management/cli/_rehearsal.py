"""A start of the service in memory: whatever would keep ``risk serve`` from starting shows here.

Nothing is written, sent or asked of the network.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from risk_management.alerts.senders import senders_of
from risk_management.brokers.paper_options import paper_options
from risk_management.config.risk_config import AT_REST
from risk_management.errors import BrokerError, ConfigurationError
from risk_management.integration.trading_integration import TradingSystemIntegration
from risk_management.market_data.source import load_source
from risk_management.store.journal import MemoryJournal
from risk_management.store.kept_settings import changes_of_book
from risk_management.store.place import place_of

if TYPE_CHECKING:
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.model.market import PriceHistory

__all__ = ["rehearse"]


def rehearse(config: RiskManagementConfig, store: str) -> None:
    """Start in memory and stop.

    Parameters
    ----------
    config : RiskManagementConfig
    store : str
        Where the book would be kept.

    Raises
    ------
    RiskError
        What `risk serve` would end with; a store that another process works on is no mistake of the settings.
    """
    place_of(store)
    _same_book(config, store)
    if config.alert_config.enabled:
        senders_of(config.alert_config)
    data = config.market_data_config
    if data.source not in AT_REST:
        load_source(data)
    prices: Any = None if data.source in AT_REST else _sample(config)
    in_memory = _without_files(config.update(store=None))
    TradingSystemIntegration(in_memory, prices=prices, journal=MemoryJournal()).close()


def _same_book(config: RiskManagementConfig, store: str) -> None:
    changes = changes_of_book(store, config)
    if changes:
        raise ConfigurationError(
            f"the book in {store} was kept under other settings: {'; '.join(changes)}; start with the "
            "settings of that book, or serve with --accept-new-settings"
        )


def _sample(config: RiskManagementConfig) -> PriceHistory:
    """Prices to start on where those of the settings would have to be fetched."""
    return load_source(config.market_data_config.model_copy(update={"source": "sample"})).history()


def _without_files(config: RiskManagementConfig) -> RiskManagementConfig:
    """A paper account that is not there yet stays so; one that is there is opened, as a start does."""
    broker = config.broker_config
    if broker.name != "paper":
        return config
    path = paper_options(broker.options).path
    if path is None or path.is_file():
        return config
    if not os.access(path.absolute().parent, os.W_OK):
        said = "unable to open database file"  # SQLite's own words
        raise BrokerError(f"the paper account {path} can't be opened: {said}; check the path")
    others = {name: value for name, value in broker.options.items() if name != "path"}
    return config.model_copy(update={"broker_config": broker.model_copy(update={"options": others})})
