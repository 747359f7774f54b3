"""Run the notebooks of docs/notebooks and store what they show; figures also as pictures, for plain pages.

pip install nbclient ipykernel
python tools/build_notebooks.py

The pictures need `playwright` (in the test extra) and the Debian package `chromium`. That the cells run is
tested without any of it (`risk_management/tests/codebase/test_notebooks.py`).
"""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import plotly.graph_objects as go
from nbclient import NotebookClient
from playwright.sync_api import Browser, sync_playwright

from risk_management import plots

NOTEBOOKS = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
FIGURE = "application/vnd.plotly.v1+json"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTH = 720


def picture(browser: Browser, figure: dict, folder: Path) -> str:
    """The figure as a PNG in base64."""
    made, file = go.Figure(figure["data"], figure["layout"]), folder / "figure.html"
    made.write_html(file, include_plotlyjs=True, config=plots.CONFIG)
    height = int(made.layout.height)
    page = browser.new_page(viewport={"width": WIDTH, "height": height})
    page.goto(file.as_uri())
    page.add_style_tag(content="body { margin: 0 }")
    page.evaluate("window.dispatchEvent(new Event('resize'))")
    page.wait_for_timeout(400)
    taken = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    page.close()
    return base64.b64encode(taken).decode()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            NotebookClient(notebook, timeout=600, kernel_name="python3", record_timing=False).execute()
            for cell in notebook.cells:
                for output in cell.get("outputs", []):
                    data = output.get("data", {})
                    data.pop("text/html", None) if FIGURE in data else None
                    if FIGURE in data:
                        data["image/png"] = picture(browser, data[FIGURE], Path(folder))
            notebook.metadata = {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            }
            nbformat.validate(notebook)
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
