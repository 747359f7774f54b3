"""Who may import whom: only upwards, no cycles; and what no module may do. Proved on the syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import risk_management

ROOT = Path(risk_management.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py") if "tests" not in p.relative_to(ROOT).parts)

LEVELS = {
    1: ("errors", "clock", "registry"),
    2: ("measures", "model", "config"),
    3: (
        "market_data.returns",
        "market_data._alignment",
        "market_data._series",
        "core",
        "calculators",
        "monitors",
    ),
    4: ("checks", "alerts", "market_data", "brokers", "store"),
    5: (
        "core.order_desk",
        "core.liquidation.desk",
        "core.heartbeats",
        "core.protocol",
        "core.watch",
        "core.manager",
        "core.risk_manager",
    ),
    6: ("integration", "dashboard", "service", "replay", "simulate", "report", "plots", "cli", "demo"),
}
SANCTIONED = {"core.foundation"}
"""The one place of the core that asks for data."""
EXCEPT_EXCEPTION = {
    "core/decision.py",
    "integration/monitoring.py",
    "alerts/delivery.py",
    "alerts/telling.py",
    "errors.py",
}
"""The check runner, the service loop, alert delivery, and the text of a value in an error."""


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def level_of(module: str) -> int:
    """The level of the longest prefix that is listed."""
    best = max(
        (
            (prefix, level)
            for level, prefixes in LEVELS.items()
            for prefix in prefixes
            if _is_in(module, prefix)
        ),
        key=lambda pair: len(pair[0]),
        default=("", 0),
    )
    return best[1]


def _is_in(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def imports_of(path: Path, *, types_too: bool) -> set[str]:
    """Modules of this package that a file imports, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    if not types_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped |= {id(child) for part in node.body for child in ast.walk(part)}
    found = set()
    known = {name_of(p) for p in FILES}
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if node.module == "risk_management" or node.module.startswith("risk_management."):
            base = node.module.removeprefix("risk_management").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                found.add(inner if inner in known else base)
    return found - {""}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_upwards(path):
    module = name_of(path)
    if module == "" or module in SANCTIONED:
        return
    level = level_of(module)
    assert level, f"{module} stands in no room of the house; add it to LEVELS"
    for other in imports_of(path, types_too=False):
        if level == 3 and other in SANCTIONED:
            continue
        assert level_of(other) <= level, f"{module} (level {level}) imports {other} (level {level_of(other)})"


def test_there_are_no_cycles():
    graph = {name_of(p): imports_of(p, types_too=False) for p in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module in done:
            return
        for other in sorted(graph.get(module, ())):
            if other != module and not _is_in(module, other):
                visit(other, (*trail, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_house_rules(path):
    """No print, no eval, no global, no clock but the one, and errors are caught by kind."""
    relative = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "eval", "exec", "compile"}, f"{relative}:{node.lineno} {called}"
            if relative != "clock.py":
                banned = {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.monotonic"}
                assert called not in banned, f"{relative}:{node.lineno} reads the time by itself"
        assert not isinstance(node, ast.Global), f"{relative}:{node.lineno} global"
        if isinstance(node, ast.ExceptHandler) and relative not in EXCEPT_EXCEPTION:
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"Exception", "BaseException", "everything"}, f"{relative}:{node.lineno}"


def test_importing_the_package_is_light():
    """No thread, no web framework, no pandas: only what is asked for is loaded."""
    code = (
        "import sys, threading, risk_management; "
        "heavy = {'flask', 'pandas', 'numpy', 'scipy', 'cvxpy', 'pydantic', 'plotly'} & set(sys.modules); "
        "assert not heavy, heavy; assert threading.active_count() == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(risk_management.__all__))
def test_public_names_load_and_are_documented(name):
    value = getattr(risk_management, name)
    if name != "__version__":
        assert (value.__doc__ or "").strip(), f"{name} has no docstring"
