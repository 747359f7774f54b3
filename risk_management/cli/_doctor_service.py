"""What ``risk doctor`` asks where the service is: whether it answers, and what a token may do there."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any, Final

import httpx

from risk_management.cli._findings import Found, failed, fine, warning
from risk_management.integration.client_transport import address
from risk_management.model.access import Access
from risk_management.service.openapi import PREFIX

__all__ = ["of_port", "of_service"]

SECONDS: Final = 2.0
REACH: Final = {
    Access.READ: "look at everything, and change nothing",
    Access.TRADE: "ask and report for bot {bot!r}",
    Access.OPERATE: "operate: prices, bots, modes, stops, tighter limits",
    Access.ADMIN: "do everything, also loosen limits",
}
"""What each scope may do, for people."""
ELSEWHERE: Final = "'risk serve' prints its address at the start: set RISK_URL to it, or risk doctor --port"


def of_port(host: str, port: int, worker: str | None = None) -> Iterator[Found]:
    """What answers where the service would by default; `worker` is the process that works on the store."""
    place = f"{host}:{port}"
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        ours = answer.status == http.HTTPStatus.OK and answer.getheader("Server") == "risk"
    except ConnectionRefusedError:
        yield (
            _unserved("port", place, worker)
            if worker
            else fine("port", f"{place} is free: nothing is served there")
        )
        return
    except (OSError, http.client.HTTPException):
        ours = False
    finally:
        connection.close()
    if ours:
        yield fine("port", f"the service answers on {place}")
        return
    yield warning("port", f"something else has {place}", "risk serve --port takes another one")
    if worker:
        yield _unserved("port", place, worker)


def of_service(url: str, token: str | None, worker: str | None = None) -> Iterator[Found]:
    """Whether the service of RISK_URL answers, and how far RISK_TOKEN reaches. The token is never shown.

    Parameters
    ----------
    url : str
    token : str or None
    worker : str or None
        The process that works on the store here.
    """
    parts = address(url)
    if parts is None:
        yield failed("service", "RISK_URL is no address", "write it like http://127.0.0.1:8321")
        return
    place = f"{parts.scheme}://{parts.netloc}"
    with httpx.Client(base_url=url.rstrip("/"), timeout=SECONDS, trust_env=False) as client:
        status, said = _asked(client, "/readyz")
        if status is None:
            yield (
                _unserved("service", f"RISK_URL, {place}", worker)
                if worker
                else warning("service", f"nothing answers at RISK_URL, {place}", "start 'risk serve' there")
            )
        elif not isinstance(said.get("ready"), bool):
            yield warning("service", f"what answers at RISK_URL, {place}, is not the service", ELSEWHERE)
        else:
            yield _readiness(place, said)
            yield _reach(client, token)


def _readiness(place: str, said: dict[str, Any]) -> Found:
    if said["ready"]:
        return fine("service", f"it answers at RISK_URL, {place}")
    why = ", ".join(map(str, said.get("why", []))) or "it does not say why"
    return warning("service", f"it answers at RISK_URL, {place}, but not in full: {why}", "see docs/codes.md")


def _reach(client: httpx.Client, token: str | None) -> Found:
    make = "risk token create --bot NAME makes one, beside the store of that service"
    if not token:
        return warning("token", "RISK_TOKEN is not set: nobody can ask with RISK_URL alone", make)
    status, said = _asked(client, f"{PREFIX}/session", token)
    if status == http.HTTPStatus.UNAUTHORIZED:
        return failed("token", "RISK_TOKEN is not accepted there: revoked, or of another store", make)
    if status != http.HTTPStatus.OK or said.get("access") not in list(Access):
        return warning("token", "whether RISK_TOKEN is accepted could not be asked", make)
    may = REACH[Access(said["access"])].format(bot=said.get("bot"))
    return fine("token", f"RISK_TOKEN is accepted as {said.get('name')!r}: it may {may}")


def _asked(client: httpx.Client, path: str, token: str | None = None) -> tuple[int | None, dict[str, Any]]:
    """Status and body of an answer: None where there is none, empty where it is no JSON object."""
    try:
        answer = client.get(path, headers={"Authorization": f"Bearer {token}"} if token else None)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):  # a text that names no token
        return None, {}
    try:
        said = answer.json()
    except ValueError:
        said = None
    return answer.status_code, said if isinstance(said, dict) else {}


def _unserved(area: str, place: str, worker: str) -> Found:
    """Somebody works on the store and is not found: at another address, or a bot that holds it by itself."""
    return warning(area, f"{worker} works on the store, but nothing answers at {place}", ELSEWHERE)
