"""``risk init``: a settings file by a few questions."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from risk_management.cli._options import HERE, Json, WrongUsage, options_of
from risk_management.cli._screen import screen, show_json
from risk_management.cli._toml import as_toml

if TYPE_CHECKING:
    from risk_management.cli._options import Options

__all__ = ["run"]

LEVELS: Final = ("conservative", "moderate", "aggressive")
SOURCES: Final = ("sample", "files", "yahoo", "exchange")
CHANNELS: Final = {
    "telegram": "TELEGRAM_BOT_TOKEN, TELEGRAM_CHAT_ID",
    "email": "SMTP_SERVER, SMTP_USERNAME, SMTP_PASSWORD, ALERT_EMAIL_TO",
    "discord": "DISCORD_WEBHOOK_URL",
    "slack": "SLACK_WEBHOOK_URL",
    "webhook": "WEBHOOK_URL",
}
"""Where alerts go, and the variables that hold the secrets: they never stand in a file."""
BROKERS: Final = ("none", "paper", "alpaca", "ccxt")


@dataclass(frozen=True, slots=True)
class _Asker:
    """Asks where nothing was said, or takes the answer that would be shown."""

    silent: bool

    def __call__(self, text: str, given: Any, usual: Any, kind: Callable[[str], Any] = str) -> Any:
        if given is not None:
            return kind(str(given))
        if self.silent:
            return usual
        try:
            return typer.prompt(text, default=usual, value_proc=kind, err=True)
        except typer.Abort:
            raise WrongUsage("no answer came; --yes takes the answers that are shown") from None


def run(  # noqa: PLR0913, PLR0917 - one word a question
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write.")] = Path(HERE),
    capital: Annotated[
        float | None, typer.Option("--capital", help="What the account is worth.", show_default=False)
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help=f"Prices: {', '.join(SOURCES)}.", show_default=False)
    ] = None,
    exchange: Annotated[
        str | None, typer.Option("--exchange", help="With --source exchange: kraken.", show_default=False)
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="File of the store.", show_default=False)
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option("--channel", help=f"{', '.join(CHANNELS)}; may be said twice.", show_default=False),
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", help="Broker, where there is one.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a settings file: asks for capital, level, prices, store and channels. Never writes a secret.

    [dim]risk init --yes --capital 25000 --level conservative[/dim]
    """
    if file.exists() and not force:
        raise WrongUsage(f"{file} is there already; name another file, or say --force")
    options = options_of(context)
    ask = _Asker(yes or as_json)
    settings = _answers(ask, options, capital, source, exchange, store, broker, file)
    chosen = _channels(ask, channels)
    text = _commented(settings, chosen)
    _write(file, text)
    if as_json:
        show_json({"file": str(file), "settings": tomllib.loads(text), "channels": chosen})
        return
    closes = str(settings["market_data_config"].get("path", ""))
    if closes and not Path(closes).exists():
        said = f"{closes} is not there yet: put your closes there, or change the path in {file}"
        screen().print(Text(said, style="yellow"))
    _say(file, chosen, is_on_server="://" in str(settings["store"]))


def _answers(
    ask: _Asker,
    options: Options,
    capital: float | None,
    source: str | None,
    exchange: str | None,
    store: str | None,
    broker: str | None,
    file: Path,
) -> dict[str, Any]:
    """The settings, section by section, as TOML holds them."""
    found: dict[str, Any] = {
        "portfolio_value": ask("Capital, cash included", capital, 10_000.0, _capital),
        "risk_level": ask(f"Risk level ({', '.join(LEVELS)})", options.level, "moderate", _one_of(LEVELS)),
    }
    said = source or ("files" if options.prices_path is not None else None)
    market = {"source": ask(f"Prices from ({', '.join(SOURCES)})", said, "sample", _one_of(SOURCES))}
    if market["source"] == "files":
        market["path"] = str(ask("File or folder of closes", options.prices_path, "closes.csv"))
    if market["source"] == "exchange":
        market["exchange"] = ask("Exchange, in ccxt's words", exchange, "kraken")
    found["store"] = ask("Store", store, str(file.absolute().with_name("risk.db")), _store)
    found["market_data_config"] = market
    if _knows_brokers():
        name = ask(f"Broker ({', '.join(BROKERS)})", broker, "none", _one_of(BROKERS))
        found |= {} if name == "none" else {"broker_config": _broker(name, found["store"], file)}
    elif broker is not None:
        raise WrongUsage("this version knows no broker; leave --broker out")
    return found


