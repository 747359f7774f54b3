"""A process that tells alerts and sends them until it is killed; what was told is written down."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from risk_management.alerts.outcome import Cap
from risk_management.alerts.risk_alerts import AlertSeverity, AlertType
from risk_management.alerts.senders.discord import Discord
from risk_management.alerts.senders.email import Email
from risk_management.alerts.senders.slack import Slack
from risk_management.alerts.senders.telegram import Telegram
from risk_management.clock import SystemClock
from risk_management.core.risk_manager import AdvancedRiskManager
from risk_management.integration.alerting import Alerting
from risk_management.store.sql_journal import SqlJournal
from risk_management.tests.store.world import small_foundation


def sending(store: str, told: str, url: str, mail: int, life: int, *, number: int) -> None:
    """Tell `number` alerts, each named in `told` once it is on disk, while all channels are at work."""
    wide = (Cap(10_000, 1.0),)  # the services here allow more than the real ones
    for kind in (Discord, Slack, Email):
        kind.caps = wide  # type: ignore[attr-defined]
    Telegram.caps = property(lambda _: wide, lambda _self, _by_chat: None)  # type: ignore[assignment]
    foundation = small_foundation()
    config = foundation.config.update(
        alert_config={
            "telegram_bot_token": "1:token-of-nobody",
            "telegram_chat_id": "-1",
            "telegram_api_url": url,
            "discord_webhook_url": f"{url}/discord/x",
            "slack_webhook_url": f"{url}/slack/x",
            "webhook_url": f"{url}/hook/x",
            "smtp_server": "127.0.0.1",
            "smtp_port": mail,
            "smtp_username": "risk@example.com",
            "smtp_security": "none",
            "private_hosts": ("127.0.0.1",),
            "storm_window": 0.001,  # nothing is folded here
        }
    )
    manager = AdvancedRiskManager.on(
        replace(foundation, config=config, clock=SystemClock()), journal=SqlJournal(store)
    )
    alerting = Alerting(manager)
    alerting.start()
    file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for one in range(number):
        name = f"{life}.{one}"
        manager.alert_manager.raise_alert(
            AlertType.SYSTEM_ERROR, AlertSeverity.WARNING, f"alert <{name}>", key=f"k{name}"
        )
        os.write(file, f"{name}\n".encode())
    while any(one.pending for one in manager.outbox.counts()):
        alerting.refresh()
        Path(told).stat()
    alerting.close()
    manager.close()
