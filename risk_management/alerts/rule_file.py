"""Alert rules in a TOML file: one table ``[[rules]]`` each, with the words of `AlertRule`.

Every mistake is told at once, with its line and column and what to write instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

from risk_management.alerts.conditions import ConditionError
from risk_management.alerts.records import AlertRule
from risk_management.alerts.reserved import reserved
from risk_management.errors import ConfigurationError

__all__ = [
    "LARGEST",
    "MOST_RULES",
    "Mistake",
    "RuleFile",
    "parse_rules",
    "read_text",
    "rules_in",
    "tables_in",
]

LARGEST: Final = 2**20
"""Bytes of a file."""
MOST_RULES: Final = 200
FIELDS: Final = tuple(f.name for f in fields(AlertRule))
NEEDED: Final = tuple(f.name for f in fields(AlertRule) if f.default is MISSING and f.name != "channels")
SOUND: Final[Mapping[str, Any]] = {
    "rule_id": "rule",
    "name": "Rule",
    "alert_type": "drawdown",
    "severity": "warning",
    "condition": "drawdown > 0.1",
    "channels": (),
}
"""A rule without a mistake, into which each word of another one is put to see whether it can stand."""
_OWN_PREFIX: Final = re.compile(r"^alert rule '[^']*': ")
_TABLE: Final = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_-]+|\"[^\"]*\")\s*=\s*")
_TOML_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Mistake(NamedTuple):
    """What is wrong, and where; line and column count from 1."""

    line: int
    column: int
    text: str


class RuleFile(NamedTuple):
    """What a text holds.

    Parameters
    ----------
    rules : tuple of AlertRule
        Those without a mistake.
    mistakes : tuple of Mistake
        In order of their place.
    content : Mapping
        All tables of the text, as TOML has them; empty where it is none.
    """

    rules: tuple[AlertRule, ...]
    mistakes: tuple[Mistake, ...]
    content: Mapping[str, Any]


def rules_in(path: str | Path) -> tuple[AlertRule, ...]:
    """The rules of a file.

    Raises
    ------
    ConfigurationError
        Every mistake in a line of its own, as ``file:line:column: text``.
    """
    found = parse_rules(read_text(path), others=("cases",))
    if found.mistakes:
        raise ConfigurationError("\n".join(f"{path}:{m.line}:{m.column}: {m.text}" for m in found.mistakes))
    return found.rules


def read_text(path: str | Path) -> str:
    """The text of a file.

    Raises
    ------
    ConfigurationError
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as problem:
        raise ConfigurationError(f"{path}: can't be read ({problem.strerror}); check the path") from None
    if len(data) > LARGEST:
        raise ConfigurationError(f"{path}: larger than {LARGEST // 2**20} MB; no rules are")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise ConfigurationError(f"{path}: not UTF-8 at byte {problem.start}; save it as UTF-8") from None


