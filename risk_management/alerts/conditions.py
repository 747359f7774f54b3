"""The small safe grammar behind ``"portfolio_heat > 80"``.

A condition is read and type-checked once, against the vocabulary, and becomes a closure that costs
well under a microsecond for a plain comparison. Nothing is ever handed to Python's own parser.

A metric that is missing or NaN makes the answer unknown, never "fine": the closure raises
`MissingMetric`. Only where the rest of the condition settles the answer alone (one side of an ``or``
is true, one side of an ``and`` is false) does the missing one not matter.
"""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, TypeVar, cast

from risk_management.alerts._closures import (
    Metrics,
    MissingMetric,
    Number,
    Truth,
    against,
    both,
    calculation,
    either,
    reader,
)
from risk_management.errors import ConfigurationError
from risk_management.model.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Condition",
    "ConditionError",
    "Limit",
    "MissingMetric",
    "compile_condition",
]

_Built = TypeVar("_Built")

MAX_LENGTH: Final = 256
"""Characters of a condition."""
MAX_DEPTH: Final = 16
"""Brackets, calls, ``not`` and signs within one another."""


_GRAMMAR: Final = r"""
?start: either
?either: both ("or" both)*
?both: negation ("and" negation)*
?negation: comparison | "not" negation -> opposite
?comparison: sum | sum COMPARE sum
?sum: product | sum (PLUS | MINUS) product -> arithmetic
?product: factor | product (TIMES | OVER) factor -> arithmetic
?factor: atom | MINUS factor -> negative
?atom: NUMBER -> number
     | NAME -> metric
     | NAME "(" (either ("," either)*)? ")" -> call
     | "(" either ")" -> group
COMPARE: ">=" | "<=" | "==" | "!=" | ">" | "<"
PLUS: "+"
MINUS: "-"
TIMES: "*"
OVER: "/"
NUMBER: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
%ignore /[ \t\r\n]+/
"""

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_MIRRORED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_FUNCTIONS: Final = {
    "abs": "one number",
    "max": "two numbers or more",
    "min": "two numbers or more",
    "round": "a number and perhaps digits",
}
_SCOPE: Final = "a condition has metrics, numbers, comparisons, and/or/not, + - * / and abs, max, min, round"
_HINTS: Final = {
    "=": "to compare, write ==",
    "%": "numbers stand without %; a fraction of 15 % is 0.15, a score of 80 is 80",
    "&": "write: and",
    "|": "write: or",
    "!": "write: not, or !=",
    "AND": "write: and",
    "OR": "write: or",
    "NOT": "write: not",
    ",": "a number has a point and no comma",
    ">": "write two comparisons, joined by: and",
    "<": "write two comparisons, joined by: and",
}


class ConditionError(ConfigurationError):
    """A condition can't be used; nothing was registered. Mend the text at `column`.

    Parameters
    ----------
    reason : str
        What is wrong and the remedy.
    column : int
        Place in the text, from 1.
    """

    code: Final = "INVALID_CONDITION"

    def __init__(self, reason: str, column: int = 1) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column

    @property
    def message(self) -> str:
        """What is wrong and where, for whoever names the code beside it."""
        return f"column {self.column}: {self.reason}"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Limit(NamedTuple):
    """A metric held against a constant, such as ``portfolio_heat > 80``."""

    metric: str
    operator: str
    value: float

    def holds(self, metrics: Metrics) -> bool:
        """Whether the metric is there and this comparison is true of it."""
        found = metrics.get(self.metric, math.nan)
        return not math.isnan(found) and _COMPARISONS[self.operator](found, self.value)


@dataclass(frozen=True, slots=True)
class Condition:
    """A checked condition; call it with the metrics.

    Parameters
    ----------
    text : str
        As it was written.
    metrics : tuple of str
        The words it reads, in order of appearance.
    limits : tuple of Limit
        Its comparisons of one metric with a constant, those under a ``not`` left out.
    """

    text: str
    metrics: tuple[str, ...]
    limits: tuple[Limit, ...]
    _holds: Truth

    def __call__(self, metrics: Metrics) -> bool:
        """Whether the condition holds.

        Raises
        ------
        MissingMetric
            A metric that decides the answer is missing or NaN.
        UndefinedMeasure
            The arithmetic has no result, such as a division by zero.
        """
        return self._holds(metrics)


