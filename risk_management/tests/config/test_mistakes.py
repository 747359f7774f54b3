"""A wrong value is told in our words, whatever it is wrong about: of every setting and every body."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel, ValidationError

from risk_management.config.mistakes import in_words
from risk_management.config.risk_config import RiskManagementConfig, load_risk_config
from risk_management.errors import ConfigurationError
from risk_management.service.routes import API, ROOT

WRONG = ("x", "", -1, 1e300, float("nan"), 1.5, True, None, [], [[]], {"x": {}}, b"\xff")
THEIRS = ("Input should", "Value error", "unable to", "valid ", "instance of", "pydantic")


def _models():
    """All records that people and bots write."""
    found: dict[str, type[BaseModel]] = {"RiskManagementConfig": RiskManagementConfig}
    for field in RiskManagementConfig.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found[field.annotation.__name__] = field.annotation
    for route in (*API, *ROOT):
        if route.asks is not None:
            found[route.asks.__name__] = route.asks
    return found


@pytest.mark.parametrize("model", _models().values(), ids=_models().keys())
def test_no_word_of_the_library_reaches_people(model):
    for name in model.model_fields:
        for value in WRONG:
            try:
                model.model_validate({name: value})
            except ValidationError as problem:
                for error in problem.errors(include_url=False):
                    said = in_words(error)
                    assert not [word for word in THEIRS if word in said], (name, value, said)
                    assert not re.search(r"\{[a-z_]+\}", said), said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"portfolio_value": "much"}, "portfolio_value (keyword): must be a number"),
        ({"portfolio_value": -5}, "portfolio_value (keyword): must be more than 0, got -5"),
        ({"risk_level": "bold"}, "risk_level (keyword): must be 'conservative', 'moderate' or 'aggressive'"),
        ({"alert_config": {"enabled": "perhaps"}}, "alert_config.enabled (keyword): must be true or false"),
    ],
)
def test_what_a_person_reads(settings, said):
    with pytest.raises(ConfigurationError) as problem:
        load_risk_config(**settings)
    assert said in str(problem.value)
