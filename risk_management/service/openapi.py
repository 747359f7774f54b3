"""The OpenAPI 3.1 document, made from the routes and the records that they read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from risk_management import __version__
from risk_management.service.answers import ErrorAnswer
from risk_management.service.fields import PRINTABLE
from risk_management.service.route import Route

if TYPE_CHECKING:
    from pydantic import BaseModel

__all__ = ["PREFIX", "document"]

PREFIX: Final = "/api/risk"
REFERENCE: Final = "#/components/schemas/{model}"
JSON: Final = "application/json"


def document(api: Iterable[Route], root: Iterable[Route], prefix: str = PREFIX) -> dict[str, Any]:
    """The document of these routes.

    Parameters
    ----------
    api : iterable of Route
        Under the prefix.
    root : iterable of Route
        At the root.
    prefix : str
    """
    placed = [*((prefix + route.path, route) for route in api), *((route.path, route) for route in root)]
    schemas = _schemas([route for _, route in placed])
    paths: dict[str, Any] = {}
    for path, route in placed:
        paths.setdefault(path, {})[route.method.lower()] = _operation(path, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "risk_management",
            "version": __version__,
            "description": "Every order asks it first. Codes of errors and refusals: docs/codes.md.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    kinds: dict[type[BaseModel], None] = {ErrorAnswer: None}
    for route in routes:
        kinds.update(dict.fromkeys(kind for kind in (route.asks, route.answers) if kind is not None))
    _, made = models_json_schema([(kind, "validation") for kind in kinds], ref_template=REFERENCE)
    found: dict[str, Any] = made["$defs"]
    return found


def _operation(path: str, route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    scope = "none" if route.access is None else route.access.value
    said: dict[str, Any] = {
        "operationId": _operation_id(route.method, path),
        "tags": [path.removeprefix(PREFIX).split("/")[1]],
        "summary": route.summary,
        "description": f"{(route.handle.__doc__ or '').strip()} Least scope: {scope}.".strip(),
        "x-scope": scope,
        "responses": _responses(route),
    }
    if route.access is None:
        said["security"] = []
    parameters = [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)]
    if route.asks is not None and not route.changes:
        parameters += _query_parameters(schemas[route.asks.__name__])
    if parameters:
        said["parameters"] = parameters
    if route.asks is not None and route.changes:
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": _named(route.asks)}}}
    return said


def _operation_id(method: str, path: str) -> str:
    """A name for generated clients: ``post_trades_executions``, ``get_trades_by_request_id``."""
    parts = path.removeprefix(PREFIX).strip("/").split("/")
    named = re.sub(r"\{(\w+)\}", r"by_\1", parts[-1])
    place = () if path.startswith(PREFIX) else ("service",)
    words = [method.lower(), *place, *(part for part in parts[:-1] if "{" not in part), named]
    return re.sub(r"[^a-z]+", "_", "_".join(words)).strip("_")


def _responses(route: Route) -> dict[str, Any]:
    content = {
        route.mimetype: {"schema": {"type": "string"} if route.answers is None else _named(route.answers)}
    }
    made = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content} for status in route.status
    }
    for status in sorted(_problems(route)):
        error = {JSON: {"schema": _named(ErrorAnswer)}}
        made.setdefault(str(status), {"description": HTTPStatus(status).phrase, "content": error})
    return made


def _problems(route: Route) -> set[int]:
    """Statuses of what may go wrong."""
    found = {403, 503, *route.refuses}
    if route.access is not None:
        found |= {401, 429, 431}
    if route.asks is not None or "{" in route.path:
        found.add(400)
    if "{" in route.path:
        found.add(404)  # a name with a bare slash is another address
    if route.asks is not None and route.changes:
        found |= {413, 415}
    return found


def _path_parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": PRINTABLE}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    needed = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": of}
        for name, of in schema["properties"].items()
    ]


def _named(kind: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=kind.__name__)}
