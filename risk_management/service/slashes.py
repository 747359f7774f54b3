"""Names with a slash in them, as an address says them: ``trades/a%2Fb``.

WSGI hands on the path decoded, where that slash looks like one between two segments. The address as it was
sent tells them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from flask import current_app
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from flask import Request

__all__ = ["place_with_slashes"]

WITHIN: Final = "\ud800"
"""Stands for a slash within a segment while routes are looked up; nothing decodes to it."""


def place_with_slashes(call: Request) -> tuple[str, dict[str, str]] | None:
    """The endpoint of an address and the names in it, where a name holds a slash; else None.

    Parameters
    ----------
    call : Request
        From a server that keeps the address as it came (``REQUEST_URI`` or ``RAW_URI``, as waitress,
        werkzeug and gunicorn do); from any other the slash can't be told, and the answer is None.
    """
    sent = str(call.environ.get("REQUEST_URI") or call.environ.get("RAW_URI") or "").partition("?")[0]
    if "%2f" not in sent.lower():
        return None
    segments = [unquote(segment) for segment in sent.split("/")]
    if not "/".join(segments).endswith(call.path):  # it was rewritten on the way
        return None
    # what stands before is the server's and where the app is mounted
    shielded = "/".join(segment.replace("/", WITHIN) for segment in segments)[-len(call.path) :]
    try:
        endpoint, names = current_app.create_url_adapter(call).match(shielded, call.method)  # type: ignore[union-attr]
    except HTTPException:
        return None
    return endpoint, {name: text.replace(WITHIN, "/") for name, text in names.items()}
