"""What a scenario is, and how one is read from its file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from risk_management.errors import ConfigurationError, shown

__all__ = [
    "GATE_HORIZON",
    "HIGHEST",
    "SECTORS",
    "STABLECOIN",
    "Scenario",
    "ScenarioKind",
    "ScenarioRule",
    "ScenarioUse",
    "Source",
    "parse_scenario",
]

GATE_HORIZON = 10
"""Trading days: a gate asks what is lost until one is out; whole crises belong in reports."""

HIGHEST = 100.0
"""Largest shock, a rise of 10,000 %, and most standard deviations: beyond is a slip of the pen."""

LONGEST = 10_000
"""Trading days of the longest horizon, forty years."""

STABLECOIN = "stablecoin"
"""A class of shocks only: coins of class ``crypto`` that are pegged to a currency."""

SECTORS = frozenset(
    {
        "Information Technology",
        "Financials",
        "Health Care",
        "Consumer Discretionary",
        "Consumer Staples",
        "Energy",
        "Industrials",
        "Communication Services",
        "Materials",
        "Utilities",
        "Real Estate",
        "Broad index",
    }
)
"""The sector names that a file may use: the eleven of GICS, and broad index funds."""

_CLASSES = frozenset(
    {
        "equity",
        "index_fund",
        "crypto",
        STABLECOIN,
        "fx",
        "future",
        "bond_fund",
        "commodity_fund",
        "other",
    }
)


class ScenarioKind(StrEnum):
    """Whether it happened."""

    HISTORICAL = "historical"
    HYPOTHETICAL = "hypothetical"


class ScenarioUse(StrEnum):
    """Where its loss counts."""

    GATE = "gate"
    """Stops trades whose book would lose too much in it, and is shown in reports."""
    REPORT = "report"
    """Is shown only: a whole crisis as a gate would forbid owning equities."""


class ScenarioRule(StrEnum):
    """How exposures meet the shocks."""

    LINEAR = "linear"
    """P&L is the sum of exposure times shock: a short gains from a fall."""
    AGAINST_EXPOSURE = "against_exposure"
    """Every name moves against its position: the sum of all, longs and shorts alike."""
    LARGEST_GAP = "largest_gap"
    """One name gaps against its position: the one that loses most."""
    VENUE_LOST = "venue_lost"
    """What lies long at one venue is lost: the venue where most is lost."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from.

    Parameters
    ----------
    figure : str
        The figure as published, in words.
    citation : str
        Publication, date and address; or ``assumption`` with the fact that it is anchored on.
    """

    figure: str
    citation: str


def _empty() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scenario:
    """One market event, as shocks. A shock of -0.2 is a fall of 20 %.

    Parameters
    ----------
    id : str
        Lower case; the name of the file without its suffix.
    name, description : str
    kind : ScenarioKind
    use : ScenarioUse
        Only scenarios of at most `GATE_HORIZON` days may be gates.
    horizon_days : int
        Trading days that the shock takes.
    sources : tuple of Source
        At least one.
    market : float or None
        Shock of the market, the S&P 500; propagated by beta where nothing nearer is known.
    start, end : date or None
        The window, close to close, whose real data is replayed; both or neither.
    rule : ScenarioRule
    volatility_multiple : float
        Standard deviations that each name moves, for ``against_exposure`` only.
    rest : float or None
        Declared shock of what the file does not name; for events that touch some assets only.
    classes, sectors, symbols : Mapping of str to float
        Shocks by asset class, by sector, by symbol.
    """

    id: str
    name: str
    kind: ScenarioKind
    use: ScenarioUse
    description: str
    horizon_days: int
    sources: tuple[Source, ...]
    market: float | None = None
    start: date | None = None
    end: date | None = None
    rule: ScenarioRule = ScenarioRule.LINEAR
    volatility_multiple: float = 0.0
    rest: float | None = None
    classes: Mapping[str, float] = field(default_factory=_empty)
    sectors: Mapping[str, float] = field(default_factory=_empty)
    symbols: Mapping[str, float] = field(default_factory=_empty)

    @property
    def is_gate(self) -> bool:
        """Counts before a trade, not in reports only."""
        return self.use is ScenarioUse.GATE

    @property
    def is_linear(self) -> bool:
        """P&L is linear in the exposures, so that it fits in a matrix of shocks."""
        return self.rule is ScenarioRule.LINEAR

    @property
    def worst(self) -> float:
        """The deepest fall that the file names: what an unknown name gets where it has no beta.

        0 where all that it names rises: nothing is known of the name that it should gain by.
        """
        named = [*self.classes.values(), *self.sectors.values(), *self.symbols.values()]
        return min(0.0, min([shock for shock in (self.market, *named) if shock is not None], default=-1.0))


def parse_scenario(path: Path) -> Scenario:
    """Read and check one file.

    Raises
    ------
    ConfigurationError
        Names the file and every wrong key in it, all at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: can't be read as TOML: {error}") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: can't be read as TOML: {error}") from error
    except (
        ValueError,
        RecursionError,
    ) as error:  # thousands of digits, lists in lists
        key = max(text.splitlines(), key=len).partition("=")[0].strip()
        raise ConfigurationError(f"{path}: `{key[:60]}` is too long a value: {error}") from error
    reader = _Reader(table)
    scenario = reader.scenario(path.stem)
    if scenario is None or reader.problems:
        raise ConfigurationError(f"{path}: " + "; ".join(reader.problems))
    return scenario


