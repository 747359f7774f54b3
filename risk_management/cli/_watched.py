"""What ``risk watch`` shows, as the dashboard's views say it: asked of a service, or read beside one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import httpx

from risk_management.cli._scenarios import scenario_names
from risk_management.clock import SystemClock
from risk_management.core.alert_book import active_alerts
from risk_management.core.standing import Standing, folded
from risk_management.core.watch import look_at
from risk_management.dashboard.bots import bots_view
from risk_management.dashboard.heatmap import heatmap_view
from risk_management.dashboard.metrics import metrics_view
from risk_management.dashboard.plain import as_json
from risk_management.dashboard.snapshot import Snapshot
from risk_management.errors import ConfigurationError, StoreUnavailable, Unanswered
from risk_management.service.openapi import PREFIX
from risk_management.store.reader import StoreReader
from risk_management.store.recovery import recovered

__all__ = ["Seen", "ServiceWatched", "StoreWatched", "Watched"]

SHOWN: Final = 12
SECONDS: Final = 5.0
View = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """One look.

    Parameters
    ----------
    place : str
        Where from.
    metrics, bots : Mapping
        Views of the dashboard.
    positions, decisions, alerts : list of Mapping
        The largest, newest and gravest first.
    """

    place: str
    metrics: View
    bots: View
    positions: list[View]
    decisions: list[View]
    alerts: list[View]


class Watched(Protocol):
    """Something that can be looked at again and again."""

    def look(self) -> Seen:
        """How it stands now."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ServiceWatched:
    """A running service.

    Parameters
    ----------
    url, token : str
    """

    def __init__(self, url: str, token: str) -> None:
        try:
            self._client = httpx.Client(
                base_url=url.rstrip("/") + PREFIX,
                headers={"Authorization": f"Bearer {token}"},
                timeout=SECONDS,
                trust_env=False,
            )
        except (httpx.InvalidURL, UnicodeEncodeError, ValueError):
            raise ConfigurationError("RISK_URL is an address such as http://127.0.0.1:8321") from None
        self._url = url

    def look(self) -> Seen:
        """Ask for the views.

        Raises
        ------
        Unanswered
        """
        decided = self._ask("audit/search?" + urlencode({"limit": SHOWN, "kinds": "TradeDecided"}))
        return Seen(
            self._url,
            self._ask("metrics"),
            self._ask("bots"),
            self._ask("heatmap")["positions"],
            decided.get("entries", []),
            self._ask("alerts")["active"],
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _ask(self, path: str) -> dict[str, Any]:
        try:
            answer = self._client.get(path)
            said = answer.json()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise ConfigurationError(
                f"RISK_URL is no address: {self._url}; write one such as http://127.0.0.1:8321"
            ) from None
        except (httpx.HTTPError, ValueError):
            raise Unanswered(
                "UNANSWERED", f"{self._url} does not answer; is 'risk serve' there? See 'risk doctor'"
            ) from None
        unread = (httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE)
        if answer.status_code in unread and path.startswith("audit"):
            return {}  # it keeps no journal, or can't read it now: the rest is needed all the more
        if answer.status_code != httpx.codes.OK or not isinstance(said, dict):
            problem = said.get("error", {}) if isinstance(said, dict) else {}
            code = problem.get("code", str(answer.status_code))
            raise Unanswered(code, f"{self._url} refuses: {code}: {problem.get('message', '')}")
        return said


class StoreWatched:
    """A store, read only, also while a service works on it.

    Parameters
    ----------
    store : str
    """

    def __init__(self, store: str) -> None:
        self._reader = StoreReader.of_store(store)
        self._clock = SystemClock()
        self._standing: Standing | None = None
        self._seq = -1

    def look(self) -> Seen:
        """Read what came since the last look, and measure the book as it stands.

        Raises
        ------
        StoreError
        """
        standing = self._caught_up()
        state = standing.state
        now = state.as_of if state.model.matrix.is_sample else max(state.as_of, self._clock.now())
        names = scenario_names(standing.config)
        seen = Snapshot(state, look_at(state, standing.config, now), standing.config, names)
        decided = reversed(self._reader.newest(SHOWN, kind="TradeDecided"))
        return Seen(
            str(self._reader.place),
            _plain(metrics_view(seen)),
            _plain(bots_view(seen)),
            _plain(heatmap_view(seen))["positions"],
            [{**entry._asdict(), "body": json.loads(entry.body), "hash": ""} for entry in decided],
            [alert.as_dict() for alert in active_alerts(state.alerts)],
        )

    def close(self) -> None:
        """Close the store."""
        self._reader.close()

    def _caught_up(self) -> Standing:
        if self._standing is None:
            self._seq = self._reader.tail().seq
            self._standing = recovered(self._reader, self._seq) if self._seq >= 0 else None
        else:
            for entry in self._reader.entries(self._seq):
                self._standing = folded(self._standing, self._reader.event(entry, lean=True))
                self._seq = entry.seq
        if self._standing is None:
            raise StoreUnavailable(f"{self._reader.place} holds no book yet; 'risk serve' begins one")
        return self._standing


def _plain(view: View) -> dict[str, Any]:
    """As a client of the service would get it."""
    found: dict[str, Any] = json.loads(as_json(view))
    return found
