"""`python -m bench.soak`: the long runs of a release, one part after the other; begun again, it goes on.

Every test that is marked `soak` is one part, in a process of its own. What it says of itself - how many
kills, how many cuts - stands in the results with the commit and the time. A part that passed at this commit
is not run again; ``--only WORD`` takes the parts whose name holds the word.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

RESULTS = Path("build/soak.json")
LONGEST = 3600
"""Seconds of one part."""


def main() -> int:
    wanted = _arguments()
    commit = _commit()
    results = _known(wanted.results, commit)
    parts = [name for name in _parts() if wanted.only in name]
    done = {row["part"] for row in results["parts"] if row["outcome"] == "passed"}
    for number, part in enumerate(parts, 1):
        if part in done:
            continue
        print(f"{number} of {len(parts)}: {part}", flush=True)
        row = _run(part)
        print(f"  {row['outcome']} in {row['seconds']:.0f} s: {row['figure']}", flush=True)
        results["parts"] = [old for old in results["parts"] if old["part"] != part] + [row]
        wanted.results.parent.mkdir(parents=True, exist_ok=True)
        wanted.results.write_text(json.dumps(results, indent=1), "utf-8")
    failed = [row["part"] for row in results["parts"] if row["part"] in parts and row["outcome"] != "passed"]
    print(f"{len(parts) - len(failed)} of {len(parts)} parts hold at {commit}; {wanted.results}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="parts whose name holds it")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE")
    return parser.parse_args()


def _known(file: Path, commit: str) -> dict[str, Any]:
    """What was found at this commit so far."""
    fresh = {"commit": commit, "python": platform.python_version(), "cores": os.cpu_count(), "parts": []}
    if not file.exists():
        return fresh
    known = json.loads(file.read_text("utf-8"))
    is_same = known["commit"] == commit and not commit.endswith("+")
    return known if is_same else fresh


def _parts() -> list[str]:
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-m", "soak"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    parts = [line for line in done.stdout.splitlines() if "::" in line]
    if done.returncode or not parts:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return parts


def _run(part: str) -> dict[str, Any]:
    begun, started = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        asked = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "soak",
            part,
            f"--junitxml={report}",
            "-o",
            "junit_family=xunit1",
        ]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=LONGEST)
            outcome, said = _outcome(report, done)
        except subprocess.TimeoutExpired:
            outcome, said = "too long", f"more than {LONGEST} s"
    return {
        "part": part,
        "outcome": outcome,
        "figure": said,
        "begun": f"{begun:%Y-%m-%d %H:%M}",
        "seconds": round(time.monotonic() - started, 1),
    }


def _outcome(report: Path, done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    if not report.exists():
        return "failed", done.stdout[-1000:]
    root = ElementTree.parse(report).getroot()
    figures = [node.get("value", "") for node in root.iter("property") if node.get("name") == "figure"]
    if next(root.iter("skipped"), None) is not None:
        return "skipped", done.stdout[-500:]
    if done.returncode:
        return "failed", done.stdout[-1000:]
    return "passed", "; ".join(figures)


def _commit() -> str:
    """The commit, with a plus where the files differ from it."""
    named = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
    )
    return named.stdout.strip() + ("+" if changed.stdout.strip() else "")


if __name__ == "__main__":
    sys.exit(main())
