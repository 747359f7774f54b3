"""The only writer of the state: one lock, one current snapshot, one list of what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from threading import RLock

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.evolve import evolve, initial_state
from risk_management.model.events import Event
from risk_management.model.instrument import Instrument
from risk_management.model.portfolio import PortfolioState
from risk_management.model.risk_model import RiskModel

__all__ = ["Book"]


class Book:
    """Holds the current `PortfolioState` and replaces it, event by event.

    Parameters
    ----------
    config : RiskManagementConfig
    model : RiskModel
    now : datetime
        Aware UTC time of the start.
    instruments : Mapping of str to Instrument, optional
    journal : callable, optional
        Handed every event before the state shows it, under the lock and in order.

    Notes
    -----
    Reading `state` needs no lock: it is one reference to an immutable record. To decide and then
    apply without anyone in between, hold `lock`.
    """

    def __init__(
        self,
        config: RiskManagementConfig,
        model: RiskModel,
        now: datetime,
        *,
        instruments: Mapping[str, Instrument] | None = None,
        journal: Callable[[Event], None] | None = None,
    ) -> None:
        self.lock = RLock()
        config.seal()
        self.config = config
        self._state = initial_state(config, model, now, instruments)
        self._journal = journal

    @property
    def state(self) -> PortfolioState:
        """The current snapshot."""
        return self._state

    def apply(self, event: Event) -> PortfolioState:
        """Replace the state by the one after `event`, and return it.

        The journal comes first: where it raises, the event did not happen.
        """
        with self.lock:
            after = evolve(self._state, event, self.config)
            if self._journal is not None:
                self._journal(event)
            self._state = after
            return after

    def reconfigure(self, config: RiskManagementConfig) -> None:
        """Use other settings from the next event on; the state stays as it is."""
        config.seal()
        with self.lock:
            self.config = config
