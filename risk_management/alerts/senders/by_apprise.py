"""Any other service, by its Apprise URL. It says only whether the service took it, not why not."""

from __future__ import annotations

import asyncio
from typing import Any

from risk_management.alerts.message import Message
from risk_management.alerts.outcome import DELIVERED, Cap, Outcome, refused, retry
from risk_management.alerts.senders._address import Blocked, checked_address
from risk_management.config._channels import load_apprise, service_of
from risk_management.errors import ConfigurationError
from risk_management.model.alert import AlertSeverity

__all__ = ["ByApprise"]


class ByApprise:
    """Sends by one Apprise URL.

    Parameters
    ----------
    name : str
        Of the channel, for errors.
    url : str
    private_hosts : tuple of str
        Hosts that need not be on the open internet.
    seconds : float
        For the connection, and for the answer.
    """

    caps = (Cap(1, 1.0), Cap(30, 60.0))

    def __init__(
        self, name: str, url: str, private_hosts: tuple[str, ...] = (), seconds: float = 5.0
    ) -> None:
        self._listed = private_hosts
        made = _service(url)
        if made is None:
            raise ConfigurationError(f"alert_config.urls (ALERT_URLS): {name} is not one Apprise can use")
        made.request_rate_per_sec = 0.0  # it would sleep; our own caps hold
        made.socket_connect_timeout = made.socket_read_timeout = seconds
        self._service = made

    def send(self, message: Message) -> Outcome:
        """As plain text."""
        blocked = self._blocked()
        if blocked is not None:
            return blocked
        kind = "failure" if message.severity >= AlertSeverity.CRITICAL else "warning"
        kind = "info" if message.severity is AlertSeverity.INFO else kind
        try:
            is_taken = self._service.notify(
                body=message.text, title=message.title, notify_type=kind, body_format="text"
            )
        except TypeError:  # what Apprise raises for a text that it will not take
            return refused("the service takes no such text")
        return DELIVERED if is_taken else retry("the service did not take it; Apprise does not say why")

    def _blocked(self) -> Outcome | None:
        host = self._service.host
        if not isinstance(host, str) or not host or not {".", ":"} & set(host):
            return None  # not every URL holds a host: often it is a token that stands in its place
        try:
            asyncio.run(checked_address(host, int(self._service.port or 443), self._listed))
        except Blocked:
            return refused(
                "SSRF_BLOCKED: the host stands on this machine or network",
                "list it in alert_config.private_hosts of the settings file, if that is meant",
            )
        except (OSError, UnicodeError):
            return None  # no such host: it may be no host at all, and Apprise will tell
        return None


def _service(url: str) -> Any:
    apprise = load_apprise()
    asset = apprise.AppriseAsset(secure_logging=True)
    asset.app_id = asset.app_desc = "risk-management"
    asset.app_url = asset.image_url_mask = asset.image_url_logo = ""  # no links of a third party
    return service_of(url, asset=asset)