def parse_rules(text: str, *, others: tuple[str, ...] = ()) -> RuleFile:
    """The rules of a text, and every mistake in it.

    Parameters
    ----------
    text : str
    others : tuple of str
        Further tables that may stand in it.
    """
    try:
        content = tomllib.loads(text)
    except RecursionError:
        return RuleFile((), (Mistake(1, 1, "nested too deeply; rules are plain tables"),), {})
    except ValueError as problem:  # not TOML, or a number of thousands of digits
        return RuleFile((), (_of_toml(str(problem), text),), {})
    places = _Places(text)
    rules: list[AlertRule] = []
    mistakes = [
        Mistake(*places.key(name), f"no table is called {name!r} here{_near(name, ('rules', *others))}")
        for name in content
        if name not in ("rules", *others)
    ]
    tables = content.get("rules", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        mistakes.append(Mistake(*places.key("rules"), "write each rule under a line [[rules]]"))
        tables = []
    if len(tables) > MOST_RULES:
        mistakes.append(Mistake(1, 1, f"{len(tables)} rules; at most {MOST_RULES} are watched"))
        tables = tables[:MOST_RULES]
    first: dict[str, int] = {}
    for number, table in enumerate(tables):
        wrong = list(_mistakes_of(table, number, places))
        rule_id = table.get("rule_id")
        if isinstance(rule_id, str) and (why := reserved(rule_id)):
            wrong.append(Mistake(*places.of(number, "rule_id"), why))
        if isinstance(rule_id, str) and rule_id in first:
            line = places.header(first[rule_id])[0]
            wrong.append(Mistake(*places.of(number, "rule_id"), f"{rule_id!r} stands already in line {line}"))
        elif isinstance(rule_id, str):
            first[rule_id] = number
        mistakes += wrong
        if not wrong:
            rules.append(AlertRule(**{"channels": (), **table}))
    return RuleFile(tuple(rules), tuple(sorted(set(mistakes))), content)


def _mistakes_of(table: Mapping[str, Any], number: int, places: _Places) -> Iterator[Mistake]:
    for name in NEEDED:
        if name not in table:
            yield Mistake(
                *places.header(number), f"the rule has no {name}; write one, such as {_sample(name)}"
            )
    sound = dict(SOUND)
    for name in ("scope", "condition"):  # what other words are read by
        if name in table and _reason({**sound, name: table[name]}) is None:
            sound[name] = table[name]
    for name, value in table.items():
        line, column = places.of(number, name)
        if name not in FIELDS:
            yield Mistake(line, places.word(number, name), f"no word is called {name!r}{_near(name, FIELDS)}")
            continue
        reason = _reason({**sound, name: value})
        if isinstance(reason, ConditionError):
            yield Mistake(line, column + reason.column, reason.reason)
        elif reason is not None:
            yield Mistake(line, column, _OWN_PREFIX.sub("", str(reason)))


def _reason(values: Mapping[str, Any]) -> ConfigurationError | None:
    try:
        AlertRule(**values)
    except ConfigurationError as problem:
        return problem
    return None


def _sample(name: str) -> str:
    return f'{name} = "{SOUND[name]}"'


def _near(name: str, known: tuple[str, ...]) -> str:
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"


def _of_toml(said: str, text: str) -> Mistake:
    found = _TOML_PLACE.search(said)
    reason = f"not valid TOML: {_TOML_PLACE.sub('', said)}"
    if found is not None and found[1]:
        return Mistake(int(found[1]), int(found[2]), reason)
    return Mistake(text.count("\n") + 1, 1, reason)


class _Places:
    """Where the words of each rule stand in the text."""

    def __init__(self, text: str) -> None:
        self._headers: list[int] = []
        self._tables: dict[str, int] = {}
        self._values: dict[tuple[int, str], tuple[int, int, int]] = {}
        within, quoted = "", ""
        for line, said in enumerate(text.splitlines(), start=1):
            if not quoted:
                within = self._note(line, said, within)
            for mark in ('"""', "'''"):
                if quoted in ("", mark) and said.count(mark) % 2:
                    quoted = "" if quoted else mark

    def _note(self, line: int, said: str, within: str) -> str:
        table, key = _TABLE.match(said), _KEY.match(said)
        if table:
            within = table[1].strip()
            self._tables.setdefault(within, line)
            if within == "rules":
                self._headers.append(line)
        elif key and within == "rules":
            place = (line, key.end() + 1, key.start(1) + 1)
            self._values[len(self._headers) - 1, key[1].strip('"')] = place
        elif key and not within:
            self._tables.setdefault(key[1].strip('"'), line)
        return within

    def header(self, number: int) -> tuple[int, int]:
        """Of the line that begins a rule."""
        return (self._headers[number] if number < len(self._headers) else 1), 1

    def of(self, number: int, name: str) -> tuple[int, int]:
        """Of a value."""
        return self._values.get((number, name), (*self.header(number), 1))[:2]

    def word(self, number: int, name: str) -> int:
        """Column of a key."""
        return self._values.get((number, name), (1, 1, 1))[2]

    def key(self, name: str) -> tuple[int, int]:
        """Of a table."""
        return self._tables.get(name, 1), 1


def tables_in(text: str) -> tuple[dict[str, Any], ...]:
    """The tables of rules of a text of our own, as they stand there."""
    return tuple(tomllib.loads(text)["rules"])
