"""`python -m bench.fuzz TARGET`: bytes that nobody thought of, led by the code that they reach.

An edge says what is wrong with its input by an error of its own. Whatever else is raised is a find, and so is
an input that takes more than ten seconds or two gigabytes. What follows the target goes to libFuzzer, such as
``-max_total_time=1800``; inputs that led further stay under ``build/fuzz``.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import atheris

with atheris.instrument_imports(include=["risk_management", "lark", "tomllib", "json"]):
    import lark  # noqa: F401 - conditions load it late; a search is led by what it has seen here

    from risk_management.alerts.conditions import ConditionError, compile_condition
    from risk_management.alerts.default_rules import default_rules
    from risk_management.config.risk_config import load_risk_config
    from risk_management.errors import ConfigurationError, StoreCorrupt
    from risk_management.model import events
    from risk_management.service.models import TradeAsked
    from risk_management.service.problems import Problem
    from risk_management.service.reading import read
    from risk_management.service.strict_json import read_object
    from risk_management.store.codec import decode

GOLDEN = Path("risk_management/tests/store/golden/0.1.0.db")
RULES = Path("risk_management/alerts/default_rules.toml")
FOUND = Path("build/fuzz")
_RAM = "/dev/shm" if Path("/dev/shm").is_dir() else None
_KINDS = sorted(events.__all__)
TOLD = 40
"""Entries of the golden journal that the search begins with."""


class Target(NamedTuple):
    """An edge, with examples of what it takes."""

    take: Callable[[bytes], None]
    examples: Callable[[], Iterator[bytes]]


def _condition(data: bytes) -> None:
    with contextlib.suppress(ConditionError):
        compile_condition(data.decode("utf-8", "replace"))


def _body(data: bytes) -> None:
    with contextlib.suppress(Problem):
        read(TradeAsked, read_object(data))


def _settings(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml", dir=_RAM) as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(ConfigurationError):
            load_risk_config(file.name)


def _entry(data: bytes) -> None:
    kind, body = _KINDS[data[0] % len(_KINDS)] if data else "", data[1:].decode("utf-8", "replace")
    for lean in (False, True):
        with contextlib.suppress(StoreCorrupt):
            decode(kind, body, _no_model, lean=lean)


def _no_model(digest: str) -> NoReturn:
    raise StoreCorrupt(f"there is no model {digest}")


def _conditions() -> Iterator[bytes]:
    return (rule.condition.encode() for rule in default_rules(load_risk_config()))


def _bodies() -> Iterator[bytes]:
    order = {"bot_name": "b", "symbol": "KO", "action": "buy", "size": 100.5, "confidence": 1, "price": None}
    yield json.dumps(order).encode()
    yield json.dumps({**order, "request_id": "r-1", "strategy": "s", "reduce_only": True}).encode()


def _files() -> Iterator[bytes]:
    yield b'risk_level = "moderate"\nportfolio_value = 10_000.0\n[var_config]\ndaily_var_limit = 0.02\n'
    yield RULES.read_bytes()


def _entries() -> Iterator[bytes]:
    with contextlib.closing(sqlite3.connect(f"file:{GOLDEN}?mode=ro&immutable=1", uri=True)) as store:
        rows = store.execute("SELECT kind, body FROM journal ORDER BY length(body) LIMIT ?", (TOLD,))
        yield from (bytes([_KINDS.index(kind)]) + body.encode() for kind, body in rows)


TARGETS = {
    "condition": Target(_condition, _conditions),
    "json": Target(_body, _bodies),
    "settings": Target(_settings, _files),
    "journal": Target(_entry, _entries),
}


def main() -> None:
    """Search at one edge until the time is over or something is found."""
    name, *options = sys.argv[1:] or [""]
    if name not in TARGETS:
        sys.exit(f"usage: python -m bench.fuzz {'|'.join(TARGETS)} [-max_total_time=SECONDS ...]")
    target, folder = TARGETS[name], FOUND / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, example in enumerate(target.examples()):
        (folder / f"example{number}").write_bytes(example)
    found = f"-artifact_prefix={FOUND}/found-{name}-"
    limits = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", found]
    atheris.Setup([sys.argv[0], *limits, *options, str(folder)], target.take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
