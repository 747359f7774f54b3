"""Market models as bytes and back, named by what is in them: each is stored once."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from datetime import datetime
from tokenize import TokenError
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter

from risk_management.errors import StoreCorrupt
from risk_management.model.market import Coverage, ReturnMatrix, frozen_columns
from risk_management.model.risk_model import RiskModel

__all__ = ["model_bytes", "model_digest", "model_from"]

ARRAYS: Final = (
    "scenarios",
    "scaled",
    "volatility",
    "es99_long",
    "es99_short",
    "stop_free_risk",
    "shocks",
)

DAMAGE: Final = (
    BadZipFile,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    TokenError,  # from Python 3.12 on, by the reader of numpy's headers
    struct.error,
    zlib.error,
)
"""What numpy and zipfile raise over bytes that are damaged."""


@dataclass(frozen=True)
class _Words:
    """What is no array."""

    symbols: tuple[str, ...]
    coverage: dict[str, Coverage]
    asset_classes: dict[str, str]
    as_of: datetime
    source: str
    is_sample: bool
    cluster: tuple[int, ...]
    cluster_sign: tuple[int, ...]
    scenario_ids: tuple[str, ...]
    market_volatility_ratio: float


_WORDS: Final = TypeAdapter(_Words)


def model_digest(model: RiskModel) -> str:
    """SHA-256 of all that a model says, in hexadecimal digits."""
    digest = hashlib.sha256(_words(model))
    for array in _arrays(model).values():
        digest.update(str((array.dtype.str, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def model_bytes(model: RiskModel) -> bytes:
    """The model as an uncompressed ``.npz`` of its arrays, with its words as JSON text in ``words``."""
    file = io.BytesIO()
    words = np.frombuffer(_words(model), dtype=np.uint8)
    np.savez(file, words=words, **_arrays(model))
    return file.getvalue()


def model_from(data: bytes, digest: str) -> RiskModel:
    """The model that bytes hold.

    Raises
    ------
    StoreCorrupt
        They are not those of this digest.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        words: _Words = _WORDS.validate_json(arrays.pop("words").tobytes())
        model = _built(words, arrays)
    except DAMAGE as problem:
        raise StoreCorrupt(f"the market model {digest[:12]} can't be read: {problem}") from None
    if model_digest(model) != digest:
        raise StoreCorrupt(f"the market model {digest[:12]} is not what was stored")
    return model


def _arrays(model: RiskModel) -> dict[str, Any]:
    found = {name: getattr(model, name) for name in ARRAYS}
    return {**found, "dates": model.matrix.dates, "values": model.matrix.values}


def _words(model: RiskModel) -> bytes:
    matrix = model.matrix
    return _WORDS.dump_json(
        _Words(
            matrix.symbols,
            dict(matrix.coverage),
            dict(matrix.asset_classes),
            matrix.as_of,
            matrix.source,
            matrix.is_sample,
            model.cluster,
            model.cluster_sign,
            model.scenario_ids,
            model.market_volatility_ratio,
        )
    )


def _built(words: _Words, arrays: dict[str, Any]) -> RiskModel:
    for array in arrays.values():
        array.flags.writeable = False
    columns = frozen_columns(words.symbols)
    matrix = ReturnMatrix(
        symbols=words.symbols,
        columns=columns,
        dates=arrays["dates"],
        values=arrays["values"],
        coverage=words.coverage,
        asset_classes=words.asset_classes,
        as_of=words.as_of,
        source=words.source,
        is_sample=words.is_sample,
    )
    return RiskModel(
        matrix=matrix,
        cluster=words.cluster,
        cluster_sign=words.cluster_sign,
        scenario_ids=words.scenario_ids,
        market_volatility_ratio=words.market_volatility_ratio,
        columns=columns,
        **{name: arrays[name] for name in ARRAYS},
    )
