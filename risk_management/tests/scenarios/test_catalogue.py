"""The files that ship, the enum beside them, and what a wrong file says."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

from risk_management.calculators.scenarios import Scenario, ScenarioKind, StressScenario, load_scenarios
from risk_management.calculators.scenarios.catalogue import SCENARIO_FOLDER
from risk_management.calculators.scenarios.page import scenario_table, source_list
from risk_management.calculators.scenarios.scenario import GATE_HORIZON, parse_scenario
from risk_management.errors import ConfigurationError

SCENARIOS = load_scenarios()
EVERY = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
GOOD = """
id = "own"
name = "Own"
kind = "historical"
use = "report"
horizon_days = 5
start = 2020-02-19
end = 2020-02-26
market = -0.1
description = "A week."
[symbols]
SPY = -0.1
[[sources]]
figure = "-10 %"
citation = "a paper"
"""


def test_the_enum_and_the_files_are_the_same():
    files = {path.stem for path in SCENARIO_FOLDER.glob("*.toml")}
    assert files == {member.value for member in StressScenario} == set(SCENARIOS)
    assert all(member.name == member.value.upper() for member in StressScenario)
    assert StressScenario.MARKET_CRASH_2008 == "market_crash_2008"


def test_what_must_ship_ships():
    kinds = [scenario.kind for scenario in SCENARIOS.values()]
    assert kinds.count(ScenarioKind.HISTORICAL) >= 14
    assert kinds.count(ScenarioKind.HYPOTHETICAL) >= 7
    years = {s.start.year for s in SCENARIOS.values() if s.start}
    assert {1987, 1998, 2000, 2001, 2007, 2008, 2011, 2018, 2020, 2021, 2022, 2023, 2024, 2025} <= years


@EVERY
def test_every_file_cites_its_figures(scenario: Scenario):
    assert scenario.sources
    for source in scenario.sources:
        has_address = "http" in source.citation or "package" in source.citation
        assert has_address or source.citation.startswith("Assumption"), source
    if scenario.kind is ScenarioKind.HISTORICAL:
        assert not any(source.citation.startswith("Assumption") for source in scenario.sources)


@EVERY
def test_every_depth_in_a_file_is_named_by_a_source(scenario: Scenario):
    """Each market figure can be read off a source, to the percentage point it is given in."""
    if scenario.market is None:
        return
    words = " ".join(source.figure for source in scenario.sources)
    numbers = [float(found) / 100 for found in re.findall(r"(?<![\d,.])-?(\d+(?:\.\d+)?) ?%", words)]
    assert any(abs(abs(scenario.market) - number) < 0.005 for number in numbers), words


@EVERY
def test_gates_are_short_and_historical_windows_are_whole(scenario: Scenario):
    assert not scenario.is_gate or scenario.horizon_days <= GATE_HORIZON
    if scenario.kind is ScenarioKind.HISTORICAL:
        assert scenario.start < scenario.end


def test_the_gates_hold_the_worst_one_and_ten_days():
    gates = {key for key, scenario in SCENARIOS.items() if scenario.is_gate}
    assert {"black_monday_1987", "covid_monday_2020", "ten_days_2008", "ten_days_2020"} <= gates
    assert {
        "nasdaq_ten_days_2000",
        "single_name_gap",
        "crypto_crash",
        "stablecoin_depeg",
        "venue_lost",
    } <= gates
    assert "market_crash_2008" not in gates


def test_what_ships_is_read_once_and_can_not_be_changed():
    assert load_scenarios() is SCENARIOS
    with pytest.raises(TypeError):
        SCENARIOS["own"] = SCENARIOS["equity_crash"]  # type: ignore[index]


def test_a_users_file_joins_and_is_read_anew(tmp_path: Path):
    (tmp_path / "own.toml").write_text(GOOD)
    found = load_scenarios(tmp_path)
    assert set(found) == {*SCENARIOS, "own"}
    assert found["own"].symbols == {"SPY": -0.1}
    (tmp_path / "own.toml").write_text(GOOD.replace("SPY = -0.1", "SPY = -0.2"))
    assert load_scenarios(tmp_path)["own"].symbols == {"SPY": -0.2}


def test_a_users_file_can_not_take_a_name_that_ships(tmp_path: Path):
    (tmp_path / "ten_days_2008.toml").write_text(GOOD.replace('"own"', '"ten_days_2008"'))
    with pytest.raises(ConfigurationError, match="ten_days_2008 ships already"):
        load_scenarios(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="is not a folder"):
        load_scenarios(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "own"', 'id = "other"', r"own\.toml: `id` is 'other'"),
        ('name = "Own"', "name = 7", "`name` must be a text"),
        ('description = "A week."', 'description = "  "', "`description` must be a text"),
        ('kind = "historical"', 'kind = "mythical"', "`kind` is 'mythical'; choose one of historical"),
        ('use = "report"', 'use = "never"', "`use` is 'never'"),
        ("horizon_days = 5", "horizon_days = 0", "`horizon_days` is 0"),
        ("horizon_days = 5", "horizon_days = true", "`horizon_days` is True"),
        ("horizon_days = 5", "", "`horizon_days` is None"),
        ("market = -0.1", "market = -1.2", "`market` is -1.2"),
        ("market = -0.1", "market = nan", "`market` is nan"),
        ("market = -0.1", 'market = "-10 %"', "`market` is '-10 %'"),
        ("market = -0.1", "", "`market` is missing"),
        ("market = -0.1", "market = -0.1\nmarkets = -0.1", "`markets` is unknown"),
        ("market = -0.1", "market = -0.1\nvolatility_multiple = -1", "`volatility_multiple` is -1"),
        ("market = -0.1", "market = -0.1\nvolatility_multiple = 2", "goes with `rule` against_exposure"),
        ("market = -0.1", 'market = -0.1\nrule = "wild"', "`rule` is 'wild'"),
        ("start = 2020-02-19", "", "`start` and `end` come together"),
        ("start = 2020-02-19", "start = 2020-03-19", "`start` 2020-03-19 must lie before"),
        ("start = 2020-02-19", 'start = "2020-02-19"', "`start` is '2020-02-19'; write a date"),
        ("start = 2020-02-19", "start = 2020-02-19T00:00:00", "`start` is"),
        ("start = 2020-02-19\nend = 2020-02-26", "", "are needed by a historical scenario"),
        ("SPY = -0.1", "SPY = -1.5", "`symbols.SPY` is -1.5"),
        ("SPY = -0.1", "SPY = inf", "`symbols.SPY` is inf"),
        ("[symbols]", "[classes]\nstock = -0.1\n[symbols]", "`classes.stock` is not a name"),
        ("[symbols]", "[sectors]\nTech = -0.1\n[symbols]", "`sectors.Tech` is not a name"),
        ("[symbols]\nSPY = -0.1", "symbols = 3", "`symbols` must be a table"),
        ('citation = "a paper"', 'citation = ""', "each needs a text `figure` and a text `citation`"),
        ('citation = "a paper"', "", "each needs a text `figure`"),
        ('use = "report"\nhorizon_days = 5', 'use = "gate"\nhorizon_days = 11', "`use` is gate"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(tmp_path: Path, old: str, new: str, said: str):
    assert old in GOOD
    (tmp_path / "own.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigurationError, match=said):
        load_scenarios(tmp_path)


def test_no_sources_is_wrong(tmp_path: Path):
    (tmp_path / "own.toml").write_text(GOOD.split("[[sources]]", maxsplit=1)[0])
    with pytest.raises(ConfigurationError, match="`sources` must name at least one"):
        load_scenarios(tmp_path)


def test_all_mistakes_of_all_files_come_together(tmp_path: Path):
    (tmp_path / "own.toml").write_text(GOOD.replace("-0.1", "-9").replace("horizon_days = 5", ""))
    (tmp_path / "two.toml").write_text("not toml")
    with pytest.raises(ConfigurationError) as caught:
        load_scenarios(tmp_path)
    text = str(caught.value)
    assert all(
        part in text for part in ("`market`", "`symbols.SPY`", "`horizon_days`", "two.toml", "as TOML")
    )


def test_a_file_that_can_not_be_read(tmp_path: Path):
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="can't be read as TOML"):
        parse_scenario(tmp_path / "own.toml")


HUGE = "9" * 400


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("market = -0.1", f"market = {HUGE}", "market"),
        ("market = -0.1", "market = 1e308", "market"),
        ("market = -0.1", "market = 100.01", "market"),
        ("SPY = -0.1", f"SPY = {HUGE}", "symbols.SPY"),
        ("horizon_days = 5", f"horizon_days = {HUGE}", "horizon_days"),
        ("horizon_days = 5", "horizon_days = 10001", "horizon_days"),
        ("market = -0.1", f"market = -0.1\nvolatility_multiple = {HUGE}", "volatility_multiple"),
        ("market = -0.1", "market = " + "9" * 5_000, "market"),
        ("market = -0.1", "market = " + "[" * 5_000, "market"),
        ("[symbols]", "deep = " + "[" * 5_000 + "]" * 5_000 + "\n[symbols]", "deep"),
    ],
    ids=lambda value: value[:30],
)
def test_a_hostile_value_is_named_with_its_file_and_key(tmp_path: Path, old: str, new: str, key: str):
    assert old in GOOD
    (tmp_path / "own.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=rf"own\.toml: .*`{re.escape(key)}`") as caught:
        load_scenarios(tmp_path)
    assert len(str(caught.value)) < 600


def test_the_bounds_themselves_are_taken(tmp_path: Path):
    text = GOOD.replace("market = -0.1", "market = 100").replace("horizon_days = 5", "horizon_days = 10000")
    (tmp_path / "own.toml").write_text(text)
    assert load_scenarios(tmp_path)["own"].market == 100.0


def test_the_deepest_fall_is_never_a_gain(tmp_path: Path):
    text = GOOD.replace("market = -0.1", "").replace("SPY = -0.1", "SPY = 0.3\nGLD = 0.1")
    (tmp_path / "own.toml").write_text("rest = 0.0\n" + text)
    assert load_scenarios(tmp_path)["own"].worst == 0.0


@EVERY
def test_the_record_says_what_the_file_says(scenario: Scenario):
    table = tomllib.loads((SCENARIO_FOLDER / f"{scenario.id}.toml").read_text(encoding="utf-8"))
    assert scenario.market == table.get("market")
    for name in ("classes", "sectors", "symbols"):
        assert dict(getattr(scenario, name)) == table.get(name, {})


def test_the_page_holds_what_the_files_hold():
    page = Path(__file__).parents[3] / "docs" / "stress-scenarios.md"
    if not page.exists():
        pytest.skip("the docs do not ship with the installed package")
    text = page.read_text(encoding="utf-8")
    assert scenario_table() in text
    assert source_list().strip() in text


def test_the_example_of_the_page_loads(tmp_path: Path):
    page = Path(__file__).parents[3] / "docs" / "stress-scenarios.md"
    if not page.exists():
        pytest.skip("the docs do not ship with the installed package")
    example = page.read_text(encoding="utf-8").split("```toml")[1].split("```")[0]
    (tmp_path / "my_oil_shock.toml").write_text(example)
    assert load_scenarios(tmp_path)["my_oil_shock"].sectors == {"Energy": -0.25}


def test_the_table_of_other_scenarios():
    table = scenario_table({"venue_lost": SCENARIOS["venue_lost"]})
    assert table.splitlines()[2].startswith("| `venue_lost` |")
    assert "rule `venue_lost`, crypto -100.0%, stablecoin -100.0%, rest 0.0%" in table
    assert source_list({"venue_lost": SCENARIOS["venue_lost"]}).count("\n- ") == 3


def test_the_module_writes_the_page(capsys: pytest.CaptureFixture[str]):
    runpy.run_module("risk_management.calculators.scenarios", run_name="__main__")
    assert capsys.readouterr().out == f"{scenario_table()}\n\n## Sources\n\n{source_list()}"
