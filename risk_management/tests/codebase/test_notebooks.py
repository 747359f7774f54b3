"""The notebooks run from top to bottom, and what they print is what is stored in them."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from risk_management.integration.trading_integration import shutdown_risk_management

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 600_000
pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="the docs are not in the installed package")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_prints_what_is_stored(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "notebook"}
    try:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile("".join(cell["source"]), path.name, "exec"), names)  # noqa: S102 - our own
            stored = [line for out in cell["outputs"] for line in out.get("text", ()) if "name" in out]
            assert said.getvalue() == "".join(stored), "run tools/build_notebooks.py"
    finally:
        shutdown_risk_management()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_ran(path):
    """Run in order, without an error, figures as pictures too; and not too large to look at."""
    assert path.stat().st_size < LARGEST
    cells = [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [out for cell in cells for out in cell["outputs"]]
    assert not [out for out in outputs if out["output_type"] == "error"]
    figures = [out["data"] for out in outputs if "application/vnd.plotly.v1+json" in out.get("data", {})]
    assert figures
    assert all("image/png" in data for data in figures)