def _broker(name: str, store: str, file: Path) -> dict[str, Any]:
    """A paper account lives as long as the book: one in memory would be empty at the next start."""
    if name != "paper":
        return {"name": name}
    beside = file.absolute().with_name("risk.db") if "://" in store else Path(store)
    return {"name": name, "options": {"path": str(beside.with_name(f"{beside.stem}-paper.db"))}}


def _channels(ask: _Asker, given: list[str] | None) -> list[str]:
    if given is None:
        written = ask(f"Alerts to (none, or of {', '.join(CHANNELS)})", None, "none")
        given = [] if written == "none" else written.replace(",", " ").split()
    return [_one_of(tuple(CHANNELS))(name) for name in given]


def _capital(text: str) -> float:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        value = 0.0
    if not 0.0 < value <= 1e13:
        raise WrongUsage(f"capital is money above 0, such as 25000; got {text!r}")
    return value


def _store(text: str) -> str:
    from risk_management.store.place import place_of  # noqa: PLC0415 - help must be quick

    place_of(text)  # an address may hold a password, and this file is no place for one
    return text


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        if text.lower() not in known:
            raise WrongUsage(f"{text!r} is none of {', '.join(known)}")
        return text.lower()

    return checked


def _knows_brokers() -> bool:
    from risk_management.config.risk_config import RiskManagementConfig  # noqa: PLC0415 - help must be quick

    return "broker_config" in RiskManagementConfig.model_fields


def _commented(settings: dict[str, Any], channels: list[str]) -> str:
    """The file: what was answered, what else may be set, and which variables the channels need."""
    parts = [
        "# Settings of the risk system. All of them: risk config show. Check them: risk config check.",
        f"# Commands that run in the folder of a {HERE} find it by themselves.",
        "# A limit that stands here goes before the one of the level.",
        as_toml(settings),
        "# [portfolio_limits]",
        "# max_single_position = 0.15    # one stock, as a fraction of equity; all: docs/settings.md",
        "",
        "# Secrets stand in the environment and never here:",
    ]
    parts += [f"#   {name}: {CHANNELS[name]}" for name in channels or CHANNELS]
    text = "\n".join([*parts, ""])
    from risk_management.config.risk_config import load_risk_config  # noqa: PLC0415 - help must be quick

    load_risk_config(None, **tomllib.loads(text))
    return text


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.new")
        made = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(made, "w", encoding="utf-8") as out:
            out.write(text)
        fresh.replace(file)
    except OSError as problem:
        raise WrongUsage(f"{file} can't be written ({problem.strerror}); name another file") from None


def _say(file: Path, channels: list[str], *, is_on_server: bool) -> None:
    out = screen()
    out.print(Text(f"Written: {file}", style="green"))
    for name in channels:
        out.print(f"Set for {name}: {CHANNELS[name]}")
    out.print("\nNext:")
    named = "" if file == Path(HERE) else f" --config {file}"  # the one of this folder is found
    steps = [
        (f"risk doctor{named}", "is all as it should be"),
        (f"risk import positions.csv{named}", "your account, and its room under every limit"),
        (f"risk serve{named}", "from now on every order asks first"),
    ]
    if is_on_server:  # an account is imported into a file, and moved: docs/postgresql.md
        del steps[1]
    for command, why in steps:
        out.print(Text.assemble("  ", (command, "bold"), f"   # {why}"))
