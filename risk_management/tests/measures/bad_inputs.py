"""Kinds of input that no measure can serve, for the tables of every test file."""

from decimal import Decimal

import numpy as np

NOT_A_SERIES = {
    "NaN": [0.01, float("nan"), 0.02],
    "infinity": [0.01, float("inf"), 0.02],
    "too large": [1e200, -1e200, 0.0],
    "text": ["0.01", "0.02", "x"],
    "numbers as text": np.array(["0.01", "0.02"]),
    "None": None,
    "None inside": [0.01, None, 0.02],
    "truth values": [True, False, True],
    "complex": [0.01 + 1j, 0.02, 0.0],
    "decimals": [Decimal("0.01"), Decimal("0.02")],
    "ragged": [[0.01, 0.02], [0.01]],
    "one number": 0.01,
    "three axes": np.zeros((3, 2, 2)),
    "no columns": np.zeros((5, 0)),
    "a dict": {"a": 0.01},
    "masked": np.ma.masked_array([0.01, 0.02, 0.03], mask=[False, True, False]),
    "dates": np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
}

NOT_A_CONFIDENCE = [
    0.0,
    1.0,
    1.5,
    -0.5,
    99,
    float("nan"),
    float("inf"),
    "0.99",
    None,
    True,
    [0.99],
    1e-300,
    1e-17,
]
