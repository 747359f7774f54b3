"""``risk demo --serve``: a real service, and the demo's bots that trade a replayed crash through it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Final

from rich.console import Console

from risk_management.cli._serving import ending_by_code, listening, stopped_by
from risk_management.demo.bots import BOTS
from risk_management.demo.market import PERIODS, Market
from risk_management.demo.served import Replay
from risk_management.demo.ticker import Ticker
from risk_management.integration.client import RiskClient
from risk_management.integration.dashboard_integration import RiskDashboardAPI
from risk_management.model.access import Access
from risk_management.service.application import make_app
from risk_management.service.server import STREAMS, Server
from risk_management.service.sessions import Sessions
from risk_management.store.tokens import TokenStore

__all__ = ["serve"]

HOST: Final = "127.0.0.1"
PATIENCE: Final = 10.0
"""Seconds that a bot of the demo waits for an answer: on a busy machine it shall not drop its orders."""
FIELD: Final = "Authorization: Bearer "
AGAIN: Final = "From the first day: risk demo --serve --store FOLDER, a new one."


def serve(period: str, speed: float, port: int, folder: Path) -> None:
    """Serve and replay until Ctrl-C; see `risk_management.cli.demo.run`."""
    screen = Console(highlight=False, soft_wrap=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = folder / "risk.db"
    port_taken = listening(HOST, port, str(store))
    market, ended = Market.sample(), Event()
    with ExitStack() as closing:
        closing.callback(port_taken.close)
        with ending_by_code():
            replay = Replay(market, PERIODS_BY_NAME[period], str(store))
            closing.callback(replay.close)
            tokens = TokenStore(str(store))
            closing.callback(tokens.close)
        sessions = Sessions(file=store.with_name(f"{store.name}.sessions"), is_valid=tokens.holds)
        app = make_app(RiskDashboardAPI(replay.manager), tokens, sessions=sessions, streams=STREAMS)
        server = Server(app, HOST, port_taken)
        address = f"http://{HOST}:{server.port}"
        clients = {
            bot.name: RiskClient(
                address, _secret(folder, tokens, bot.name, Access.TRADE), deadline=PATIENCE, patience=PATIENCE
            )
            for bot in BOTS
        }
        _secret(folder, tokens, "operator", Access.OPERATE)
        for line in _opening(replay, market, address, folder, speed):
            screen.print(line)
        screen.print(f"Watch it in a browser, this link once: {address}/login?code={sessions.code()}")
        stopped_by(ended.set)
        ticker = Ticker(replay.manager, replay.journal.reader)

        def play() -> None:
            with screen.status("") as status:
                month = ""

                def seen(row: int) -> None:
                    nonlocal month
                    day = str(market.dates[row])
                    line = ticker.line(day)
                    status.update(line)
                    if day[:7] != month:  # one a month stays on the screen
                        screen.print(line)
                    month = day[:7]

                replay.run(clients, speed, ended, seen)
            if not ended.is_set():
                screen.print(f"The replay is over; the service goes on until Ctrl-C. {AGAIN}")
                ended.wait()

        with ThreadPoolExecutor(1, "demo-replay") as pool:
            played = pool.submit(play)
            played.add_done_callback(lambda _: server.stop())
            server.run()
            ended.set()
            played.result()
        screen.print("Stopping: what was asked is answered, the state is kept.")


PERIODS_BY_NAME: Final = dict(zip(("2008", "2020", "calm"), PERIODS, strict=True))


def _opening(replay: Replay, market: Market, address: str, folder: Path, speed: float) -> Iterator[str]:
    state, rows = replay.manager.state, replay.rows
    curl = f"curl -s -H @{folder}/operator.header {address}"
    yield f"Serving {address}/api/risk, store {folder / 'risk.db'}. Prices: embedded sample data."
    went = "from the first day"
    if replay.first >= rows[0]:
        went = f"goes on at {market.dates[replay.first]}, entry {state.version}"
    days = f"{market.dates[rows[0]]} to {market.dates[rows[-1]]}"
    if replay.first >= rows[-1]:
        yield f"This store's replay, {days}, is over: it is served as it ended, and nothing moves. {AGAIN}"
    else:
        yield f"{len(BOTS)} bots trade through it, {days}, {speed:g} days a second; {went}."
    yield "Look, trade or stop it from another terminal; the file holds a token that may operate:"
    yield f"  {curl}/api/risk/state"
    yield f"  {curl}/api/risk/alerts"
    json = "-H 'Content-Type: application/json'"
    yield f'  {curl}/api/risk/emergency-stop {json} -d \'{{"reason": "to see it"}}\''
    yield f'  {curl}/api/risk/emergency-release {json} -d \'{{"reason": "seen"}}\''
    port = address.rpartition(":")[2]
    again = f"risk demo --serve --store {folder} --port {port}{'' if speed == 1.0 else f' --speed {speed:g}'}"
    yield f"Kill it (kill -9 {os.getpid()}) and go on: {again}"


def _secret(folder: Path, tokens: TokenStore, name: str, access: Access) -> str:
    """The secret of a token, from a file that its owner alone can read, as curl takes it; else a new one."""
    file = folder / f"{name}.header"
    known = file.read_text("ascii").strip().removeprefix(FIELD) if file.exists() else ""
    if known and tokens.find(known) is not None:
        return known
    bot = name if access is Access.TRADE else None
    _, secret = tokens.create(name, access, bot=bot, actor="risk demo")
    fresh = file.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(f"{FIELD}{secret}\n")
    fresh.replace(file)  # whole or not at all: a kill may come in between
    return secret
