"""The pages build as a site without a warning, load nothing from elsewhere, and their commands run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the docs are not in the installed package")
ELSEWHERE = re.compile(
    r"""(?:<script[^>]+src|<link[^>]+rel="?(?:stylesheet|preconnect)[^>]+href|@import\s+url)"""
    r"""[=("']+https?://"""
)
PAGES = [DOCS / "tutorial.md", *sorted(DOCS.glob("how-to-*.md"))] if DOCS.is_dir() else []
SHELL = re.compile(r"^```bash\n(.*?)^```", re.S | re.M)
FINE = {0, 3}
"""Every command of a page ends so: 3 where it shows a breach or a cut."""
PREPARED = """\
risk init --yes --store risk.db > init.out
printf 'symbol,quantity,price,strategy\\nSPY,2,450,momentum\\n' > mine.csv
risk import mine.csv --yes --portfolio-value 10000 --high-water-mark 10000 --store risk.db > import.out
"""
"""What the how-tos take for granted: settings and a store."""


def test_every_page_stands_in_the_navigation():
    named = re.findall(r"([a-z-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M)
    assert sorted(named) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [BIN / "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.glob("*.md")))
    assert not [page for page in pages if ELSEWHERE.search(page.read_text("utf-8"))]
    assert "evaluate_trade" in (tmp_path / "api" / "index.html").read_text("utf-8")


def _environment(home):
    paths = f"{BIN}:{os.environ['PATH']}"
    return {"PATH": paths, "HOME": str(home), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder as the how-tos take it for granted, made once."""
    folder = tmp_path_factory.mktemp("prepared")
    subprocess.run(["bash", "-ec", PREPARED], cwd=folder, env=_environment(folder), check=True)
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if SHELL.search(page.read_text("utf-8"))], ids=lambda page: page.stem
)
def test_the_commands_of_a_page_run(page, tmp_path, prepared):
    """One after the other, as somebody would who copies them."""
    if page.stem != "tutorial":
        shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    blocks = SHELL.findall(page.read_text("utf-8"))
    script = "".join(f'{block}\necho "[block ends with $?]"\n' for block in blocks)
    done = subprocess.run(
        ["bash", "-c", "set -m\n" + script.replace("8321", port)],
        cwd=tmp_path,
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    codes = [int(code) for code in re.findall(r"\[block ends with (\d+)\]", said)]
    assert len(codes) == len(blocks), said
    assert set(codes) <= FINE, said
    assert "error:" not in said.lower(), said
    if page.stem == "tutorial":
        assert re.search(r"^first: False NO_PRICE", said, re.M), said
        assert "second: True 800" in said
        assert "SINGLE_NAME_LIMIT" in said
