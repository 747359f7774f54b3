"""The report as one HTML page: its words by a template, its figures by plotly.js, which it carries itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import plotly
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from risk_management.dashboard.plain import Plain
from risk_management.model.explain import amount
from risk_management.model.vocabulary import VOCABULARY
from risk_management.plots import CONFIG, FIGURES, bare
from risk_management.report.content import ReportContent

__all__ = ["as_html"]

FOLDER: Final = Path(__file__).parent
THEMES: Final = ("dark", "light")
MOST_ALERTS: Final = 50


def as_html(content: ReportContent) -> str:
    """The page, complete in itself.

    Its content security policy lets nothing run but the two scripts in it, and nothing be fetched from any
    host. Without scripts the words and tables remain.
    """
    figures, captions = _figures(content)
    library, program = _library(), _text("report.js")
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment.get_template("report.html").render(
        report=content,
        captions=captions,
        policy=_policy(library, program),
        style=Markup(_text("report.css")),  # noqa: S704 - a file of our own
        library=Markup(library),  # noqa: S704 - plotly.js as its wheel has it
        program=Markup(program),  # noqa: S704 - a file of our own
        data=Markup(_data({"config": CONFIG, "figures": figures})),  # noqa: S704 - JSON without a "<"
        vocabulary=VOCABULARY,
        most_alerts=MOST_ALERTS,
        **content.views,
    )


def _figures(content: ReportContent) -> tuple[dict[str, Plain], dict[str, Plain]]:
    """Every figure in both themes, and what is written above and below it."""
    drawn: dict[str, Plain] = {}
    captions: dict[str, Plain] = {}
    for name, plot in FIGURES.items():
        made = {theme: bare(plot.draw(content.views[plot.view], theme=theme)) for theme in THEMES}
        drawn[name] = {theme: one.to_plotly_json() for theme, one in made.items()}
        meta = made["light"].layout.meta
        captions[name] = {**meta, "title": plot.title, "height": int(made["light"].layout.height)}
    return drawn, captions


def _policy(*scripts: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    # styles inline: plotly.js writes its own into the page
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _data(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _library() -> str:
    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text("utf-8")


def _text(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _amount(value: float | None, unit: str) -> str:
    return "–" if value is None else amount(value, unit)


def _money(value: float | None) -> str:
    return _amount(value, "money")


def _share(value: float | None) -> str:
    return _amount(value, "fraction")


def _when(value: str | datetime | None) -> str:
    if value is None:
        return "–"
    said = value if isinstance(value, str) else value.isoformat()
    return f"{said[:10]} {said[11:16]} UTC" if len(said) > 10 else said


def _words(name: str) -> str:
    return name.replace("_", " ")


def _setting(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "amount": _amount,
    "money": _money,
    "share": _share,
    "when": _when,
    "words": _words,
    "setting": _setting,
}
