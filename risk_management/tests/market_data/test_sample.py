"""The embedded sample: provenance, anchors known from outside, traps."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from risk_management.market_data.sample import SampleSource, sample_history, sample_provenance

FOLDER = files("risk_management.market_data") / "sample_data"
STOCKS = ["AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK", "MSFT", "PEP"]
STOCKS += ["PFE", "PG", "RRC", "UNH", "WMT", "XOM"]
LATE = ["AMZN", "GOOG", "META", "NFLX", "NVDA"]
COINS = ["BTC", "ETH", "BCH"]


def closes(symbol: str, file: str = "closes") -> pd.Series:
    history = sample_history(file)
    column = history.closes[:, history.symbols.index(symbol)]
    return pd.Series(column, pd.DatetimeIndex(history.dates)).dropna()


def test_files_are_what_the_provenance_says() -> None:
    about = sample_provenance()
    named = set(about["files"]) | {"SAMPLE_DATA.json", "instruments.toml"}
    licences = {path.name for path in FOLDER.iterdir() if path.name.startswith("LICENSE-")}
    assert {path.name for path in FOLDER.iterdir()} == named | licences
    for name, entry in about["files"].items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == entry["sha256"], name
        for symbol, facts in entry["columns"].items():
            assert {"package", "version", "file", "licence", "transformation", "proxy_for"} <= set(facts)
            assert f"LICENSE-{facts['package'].replace('-', '_')}.txt" in licences
            series = closes(symbol, name.removesuffix(".parquet"))
            assert [len(series), str(series.index[0].date()), str(series.index[-1].date())] == [
                facts["rows"],
                facts["first"],
                facts["last"],
            ]


def test_licences_are_permissive_and_complete() -> None:
    for path in FOLDER.iterdir():
        if path.name.startswith("LICENSE-"):
            text = path.read_text("utf-8")
            assert "ermission" in text or "Redistribution" in text, path.name
            assert "GENERAL PUBLIC" not in text.upper()


def test_symbols_and_now() -> None:
    history = SampleSource().history()
    assert history.symbols == ("SPY", "QQQ", *STOCKS, *LATE, *COINS)
    assert history.is_sample
    assert history.as_of == datetime(2022, 12, 28, 21, tzinfo=UTC)
    assert str(history.dates[0]) == "1999-01-04"


@pytest.mark.parametrize(
    ("symbol", "file", "days", "year", "worst"),
    [
        ("SPY", "sp500_long", 1, "1987", -0.2047),
        ("SPY", "closes", 10, "2008", -0.259),
        ("SPY", "closes", 10, "2020", -0.234),
        ("QQQ", "closes", 10, "2000", -0.274),
        ("AAPL", "closes", 1, "2000", -0.52),
        ("PG", "closes", 1, "2000", -0.30),
    ],
)
def test_worst_moves_known_from_outside(symbol: str, file: str, days: int, year: str, worst: float) -> None:
    moves = closes(symbol, file).pct_change(days)
    assert moves.loc[year].min() == pytest.approx(worst, abs=0.005)


def test_black_monday_is_the_19th_of_october() -> None:
    moves = closes("SPY", "sp500_long").pct_change()
    assert str(moves.idxmin().date()) == "1987-10-19"
    assert moves.min() == pytest.approx(-0.2047, abs=5e-5)


def test_the_fall_of_bitcoin_is_there() -> None:
    moves = closes("BTC").pct_change()
    assert str(moves.idxmin().date()) == "2021-05-19"
    assert moves.min() == pytest.approx(-0.138, abs=0.01), "42,909 to 37,002 by another venue's closes"


def test_two_packages_agree_on_the_index() -> None:
    ours, other = closes("SPY"), closes("SPY", "sp500_long")
    shared = ours.index.intersection(other.index)
    assert len(shared) == 4277
    np.testing.assert_allclose(ours[shared], other[shared], rtol=1e-6)


def test_no_unadjusted_splits_and_no_weekends_but_for_coins() -> None:
    for symbol in sample_history().symbols:
        series = closes(symbol)
        assert series.pct_change().abs().max() < 0.53, symbol
        assert (series.index.day_of_week.max() > 4) == (symbol in COINS)


def test_known_closures_have_no_prices() -> None:
    days = closes("SPY").index
    for closed in ("2001-09-11", "2012-10-29", "2020-12-25", "2021-07-05"):
        assert pd.Timestamp(closed) not in days


def test_replica_is_said_with_its_weights_and_quality() -> None:
    replica = sample_provenance()["files"]["closes.parquet"]["columns"]["QQQ"]["replica"]
    weights = replica["weights"]
    assert set(weights) == {*STOCKS, *LATE}
    assert min(weights.values()) >= 0
    assert 0.9 < sum(weights.values()) <= 1.0
    assert replica["in_fit"]["correlation"] > 0.95
    assert replica["fitted_to_2016_measured_on_2017_2018"]["correlation"] > 0.95
    table = pd.DataFrame({s: closes(s).pct_change() for s in weights}).loc["2019":"2022-12-28"]
    np.testing.assert_allclose(closes("QQQ").pct_change().loc["2019":], table @ pd.Series(weights), atol=2e-6)


def test_opens_stand_beside_closes() -> None:
    opens = sample_history("opens")
    assert set(opens.symbols) == {"SPY", "QQQ", *LATE, *COINS}
    for symbol in LATE:
        gap = closes(symbol, "opens") / closes(symbol).shift() - 1
        assert gap.abs().median() < 0.01, symbol
    assert sample_history("vix").symbols == ("VIX",)


def test_proxies_give_no_price_levels() -> None:
    latest = SampleSource().latest(["SPY", "QQQ", "AAPL", "AMZN", "BTC", "NOPE"])
    assert set(latest) == {"AAPL", "AMZN", "BTC"}
    assert latest["AAPL"] == (125.674, datetime(2022, 12, 28, 21, tzinfo=UTC))
    assert latest["AMZN"][1] == datetime(2022, 12, 28, 21, tzinfo=UTC), "nothing after the sample's now"
    assert latest["BTC"][1] == datetime(2021, 9, 5, 21, tzinfo=UTC)


def test_cached_and_read_only() -> None:
    history = sample_history()
    assert sample_history() is history
    for array in (history.closes, history.dates, SampleSource().history(["AAPL"]).closes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]


def test_loads_without_pandas() -> None:
    code = (
        "import sys; from risk_management.market_data.sample import sample_history; sample_history();"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _tool() -> ModuleType:
    path = Path(__file__).parents[3] / "tools" / "build_sample_data.py"
    if not path.exists():
        pytest.skip("tools/build_sample_data.py is not part of the wheel")
    spec = importlib.util.spec_from_file_location("build_sample_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1 + 1",)  # it must never run


def test_the_tool_unpickles_arrays_only() -> None:
    tool = _tool()
    with pytest.raises(pickle.UnpicklingError, match="no business"):
        tool.ArraysOnly(io.BytesIO(pickle.dumps(_Evil()))).load()
    array = np.arange(3.0)
    raw = pickle.dumps(array, protocol=3).replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(tool.ArraysOnly(io.BytesIO(raw)).load(), array)
