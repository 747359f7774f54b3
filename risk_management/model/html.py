"""Results as small tables for a notebook: escaped, and in the colours of whatever page they stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ["card"]

MARKS: Final = {"warning": "#C98500", "bad": "#D55E00"}
"""Colours that read on white and on black; the word beside them says the same."""
CELL: Final = "padding:2px 14px 2px 0;border-top:1px solid rgba(128,128,128,.3);vertical-align:top"


def card(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    mark: str = "",
    notes: Iterable[str] = (),
    texts: int = 1,
    most: int = 20,
) -> str:
    """A title, a table and notes as HTML.

    Parameters
    ----------
    title : str
    heads : sequence of str
        Of the columns.
    rows : iterable of sequences of str
        Those beyond `most` are left out, and it is said.
    mark : {'', 'warning', 'bad'}
        How the title stands out.
    notes : iterable of str
    texts : int
        So many first columns are texts, the others numbers.
    most : int
        Rows that are shown.
    """
    known = list(rows)
    colour = f";color:{MARKS[mark]}" if mark else ""
    sides = ["left" if place < texts else "right" for place in range(len(heads))]
    head = "".join(
        f'<th style="text-align:{side};padding:2px 14px 2px 0;font-weight:500;opacity:.7">{escape(word)}</th>'
        for word, side in zip(heads, sides, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, sides)}</tr>" for row in known[:most])
    said = list(notes)
    if len(known) > most:
        said.insert(0, f"{len(known) - most} more rows are not shown.")
    under = "".join(f'<div style="opacity:.7;font-size:90%">{escape(note)}</div>' for note in said)
    table = (
        f'<table style="border-collapse:collapse;background:none;color:inherit;margin:4px 0">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if known
        else ""
    )
    return (
        f'<div style="font-variant-numeric:tabular-nums"><div style="font-weight:600{colour}">'
        f"{escape(title)}</div>{table}{under}</div>"
    )


def _cells(row: Sequence[str], sides: Sequence[str]) -> str:
    return "".join(
        f'<td style="text-align:{side};{CELL}">{escape(cell)}</td>'
        for cell, side in zip(row, sides, strict=True)
    )
