"""Every Python snippet of the README and of the docs runs, in a process of its own kind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from risk_management.integration.trading_integration import shutdown_risk_management

ROOT = Path(__file__).resolve().parents[3]
PAGES = [p for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if p.exists()]
SNIPPETS = [
    pytest.param(code, id=f"{page.name}:{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.S | re.M))
]
pytestmark = pytest.mark.skipif(not SNIPPETS, reason="the docs are not in the installed package")


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippet_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "risk.toml").write_text("[portfolio_limits]\nmax_single_position = 0.12\n")
    try:
        exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})  # noqa: S102 - our own pages
    finally:
        shutdown_risk_management()
