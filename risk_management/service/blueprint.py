"""The addresses as Flask serves them: guard first, then the body, then the route."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from risk_management.dashboard.plain import as_json
from risk_management.errors import (
    AnswerUnreadable,
    EngineEnded,
    InvalidRequest,
    RiskError,
    StoreUnavailable,
)
from risk_management.model.codes import Code
from risk_management.service.guard import Admitted, Guard
from risk_management.service.problems import Problem, status_of
from risk_management.service.reading import read, read_query
from risk_management.service.route import Answer, Call, Route, Views
from risk_management.service.sessions import COOKIE
from risk_management.service.slashes import place_with_slashes
from risk_management.service.strict_json import MOST_BYTES, check_texts, read_object

if TYPE_CHECKING:
    from risk_management.service.live import Live

__all__ = ["BLUEPRINT", "error_body", "failed", "make_blueprint", "with_headers"]

logger = logging.getLogger(__name__)

BLUEPRINT: Final = "risk_management"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NOWHERE: Final[tuple[str, dict[str, Route]]] = ("", {})
"""An address that is none."""
HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def make_blueprint(
    routes: Iterable[Route],
    guard: Guard,
    views: Views,
    *,
    name: str = BLUEPRINT,
    live: Live | None = None,
) -> Blueprint:
    """A blueprint of these routes, and of nothing but a refusal for all else under its prefix.

    Parameters
    ----------
    routes : iterable of Route
    guard : Guard
    views : Views
    name : str
    live : Live, optional
        Tells open pages what changes.
    """
    blueprint = Blueprint(name, __name__)
    paths: dict[str, dict[str, Route]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = route
    rules = {path.replace("{", "<").replace("}", ">"): (path, methods) for path, methods in paths.items()}
    rules = {**dict.fromkeys(("/", "/<path:rest>"), NOWHERE), **rules}  # all else under the prefix
    by_endpoint = {}
    for number, (rule, known) in enumerate(rules.items()):
        by_endpoint[f"{name}.{number}"] = known
        blueprint.add_url_rule(
            rule,
            endpoint=str(number),
            view_func=_serving(views, guard, live),
            methods=METHODS,
            provide_automatic_options=False,
            strict_slashes=False,
        )

    def admit() -> None:
        endpoint = str(request.endpoint)
        found = place_with_slashes(request)
        if found is not None:
            endpoint, request.view_args = found
        g.risk = guard.admit(request, *by_endpoint.get(endpoint, NOWHERE))

    blueprint.before_request(admit)
    blueprint.after_request(with_headers)
    blueprint.register_error_handler(RiskError, failed)
    blueprint.register_error_handler(Exception, failed)
    return blueprint


def _serving(views: Views, guard: Guard, live: Live | None) -> Callable[..., Response]:
    def serve(**path: str) -> Response:
        admitted: Admitted = g.risk
        route = admitted.route
        call = Call(
            views,
            admitted.who,
            path,
            _body(route),
            admitted.csrf,
            guard.sessions,
            live,
            request.script_root + request.path,
            request.host,
            request.headers.get("Accept-Encoding", ""),
            request.cookies.get(COOKIE, ""),
        )
        return _response(route.handle(call))

    return serve


def _body(route: Route) -> Any:
    """What was asked, as the route wants it."""
    if route.asks is None:
        return None
    if not route.changes:
        return read_query(route.asks, request.args.to_dict(flat=False))
    if (request.content_length or 0) > MOST_BYTES:
        raise Problem(Code.BODY_TOO_LARGE, "", f"a body has at most {MOST_BYTES} bytes")
    if request.mimetype != "application/json":
        raise Problem(Code.NOT_JSON, "", "send JSON, with Content-Type: application/json")
    said = read_object(request.stream.read(MOST_BYTES + 1))
    asked = read(route.asks, said)
    check_texts(said)
    return asked


def _response(answer: Answer) -> Response:
    body = as_json(answer.body) if isinstance(answer.body, dict) else answer.body
    response = Response(body, status=answer.status, content_type=answer.mimetype)
    response.headers.extend(answer.headers)
    if isinstance(body, Iterator):
        return response
    if answer.status == HTTPStatus.OK and request.method in ("GET", "HEAD"):
        response.add_etag()
        response.make_conditional(request)
    return response


def error_body(code: str, field: str, message: str) -> str:
    """The one form of an error, as JSON of plain ASCII."""
    return json.dumps({"error": {"code": code, "field": field, "message": message}})


def failed(problem: Exception) -> Response:
    """The answer to what went wrong; of the inside it says nothing, the log does."""
    headers: Mapping[str, str] = {}
    if isinstance(problem, InvalidRequest):
        status, said = status_of(problem.code), (problem.code, problem.field, problem.message)
        headers = getattr(problem, "headers", {})
    elif isinstance(problem, StoreUnavailable):
        logger.error("a write was refused: %s", problem)
        status, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"}
        text = "the store can't be used now; nothing of it happened"
        said = (Code.STORE_UNAVAILABLE, "", str(problem) if isinstance(problem, AnswerUnreadable) else text)
    elif isinstance(problem, EngineEnded):
        status, said = HTTPStatus.SERVICE_UNAVAILABLE, (Code.ENGINE_ENDED, "", str(problem))
    elif isinstance(problem, RiskError):
        logger.error("an address can't be served: %s", problem, exc_info=problem)
        status = HTTPStatus.SERVICE_UNAVAILABLE
        said = (Code.UNAVAILABLE, "", "the risk system can't answer now; its log says why")
    elif isinstance(problem, HTTPException):
        status = HTTPStatus(problem.code or 500)
        said = (_code_of(status), "", problem.description or status.phrase)
    else:
        logger.error("an address failed: %s", type(problem).__name__, exc_info=problem)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        said = (Code.INTERNAL_ERROR, "", "this address failed; the log says why")
    response = Response(error_body(*said), status=status, mimetype="application/json")
    response.headers.extend(headers)
    return response


def _code_of(status: HTTPStatus) -> str:
    known = {
        HTTPStatus.NOT_FOUND: Code.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED: Code.METHOD_NOT_ALLOWED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Code.BODY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Code.NOT_JSON,
    }
    return known.get(
        status, Code.BAD_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else Code.INTERNAL_ERROR
    )


def with_headers(answer: Response) -> Response:
    """The same with what keeps browsers from framing, sniffing, sharing and keeping it, unless said."""
    for name, text in HEADERS.items():
        answer.headers.setdefault(name, text)
    return answer