class _Reader:
    """Takes a table apart and collects what is wrong with it."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.problems: list[str] = []

    def say(self, key: str, what: str) -> None:
        self.problems.append(f"`{key}` {what}")

    def scenario(self, stem: str) -> Scenario | None:
        """Build the record; None where a value of the wrong kind stands in the way."""
        known = {item.name for item in fields(Scenario)}
        for key in sorted(set(self.table) - known):
            self.say(key, f"is unknown; known are {', '.join(sorted(known))}")
        values: dict[str, Any] = {
            "id": self.text("id"),
            "name": self.text("name"),
            "description": self.text("description"),
            "kind": self.choice("kind", ScenarioKind),
            "use": self.choice("use", ScenarioUse),
            "rule": self.choice("rule", ScenarioRule, ScenarioRule.LINEAR),
            "horizon_days": self.days(),
            "market": self.shock("market", self.table.get("market")),
            "rest": self.shock("rest", self.table.get("rest")),
            "volatility_multiple": self.multiple(),
            "start": self.day("start"),
            "end": self.day("end"),
            "sources": self.sources(),
            "classes": self.shocks("classes", _CLASSES.__contains__),
            "sectors": self.shocks("sectors", SECTORS.__contains__),
            "symbols": self.shocks("symbols", bool),
        }
        if self.problems:
            return None
        scenario = Scenario(**values)
        self.check(scenario, stem)
        return scenario

    def check(self, scenario: Scenario, stem: str) -> None:
        """Rules that span several keys."""
        if scenario.id != stem or scenario.id != scenario.id.lower() or not scenario.id.isidentifier():
            self.say("id", f"is {scenario.id!r}; it must be the file's name, in lower case: {stem!r}")
        if (scenario.start is None) != (scenario.end is None):
            self.say("start", "and `end` come together")
        elif scenario.start and scenario.end and scenario.start >= scenario.end:
            self.say("start", f"{scenario.start} must lie before `end` {scenario.end}")
        if scenario.is_gate and scenario.horizon_days > GATE_HORIZON:
            self.say("use", f"is gate: then `horizon_days` is at most {GATE_HORIZON}")
        if scenario.volatility_multiple and scenario.rule is not ScenarioRule.AGAINST_EXPOSURE:
            self.say("volatility_multiple", "goes with `rule` against_exposure only")
        if scenario.kind is ScenarioKind.HISTORICAL and scenario.start is None:
            self.say("start", "and `end` are needed by a historical scenario")
        reach = (scenario.market, scenario.rest, *scenario.classes.values(), *scenario.sectors.values())
        if all(shock is None for shock in reach):
            self.say("market", "is missing, and neither `rest`, `classes` nor `sectors` says what else moves")

    def text(self, key: str) -> str:
        value = self.table.get(key)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
        self.say(key, "must be a text")
        return ""

    def choice(self, key: str, kind: type[StrEnum], default: StrEnum | None = None) -> StrEnum | None:
        value = self.table.get(key, default)
        if value in list(kind):
            return kind(value)
        self.say(key, f"is {shown(value)}; choose one of {', '.join(kind)}")
        return None

    def days(self) -> int:
        value = self.table.get("horizon_days")
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LONGEST:
            return value
        self.say("horizon_days", f"is {shown(value)}; it is a whole number of trading days, 1 to {LONGEST:,}")
        return 0

    def multiple(self) -> float:
        value = self.table.get("volatility_multiple", 0.0)
        if _is_number(value) and 0 <= value <= HIGHEST:
            return float(value)
        self.say("volatility_multiple", f"is {shown(value)}; it is a number from 0 to {HIGHEST:g}")
        return 0.0

    def day(self, key: str) -> date | None:
        value = self.table.get(key)
        if value is None or type(value) is date:
            return value
        self.say(key, f"is {shown(value)}; write a date such as 2020-02-19, without quotes")
        return None

    def shock(self, key: str, value: object) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float) and _is_number(value) and -1 <= value <= HIGHEST:
            return float(value)
        self.say(
            key, f"is {shown(value)}; a shock is a fraction from -1 to {HIGHEST:g}, such as -0.2 for -20 %"
        )
        return None

    def shocks(self, key: str, allowed: Callable[[str], bool]) -> Mapping[str, float]:
        table = self.table.get(key, {})
        if not isinstance(table, dict):
            self.say(key, "must be a table of shocks")
            return _empty()
        for name in table:
            if not allowed(name):
                self.say(f"{key}.{name}", "is not a name that is known there")
        read = {name: self.shock(f"{key}.{name}", value) for name, value in table.items()}
        return MappingProxyType({name: shock for name, shock in read.items() if shock is not None})

    def sources(self) -> tuple[Source, ...]:
        rows = self.table.get("sources")
        if not isinstance(rows, list) or not rows:
            self.say("sources", "must name at least one figure and its citation")
            return ()
        return tuple(source for row in rows if (source := self.source(row)) is not None)

    def source(self, row: object) -> Source | None:
        if isinstance(row, dict) and set(row) == {"figure", "citation"}:
            figure, citation = row["figure"], row["citation"]
            if isinstance(figure, str) and isinstance(citation, str) and figure.strip() and citation.strip():
                return Source(" ".join(figure.split()), " ".join(citation.split()))
        self.say("sources", f"holds {shown(row)}; each needs a text `figure` and a text `citation`")
        return None


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)  # an int may be too large for a float
