"""The pictures of docs/dashboard.md: a served demo, looked at by Chromium, where that is installed.

python tools/screenshots.py            # writes docs/images/page-*.png, each below 200 kB
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
MOST_BYTES = 200_000
WIDE, PHONE = {"width": 1320, "height": 780}, {"width": 390, "height": 844}
PICTURES = (
    ("overview", "dark", WIDE, "overview", ".trail"),
    ("positions", "light", WIDE, "heatmap", "[data-drawn=heat]"),
    ("phone", "dark", PHONE, "overview", ".trail"),
)
"""Name, theme, size, view, and what has to be there."""
MOMENT = "2020-03-18"
"""The pictures are taken from this day of the replay on: in the middle of the crash."""
LINK = re.compile(r"http://\S+/login\?code=\S+")
FLAGS = ["--no-sandbox", "--disable-gpu"]
AS_OF = "fetch('pulse').then(r => r.json()).then(found => found.as_of)"


def main() -> None:
    """Serve, wait for the crash, take the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder:
        words = ["demo", "--serve", "--port", "0", "--speed", "3", "--store", folder]
        risk = Path(sys.executable).with_name("risk")
        served = subprocess.Popen([risk, *words], stdout=subprocess.PIPE, text=True)
        try:
            lines = iter(served.stdout.readline, "")
            link = next(found[0] for line in lines if (found := LINK.search(line)))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                first = browser.new_context()
                first.new_page().goto(link)
                take(browser, first.storage_state(), link.partition("/login")[0])
                browser.close()
        finally:
            served.terminate()
            served.wait(20)


def take(browser, signed_in, address: str) -> None:
    for name, theme, size, view, awaited in PICTURES:
        context = browser.new_context(
            viewport=size, color_scheme=theme, storage_state=signed_in, reduced_motion="reduce"
        )
        page = context.new_page()
        page.goto(f"{address}/api/risk/dashboard#/{view}")
        while page.evaluate(AS_OF) < MOMENT:
            page.wait_for_timeout(300)
        page.locator(awaited).first.wait_for(timeout=60_000)
        page.wait_for_timeout(1_000)
        file = IMAGES / f"page-{name}.png"
        page.screenshot(path=file)
        written = file.stat().st_size
        print(f"{file.name}: {written / 1000:.0f} kB")
        if written > MOST_BYTES:
            sys.exit(f"{file.name} has {written} bytes, allowed are {MOST_BYTES}")
        context.close()


if __name__ == "__main__":
    main()
