"""Every exception that this package raises, as one tree.

    RiskError
    ├── ConfigurationError      a setting is wrong: mend the named key and load again
    ├── InvalidRequest          a call is malformed: nothing was changed, mend the named field
    │   └── UnknownRequest      a report names a request id that this system never gave out
    ├── MarketDataError         prices could not be read or aligned
    │   └── MissingExtra        an optional library is not installed
    ├── MeasureError            a number can't be computed from these inputs
    │   ├── InsufficientData    too few observations for the method
    │   ├── InvalidReturns      NaN, infinity or a wrong shape in the inputs
    │   └── UndefinedMeasure    outside the method's domain (a constant series, infinite variance)
    ├── RegistryError           two extensions claim one name, or one can't be loaded
    ├── SharedBookError         a monitor that shares the manager's book was asked to replace it
    ├── AlreadyInitialized      the process-wide instance exists with another configuration
    ├── StoreError              the durable store can't serve
    │   ├── StoreUnavailable    a write did not reach the disk: nothing of it happened, ask again
    │   │   ├── AnswerUnreadable  an id was answered before, its answer can't be read now: ask again
    │   │   └── StoreTaken      another engine has taken the store over: end this one
    │   ├── EngineEnded         this engine gave the book back: ask the one that serves it now
    │   ├── StoreInUse          another process works on it; the text names it
    │   ├── StoreCorrupt        what is stored contradicts itself; the text names the first bad entry
    │   └── StoreTooNew         written by a newer version of this package
    ├── BrokerError             the broker can't be worked with
    │   ├── BrokerUnavailable   no answer: what was asked may have been done, ask again with the same id
    │   └── OrderRejected       the broker refused an order: none exists
    ├── Unanswered              a risk system in another process did not answer in time
    └── LedgerError             an invariant of the ledger does not hold: stop trading

A refused trade is never an exception: it is a `TradeDecision` with codes.
"""

from __future__ import annotations

__all__ = [
    "AlreadyInitialized",
    "AnswerUnreadable",
    "BrokerError",
    "BrokerUnavailable",
    "ConfigurationError",
    "EngineEnded",
    "InsufficientData",
    "InvalidRequest",
    "InvalidReturns",
    "LedgerError",
    "MarketDataError",
    "MeasureError",
    "MissingExtra",
    "OrderRejected",
    "RegistryError",
    "RiskError",
    "SharedBookError",
    "StoreCorrupt",
    "StoreError",
    "StoreInUse",
    "StoreTaken",
    "StoreTooNew",
    "StoreUnavailable",
    "Unanswered",
    "UndefinedMeasure",
    "UnknownRequest",
    "shown",
]


class RiskError(Exception):
    """Base of all errors of this package; catch it to catch them all."""


class ConfigurationError(RiskError, ValueError):
    """A setting is wrong. The text names the key, its source and the remedy."""


class InvalidRequest(RiskError, ValueError):
    """A call is malformed. Nothing was changed; mend `field` and call again.

    Parameters
    ----------
    code : str
        Stable upper-case code, such as ``NOT_POSITIVE``.
    field : str
        Name of the argument at fault.
    message : str
        A sentence for a person: the value and the remedy.
    """

    def __init__(self, code: str, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class UnknownRequest(InvalidRequest):
    """A fill report names a request id that was never given out. It was recorded, not booked."""


class MarketDataError(RiskError, ValueError):
    """Prices could not be read or aligned. The text names the file, line or symbol."""


class MissingExtra(MarketDataError):
    """An optional library is not installed; the text says which extra to install."""


class MeasureError(RiskError, ValueError):
    """A risk number can't be computed from these inputs; the text says why."""


class InsufficientData(MeasureError):
    """Fewer observations than the method needs. Hand in a longer history or choose another method."""


class InvalidReturns(MeasureError):
    """The inputs hold NaN, infinity, text or a wrong shape. Clean them before measuring."""


class UndefinedMeasure(MeasureError):
    """The inputs lie outside the method's domain, such as a constant series for a correlation."""


class RegistryError(RiskError):
    """Two extensions claim one name, or one can't be loaded. The start stops here."""


class SharedBookError(RiskError):
    """A monitor made by the manager shares its book; change the book through the manager instead."""


class AlreadyInitialized(RiskError):
    """The process-wide instance exists with another configuration; shut it down first."""


class StoreError(RiskError):
    """The durable store can't serve; the text says why and what to do."""


class StoreUnavailable(StoreError):
    """A write did not reach the disk. Nothing of it happened; ask again with the same id."""


class AnswerUnreadable(StoreUnavailable):
    """An id was answered before, and the store that holds the answer can't be read. Ask again with it."""


class StoreTaken(StoreUnavailable):
    """Another engine has taken the store over while this one could not be heard: this one is out of it."""


class EngineEnded(StoreError):
    """The engine gave the book back and decides nothing more. Ask the one that serves it now."""


class StoreInUse(StoreError):
    """Another process works on the store; the text names it. One engine serves one store."""


class StoreCorrupt(StoreError):
    """What is stored contradicts itself. Restore a backup; the text names the first bad entry."""


class StoreTooNew(StoreError):
    """The store was written by a newer version of this package. Install that version."""


class BrokerError(RiskError):
    """The broker can't be worked with; the text names it and says what to do."""


class BrokerUnavailable(BrokerError):
    """A broker gave no usable answer. What was asked may have been done: ask again with the same id."""


class OrderRejected(BrokerError):
    """A broker refused an order, and none exists there. Mend what the code names, or trade elsewhere.

    Parameters
    ----------
    code : str
        ``INSUFFICIENT_FUNDS``, ``MARKET_NOT_OPEN``, ``ORDER_TOO_SMALL``, ``NOT_REDUCING``, ``NOT_TRADED``,
        ``NOT_SUPPORTED``, ``NOT_PERMITTED``, or ``BROKER_REFUSED`` for all else.
    message : str
        A sentence for a person, with the broker's own words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(RiskError):
    """A risk system in another process gave no answer in time. What was asked may have been done: ask again
    with the same id.

    Parameters
    ----------
    code : str
        ``UNANSWERED``, or why it was not served: ``OVERLOADED``, ``STORE_UNAVAILABLE``.
    message : str
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LedgerError(RiskError):
    """An invariant of the ledger does not hold. Trading stops; report it with the journal."""


def shown(value: object) -> str:
    """A value for an error text, at most 60 characters; one that can't be written is named by its type."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an error text must not fail, whatever it is handed
        text = f"<{type(value).__name__} that can't be shown>"
    return text[:60]