@lru_cache(maxsize=512)
def _compile(text: str, words: frozenset[str]) -> Condition:
    return _Builder(text, words).condition(_parsed(text))


_WORDS: Final = frozenset(VOCABULARY)


def compile_condition(text: str, words: Collection[str] = _WORDS) -> Condition:
    """Read, check and compile a condition.

    Parameters
    ----------
    text : str
        At most 256 characters, such as ``"drawdown >= 0.1 and not (portfolio_heat < 80)"``.
    words : collection of str
        The metrics that it may name; by default the vocabulary.

    Raises
    ------
    ConditionError
        With the column and the remedy.
    """
    if not isinstance(text, str):
        raise ConditionError(
            f"a condition is a text such as 'portfolio_heat > 80', not {type(text).__name__}"
        )
    if len(text) > MAX_LENGTH:
        raise ConditionError(
            f"a condition has at most {MAX_LENGTH} characters, this one has {len(text)}; split it in two",
            MAX_LENGTH + 1,
        )
    return _compile(text, words if isinstance(words, frozenset) else frozenset(words))


# -- reading ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    from lark import Lark  # noqa: PLC0415 - read late, so that importing the package stays fast

    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


def _parsed(text: str) -> Tree[Token]:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken  # noqa: PLC0415 - read late

    try:
        return _grammar().parse(text)
    except UnexpectedCharacters as problem:
        at = cast(int, problem.pos_in_stream)
        found = text[at]
    except UnexpectedToken as problem:
        if problem.token.type == "$END":
            said = "ends too early" if text.strip() else "is empty; write one such as 'portfolio_heat > 80'"
            raise ConditionError(f"the condition {said}", len(text) + 1) from None
        at = int(problem.token.start_pos or 0)
        found = str(problem.token)
    hint = _HINTS.get(found) or _HINTS.get(found[0], _SCOPE)
    raise ConditionError(f"{found[:40]!r} can't stand here; {hint}", at + 1) from None


# -- checking and compiling -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Operand:
    """A numeric part; `metric` or `constant` where it is just that."""

    value: Number
    metric: str = ""
    constant: float | None = None


