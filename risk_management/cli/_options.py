"""What every command shares: its options, and the way from them to a book. Light to import."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

if TYPE_CHECKING:
    from risk_management.cli._book import OpenedBook
    from risk_management.config.risk_config import RiskManagementConfig
    from risk_management.market_data.positions_file import PositionRow

__all__ = [
    "BREACH",
    "NO_BOOK",
    "Example",
    "File",
    "Json",
    "Options",
    "Value",
    "WrongUsage",
    "options_of",
]

HERE: Final = "risk.toml"
"""Settings that a command finds by itself: of the folder where it runs, never of one above."""
BREACH: Final = 3
"""Exit code when a limit is breached."""

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="CSV of your positions: symbol, quantity, price, strategy.", show_default=False
    ),
]
Example = Annotated[bool, typer.Option("--example", help="Use SPY 5,000 and QQQ 3,000 of 10,000.")]
Value = Annotated[
    float | None,
    typer.Option("--portfolio-value", help="What the account is worth, cash included.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

NO_BOOK: Final = """\
This command needs a book. Write yours as a CSV file, one line a position, for example positions.csv:

    symbol,quantity,price,strategy
    SPY,10,450,momentum
    AAPL,-5,180,value

and run     risk {command} positions.csv
or first    risk {command} --example"""


class WrongUsage(typer.BadParameter):
    """The command was called in a way that means nothing; the text says how it is called."""

    def format_message(self) -> str:
        """The text alone."""
        return self.message


@dataclass(frozen=True, slots=True)
class Options:
    """What was said before the command.

    Parameters
    ----------
    config_path, prices_path : Path or None
    level : str or None
    is_found : bool
        Nobody named the settings: they lie in the folder where the command runs.
    """

    config_path: Path | None = None
    prices_path: Path | None = None
    level: str | None = None
    is_found: bool = False
    _told: list[str] = field(default_factory=list)

    @classmethod
    def said(cls, config_path: Path | None, prices_path: Path | None, level: str | None) -> Self:
        """With the settings of this folder where none are named, on the command line or in RISK_CONFIG."""
        here = Path(HERE)
        is_found = config_path is None and not os.environ.get("RISK_CONFIG") and here.is_file()
        return cls(here if is_found else config_path, prices_path, level, is_found)

    def config(self, **overrides: Any) -> RiskManagementConfig:
        """The settings, as `load_risk_config` finds them, with what was said on the command line."""
        from risk_management.config.risk_config import load_risk_config  # noqa: PLC0415 - help must be quick

        said: dict[str, Any] = dict(overrides)
        if self.prices_path is not None:
            said["market_data_config"] = {"source": "files", "path": str(self.prices_path)}
        if self.level is not None:
            said["risk_level"] = self.level.lower()
        if self.is_found:
            _check_owner(Path(HERE))
        config = load_risk_config(self.config_path, **said)
        if self.is_found and not self._told:
            store = f", store {config.store}" if config.store else ""
            self._told.append(f"Settings: {HERE} of this folder{store}; --config names others.")
            typer.echo(self._told[0], err=True)
        return config

    def book(self, file: Path | None, *, example: bool, value: float | None, command: str) -> OpenedBook:
        """The book of a file, or of the example.

        Raises
        ------
        WrongUsage
            There is neither; the text shows how to write one.
        """
        from risk_management.market_data.positions_file import (  # noqa: PLC0415 - help must be quick
            PositionRow,
            read_positions,
        )

        if file is not None and example:
            raise WrongUsage("give a FILE or --example, not both")
        if file is not None:
            return self.opened(read_positions(file), value, file.name)
        if example:
            rows = [
                PositionRow("SPY", 5000.0, strategy="momentum"),
                PositionRow("QQQ", 3000.0, strategy="mean_reversion"),
            ]
            return self.opened(rows, 10_000.0 if value is None else value, "the example book")
        raise WrongUsage(NO_BOOK.format(command=command))

    def opened(self, rows: Sequence[PositionRow], value: float | None, name: str) -> OpenedBook:
        """A manager that holds these rows."""
        from risk_management.cli._book import open_book  # noqa: PLC0415 - help must be quick

        config = self.config() if value is None else self.config(portfolio_value=value)
        return open_book(rows, config, name)


def _check_owner(file: Path) -> None:
    """What somebody else put into a shared folder neither names our store nor sends our alerts elsewhere."""
    seen = file.stat()
    if seen.st_uid not in (0, os.getuid()) or seen.st_mode & stat.S_IWOTH:
        raise WrongUsage(
            f"{file} of this folder is somebody else's, or anybody may change it: name it with --config, or "
            "others; or run the command elsewhere"
        )


def options_of(context: typer.Context) -> Options:
    """What was said before the command."""
    found = context.obj
    return found if isinstance(found, Options) else Options()
