"""Past fills of a user: what is taken, and what is said of what can't be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from risk_management.errors import MarketDataError
from risk_management.market_data.fills_file import FILL_COLUMNS, FillRow, read_fills

HAND = """# my year
Date,Ticker,Side,Qty,Price,Commission,Strategy,Bot
2022-03-01 14:30,AAPL,buy,10,163.2,1.0,core,RSI2

2022-03-02, XOM ,SLD,5,84.5,,,
2022-03-01T09:30-05:00,AAPL,sell,4,164,0,core,RSI2
"""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "fills.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_file_written_by_hand_in_order_of_time(file):
    assert read_fills(file(HAND)) == [
        FillRow(at(2022, 3, 1, 14, 30), "AAPL", 1, 10.0, 163.2, 1.0, "RSI2", "core", "", 3),
        FillRow(at(2022, 3, 1, 14, 30), "AAPL", -1, 4.0, 164.0, 0.0, "RSI2", "core", "", 6),
        FillRow(at(2022, 3, 2, 21), "XOM", -1, 5.0, 84.5, 0.0, "", "", "", 5, is_day=True),
    ]


FORMS = {
    "plain": "time,symbol,side,quantity,price\n2022-03-01,KO,buy,10,60\n",
    "size in money": "time,symbol,side,size,price\n2022-03-01,KO,buy,600,60\n",
    "both": "time,symbol,side,quantity,price,amount\n2022-03-01,KO,buy,10,60,600\n",
    "no side": "time,symbol,quantity,price\n2022-03-01,KO,10,60\n",
    "semicolons": "date;symbol;side;qty;price\n2022-03-01;KO;BUY;10;60\n",
    "tabs": "Trade Date\tTicker\tAction\tShares\tFill Price\n2022-03-01\tKO\tB\t10\t60.0\n",
    "byte order mark": "\ufefftime,symbol,side,quantity,price\n2022-03-01,KO,bought,10,60\n",
    "quoted thousands": 'time,symbol,side,size,price\n2022-03-01,KO,buy,"600.00",60\n',
    "a column of one's own": "time,symbol,note,side,quantity,price\n2022-03-01,KO,x,buy,10,60\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_forms_of_one_fill(file, text):
    (row,) = read_fills(file(text))
    assert (row.symbol, row.side, row.quantity, row.price, row.money, row.line) == (
        "KO",
        1,
        10.0,
        60.0,
        600.0,
        2,
    )


@pytest.mark.parametrize(
    ("side", "quantity", "sign"),
    [("sell", "10", -1), ("", "-10", -1), ("short", "10", -1), ("sell", "-10", -1), ("long", "10", 1)],
)
def test_directions(file, side, quantity, sign):
    (row,) = read_fills(file(f"time,symbol,side,quantity,price\n2022-03-01,KO,{side},{quantity},60\n"))
    assert (row.side, row.quantity) == (sign, 10.0)


HEAD = "time,symbol,side,quantity,price,fee,id\n"
WRONG = {
    "empty file": ("", "line 1: the file is empty; write a header such as time,symbol,side,quantity,price"),
    "header only": (HEAD, "no fills below the header"),
    "no time column": ("symbol,side,quantity,price\nKO,buy,1,60\n", "no column 'time'"),
    "no amount column": ("time,symbol,price\n2022-03-01,KO,60\n", "no column 'quantity' (units) or 'size'"),
    "no price column": ("time,symbol,quantity\n2022-03-01,KO,60\n", "no column 'price'"),
    "typo": (
        "time,symbol,quantity,prce\n2022-03-01,KO,1,60\n",
        "'prce' is not known; did you mean 'price'?",
    ),
    "other order of the date": (
        HEAD + "03/01/2022,KO,buy,1,60,,\n",
        "line 2, column 'time': '03/01/2022' is no",
    ),
    "no such day": (HEAD + "2022-02-30,KO,buy,1,60,,\n", "is no time; write 2022-03-01"),
    "no time": (HEAD + ",KO,buy,1,60,,\n", "column 'time': '' is empty"),
    "year one": (HEAD + "0001-01-01 00:00+14:00,KO,buy,1,60,,\n", "column 'time'"),
    "year of a slip": (HEAD + "0202-03-01 10:00,KO,buy,1,60,,\n", "is no year that was traded in"),
    "side": (HEAD + "2022-03-01,KO,up,1,60,,\n", "column 'side': 'up' is no side; write buy or sell"),
    "no side": (HEAD + "2022-03-01,KO,,1,60,,\n", "column 'side': '' is empty; write buy or sell"),
    "buys a negative amount": (HEAD + "2022-03-01,KO,buy,-1,60,,\n", "drop one of the two"),
    "no amount": (HEAD + "2022-03-01,KO,buy,,60,,\n", "column 'quantity': '' is empty"),
    "zero": (HEAD + "2022-03-01,KO,buy,0,60,,\n", "column 'quantity': '0' is zero"),
    "no price": (
        HEAD + "2022-03-01,KO,buy,1,,,\n",
        "column 'price': '' is empty; write the price of the fill",
    ),
    "price": (HEAD + "2022-03-01,KO,buy,1,-60,,\n", "column 'price': '-60' must be above 0"),
    "fee": (HEAD + "2022-03-01,KO,buy,1,60,-1,\n", "column 'fee': '-1' must be above 0"),
    "symbol": (HEAD + "2022-03-01,=cmd,buy,1,60,,\n", "a symbol is 1 to 32"),
    "bot": ("time,symbol,quantity,price,bot\n2022-03-01,KO,1,60,system\n", "is not a bot's name"),
    "no product": ("time,symbol,quantity,price,size\n2022-03-01,KO,1,60,70\n", "is not quantity x price"),
    "id twice": (
        HEAD + "2022-03-01,KO,buy,1,60,,a\n2022-03-01,KO,buy,1,60,,a\n",
        "line 3, column 'id': 'a' stands on line 2 too; keep one",
    ),
    "two currencies": (
        "time,symbol,quantity,price,ccy\n2022-03-01,KO,1,60,USD\n2022-03-01,KO,1,60,EUR\n",
        "'EUR'",
    ),
    "unquoted thousands": (
        "time,symbol,quantity,price\n2022-03-01,KO,1,000,60\n",
        "5 cells where the header has 4",
    ),
    "open quote": (HEAD + '"2022-03-01,KO,buy,1,60,,\n', "close every quotation mark"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\xff", "save it as 'CSV UTF-8'"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_bad_input(file, text, said):
    path = file(text)
    with pytest.raises(MarketDataError) as caught:
        read_fills(path)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_every_wrong_line_is_named(file):
    text = HEAD + "2022-03-01,KO,up,1,60,,\n2022-03-02,KO,buy,1,60,,\nlater,KO,buy,x,0,,\n"
    with pytest.raises(MarketDataError) as caught:
        read_fills(file(text))
    lines = str(caught.value).splitlines()
    assert [line.split("line ")[1].split(":")[0] for line in lines] == [
        "2, column 'side'",
        "4, column 'time'",
        "4, column 'quantity'",
        "4, column 'price'",
    ]


def test_the_newest_first(file):
    """A broker's page that runs backwards: the sale of one moment came after the purchase below it."""
    text = HEAD + "2022-03-02,KO,buy,3,61,,\n2022-03-01,KO,sell,1,60,,\n2022-03-01,KO,buy,1,60,,\n"
    assert [row.line for row in read_fills(file(text))] == [4, 3, 2]


def test_equal_lines_are_fills_of_their_own(file):
    assert len(read_fills(file(HEAD + 2 * "2022-03-01,KO,buy,1,60,,\n"))) == 2


def test_no_name_means_two_columns():
    names = [name for column, others in FILL_COLUMNS.items() for name in (column, *others)]
    assert len(names) == len(set(names))