class _Builder:
    """Walks the tree of one condition: numbers become `_Operand`, truths become closures."""

    def __init__(self, text: str, words: frozenset[str]) -> None:
        self.text = text
        self.words = words
        self.metrics: dict[str, None] = {}
        self.limits: list[Limit] = []
        self._depth = 0
        self._negations = 0

    def condition(self, tree: Tree[Token]) -> Condition:
        holds = self.truth(tree)
        if not self.metrics:
            raise ConditionError("the condition names no metric, so it could never change")
        return Condition(self.text, tuple(self.metrics), tuple(self.limits), holds)

    # -- truths

    def truth(self, tree: Tree[Token]) -> Truth:
        kind, parts = str(tree.data), tree.children
        if kind == "group":
            return self._nested(tree, self.truth, parts[0])
        if kind == "opposite":
            return self._nested(tree, self._opposite, parts[0])
        if kind in ("either", "both"):
            return reduce(either if kind == "either" else both, [self.truth(_tree(p)) for p in parts])
        if kind == "comparison":
            return self._comparison(_tree(parts[0]), str(parts[1]), _tree(parts[2]))
        raise ConditionError(
            "a number is neither true nor false; compare it, as in 'portfolio_heat > 80'", _column(tree)
        )

    def _opposite(self, tree: Tree[Token]) -> Truth:
        self._negations += 1
        inner = self.truth(tree)
        self._negations -= 1
        return lambda metrics: not inner(metrics)

    def _comparison(self, left: Tree[Token], sign: str, right: Tree[Token]) -> Truth:
        one, other = self.number(left), self.number(right)
        if one.constant is not None and other.metric:
            one, other, sign = other, one, _MIRRORED.get(sign, sign)
        compare = _COMPARISONS[sign]
        if one.metric and other.constant is not None:
            limit = Limit(one.metric, sign, other.constant)
            if not self._negations:
                self.limits.append(limit)
            return against(one.metric, compare, other.constant)
        first, second = one.value, other.value
        return lambda metrics: compare(first(metrics), second(metrics))

    # -- numbers

    def number(self, tree: Tree[Token]) -> _Operand:
        kind = str(tree.data)
        makers: dict[str, Callable[[Tree[Token]], _Operand]] = {
            "number": self._constant,
            "metric": self._metric,
            "group": lambda t: self._nested(t, self.number, t.children[0]),
            "negative": lambda t: _negative(self._nested(t, self.number, t.children[1])),
            "arithmetic": self._arithmetic,
            "call": lambda t: self._nested(t, self._call, t),
        }
        make = makers.get(kind)
        if make is None:
            raise ConditionError("a number must stand here, not a comparison", _column(tree))
        return make(tree)

    def _constant(self, tree: Tree[Token]) -> _Operand:
        value = float(str(tree.children[0]))
        if math.isinf(value):
            raise ConditionError("the number is too large", _column(tree))
        return _fixed(value)

    def _metric(self, tree: Tree[Token]) -> _Operand:
        name = str(tree.children[0])
        if name not in self.words:
            _unknown("metric", name, self.words, _column(tree))
        self.metrics[name] = None
        return _Operand(reader(name), metric=name)

    def _arithmetic(self, tree: Tree[Token]) -> _Operand:
        left, sign, right = tree.children
        one, other = self.number(_tree(left)), self.number(_tree(right))
        if str(sign) == "/" and other.constant == 0.0:
            raise ConditionError("a division by zero", _column(_tree(right)))
        if one.constant is None or other.constant is None:
            return _Operand(calculation(_ARITHMETIC[str(sign)], one.value, other.value))
        value = _ARITHMETIC[str(sign)](one.constant, other.constant)
        if not math.isfinite(value):
            raise ConditionError("the number is too large", _column(tree))
        return _fixed(value)

    def _call(self, tree: Tree[Token]) -> _Operand:
        name, column = str(tree.children[0]), _column(tree)
        if name not in _FUNCTIONS:
            _unknown("function", name, _FUNCTIONS, column)
        given = [self.number(_tree(part)) for part in tree.children[1:]]
        values = [operand.value for operand in given]
        if name in ("max", "min") and len(values) >= 2:
            choose: Callable[..., float] = max if name == "max" else min
            return _Operand(lambda metrics: choose([value(metrics) for value in values]))
        if name == "abs" and len(values) == 1:
            only = values[0]
            return _Operand(lambda metrics: abs(only(metrics)))
        if name == "round" and len(values) in (1, 2):
            digits = given[1].constant if len(given) == 2 else 0.0
            if digits is None or digits not in range(13):
                raise ConditionError("round takes 0 to 12 digits, written as a number", column)
            only, places = values[0], int(digits)
            return _Operand(lambda metrics: round(only(metrics), places))
        raise ConditionError(f"{name} takes {_FUNCTIONS[name]}, not {len(values)}", column)

    def _nested(self, tree: Tree[Token], build: Callable[[Tree[Token]], _Built], inner: Any) -> _Built:
        """Build `inner` one level deeper, within the bounds."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(f"the condition is nested more than {MAX_DEPTH} deep", _column(tree))
        built = build(_tree(inner))
        self._depth -= 1
        return built


def _fixed(value: float) -> _Operand:
    return _Operand(lambda _: value, constant=value)


def _tree(part: Any) -> Tree[Token]:
    """The grammar keeps tokens only where `_Builder` reads them as such."""
    tree: Tree[Token] = part
    return tree


def _column(tree: Tree[Token]) -> int:
    return int(tree.meta.start_pos) + 1


def _unknown(kind: str, name: str, known: Collection[str], column: int) -> NoReturn:
    close = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    listed = "see the list of words" if len(known) > 8 else f"known are {', '.join(sorted(known))}"
    remedy = f"did you mean {close[0]!r}?" if close else listed
    raise ConditionError(f"no {kind} is called {name[:64]!r}; {remedy}", column)


def _negative(operand: _Operand) -> _Operand:
    value = operand.value
    if operand.constant is not None:
        return _fixed(-operand.constant)
    return _Operand(lambda metrics: -value(metrics))
