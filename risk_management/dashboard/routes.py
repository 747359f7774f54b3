"""The views over HTTP: a Flask blueprint that reads, for this machine only."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import HTTPException

from risk_management.dashboard.plain import Plain, as_json
from risk_management.errors import RiskError

__all__ = ["BLUEPRINT", "Views", "risk_blueprint"]

logger = logging.getLogger(__name__)

BLUEPRINT: Final = "risk_management"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LOOPBACK_NAME: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?\Z", re.IGNORECASE)
LOOPBACK_ADDRESS: Final = re.compile(r"(127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})\Z")
HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Views(Protocol):
    """What the routes serve."""

    def view(self, name: str) -> Plain:
        """A view by its name."""
        ...


def risk_blueprint(views: Views, names: Sequence[str]) -> Blueprint:
    """A blueprint with one route a view."""
    blueprint = Blueprint(BLUEPRINT, __name__)

    def serve(name: str) -> Response:
        answer = _json(views.view(name))
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    for name in names:
        blueprint.add_url_rule(
            f"/{name}",
            endpoint=name,
            view_func=serve,
            defaults={"name": name},
            methods=METHODS,
            provide_automatic_options=False,
        )
    blueprint.before_request(_guard)
    blueprint.after_request(_with_headers)
    blueprint.register_error_handler(RiskError, _unavailable)
    blueprint.register_error_handler(Exception, _failed)
    return blueprint


def _guard() -> Response | None:
    """An answer for who may not ask, None for who may."""
    if not _is_local(request):
        return _error(
            HTTPStatus.FORBIDDEN,
            "NOT_LOCAL",
            "these addresses answer to this machine only: call them as localhost or 127.0.0.1",
        )
    if request.method not in ("GET", "HEAD"):
        refused = _error(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "these addresses only read")
        refused.headers["Allow"] = "GET, HEAD"
        return refused
    return None


def _is_local(call: Request) -> bool:
    # the name alone can be forged by a neighbour, the address alone by a page that rebinds its name
    name, address = call.host, call.remote_addr or ""
    return bool(LOOPBACK_NAME.match(name) and LOOPBACK_ADDRESS.match(address))


def _unavailable(problem: RiskError) -> Response:
    logger.error("a dashboard view can't be served: %s", problem, exc_info=problem)
    return _error(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "UNAVAILABLE",
        "the risk system can't answer now; its log says why",
    )


def _failed(problem: Exception) -> Response:
    if isinstance(problem, HTTPException):
        status = HTTPStatus(problem.code or 500)
        return _error(status, status.name, status.description or status.phrase)
    logger.error("a dashboard view failed: %s", type(problem).__name__, exc_info=problem)
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "this view failed; the log says why")


def _error(status: HTTPStatus, code: str, message: str) -> Response:
    return _json({"error": {"code": code, "message": message}}, status)


def _json(content: Plain, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(as_json(content), status=status, mimetype="application/json")


def _with_headers(answer: Response) -> Response:
    for name, text in HEADERS.items():
        answer.headers[name] = text
    return answer
