"""The report on paper: printed to PDF by a browser of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from risk_management.errors import RiskError

__all__ = ["BROWSERS", "NoBrowser", "find_browser", "print_pdf"]

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
    "--virtual-time-budget=20000",
    "--run-all-compositor-stages-before-draw",
)
PATIENCE: Final = 120.0
"""Seconds."""


class NoBrowser(RiskError):
    """No browser was found, or it could not print; the page itself can be printed from any browser."""


def find_browser() -> str | None:
    """Path of the first known browser on this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_pdf(page: Path, file: Path) -> None:
    """Print a report to PDF.

    Parameters
    ----------
    page : Path
        The report as HTML.
    file : Path
        Where the PDF goes.

    Raises
    ------
    NoBrowser
    """
    browser = find_browser()
    if browser is None:
        raise NoBrowser(
            f"a PDF needs a browser, and none of {', '.join(BROWSERS)} is here: install chromium, "
            f"or open {page} in any browser and print it"
        )
    with tempfile.TemporaryDirectory(prefix="risk-report-") as profile:
        made = Path(profile) / "report.pdf"
        # root, as in a container, has no sandbox; the page runs nothing but its own two scripts
        alone = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        address = f"{page.resolve().as_uri()}#print"
        command = [
            browser,
            *FLAGS,
            *alone,
            f"--user-data-dir={profile}/user",
            f"--print-to-pdf={made}",
            address,
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as problem:
            raise NoBrowser(f"{browser} could not print: {problem}; open {page} and print it") from None
        if done.returncode or not made.is_file():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise NoBrowser(f"{browser} could not print: {said[0]}; open {page} and print it")
        shutil.move(made, file)
        file.chmod(0o600)
