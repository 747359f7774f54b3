"""A small file that was given its space once: writing it needs no free disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

__all__ = ["LONGEST_NOTE", "SmallFile", "contents"]

SIZE: Final = 4096
LONGEST_NOTE: Final = 140
"""Characters of a note; there is room for two, whatever they are written in."""


class SmallFile:
    """4 KiB of JSON, overwritten in place.

    Parameters
    ----------
    path : Path
        Made with its full size, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._number).st_size < SIZE:
            os.pwrite(self._number, b" " * SIZE, 0)
            os.fsync(self._number)

    def read(self) -> dict[str, Any]:
        """What stands in it, empty for a fresh or torn one."""
        return contents(os.pread(self._number, SIZE, 0))

    def write(self, values: dict[str, Any], *, sync: bool) -> None:
        """Replace what stands in it; with `sync` it survives a power cut."""
        text = json.dumps(values).encode()
        if len(text) > SIZE:
            raise ValueError(f"{self._path.name} holds {SIZE} bytes, {len(text)} were to be written")
        os.pwrite(self._number, text.ljust(SIZE), 0)
        if sync:
            os.fsync(self._number)

    def close(self) -> None:
        """Close the file; a second call changes nothing."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1


def contents(data: bytes) -> dict[str, Any]:
    """What a small file holds, empty for a torn one."""
    try:
        known = json.loads(data)
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
