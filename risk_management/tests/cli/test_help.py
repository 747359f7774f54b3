"""Every command explains itself: what it does, an example, how it ends, and JSON where it prints data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from risk_management.cli._ends import ENDS, commands_of
from risk_management.cli.main import app

COMMANDS = dict(commands_of(app))
NO_JSON = {
    "serve",  # goes on until it is stopped, and prints where it is
}
COMMON = {0: "fine", 1: "an error", 2: "wrong usage"}
PAGE = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


@pytest.fixture(scope="module")
def helps():
    """The help of each command, asked once, in one line."""
    run = CliRunner(env={"COLUMNS": "300"}).invoke
    said = {}
    for words in COMMANDS:
        answer = run(app, [*words.split(), "--help"])
        assert answer.exit_code == 0, answer.output
        said[words] = " ".join(answer.output.split())
    return said


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_explains_itself(helps, words):
    text = helps[words]
    assert text.count(f"risk {words}") >= 2  # the line of usage, and an example
    assert "--config FILE, --prices PATH, --level LEVEL" in text
    for code, when in {**COMMON, **ENDS.get(words, {})}.items():
        assert re.search(rf"\b{code} [^;]*{re.escape(when)}", text), (code, when)
    assert ("--json" in text) is (words not in NO_JSON)


def test_the_list_of_ends_names_commands_that_there_are():
    assert ENDS.keys() <= COMMANDS.keys()


def _rows():
    """Cells of the table of commands."""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("| `risk "):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


@pytest.mark.skipif(not PAGE.is_file(), reason="the docs are not in the installed package")
def test_the_page_names_every_command_and_how_it_ends():
    groups = {words.split()[0] for words in COMMANDS if " " in words}
    named: dict[str, dict[int, str]] = {}
    for cells in _rows():
        first, *others = (found.removeprefix("risk ").split() for found in re.findall(r"`([^`]+)`", cells[0]))
        group = f"{first[0]} " if first[0] in groups else ""
        ones = [group + (first[1] if group else first[0])]
        ones += [group + other[-1 if other[0] == first[0] else 0] for other in others]
        told = re.findall(r"(?:`([a-z]+)` )?(\d+): ([^;|]+)", cells[2] if len(cells) > 2 else "")
        for one in ones:
            ends = {int(code): when.strip() for sub, code, when in told if not sub or one.endswith(f" {sub}")}
            named[one] = {**named.get(one, {}), **ends}
    assert named.keys() == COMMANDS.keys()
    assert {words: ends for words, ends in named.items() if ends} == ENDS
