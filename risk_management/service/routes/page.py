"""The page and its files, open to anyone: they hold nothing of the book."""

from __future__ import annotations

import json
from typing import Final

from risk_management.model.codes import Code
from risk_management.service.answers import Open
from risk_management.service.assets import PLOTLY, asset, page, page_version, plotly_version
from risk_management.service.problems import Problem
from risk_management.service.route import Answer, Call, Route

__all__ = ["HOME", "PAGE_POLICY", "ROUTES"]

PAGE_POLICY: Final = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Scripts come from this server's files alone. plotly.js sets styles on what it draws and draws heatmaps as
images in its text, so that both are allowed; neither can run anything."""
FOR_GOOD: Final = "public, max-age=31536000, immutable"


def shell(call: Call) -> Answer:
    """The page, empty until it has asked for the book in the name of who looks at it."""
    base = call.address.rstrip("/").rpartition("/")[0] + "/"
    text = page(
        base=base,
        static=f"{base}static/{page_version()}/",
        plotly=f"{base}static/{plotly_version()}/{PLOTLY}",
        version=page_version(),
    )
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    return Answer(text, headers=headers, mimetype="text/html; charset=utf-8")


def file(call: Call) -> Answer:
    """A file of the page in one version: its address says what it holds."""
    found = asset(call.path["version"], call.path["name"])
    if found is None:
        raise Problem(Code.NOT_FOUND, "name", "there is no such file in this version; load the page again")
    headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding", "Content-Security-Policy": PAGE_POLICY}
    if "gzip" in call.accepts:
        return Answer(found.packed, headers={**headers, "Content-Encoding": "gzip"}, mimetype=found.mimetype)
    return Answer(found.data, headers=headers, mimetype=found.mimetype)


def manifest(call: Call) -> Answer:
    """What a phone needs to put the page on its home screen."""
    base = call.address.rpartition("/")[0] + "/"
    said = {
        "name": "Risk",
        "short_name": "Risk",
        "start_url": f"{base}dashboard",
        "scope": base,
        "display": "standalone",
        "background_color": "#0E1115",
        "theme_color": "#0E1115",
        "icons": [
            {"src": f"{base}static/{page_version()}/icon.svg", "sizes": "any", "type": "image/svg+xml"}
        ],
    }
    return Answer(json.dumps(said), mimetype="application/manifest+json")


def home(_call: Call) -> Answer:
    """To the page."""
    return Answer("", 303, {"Location": "api/risk/dashboard"}, "text/plain")


ROUTES: Final = (
    Route("GET", "/dashboard", None, "The page", shell, mimetype="text/html"),
    Route(
        "GET",
        "/static/{version}/{name}",
        None,
        "A file of the page",
        file,
        mimetype="application/octet-stream",
        refuses=(404,),
    ),
    Route(
        "GET",
        "/manifest.json",
        None,
        "The page as an app",
        manifest,
        answers=Open,
        mimetype="application/manifest+json",
    ),
)
HOME: Final = (Route("GET", "/", None, "To the page", home, status=(303,), mimetype="text/plain"),)
