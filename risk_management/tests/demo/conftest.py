"""A market that is read once, and one short gated run that several tests look at."""

from __future__ import annotations

import pytest

from risk_management.demo.accounting import CostModel
from risk_management.demo.gate import prepare
from risk_management.demo.market import Market, Period

CAPITAL = 10_000.0
CRASH = Period("crash", "2020-02-03", "2020-04-15")


@pytest.fixture(scope="session")
def market():
    return Market.sample()


@pytest.fixture(scope="session")
def prepared(market):
    return prepare(market, CAPITAL)


@pytest.fixture(scope="session")
def costs():
    return CostModel()
