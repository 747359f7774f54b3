"""Positions of a user: what is taken, and what is said of what can't be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.errors import MarketDataError
from risk_management.market_data._written_number import written_number
from risk_management.market_data.positions_file import COLUMNS, PositionRow, read_positions

HAND = """# my book, July
Symbol,Size,Price,Strategy
SPY,5000,450,momentum

QQQ, 3000 ,380.5,
# sold short
TSLA,-800,200,value
"""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str | bytes, name: str = "positions.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_file_written_by_hand(file):
    assert read_positions(file(HAND)) == [
        PositionRow("SPY", 5000.0, 450.0, "momentum", line=3),
        PositionRow("QQQ", 3000.0, 380.5, "", line=5),
        PositionRow("TSLA", -800.0, 200.0, "value", line=7),
    ]


FORMS = {
    "quantity and price": "symbol,quantity,price\nSPY,10,450\n",
    "any order": "price,symbol,quantity\n450,SPY,10\n",
    "any case": "SYMBOL,Quantity,PRICE\nSPY,10,450\n",
    "other names": "Ticker,Qty,Avg Price\nSPY,10,450\n",
    "blanks and dashes": " ticker , shares ,entry-price\nSPY,10,450\n",
    "semicolons": "symbol;quantity;price\nSPY;10;450\n",
    "tabs": "symbol\tquantity\tprice\nSPY\t10\t450\n",
    "byte order mark": "\ufeffsymbol,quantity,price\nSPY,10,450\n",
    "Windows lines": "symbol,quantity,price\r\nSPY,10,450\r\n",
    "quoted": '"symbol","quantity","price"\n"SPY","10","450.0"\n',
    "thousands in quotes": 'symbol,size,price\nSPY,"4,500.00",450\n',
    "empty cells left out": "symbol,quantity,price,strategy\nSPY,10,450\n",
    "empty cells at the end": "symbol,quantity,price\nSPY,10,450,,\n",
    "no last line end": "symbol,quantity,price\nSPY,10,450",
    "a column of one's own": "symbol,note,quantity,price\nSPY,a long story,10,450\n",
    "all three that agree": "symbol,quantity,price,market value\nSPY,10,450,4501\n",
    "price from the two": "symbol,quantity,size\nSPY,10,4500\n",
    "signs of both": "symbol,side,quantity,price\nSPY,long,10,450\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms_of_one_position(file, text):
    (row,) = read_positions(file(text))
    assert (row.symbol, row.size, row.price, row.line) == ("SPY", 4500.0, 450.0, 2)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("symbol,quantity,price\nSPY,-10,450", -4500.0),
        ("symbol,side,quantity,price\nSPY,short,10,450", -4500.0),
        ("symbol,side,size\nSPY,SELL,4500", -4500.0),
        ("symbol,side,size\nSPY,short,-4500", -4500.0),
        ("symbol,side,size\nSPY,Buy,4500", 4500.0),
        ("symbol,side,size\nSPY,,-4500", -4500.0),
    ],
)
def test_sides(file, text, size):
    assert read_positions(file(text))[0].size == size


@pytest.mark.parametrize(
    ("text", "risk"),
    [
        ("symbol,quantity,price,stop\nSPY,10,450,440", 100.0),
        ("symbol,quantity,price,stop\nSPY,-10,450,460", 100.0),
        ("symbol,size,price,stop\nSPY,4500,450,440", 100.0),
        ("symbol,size,risk_amount\nSPY,4500,100", 100.0),
        ("symbol,size,risk\nSPY,4500,0", 0.0),
        ("symbol,size,risk\nSPY,4500,", None),
    ],
)
def test_money_at_the_stop(file, text, risk):
    assert read_positions(file(text))[0].risk_amount == risk


def test_owner(file):
    (row,) = read_positions(file("symbol,size,bot,account\nSPY,4500,RSI2,IB-1\n"))
    assert (row.bot, row.account_id, row.price, row.unit_cost) == ("RSI2", "IB-1", None, 1.0)


WRONG = {
    "empty file": ("", "the file is empty"),
    "comments only": ("# nothing\n", "the file is empty"),
    "header only": ("symbol,size\n", "no positions below the header"),
    "no symbol column": ("name,size\nSPY,1\n", "no column 'symbol'"),
    "no header": ("SPY,5000\nQQQ,300\n", "no column 'symbol'; the first line names the columns"),
    "no size column": ("symbol,price\nSPY,450\n", "no column 'size' (money) or 'quantity' (units)"),
    "quantity without price": ("symbol,quantity\nSPY,10\n", "no column 'price'; a quantity needs one"),
    "typo": (
        "symbol,size,straegy\nSPY,1,x\n",
        "line 1, column 'straegy' is not known; did you mean 'strategy'?",
    ),
    "column twice": ("symbol,size,value\nSPY,1,1\n", "column 'value' means 'size', which stands twice"),
    "empty symbol": ("symbol,size\n,5\n", "line 2, column 'symbol': '' is empty"),
    "hostile symbol": ("symbol,size\n=cmd|calc,5\n", "line 2, column 'symbol': a symbol is 1 to 32"),
    "path as symbol": ("symbol,size\n../x,5\n", "a symbol is 1 to 32"),
    "look-alike": ("symbol,size\nSP\u0423,5\n", "a symbol is 1 to 32"),
    "empty size": ("symbol,size\nSPY,\n", "line 2, column 'size': '' is empty"),
    "text": ("symbol,size\nSPY,lots\n", "column 'size': 'lots' is not a plain number"),
    "nan": ("symbol,size\nSPY,NaN\n", "'NaN' is not a plain number"),
    "infinity": ("symbol,size\nSPY,-inf\n", "'-inf' is not a plain number"),
    "zero": ("symbol,size\nSPY,0\n", "'0' is zero; leave out what is not held"),
    "underflow": ("symbol,size\nSPY,1e-400\n", "'1e-400' is zero"),
    "huge": ("symbol,size\nSPY,1e13\n", "is too large; at most 1e+12"),
    "underscore": ("symbol,size\nSPY,1_000\n", "is not a plain number"),
    "other digits": ("symbol,size\nSPY,\u0661\u0660\n", "is not a plain number"),
    "currency sign": ("symbol,size\nSPY,$5000\n", "write the number alone, without currency or unit"),
    "unit": ("symbol,size\nSPY,5000 USD\n", "write the number alone, without currency or unit"),
    "percent": ("symbol,size\nSPY,50%\n", "an amount is meant, not a percentage"),
    "parentheses": ("symbol,size\nSPY,(500)\n", "with a minus sign"),
    "decimal comma": ("symbol;size\nSPY;450,5\n", "write a decimal point and no separator"),
    "two readings": ("symbol;size\nSPY;1,000\n", "can be read in two ways"),
    "points for thousands": ("symbol;size\nSPY;1.000,50\n", "write a decimal point and no separator"),
    "price zero": ("symbol,quantity,price\nSPY,10,0\n", "column 'price': '0' must be above 0"),
    "price negative": ("symbol,quantity,price\nSPY,10,-4\n", "column 'price': '-4' must be above 0"),
    "price empty": ("symbol,quantity,price\nSPY,10,\n", "a quantity needs a price"),
    "unquoted thousands": ("symbol,size,price\nSPY,1,000,450\n", "line 2: 4 cells where the header has 3"),
    "too few cells": ("symbol,quantity,price\nSPY,5\n", "line 2, column 'price': '' is empty"),
    "no such side": ("symbol,side,size\nSPY,up,5\n", "column 'side': 'up' is no side; write long or short"),
    "long and negative": ("symbol,side,size\nSPY,long,-5\n", "drop one of the two"),
    "signs differ": ("symbol,quantity,size\nSPY,-10,4500\n", "different signs"),
    "no product": (
        "symbol,quantity,price,size\nSPY,10,450,5000\n",
        "is not quantity x price (10 x 450 = 4500)",
    ),
    "stop on the wrong side": (
        "symbol,quantity,price,stop\nSPY,10,450,460\n",
        "must lie below the price 450",
    ),
    "stop of a short": ("symbol,quantity,price,stop\nSPY,-10,450,440\n", "must lie above the price 450"),
    "stop without price": ("symbol,size,stop\nSPY,10,440\n", "needs the price of a unit"),
    "stop and risk": ("symbol,quantity,price,stop,risk\nSPY,10,450,440,5\n", "give one of the two"),
    "negative risk": ("symbol,size,risk\nSPY,10,-5\n", "column 'risk_amount': '-5' must be above 0"),
    "twice": ("symbol,size\nSPY,5\nSPY,5\n", "line 3: SPY stands with the same values on line 2"),
    "two currencies": ("symbol,size,ccy\nSPY,5,USD\nDAX,5,EUR\n", "'EUR' after 'USD'"),
    "strange strategy": (
        "symbol,size,strategy\nSPY,5,a\u202eb\n",
        "line 2, column 'strategy': strategy is 1 to",
    ),
    "open quote": ('symbol,size\n"SPY,5\n', "close every quotation mark"),
    "UTF-16": ("symbol,size\nSPY,5\n".encode("utf-16"), "save it as 'CSV UTF-8'"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\xff", "save it as 'CSV UTF-8'"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_bad_input(file, text, said):
    path = file(text)
    with pytest.raises(MarketDataError) as caught:
        read_positions(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_no_file(tmp_path: Path):
    for path in (tmp_path / "none.csv", tmp_path, "a\0b"):
        with pytest.raises(MarketDataError):
            read_positions(path)


def test_all_mistakes_at_once(file):
    path = file("symbol,quantity,price\n" + "".join(f"A{i},x,0\n" for i in range(15)))
    with pytest.raises(MarketDataError) as caught:
        read_positions(path)
    said = str(caught.value).splitlines()
    assert len(said) == 21
    assert (
        said[0]
        == f"{path}, line 2, column 'quantity': 'x' is not a plain number; write a number such as 1234.5"
    )
    assert said[1] == f"{path}, line 2, column 'price': '0' must be above 0"
    assert said[-1] == "... and 10 more"


@given(st.floats(min_value=0.01, max_value=1e12), st.booleans())
def test_numbers_come_back(number, negative):
    wanted = -number if negative else number
    assert written_number(repr(wanted)) == wanted
    assert written_number(f"{wanted:,.2f}") == float(f"{wanted:.2f}")


@given(st.text(max_size=12))
def test_no_text_surprises(text):
    try:
        assert abs(written_number(text)) <= 1e12
    except ValueError:
        return


def test_no_name_means_two_columns():
    names = [name for first, others in COLUMNS.items() for name in (first, *others)]
    assert len(names) == len(set(names))
