"""Every input of a measure passes here once: numbers of the right shape, or a typed error with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from risk_management.errors import InsufficientData, InvalidReturns, UndefinedMeasure, shown

__all__ = [
    "FloatArray",
    "choice",
    "covariance_matrix",
    "exact_count",
    "is_constant",
    "is_symmetric",
    "level",
    "levels",
    "matrix",
    "number",
    "series",
    "symmetric",
    "unit_of",
    "varying",
    "vector",
    "weight_vector",
]

FloatArray = NDArray[np.float64]

_LARGEST: Final = 1e60  # fourth powers of it still add up without overflow
_SAME: Final = 1e-12  # spread over size below which a series is rounding noise about a constant

_NEGATIVE: Final = 1e-8  # least eigenvalue over the largest one that is still rounding


def series(values: ArrayLike, name: str = "returns", minimum: int = 2) -> FloatArray:
    """Float64 array of shape (T,) or (T, N), finite, with at least `minimum` rows."""
    array = _numbers(values, name)
    if array.ndim not in {1, 2} or (array.ndim == 2 and array.shape[1] == 0):
        raise InvalidReturns(f"{name} must have the shape (T,) or (T, N), not {array.shape}")
    if len(array) < minimum:
        raise InsufficientData(f"{name} needs at least {minimum} observations and has {len(array)}")
    return array


def vector(values: ArrayLike, name: str = "returns", minimum: int = 2) -> FloatArray:
    """Float64 array of shape (T,), finite, with at least `minimum` entries."""
    array = series(values, name, minimum)
    if array.ndim != 1:
        raise InvalidReturns(f"{name} must be one series of shape (T,), not {array.shape}")
    return array


def matrix(values: ArrayLike, name: str = "returns", minimum: int = 2) -> FloatArray:
    """Float64 array of shape (T, N), finite, with at least `minimum` rows and one column."""
    array = series(values, name, minimum)
    if array.ndim != 2:
        raise InvalidReturns(f"{name} must be a matrix of shape (T, N), not {array.shape}")
    return array


def weight_vector(values: ArrayLike, size: int) -> FloatArray:
    """Float64 array of shape (size,), finite."""
    array = vector(values, "weights", 1)
    if len(array) != size:
        raise InvalidReturns(f"weights must have one entry for each of the {size} columns, not {len(array)}")
    return array


def symmetric(values: ArrayLike, name: str = "matrix") -> FloatArray:
    """Float64 array of shape (N, N), finite and symmetric up to rounding."""
    array = matrix(values, name, 1)
    if array.shape[0] != array.shape[1]:
        raise InvalidReturns(f"{name} must be square, not {array.shape}")
    if not is_symmetric(array):
        raise InvalidReturns(f"{name} must be symmetric")
    return array


def is_symmetric(array: FloatArray) -> bool:
    """Whether an array of shape (M, N) is square and symmetric up to rounding."""
    if array.shape[0] != array.shape[1]:
        return False
    return np.allclose(array, array.T, rtol=1e-8, atol=1e-10 * float(np.abs(array).max()))


def covariance_matrix(values: ArrayLike, name: str = "covariance") -> FloatArray:
    """Symmetric array of shape (N, N) under which no name and no book has a negative variance."""
    array = symmetric(values, name)
    negative = np.flatnonzero(array.diagonal() < 0.0)
    if negative.size:
        raise UndefinedMeasure(f"{name} has a negative variance in column {negative[0]}")
    power = np.linalg.eigvalsh(array)
    if float(power[0]) < -_NEGATIVE * float(power[-1]):
        raise UndefinedMeasure(
            f"{name} is not positive semi-definite: its least eigenvalue is {power[0]:.3g}, and some book "
            "would have a negative variance; nearest_psd mends it"
        )
    return array


def number(value: object, name: str, low: float, high: float = np.inf, *, closed: bool = False) -> float:
    """A finite number in (low, high), or in [low, high] if `closed`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidReturns(f"{name} must be a number, not {shown(value)}")
    try:
        value = float(value)
    except OverflowError:
        raise InvalidReturns(f"{name} must be finite, and is too large a number") from None
    if not np.isfinite(value):
        raise InvalidReturns(f"{name} must be finite, not {value}")
    inside = low <= value <= high if closed else low < value < high
    if not inside:
        bounds = f"[{low:g}, {high:g}]" if closed else f"({low:g}, {high:g})"
        raise UndefinedMeasure(f"{name} must lie in {bounds}, not {value}")
    return float(value)


