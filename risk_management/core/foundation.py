"""What every front stands on: prices, the market model, instruments and a clock, from one place.

The manager and each calculator that is used alone come here; it is the one place of the core that
asks for data.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from risk_management.calculators.scenarios import Scenario, ScenarioRule, ScenarioUse, load_scenarios
from risk_management.clock import AnchoredClock, Clock, SystemClock
from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.book import Book
from risk_management.core.risk_model import ModelPreparation, rows_remembered, stand_in_symbols
from risk_management.errors import InsufficientData
from risk_management.market_data.instruments import load_instrument_facts
from risk_management.market_data.returns import build_returns
from risk_management.market_data.source import load_source
from risk_management.model.instrument import AssetClass, Instrument
from risk_management.model.market import PriceHistory, ReturnMatrix
from risk_management.model.risk_model import RiskModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Foundation", "known_instruments", "lay_foundation"]


logger = logging.getLogger(__name__)

LONGEST_WINDOW = 10_000
MODEL_SECTIONS = ("heat_config", "correlation_config", "var_config", "stress_config", "market_data_config")
"""Settings that the market model is prepared with."""


@dataclass(frozen=True, slots=True)
class Foundation:
    """Everything that a front needs before its first position.

    Parameters
    ----------
    config : RiskManagementConfig
        A deep copy; later changes to the caller's object change nothing here.
    history : PriceHistory
        Closes of all symbols that the source serves.
    preparation : ModelPreparation
    model : RiskModel
    instruments : Mapping of str to Instrument
    scenarios : Mapping of str to Scenario
    clock : Clock
    """

    config: RiskManagementConfig
    history: PriceHistory
    preparation: ModelPreparation
    model: RiskModel
    instruments: Mapping[str, Instrument]
    scenarios: Mapping[str, Scenario]
    clock: Clock

    def under(self, config: RiskManagementConfig) -> Foundation:
        """The same prices under other settings; the market model is prepared anew where one asks for it."""
        if all(getattr(self.config, name) == getattr(config, name) for name in MODEL_SECTIONS):
            return replace(self, config=config)
        old = self.preparation
        earlier = _earlier(config, self.history, self.instruments, old.matrix)
        fresh = ModelPreparation.of(old.matrix, config, old.instruments, old.scenarios, old.closes, earlier)
        return replace(self, config=config, preparation=fresh, model=fresh.model())

    def whole_matrix(self) -> ReturnMatrix:
        """Returns over the whole history of the source, up to the day on which the model stands."""
        as_of = self.preparation.matrix.as_of
        return _matrix(self.config, self.history, self.instruments, as_of, LONGEST_WINDOW)

    def new_book(self, portfolio_value: float | None = None) -> Book:
        """An empty book on these prices, with the configured capital or the given one."""
        config = self.config
        if portfolio_value is not None:
            config = config.model_copy(update={"portfolio_value": portfolio_value})
        return Book(config, self.model, self.clock.now(), instruments=self.instruments)


def lay_foundation(
    config: RiskManagementConfig | None = None,
    *,
    prices: pd.DataFrame | PriceHistory | None = None,
    sectors: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    as_of: datetime | None = None,
) -> Foundation:
    """Load prices and prepare the market model.

    Parameters
    ----------
    config : RiskManagementConfig, optional
        The defaults without one. It is checked and copied.
    prices : DataFrame or PriceHistory, optional
        Closes, dates x symbols; without them the configured source serves, by default the sample.
    sectors : Mapping of str to str, optional
        Sector of a symbol, before all other maps.
    clock : Clock, optional
        By default the sample and a frame start at their last date and run on; other sources use the
        machine's time.
    as_of : datetime, optional
        Nothing later is read; by default the clock's now.

    Raises
    ------
    ConfigurationError, MarketDataError
    """
    config = (config or RiskManagementConfig()).model_copy(deep=True)
    config.adjust_for_risk_level()
    config.check()
    history = _history(config, prices)
    moment = as_of or (clock.now() if clock is not None else None)
    instruments = _instruments(config, history.symbols, sectors or {})
    matrix = _matrix(config, history, instruments, moment, config.market_data_config.window)
    _enough(matrix, config)
    own_clock = clock
    if own_clock is None:
        own_clock = _own_clock(config, history, matrix.as_of, handed_in=prices is not None)
    scenarios = load_scenarios(config.stress_config.scenario_dir)
    gates = tuple(
        s for s in scenarios.values() if s.use is ScenarioUse.GATE and s.rule is ScenarioRule.LINEAR
    )
    earlier = _earlier(config, history, instruments, matrix)
    preparation = ModelPreparation.of(matrix, config, instruments, gates, history, earlier)
    model = preparation.model()
    known = MappingProxyType(instruments)
    return Foundation(config, history, preparation, model, known, scenarios, own_clock)


def _own_clock(
    config: RiskManagementConfig, history: PriceHistory, last: datetime, *, handed_in: bool
) -> Clock:
    """The sample and a frame stand at their last day, so that studies are not stale; live time is real."""
    real = SystemClock()
    if config.environment == "live" or not (history.is_sample or handed_in):
        return real
    age = (real.now() - last).days
    if age > config.market_data_config.stale_days and not history.is_sample:
        logger.warning(
            "the prices handed in end on %s, %d days ago, and that day is taken as now; "
            "hand in clock=SystemClock() to trade on them",
            last.date(),
            age,
        )
    return AnchoredClock(last)


def _history(config: RiskManagementConfig, prices: pd.DataFrame | PriceHistory | None) -> PriceHistory:
    if isinstance(prices, PriceHistory):
        return prices
    if prices is not None:
        from risk_management.market_data.frame import history_from_frame  # noqa: PLC0415 - pandas is late

        return history_from_frame(prices)
    settings = config.market_data_config
    return load_source(settings).history()


def known_instruments(config: RiskManagementConfig) -> dict[str, Instrument]:
    """Instruments that the settings and the facts that ship name, without any price read."""
    return _instruments(config, (), {})


def _instruments(
    config: RiskManagementConfig, symbols: tuple[str, ...], sectors: Mapping[str, str]
) -> dict[str, Instrument]:
    facts = load_instrument_facts()
    settings = config.market_data_config
    named = {**settings.sectors, **sectors}
    wanted = dict.fromkeys((*symbols, *facts, *named, *settings.asset_classes, *settings.proxies))
    found = {}
    for symbol in wanted:
        known = facts.get(symbol)
        kind = settings.asset_classes.get(symbol) or (known.asset_class if known else AssetClass.EQUITY)
        sector = named.get(symbol) or (known.sector if known else "unknown")
        calendar = "24/7" if kind == AssetClass.CRYPTO else "XNYS"
        found[symbol] = Instrument(
            symbol, str(kind), sector, currency=config.base_currency, calendar=calendar
        )
    return found


def _enough(matrix: ReturnMatrix, config: RiskManagementConfig) -> None:
    least = config.market_data_config.min_observations
    if len(matrix.dates) < least:
        raise InsufficientData(
            f"{matrix.source} gives {len(matrix.dates)} daily returns, the measures need {least}; hand in "
            "a longer history or lower market_data_config.min_observations"
        )


def _earlier(
    config: RiskManagementConfig,
    history: PriceHistory,
    instruments: Mapping[str, Instrument],
    matrix: ReturnMatrix,
) -> NDArray[np.float64]:
    """Returns before those of a matrix, shape (E, N): as many as the volatility recursion remembers."""
    window = min(len(matrix.dates) + rows_remembered(config.var_config), LONGEST_WINDOW)
    longer = _matrix(config, history, instruments, matrix.as_of, window, matrix.symbols)
    return longer.values[: np.searchsorted(longer.dates, matrix.dates[0])]


def _matrix(
    config: RiskManagementConfig,
    history: PriceHistory,
    instruments: Mapping[str, Instrument],
    moment: datetime | None,
    window: int,
    symbols: tuple[str, ...] | None = None,
) -> ReturnMatrix:
    """By default of all symbols of the history, of those with a proxy and of the stand-ins."""
    settings = config.market_data_config
    stand_ins = stand_in_symbols()
    if symbols is None:
        proxied = (s for s in settings.proxies if s not in history.symbols)
        symbols = (*history.symbols, *proxied, *stand_ins)
    return build_returns(
        history,
        symbols=symbols,
        window=window,
        min_observations=settings.min_observations,
        max_gap=settings.max_gap,
        proxies=settings.proxies,
        asset_classes={s: stand_ins.get(s) or instruments[s].asset_class for s in symbols},
        as_of=moment,
        stand_in_volatility=settings.stand_in_volatility,
        stale_days=settings.stale_days,
    )
