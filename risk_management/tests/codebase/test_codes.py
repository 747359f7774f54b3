"""One list of codes: what the program says, the document explains."""

from __future__ import annotations

import ast
import re

import pytest

from risk_management.model.codes import MEANINGS, Code
from risk_management.model.explain import SENTENCES
from risk_management.service.problems import STATUS
from risk_management.tests.codebase.test_imports import FILES, name_of

SAYING = {"InvalidRequest", "OrderRejected", "UnknownRequest", "Problem", "_alarm", "_set_aside", "_Bad"}


def codes_in(path) -> set[str]:
    """Codes that a file hands to an error or an alarm as plain text."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in SAYING and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                found.add(first.value)
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_is_said_is_in_the_list(path):
    assert codes_in(path) <= set(Code), codes_in(path) - set(Code)


def test_every_code_is_explained_once():
    explained = [code for meanings in MEANINGS.values() for code in meanings]
    assert sorted(explained) == sorted(Code)
    assert all(text for meanings in MEANINGS.values() for text in meanings.values())


def test_a_code_is_its_own_name():
    assert all(code == code.name and re.fullmatch(r"[A-Z][A-Z_]+", code) for code in Code)
    assert set(SENTENCES) < set(Code)
    assert set(STATUS) < set(Code)
