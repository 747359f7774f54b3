"""Every code that an answer may carry. `docs/codes.md` is made from this list."""

from __future__ import annotations

from enum import StrEnum, auto
from typing import Final

from risk_management.model.explain import SENTENCES

__all__ = ["MEANINGS", "Code"]


class Code(StrEnum):
    """Stable words: programs may compare them, and none is ever given another meaning."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    # denied: the request was judged
    BOT_DISABLED = auto()
    BOT_LIMIT = auto()
    BOT_PROBATION = auto()
    BUDGET_LIMIT = auto()
    CASH_LIMIT = auto()
    CHECK_ERROR = auto()
    CLUSTER_LIMIT = auto()
    DRAWDOWN_LIMIT = auto()
    DUPLICATE_INTENT = auto()
    EQUITY_QUARANTINED = auto()
    EQUITY_UNKNOWN = auto()
    ES_LIMIT = auto()
    GROSS_LIMIT = auto()
    HALTED = auto()
    HEAT_LIMIT = auto()
    KELLY_LIMIT = auto()
    LEVERAGE_LIMIT = auto()
    LOW_CONFIDENCE = auto()
    MIN_TRADE_SIZE = auto()
    NET_LIMIT = auto()
    NOTHING_TO_CLOSE = auto()
    NO_PRICE = auto()
    NO_RATE = auto()
    ORDER_QUANTITY = auto()
    ORDER_SIZE = auto()
    OTHER_STRATEGY = auto()
    POSITION_COUNT = auto()
    PRICE_COLLAR = auto()
    PRICE_QUARANTINED = auto()
    RATE_LIMIT = auto()
    REDUCING = auto()
    RISK_PER_TRADE = auto()
    SCALED_DOWN = auto()
    SECTOR_LIMIT = auto()
    SELF_MATCH = auto()
    SHORTS_NOT_ALLOWED = auto()
    SINGLE_NAME_LIMIT = auto()
    STALE_MODEL = auto()
    STALE_PRICE = auto()
    STRATEGY_LIMIT = auto()
    STRESS_LIMIT = auto()
    SYMBOL_BLOCKED = auto()
    UNKNOWN_BOT = auto()
    UNSUPPORTED_CONTRACT = auto()
    VAR_HALT = auto()
    VAR_LIMIT = auto()
    VOLUME_SHARE = auto()
    # malformed: nothing was judged
    ALERT_OF_RULE = auto()
    BODY_NOT_OBJECT = auto()
    BODY_TOO_LARGE = auto()
    DUPLICATE_FIELD = auto()
    DUPLICATE_SCENARIO = auto()
    EMPTY_BOOK = auto()
    EMPTY_SCENARIO = auto()
    FUTURE_TIMESTAMP = auto()
    INCONSISTENT_LIMITS = auto()
    INSTRUMENT_IN_USE = auto()
    INSUFFICIENT = auto()
    INVALID_ACTION = auto()
    INVALID_CONDITION = auto()
    INVALID_ENCODING = auto()
    INVALID_JSON = auto()
    INVALID_KIND = auto()
    INVALID_MODE = auto()
    INVALID_NAME = auto()
    INVALID_ORDER_ID = auto()
    INVALID_PERIOD = auto()
    INVALID_REQUEST_ID = auto()
    INVALID_RULE = auto()
    INVALID_SCOPE = auto()
    INVALID_SYMBOL = auto()
    INVALID_TIMESTAMP = auto()
    MISSING = auto()
    MISSING_FIELD = auto()
    MISSING_PRICE = auto()
    NAIVE_TIME = auto()
    NOT_FINITE = auto()
    NOT_HELD = auto()
    NOT_JSON = auto()
    NOT_POSITIVE = auto()
    OPPOSITE_POSITION = auto()
    OUT_OF_RANGE = auto()
    RATE_JUMP = auto()
    RESERVED_NAME = auto()
    TOO_DEEP = auto()
    TOO_PRECISE = auto()
    TOO_SMALL = auto()
    UNDEFINED = auto()
    UNKNOWN_ACCOUNT = auto()
    UNKNOWN_ALERT = auto()
    UNKNOWN_FAULTS = auto()
    UNKNOWN_FIELD = auto()
    UNKNOWN_LIMIT = auto()
    UNKNOWN_FIGURE = auto()
    UNKNOWN_GROUP = auto()
    UNKNOWN_LIQUIDATION = auto()
    UNKNOWN_METHOD = auto()
    UNKNOWN_RULE = auto()
    UNKNOWN_SILENCE = auto()
    UNKNOWN_STRATEGY = auto()
    UNKNOWN_THEME = auto()
    UNKNOWN_SYMBOL = auto()
    WRONG_TYPE = auto()
    # at odds with what is known
    EXECUTION_CONFLICT = auto()
    LIQUIDATION_GOES_ON = auto()
    NO_APPROVAL = auto()
    NO_PAPER_ACCOUNT = auto()
    PLAN_CHANGED = auto()
    PRICE_OUTLIER = auto()
    REQUEST_ID_REUSED = auto()
    RULE_EXISTS = auto()
    TOO_MANY_REPORTS = auto()
    TOO_MANY_RULES = auto()
    UNKNOWN_REQUEST = auto()
    WRONG_ENVIRONMENT = auto()
    # recorded: a fact, and what is odd about it
    CASH_TOLERATED = auto()
    CLOCK_STEPPED = auto()
    LATE_FILL = auto()
    OFF_PRICE = auto()
    OUT_OF_ORDER = auto()
    OVERFILL = auto()
    QUARANTINED = auto()
    RECONCILED = auto()
    RECONCILIATION_BREAK = auto()
    RUNAWAY_BOT = auto()
    UNAPPROVED_FILL = auto()
    # refused by the broker
    BROKER_REFUSED = auto()
    INSUFFICIENT_FUNDS = auto()
    MARKET_NOT_OPEN = auto()
    NOT_PERMITTED = auto()
    NOT_REDUCING = auto()
    NOT_SUPPORTED = auto()
    NOT_TRADED = auto()
    ORDER_TOO_SMALL = auto()
    # who may ask
    BAD_CSRF = auto()
    BAD_HOST = auto()
    BAD_ORIGIN = auto()
    HEADER_TOO_LARGE = auto()
    NOT_ALLOWED = auto()
    NOT_LOCAL = auto()
    NOT_YOUR_BOT = auto()
    TOO_MANY_TRIES = auto()
    UNAUTHENTICATED = auto()
    # the service
    BAD_REQUEST = auto()
    ENGINE_ENDED = auto()
    INTERNAL_ERROR = auto()
    METHOD_NOT_ALLOWED = auto()
    NOT_FOUND = auto()
    NO_STORE = auto()
    OVERLOADED = auto()
    STORE_CORRUPT = auto()
    STORE_UNAVAILABLE = auto()
    UNANSWERED = auto()
    UNAVAILABLE = auto()


MEANINGS: Final[dict[str, dict[Code, str]]] = {
    "Denied: the request was judged (HTTP 200, `approved` false or a smaller size)": {
        Code(code): text.format(subject="...", measured="x", limit="y")
        for code, text in sorted(SENTENCES.items())
    },
    "Malformed: nothing was judged, the id is not consumed (HTTP 400 unless said otherwise)": {
        Code.ALERT_OF_RULE: "an alert that its cause ends by itself; acknowledge or silence it (409)",
        Code.BODY_NOT_OBJECT: "the body is JSON, but no object",
        Code.BODY_TOO_LARGE: "the body is larger than 64 KiB (413)",
        Code.DUPLICATE_FIELD: "a field stands twice",
        Code.DUPLICATE_SCENARIO: "a scenario of this name exists",
        Code.EMPTY_BOOK: "nothing is held that could be measured",
        Code.EMPTY_SCENARIO: "a scenario without a shock",
        Code.FUTURE_TIMESTAMP: "a time more than 5 s in the future",
        Code.INCONSISTENT_LIMITS: "limits that contradict each other",
        Code.INSTRUMENT_IN_USE: "facts of an instrument that can't change while it is held",
        Code.INSUFFICIENT: "too few observations",
        Code.INVALID_ACTION: "neither buy nor sell",
        Code.INVALID_CONDITION: "a rule's condition can't be used; the text names the column",
        Code.INVALID_ENCODING: "the body is not UTF-8, begins with a byte order mark, or a text of it holds "
        "half a surrogate pair",
        Code.INVALID_JSON: "the body is empty or not JSON",
        Code.INVALID_KIND: "no kind of cash that is known",
        Code.INVALID_MODE: "no mode or scope that is known",
        Code.INVALID_NAME: "not 1 to 128 printable characters",
        Code.INVALID_ORDER_ID: "an order id for a broker is not 1 to 18 letters and digits",
        Code.INVALID_PERIOD: "no day, moment or entry, or nothing lies in between",
        Code.INVALID_REQUEST_ID: "not 1 to 128 printable characters, or an id that is given out here",
        Code.INVALID_RULE: "an alert rule that can't be used",
        Code.INVALID_SCOPE: "no part of the book that a liquidation could close",
        Code.INVALID_SYMBOL: "not 1 to 32 plain letters, digits or . _ / : = ^ -",
        Code.INVALID_TIMESTAMP: "no time in ISO 8601 with its zone, or in an impossible year",
        Code.MISSING: "two values belong together and one is missing",
        Code.MISSING_FIELD: "a field is missing or null",
        Code.MISSING_PRICE: "a position without a price",
        Code.NAIVE_TIME: "a time without a zone",
        Code.NOT_FINITE: "NaN or infinite",
        Code.NOT_HELD: "nothing is held that could break it",
        Code.NOT_JSON: "the content type is not application/json (415)",
        Code.NOT_POSITIVE: "zero or negative where a positive number is needed",
        Code.OPPOSITE_POSITION: "long and short of one owner in one symbol",
        Code.OUT_OF_RANGE: "a number outside its range; the text gives it",
        Code.RATE_JUMP: "an exchange rate that jumped and was not confirmed",
        Code.RESERVED_NAME: "a name that is not for bots",
        Code.TOO_DEEP: "JSON nested more than 16 deep",
        Code.TOO_PRECISE: "a number of more than 17 significant digits",
        Code.TOO_SMALL: "less than the smallest unit of the ledger",
        Code.UNDEFINED: "nothing can be computed from it",
        Code.UNKNOWN_ACCOUNT: "no account of this name",
        Code.UNKNOWN_ALERT: "no active alert of this id (404)",
        Code.UNKNOWN_FAULTS: "no group of simulated faults of this name",
        Code.UNKNOWN_FIELD: "a field, setting or query word that is not known",
        Code.UNKNOWN_LIMIT: "no limit of this name",
        Code.UNKNOWN_FIGURE: "no figure of this name (404)",
        Code.UNKNOWN_GROUP: "positions and components group by other words; the text names them",
        Code.UNKNOWN_LIQUIDATION: "no liquidation of this id goes on or has just ended (404)",
        Code.UNKNOWN_METHOD: "no VaR method, or way or measure of a risk budget, of this name",
        Code.UNKNOWN_RULE: "no alert rule of this id (404)",
        Code.UNKNOWN_SILENCE: "no silence of this id stands; it may have ended (404)",
        Code.UNKNOWN_STRATEGY: "no strategy of this name is held or traded here: its mode was not set (404)",
        Code.UNKNOWN_THEME: "a figure is dark or light",
        Code.UNKNOWN_SYMBOL: "no symbol of this name is known here: nothing was set or shown (404)",
        Code.WRONG_TYPE: "a value of another type: text for a number, a number for true or false",
    },
    "At odds with what is known (HTTP 409 unless said otherwise)": {
        Code.EXECUTION_CONFLICT: "an execution id with other numbers, or another symbol or side; told",
        Code.LIQUIDATION_GOES_ON: "a part of the book can't trade while it is being closed",
        Code.NO_APPROVAL: "nothing of a request may be sent: refused, cancelled, reported or past its time",
        Code.NO_PAPER_ACCOUNT: "no paper account takes the order; the bot gives it to its own broker",
        Code.PLAN_CHANGED: "a liquidation's plan rests on other positions than there are now",
        Code.PRICE_OUTLIER: "a fill at a price beyond belief: recorded, not booked, told",
        Code.REQUEST_ID_REUSED: "a request id with another request",
        Code.RULE_EXISTS: "an alert rule of this id exists",
        Code.TOO_MANY_REPORTS: "more reports that can't be booked than are recorded in a minute (429)",
        Code.TOO_MANY_RULES: "more alert rules than are watched",
        Code.UNKNOWN_REQUEST: "no request of this id (404); a fill of it is recorded, not booked (200)",
        Code.WRONG_ENVIRONMENT: "a fill of another environment",
    },
    "Recorded: a fact is kept, and this is odd about it (HTTP 200, or 202)": {
        Code.CASH_TOLERATED: "cash that differed from the broker's by little was booked at once",
        Code.CLOCK_STEPPED: "the wall clock stepped: prices are stale until new ones come",
        Code.LATE_FILL: "a fill after expiry or cancel",
        Code.OFF_PRICE: "a fill further from our fresh price than an order may be",
        Code.OUT_OF_ORDER: "a price older than the stored one: ignored",
        Code.OVERFILL: "a fill of more than was approved; the bot only closes until a person looks",
        Code.QUARANTINED: "a price or equity that is not believed yet: increases wait (202)",
        Code.RECONCILED: "a difference from the broker that was booked to EXTERNAL",
        Code.RECONCILIATION_BREAK: "a difference from the broker that stays open: the larger of both counts",
        Code.RUNAWAY_BOT: "a bot that asked far beyond its rate was switched off",
        Code.UNAPPROVED_FILL: "a broker's fill that nobody approved",
    },
    "Refused by the broker: it took no order (HTTP 409 of an approval sent to the paper account)": {
        Code.BROKER_REFUSED: "for another reason; the text holds the broker's words",
        Code.INSUFFICIENT_FUNDS: "too little cash, margin or units for it",
        Code.MARKET_NOT_OPEN: "closed, halted or in auction",
        Code.NOT_PERMITTED: "the key or the account may not trade so",
        Code.NOT_REDUCING: "an order that may only reduce would have opened",
        Code.NOT_SUPPORTED: "an order of this kind is not taken there",
        Code.NOT_TRADED: "the symbol is not traded there",
        Code.ORDER_TOO_SMALL: "below the least quantity or money",
    },
    "Who may ask": {
        Code.BAD_CSRF: "a change by a browser session without its X-CSRF-Token (403)",
        Code.BAD_HOST: "the Host header is not a name of this server (403)",
        Code.BAD_ORIGIN: "a web page of another origin asked (403)",
        Code.HEADER_TOO_LARGE: "headers are too long (431)",
        Code.NOT_ALLOWED: "the token's scope does not reach that far (403)",
        Code.NOT_LOCAL: "the address answers to its own machine only (403)",
        Code.NOT_YOUR_BOT: "a bot's token asked for another bot (403)",
        Code.TOO_MANY_TRIES: "too many wrong tokens from this address (429)",
        Code.UNAUTHENTICATED: "no valid token (401)",
    },
    "The service": {
        Code.BAD_REQUEST: "no HTTP request that can be read (400)",
        Code.ENGINE_ENDED: "this engine gave the book back; ask the one that serves it now (503)",
        Code.INTERNAL_ERROR: "a fault of ours; the log says why (500)",
        Code.METHOD_NOT_ALLOWED: "this address is not asked this way; see Allow (405)",
        Code.NOT_FOUND: "there is no such address (404)",
        Code.NO_STORE: "the journal is in memory alone (404)",
        Code.OVERLOADED: "more is asked at once than is served; ask again (503)",
        Code.STORE_CORRUPT: "what is stored contradicts itself; the text names the first bad entry (500)",
        Code.STORE_UNAVAILABLE: "a write did not happen, or an earlier answer can't be read (503)",
        Code.UNANSWERED: "said by the client: no answer came in time, so do not trade",
        Code.UNAVAILABLE: "settings or prices keep the risk system from answering (503)",
    },
}
"""What each code means, by the part that it plays."""
