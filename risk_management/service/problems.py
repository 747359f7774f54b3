"""What went wrong, as an answer: one code, the field at fault, a sentence for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from risk_management.errors import InvalidRequest
from risk_management.model.codes import Code

__all__ = ["Problem", "status_of"]

STATUS: Final[dict[str, HTTPStatus]] = {
    Code.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.NOT_JSON: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.ALERT_OF_RULE: HTTPStatus.CONFLICT,
    Code.BOT_DISABLED: HTTPStatus.CONFLICT,
    Code.BROKER_REFUSED: HTTPStatus.CONFLICT,
    Code.EXECUTION_CONFLICT: HTTPStatus.CONFLICT,
    Code.HALTED: HTTPStatus.CONFLICT,
    Code.INSUFFICIENT_FUNDS: HTTPStatus.CONFLICT,
    Code.LIQUIDATION_GOES_ON: HTTPStatus.CONFLICT,
    Code.NOTHING_TO_CLOSE: HTTPStatus.CONFLICT,
    Code.NOT_TRADED: HTTPStatus.CONFLICT,
    Code.NO_APPROVAL: HTTPStatus.CONFLICT,
    Code.NO_PAPER_ACCOUNT: HTTPStatus.CONFLICT,
    Code.ORDER_TOO_SMALL: HTTPStatus.CONFLICT,
    Code.PLAN_CHANGED: HTTPStatus.CONFLICT,
    Code.PRICE_OUTLIER: HTTPStatus.CONFLICT,
    Code.REDUCING: HTTPStatus.CONFLICT,
    Code.REQUEST_ID_REUSED: HTTPStatus.CONFLICT,
    Code.RULE_EXISTS: HTTPStatus.CONFLICT,
    Code.TOO_MANY_RULES: HTTPStatus.CONFLICT,
    Code.WRONG_ENVIRONMENT: HTTPStatus.CONFLICT,
    Code.UNKNOWN_ALERT: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_BOT: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_LIQUIDATION: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_REQUEST: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_RULE: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_SILENCE: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_FIGURE: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_STRATEGY: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_SYMBOL: HTTPStatus.NOT_FOUND,
    Code.BAD_CSRF: HTTPStatus.FORBIDDEN,
    Code.BAD_HOST: HTTPStatus.FORBIDDEN,
    Code.BAD_ORIGIN: HTTPStatus.FORBIDDEN,
    Code.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    Code.NOT_LOCAL: HTTPStatus.FORBIDDEN,
    Code.NOT_YOUR_BOT: HTTPStatus.FORBIDDEN,
    Code.HEADER_TOO_LARGE: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    Code.TOO_MANY_REPORTS: HTTPStatus.TOO_MANY_REQUESTS,
    Code.TOO_MANY_TRIES: HTTPStatus.TOO_MANY_REQUESTS,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.ENGINE_ENDED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.NO_STORE: HTTPStatus.NOT_FOUND,
    Code.OVERLOADED: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.STORE_CORRUPT: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Where a code is not 400."""


def status_of(code: str) -> HTTPStatus:
    """The HTTP status of a code."""
    return STATUS.get(code, HTTPStatus.BAD_REQUEST)


class Problem(InvalidRequest):
    """A request that gets no decision. Nothing was changed.

    Parameters
    ----------
    code : str
        One of `Code`.
    field : str
        What is at fault; empty where it is the whole request.
    message : str
    headers : dict, optional
        To be sent with the answer.
    """

    def __init__(self, code: str, field: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(code, field, message)
        self.headers = headers or {}
