"""The scenarios that ship, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from risk_management.calculators.scenarios.scenario import Scenario, parse_scenario
from risk_management.errors import ConfigurationError

__all__ = ["SCENARIO_FOLDER", "StressScenario", "load_scenarios"]

SCENARIO_FOLDER = Path(__file__).parent
"""Folder of the files that ship."""


class StressScenario(StrEnum):
    """The scenarios that ship, one file each; a user's own are known by their string id."""

    BLACK_MONDAY_1987 = "black_monday_1987"
    RUSSIA_LTCM_1998 = "russia_ltcm_1998"
    DOTCOM_BUST_2000 = "dotcom_bust_2000"
    NASDAQ_TEN_DAYS_2000 = "nasdaq_ten_days_2000"
    SEPTEMBER_11_2001 = "september_11_2001"
    MARKET_CRASH_2008 = "market_crash_2008"
    TEN_DAYS_2008 = "ten_days_2008"
    FLASH_CRASH_2010 = "flash_crash_2010"
    US_DOWNGRADE_2011 = "us_downgrade_2011"
    TAPER_TANTRUM_2013 = "taper_tantrum_2013"
    AUGUST_2015 = "august_2015"
    BREXIT_2016 = "brexit_2016"
    VOLMAGEDDON_2018 = "volmageddon_2018"
    FOURTH_QUARTER_2018 = "fourth_quarter_2018"
    COVID_CRASH_2020 = "covid_crash_2020"
    TEN_DAYS_2020 = "ten_days_2020"
    COVID_MONDAY_2020 = "covid_monday_2020"
    CRYPTO_CRASH_2021 = "crypto_crash_2021"
    RATE_SHOCK_2022 = "rate_shock_2022"
    CRYPTO_WINTER_2022 = "crypto_winter_2022"
    REGIONAL_BANKS_2023 = "regional_banks_2023"
    YEN_CARRY_2024 = "yen_carry_2024"
    TARIFFS_2025 = "tariffs_2025"
    EQUITY_CRASH = "equity_crash"
    SINGLE_NAME_GAP = "single_name_gap"
    CRYPTO_CRASH = "crypto_crash"
    STABLECOIN_DEPEG = "stablecoin_depeg"
    VENUE_LOST = "venue_lost"
    CORRELATION_TO_ONE = "correlation_to_one"
    RATES_SHOCK = "rates_shock"
    VOLATILITY_LIQUIDITY_SHOCK = "volatility_liquidity_shock"


def load_scenarios(extra_dir: Path | None = None) -> Mapping[str, Scenario]:
    """Every scenario by id: those that ship, then those of a user's folder.

    Parameters
    ----------
    extra_dir : Path or None
        Folder with files of a user's own, read at every call; what ships is read once.

    Raises
    ------
    ConfigurationError
        A file is wrong (its text names file and key), the folder does not exist, or an id is taken.
    """
    shipped = _shipped()
    if extra_dir is None:
        return shipped
    if not extra_dir.is_dir():
        raise ConfigurationError(f"scenario_dir {extra_dir} is not a folder; create it or leave the key out")
    own = _read_folder(extra_dir)
    taken = sorted(set(own) & set(shipped))
    if taken:
        raise ConfigurationError(f"{extra_dir}: {', '.join(taken)} ships already; choose another id")
    return MappingProxyType({**shipped, **own})


@cache
def _shipped() -> Mapping[str, Scenario]:
    found = _read_folder(SCENARIO_FOLDER)
    return MappingProxyType({member.value: found[member.value] for member in StressScenario})


def _read_folder(folder: Path) -> dict[str, Scenario]:
    """All files of a folder by id; the mistakes of all of them are reported together."""
    found: dict[str, Scenario] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found[path.stem] = parse_scenario(path)
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found
