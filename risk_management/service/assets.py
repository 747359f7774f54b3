"""The files of the page: served from the package, compressed once, kept by browsers for good.

An address holds a digest of what it serves, so that a newer version is another address and an older one is
gone. plotly.js comes from the plotly package that is installed, at an address of its own.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["PLOTLY", "Asset", "asset", "page", "page_version", "plotly_version"]

PLOTLY: Final = "plotly.min.js"
KINDS: Final = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class Asset(NamedTuple):
    """A file as it is sent.

    Parameters
    ----------
    data, packed : bytes
        As it is, and compressed by gzip.
    mimetype : str
    """

    data: bytes
    packed: bytes
    mimetype: str


def _folder() -> Traversable:
    return files("risk_management.dashboard") / "static"


def _names() -> list[str]:
    return sorted(file.name for file in _folder().iterdir() if Path(file.name).suffix in KINDS)


@cache
def page_version() -> str:
    """A digest of all files of the page."""
    digest = hashlib.sha256()
    for name in [*_names(), "page.html"]:
        digest.update(name.encode() + b"\0" + (_folder() / name).read_bytes())
    return digest.hexdigest()[:16]


@cache
def plotly_version() -> str:
    """Of the plotly that is installed, which brings plotly.js."""
    return f"plotly-{version('plotly')}"


def asset(of: str, name: str) -> Asset | None:
    """A file of the page in a version, None where that version or file is not served."""
    if name == PLOTLY:
        return _read(name) if of == plotly_version() else None
    return _read(name) if of == page_version() and name in _names() else None


@cache
def _read(name: str) -> Asset:
    data = _plotly().read_bytes() if name == PLOTLY else (_folder() / name).read_bytes()
    return Asset(data, gzip.compress(data, 6, mtime=0), KINDS[Path(name).suffix])


def _plotly() -> Path:
    found = find_spec("plotly")  # looked up, not imported: that would take a second
    places = found.submodule_search_locations if found is not None else None
    if not places:
        raise FileNotFoundError("the package plotly is not installed")
    return Path(next(iter(places))) / "package_data" / PLOTLY


@cache
def _template() -> Template:
    from jinja2 import Environment  # noqa: PLC0415 - only where the page is served

    return Environment(autoescape=True).from_string((_folder() / "page.html").read_text("utf-8"))


def page(**words: str) -> str:
    """The page with its addresses, escaped."""
    return _template().render(words)