def level(confidence: object) -> float:
    """A confidence in (0, 1), such as 0.99, whose complement is in (0, 1) too."""
    value = number(confidence, "confidence", 0.0, 1.0)
    if 1.0 - value == 1.0:
        raise UndefinedMeasure(f"confidence must lie in (0, 1), not {value}: nothing of it is left beside 1")
    return value


def levels(confidences: object) -> tuple[float, ...]:
    """Several confidences, such as (0.95, 0.99)."""
    if isinstance(confidences, str) or not isinstance(confidences, Iterable):
        raise InvalidReturns(
            f"confidences must be several numbers, such as (0.95,), not {shown(confidences)}"
        )
    return tuple(map(level, confidences))


def choice(value: object, name: str, allowed: tuple[object, ...]) -> None:
    """Refuse a value that is not among the allowed ones."""
    if isinstance(value, bool) or not isinstance(value, str | int | np.integer) or value not in allowed:
        raise UndefinedMeasure(f"{name} must be one of {', '.join(map(repr, allowed))}, not {shown(value)}")


def exact_count(count: float) -> float:
    """Take the whole number that rounding blurred: (1 - 0.95) * 100 is 5.000000000000004."""
    nearest = float(round(count))
    return nearest if abs(count - nearest) <= 1e-9 * max(1.0, count) else count


def is_constant(columns: FloatArray) -> NDArray[np.bool_]:
    """Whether each column of a (T,) or (T, N) array stands still, up to rounding."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    size = np.maximum(np.abs(low), np.abs(high))
    return np.asarray((high - low <= _SAME * size) | (size < 1 / _LARGEST))


def varying(columns: FloatArray, measure: str) -> FloatArray:
    """The columns themselves; a constant one is refused by its index."""
    still = np.flatnonzero(is_constant(columns))
    if still.size:
        where = f"column {still[0]} is constant" if columns.ndim == 2 else "the series is constant"
        raise UndefinedMeasure(f"{measure} is undefined: {where}")
    return columns


def unit_of(values: FloatArray) -> FloatArray:
    """By what each column (or the series) is divided before it is squared, so that no square vanishes.

    1, but for values that are minute: their largest size.
    """
    largest = np.abs(values).max(axis=0)
    return np.asarray(np.where((largest > 0.0) & (largest < 1 / _LARGEST), largest, 1.0))


def _numbers(values: ArrayLike, name: str) -> FloatArray:
    """Convert without guessing; text, booleans, objects and masked entries are no numbers."""
    clean = type(values) is np.ndarray and values.dtype == np.float64
    array = np.asarray(values, dtype=np.float64) if clean else _converted(values, name)
    # one pass finds NaN, infinity and what would overflow later
    flat = array.ravel(order="K")
    with np.errstate(over="ignore"):
        total = np.dot(flat, flat)
    if not total < _LARGEST**2:
        raise InvalidReturns(_why_not_finite(flat, name))
    return array


def _converted(values: ArrayLike, name: str) -> FloatArray:
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise InvalidReturns(f"{name} has masked entries; fill or drop them first")
    try:
        raw = np.asarray(values)
    except (ValueError, TypeError) as problem:
        raise InvalidReturns(f"{name} is no array of numbers: {problem}") from problem
    if raw.dtype.kind not in "fiu":
        raise InvalidReturns(f"{name} must hold numbers, not {raw.dtype.name} entries")
    with np.errstate(over="ignore"):
        return raw.astype(np.float64)


def _why_not_finite(flat: FloatArray, name: str) -> str:
    if np.isnan(flat).any():
        return f"{name} holds NaN; clean it first"
    if np.isinf(flat).any():
        return f"{name} holds infinite values; clean it first"
    return f"{name} holds values too large to be meant (above {_LARGEST:g} in all)"
