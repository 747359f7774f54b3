"""A state with the settings that it is judged by, and the fold of events over both."""

from __future__ import annotations

from dataclasses import dataclass

from risk_management.config.risk_config import RiskManagementConfig
from risk_management.core.evolve import evolve
from risk_management.core.initial_state import initial_state
from risk_management.errors import LedgerError
from risk_management.model.events import BookOpened, ConfigChanged, Event
from risk_management.model.portfolio import PortfolioState

__all__ = ["Standing", "folded"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A state and the settings that it is judged by.

    Parameters
    ----------
    state : PortfolioState
    config : RiskManagementConfig
        In use.
    digest : str
        Of `config`.
    given : str
        The settings that the process was started with, as text: a person changed what differs.
    """

    state: PortfolioState
    config: RiskManagementConfig
    digest: str
    given: str

    @classmethod
    def of(cls, state: PortfolioState, config: RiskManagementConfig, given: str = "") -> Standing:
        """With the digest of the settings, which are sealed; without `given` they are those of the start."""
        config.seal()
        return cls(state, config, config.digest(), given or config.as_text())

    def after(self, event: Event) -> Standing:
        """With one event applied, under the same settings."""
        return Standing(evolve(self.state, event, self.config), self.config, self.digest, self.given)


def folded(before: Standing | None, event: Event) -> Standing:
    """One step of a replay: the first event opens the book, changed settings are taken over.

    Raises
    ------
    LedgerError
        The first event is none that opens a book.
    """
    if isinstance(event, BookOpened):
        known = {instrument.symbol: instrument for instrument in event.instruments}
        config = RiskManagementConfig.model_validate_json(event.config)
        return Standing.of(initial_state(config, event.model, event.at, known), config)
    if before is None:
        raise LedgerError(f"a journal begins with BookOpened, not with {type(event).__name__}")
    after = before.after(event)
    if isinstance(event, ConfigChanged):
        config = RiskManagementConfig.model_validate_json(event.config)
        return Standing.of(after.state, config, event.given)
    return after
