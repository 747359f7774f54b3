"""Every Python snippet of the README and of the docs runs, those of a page one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from risk_management.integration.trading_integration import shutdown_risk_management

ROOT = Path(__file__).resolve().parents[3]
PAGES = [p for p in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if p.exists()]
SNIPPETS = [
    pytest.param(codes, id=page.name)
    for page in PAGES
    if (codes := re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.S | re.M))
]
pytestmark = pytest.mark.skipif(not SNIPPETS, reason="the docs are not in the installed package")


@pytest.mark.parametrize("codes", SNIPPETS)
def test_snippets_run(codes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "risk.toml").write_text("[portfolio_limits]\nmax_single_position = 0.12\n")
    names = {"__name__": "snippet"}
    try:
        for code in codes:
            exec(compile(code, "snippet", "exec"), names)  # noqa: S102 - our own pages
    finally:
        shutdown_risk_management()
