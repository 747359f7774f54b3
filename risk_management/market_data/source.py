"""Where prices come from: the contract of a source and the registry of all that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from risk_management.errors import MarketDataError
from risk_management.model.market import PriceHistory
from risk_management.registry import Registry

__all__ = ["SOURCES", "MarketDataSource", "SourceFactory", "SourceSettings", "load_source"]


class MarketDataSource(Protocol):
    """Serves daily closes. Reading may do I/O; errors are `MarketDataError`."""

    @property
    def name(self) -> str:
        """Short name, such as ``sample``."""
        ...

    @property
    def is_sample(self) -> bool:
        """True for demonstration data."""
        ...

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Closes from `start` to `end`, both included; by default all that the source serves.

        Symbols without prices are left out: `build_returns` gives them a stand-in.
        """
        ...

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Newest price of each symbol with its aware UTC moment; symbols without one are left out."""
        ...


class SourceSettings(Protocol):
    """What `load_source` reads; ``MarketDataConfig`` has it all."""

    @property
    def source(self) -> str:
        """Name of the source."""
        ...

    @property
    def path(self) -> Path | None:
        """File or folder of the source ``files``."""
        ...

    @property
    def exchange(self) -> str | None:
        """Exchange of the source ``exchange``, in ccxt's words."""
        ...

    @property
    def proxies(self) -> Mapping[str, str]:
        """Symbol whose returns serve for another's."""
        ...

    @property
    def sectors(self) -> Mapping[str, str]:
        """Sector by symbol; its symbols are fetched by the sources that need a list."""
        ...

    @property
    def asset_classes(self) -> Mapping[str, str]:
        """Class by symbol; its symbols are fetched by the sources that need a list."""
        ...


SourceFactory = Callable[[SourceSettings], MarketDataSource]

SOURCES: Registry[SourceFactory] = Registry("source")
"""Built-in sources and, after `load_source` was called once, those of installed extensions."""


def load_source(settings: SourceSettings) -> MarketDataSource:
    """The source that the settings name.

    Raises
    ------
    RegistryError
        No source has that name, or an installed extension is broken.
    MarketDataError
        The source can't work with these settings; `MissingExtra` where a library is missing.
    """
    _load_extensions()
    return SOURCES.get(settings.source)(settings)


@cache
def _load_extensions() -> None:
    SOURCES.load_entry_points()


def _named(settings: SourceSettings) -> dict[str, str]:
    """Symbols that the settings name, with their class where it is known."""
    symbols = dict.fromkeys((*settings.sectors, *settings.proxies, *settings.proxies.values()), "")
    return {**symbols, **settings.asset_classes}


def _sample(_: SourceSettings) -> MarketDataSource:
    from risk_management.market_data.sample import SampleSource  # noqa: PLC0415 - loaded when named

    return SampleSource()


def _files(settings: SourceSettings) -> MarketDataSource:
    from risk_management.market_data.files import FilesSource  # noqa: PLC0415 - loaded when named

    if settings.path is None:
        raise MarketDataError("the source 'files' needs market_data_config.path: a file or a folder")
    return FilesSource(settings.path)


def _yahoo(settings: SourceSettings) -> MarketDataSource:
    from risk_management.market_data.yahoo import YahooSource  # noqa: PLC0415 - loaded when named

    return YahooSource((*_named(settings), "SPY", "QQQ"))


def _exchange(settings: SourceSettings) -> MarketDataSource:
    from risk_management.market_data.exchange import ExchangeSource  # noqa: PLC0415 - loaded when named

    if settings.exchange is None:
        raise MarketDataError("the source 'exchange' needs market_data_config.exchange, such as 'kraken'")
    coins = [symbol for symbol, kind in _named(settings).items() if kind == "crypto"]
    return ExchangeSource(settings.exchange, (*coins, "BTC", "ETH"))


for _name, _factory in (("sample", _sample), ("files", _files), ("yahoo", _yahoo), ("exchange", _exchange)):
    SOURCES.register(_name)(_factory)
