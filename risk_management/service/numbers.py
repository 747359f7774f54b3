"""The numbers of the book for Prometheus; labelled by bot and limit, never by request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from risk_management.model.portfolio import TradingMode

if TYPE_CHECKING:
    from risk_management.alerts.outbox import ChannelCounts
    from risk_management.service.route import Views

__all__ = ["MIMETYPE", "exposition"]

MIMETYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SHOWN: Final = (
    "equity",
    "cash",
    "drawdown",
    "risk_score",
    "portfolio_heat",
    "var_utilization",
    "gross_exposure",
)


def exposition(views: Views) -> str:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Book(views))
    return generate_latest(registry).decode()


class _Book(Collector):
    """One look at the book."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def describe(self) -> list[Metric]:
        """Nothing is asked for before it is scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of this moment."""
        seen, bots = self._views.view("metrics"), self._views.view("bots")["bots"]
        for name in SHOWN:
            word = seen["metrics"][name]
            yield _gauge(
                f"risk_{name.removeprefix('risk_')}", f"{word['meaning']} ({word['unit']})", word["value"]
            )
        mode = TradingMode(seen["status"]["mode"])
        yield _gauge("risk_mode", "0 active, 1 reducing, 2 halted", mode.severity)
        manager = self._views.manager
        yield _gauge(
            "risk_store_writable", "Whether what is written reaches the disk", not manager.book.outage
        )
        yield _gauge("risk_open_approvals", "Approvals that count", len(manager.state.reservations))
        yield CounterMetricFamily("risk_events", "Events of the book", value=manager.state.version)
        use = GaugeMetricFamily(
            "risk_limit_use", "Used over limit; 1 is the limit itself", labels=["limit", "subject"]
        )
        for row in seen["limits"]:
            if row["use"] is not None:
                use.add_metric([row["name"], row["subject"]], row["use"])
        yield use
        yield from _of_bots(bots)
        ignored = CounterMetricFamily(
            "risk_telegram_ignored", "Messages to the bot that were left aside", labels=["reason"]
        )
        for reason, count in self._views.ignored_commands.items():
            ignored.add_metric([reason], count)
        yield ignored
        yield from _of_messages(manager.outbox.counts(), manager.clock.now().timestamp())


def _of_bots(bots: list[dict[str, Any]]) -> Iterator[Metric]:
    decided = CounterMetricFamily("risk_bot_decisions", "Decisions by outcome", labels=["bot", "outcome"])
    enabled = GaugeMetricFamily("risk_bot_enabled", "Whether the bot may open", labels=["bot"])
    used = GaugeMetricFamily("risk_bot_limit_use", "Used over the bot's own limit", labels=["bot"])
    for card in bots:
        for outcome, count in card["decisions"].items():
            decided.add_metric([card["name"], outcome], count)
        enabled.add_metric([card["name"]], float(card["enabled"]))
        if card["limits"]["use"] is not None:
            used.add_metric([card["name"]], card["limits"]["use"])
    yield from (decided, enabled, used)


def _of_messages(counts: Iterable[ChannelCounts], now: float) -> Iterator[Metric]:
    number = GaugeMetricFamily(
        "risk_alert_messages", "Messages by channel and state", labels=["channel", "state"]
    )
    oldest = GaugeMetricFamily(
        "risk_alert_oldest_seconds", "Age of the oldest message that waits", labels=["channel"]
    )
    for one in counts:
        for state, value in (("pending", one.pending), ("sent", one.sent), ("failed", one.failed)):
            number.add_metric([one.channel, state], value)
        oldest.add_metric([one.channel], 0.0 if one.oldest_at is None else max(0.0, now - one.oldest_at))
    yield from (number, oldest)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, text, value=float("nan") if value is None else float(value))
