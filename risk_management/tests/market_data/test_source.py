"""The registry of sources, missing libraries, and the facts about instruments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from risk_management.config.risk_config import MarketDataConfig
from risk_management.errors import MarketDataError, MissingExtra, RegistryError
from risk_management.market_data.instruments import load_instrument_facts
from risk_management.market_data.sample import sample_history
from risk_management.market_data.source import SOURCES, load_source
from risk_management.model.instrument import AssetClass


@dataclass(frozen=True)
class Settings:
    source: str = "sample"
    path: Path | None = None
    exchange: str | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    sectors: Mapping[str, str] = field(default_factory=dict)
    asset_classes: Mapping[str, str] = field(default_factory=dict)


def test_built_in_sources() -> None:
    assert SOURCES.names()[:4] == ("sample", "files", "yahoo", "exchange")
    assert load_source(Settings()).history() is sample_history()
    assert load_source(MarketDataConfig()).is_sample


def test_every_source_keeps_the_contract(tmp_path: Path) -> None:
    (tmp_path / "A.csv").write_text("date,close\n2024-01-02,1\n")
    for settings in (Settings(), Settings("files", tmp_path)):
        source = load_source(settings)
        assert source.name == settings.source
        assert source.history(symbols=["A"]).source == source.name
        assert set(source.latest(["A", "NOPE"])) <= {"A"}


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        (
            Settings("nope"),
            RegistryError,
            "no source is called 'nope'; known: exchange, files, sample, yahoo",
        ),
        (Settings("files"), MarketDataError, "needs market_data_config.path"),
        (Settings("exchange"), MarketDataError, "needs market_data_config.exchange"),
    ],
)
def test_settings_that_can_not_work(settings: Settings, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        load_source(settings)


@pytest.mark.parametrize(("source", "library"), [("yahoo", "yfinance"), ("exchange", "ccxt")])
def test_a_missing_library_names_the_extra(
    source: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        MissingExtra, match=rf"needs {library}; install the extra: .*risk-management\[{source}\]"
    ):
        load_source(Settings(source, exchange="kraken"))


def test_settings_name_what_is_fetched() -> None:
    pytest.importorskip("yfinance")
    pytest.importorskip("ccxt")
    settings = Settings(
        "yahoo",
        exchange="kraken",
        proxies={"TQQQ": "QQQ"},
        sectors={"KO": "Consumer Staples"},
        asset_classes={"SOL": "crypto"},
    )
    assert set(load_source(settings)._symbols) == {"KO", "TQQQ", "QQQ", "SOL", "SPY"}  # type: ignore[attr-defined]
    exchange = SOURCES.get("exchange")(settings)
    assert exchange._symbols == ("SOL", "BTC", "ETH")  # type: ignore[attr-defined]


def test_network_libraries_are_loaded_late() -> None:
    code = (
        "import sys, risk_management.market_data.yahoo, risk_management.market_data.exchange;"
        "sys.exit(bool({'yfinance', 'ccxt'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_facts_cover_the_sample_and_use_known_classes() -> None:
    facts = load_instrument_facts()
    assert set(sample_history().symbols) <= set(facts)
    assert {one.asset_class for one in facts.values()} <= {kind.value for kind in AssetClass}
    assert {symbol for symbol, one in facts.items() if one.symbol != symbol} == set()
    assert load_instrument_facts() is facts


@pytest.mark.parametrize(
    ("symbol", "sector", "kind"),
    [
        ("SPY", "Broad index", "index_fund"),
        ("QQQ", "Broad index", "index_fund"),
        ("AAPL", "Information Technology", "equity"),
        ("AMZN", "Consumer Discretionary", "equity"),
        ("GOOG", "Communication Services", "equity"),
        ("WMT", "Consumer Staples", "equity"),
        ("XLE", "Energy", "equity"),
        ("TQQQ", "Leveraged fund", "other"),
        ("TLT", "Bonds", "bond_fund"),
        ("BTC", "Crypto", "crypto"),
        ("BTC-USD", "Crypto", "crypto"),
        ("SOL/USDT", "Crypto", "crypto"),
        ("USDT", "Stablecoin", "crypto"),
    ],
)
def test_facts(symbol: str, sector: str, kind: str) -> None:
    facts = load_instrument_facts()[symbol]
    assert (facts.sector, facts.asset_class) == (sector, kind)


def test_eleven_sectors_of_companies() -> None:
    sectors = {one.sector for one in load_instrument_facts().values() if one.asset_class == "equity"}
    assert len(sectors) == 11
