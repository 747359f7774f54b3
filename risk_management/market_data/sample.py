"""The embedded sample: real prices from 1999 on, for demonstration only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from risk_management.market_data._series import close_moment, join, newest, select
from risk_management.model.market import PriceHistory, SeriesInfo

__all__ = ["SAMPLE_LABEL", "SampleSource", "sample_history", "sample_provenance"]

SAMPLE_LABEL: Final = "sample data, for demonstration"
_FOLDER = files("risk_management.market_data") / "sample_data"


@cache
def sample_provenance() -> dict[str, Any]:
    """The content of ``SAMPLE_DATA.json``: of every column its package, licence and transformation."""
    content: dict[str, Any] = json.loads((_FOLDER / "SAMPLE_DATA.json").read_text(encoding="utf-8"))
    return content


@cache
def sample_history(file: str = "closes") -> PriceHistory:
    """One file of the sample, read once a process; the arrays are read-only.

    Parameters
    ----------
    file : {"closes", "opens", "sp500_long", "vix"}
        ``closes`` is what the source serves. ``opens`` holds the opens of the series that have any,
        ``sp500_long`` the S&P 500 of 1950-2015 under SPY, ``vix`` the volatility index of 2014-2018.

    Returns
    -------
    PriceHistory
        Its ``as_of`` is the last day common to the proxies and the 20 stocks.
    """
    with (_FOLDER / f"{file}.parquet").open("rb") as raw:
        table = pq.ParquetFile(raw).read(use_threads=False).combine_chunks()
    days = _array(table.column("date").chunk(0).view("int32")).astype("datetime64[D]")
    about = sample_provenance()
    series, info = {}, {}
    for symbol, facts in about["files"][f"{file}.parquet"]["columns"].items():
        series[symbol] = (days, _array(table.column(symbol).chunk(0)))
        is_proxy = facts["proxy_for"] is not None
        info[symbol] = SeriesInfo(symbol, "sample", facts["series"], is_proxy, facts.get("note", ""))
    as_of = close_moment(np.datetime64(about["as_of"]))
    return replace(join(series, info, "sample"), is_sample=True, as_of=as_of)


def _array(column: pa.Array) -> NDArray[Any]:
    """The numbers of a column, without `to_numpy`, which would load all of pandas."""
    return np.from_dlpack(column)


class SampleSource:
    """Serves the embedded sample. It is stale and not for trading."""

    name = "sample"
    is_sample = True

    def history(
        self,
        symbols: Sequence[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> PriceHistory:
        """Closes of the sample; unknown symbols are left out."""
        return select(sample_history(), symbols, start, end)

    def latest(self, symbols: Sequence[str]) -> dict[str, tuple[float, datetime]]:
        """Last sample closes up to the sample's now; none for the proxies SPY and QQQ."""
        history = sample_history()
        end = None if history.as_of is None else history.as_of.date()
        return newest(select(history, symbols, end=end), symbols)
