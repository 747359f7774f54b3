"""A table written by hand or saved from a broker's page: its lines, and all that is wrong with them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from risk_management.errors import MarketDataError, shown

__all__ = ["Line", "Sheet", "Words"]

LARGEST: Final = 32 * 2**20
"""Bytes of a file."""
SHOWN: Final = 20
"""Mistakes that are told at once."""


class Words(NamedTuple):
    """What a kind of file is called in errors: ``positions``, ``position``, and its shortest header."""

    many: str
    one: str
    header: str


class Line(NamedTuple):
    """One line below the header: its number, its cells by column, and whether ``1,000`` is a thousand."""

    number: int
    texts: Mapping[str, str]
    comma_is_thousands: bool


@dataclass
class Sheet:
    """One file while it is read, and all that is wrong with it.

    Parameters
    ----------
    path : Path
        UTF-8 text with a header, cells separated by commas, semicolons or tabs. Further columns are left
        alone; blank lines and lines that begin with ``#`` too.
    columns : Mapping of str to tuple of str
        The columns that are read, each with its other names; case and order do not matter.
    missing : callable
        Of the columns that were found: what the header lacks, with the remedy; empty where nothing.
    words : Words
    """

    path: Path
    columns: Mapping[str, tuple[str, ...]]
    missing: Callable[[Mapping[str, int]], str]
    words: Words
    mistakes: list[str] = field(default_factory=list)
    width: int = 0
    currency: str = ""

    def lines(self) -> Iterator[Line]:
        """The lines whose cells fit the header; of the others `mistakes` tells."""
        lines = self._lines()
        head = next((line for line in lines if line.strip()), "")
        delimiter = max(",;\t", key=head.count)
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        places: dict[str, int] = {}
        try:
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                if not places:
                    places = self._places(row, reader.line_num)
                    if self.mistakes:
                        break
                    continue
                texts = self._texts(row, places, reader.line_num)
                if texts is not None:
                    yield Line(reader.line_num, texts, delimiter == ",")
        except csv.Error as problem:
            self.wrong(reader.line_num, f"can't be read ({problem}); close every quotation mark in its line")
        if not head:
            header, one = self.words.header, self.words.one
            self.wrong(1, f"the file is empty; write a header such as {header} and one line a {one}")

    def wrong(self, line: int, said: str) -> None:
        """Keep what is wrong with a line: column, value and remedy."""
        comma = "," if said.startswith("column") else ":"
        self.mistakes.append(f"{self.path}, line {line}{comma} {said}")

    def close(self, *, is_empty: bool) -> None:
        """Raise what was found wrong.

        Raises
        ------
        MarketDataError
            The first 20 mistakes at once, or that there is nothing below the header.
        """
        if self.mistakes:
            more = len(self.mistakes) - SHOWN
            raise MarketDataError(
                "\n".join(self.mistakes[:SHOWN] + ([f"... and {more} more"] if more > 0 else []))
            )
        if is_empty:
            raise MarketDataError(f"{self.path}: no {self.words.many} below the header; write one a line")

    def one_currency(self, line: int, currency: str) -> None:
        """All lines must name the same currency, or none."""
        if currency and self.currency and currency != self.currency:
            self.wrong(
                line,
                f"column 'currency': {shown(currency)} after {shown(self.currency)}; "
                "convert all amounts to the currency of the account",
            )
        self.currency = self.currency or currency

    def _lines(self) -> list[str]:
        try:
            with self.path.open("rb") as file:
                raw = file.read(LARGEST + 1)
            if len(raw) > LARGEST:
                raise MarketDataError(
                    f"{self.path}: larger than {LARGEST // 2**20} MB; give {self.words.many} only"
                )
            text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            raise MarketDataError(f"{self.path}: not UTF-8 text; save it as 'CSV UTF-8'") from None
        except OSError as problem:
            raise MarketDataError(
                f"{self.path}: can't be read ({problem.strerror}); check the path"
            ) from None
        except ValueError as problem:
            raise MarketDataError(f"{str(self.path)!r}: not a path ({problem})") from None
        # comments become blank lines, so that the others keep their numbers
        return ["" if line.lstrip().startswith("#") else line for line in text.split("\n")]

    def _places(self, header: Sequence[str], line: int) -> dict[str, int]:
        """Place of each column that is read, by its first name."""
        known = {other: name for name, others in self.columns.items() for other in (name, *others)}
        places: dict[str, int] = {}
        self.width = len(header)
        for place, cell in enumerate(header):
            written = "_".join(cell.lower().replace("-", " ").replace("_", " ").split())
            name = known.get(written)
            if name is None:
                near = get_close_matches(written, known, n=1, cutoff=0.85)
                if near:
                    self.wrong(line, f"column {cell.strip()!r} is not known; did you mean {near[0]!r}?")
            elif name in places:
                self.wrong(line, f"column {cell.strip()!r} means {name!r}, which stands twice; keep one")
            else:
                places[name] = place
        missing = self.missing(places)
        if missing and not self.mistakes:
            found = ", ".join(repr(cell.strip()) for cell in header)
            self.wrong(line, f"{missing} (the header has {found})")
        return places

    def _texts(self, row: Sequence[str], places: Mapping[str, int], line: int) -> dict[str, str] | None:
        """The cells of a line by column; None where there are more than the header has."""
        if any(cell.strip() for cell in row[self.width :]):
            self.wrong(
                line,
                f"{len(row)} cells where the header has {self.width}; "
                'write 1000 or, in quotation marks, "1,000"',
            )
            return None
        return {name: row[place].strip() if place < len(row) else "" for name, place in places.items()}
