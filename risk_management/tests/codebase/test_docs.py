"""The pages that are made from the program are up to date, and no page points nowhere."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="the docs are not in the installed package"
)
MEASURES = [m for m in (ROOT / "risk_management" / "measures").glob("*.py") if not m.name.startswith("_")]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])


def test_made_pages_are_up_to_date():
    done = subprocess.run(
        [sys.executable, "tools/build_docs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tables_are_in_one_piece(page):
    """A row follows a row or opens a table: a row after an empty line, without a rule below, is lost."""
    lines = ["", *page.read_text(encoding="utf-8").splitlines(), ""]
    for before, row, after in zip(lines, lines[1:], lines[2:], strict=False):
        if row.startswith("|") and not before.startswith("|"):
            assert re.match(r"\|[-|: ]+\|$", after), f"{page.name}: {row[:60]}"


@pytest.mark.parametrize("family", sorted({m.stem for m in MEASURES}))
def test_every_measure_stands_on_its_page(family):
    """Functions by their names; a row may shorten the second of a pair, such as `_es` after `normal_var`."""
    page = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    public = importlib.import_module(f"risk_management.measures.{family}").__all__
    missing = {n for n in public if n.islower() and f"`{n}`" not in page}
    shortened = {n for n in missing if re.search(rf"`{n.rsplit('_', 1)[0]}_var`, `_es`", page)}
    assert missing == shortened
