"""All addresses of the service, one small file a resource."""

from __future__ import annotations

from typing import Final

from risk_management.model.access import Access
from risk_management.service.answers import Open
from risk_management.service.openapi import document
from risk_management.service.route import Answer, Route
from risk_management.service.routes import (
    alerts,
    audit,
    bots,
    budgets,
    delivery,
    figures,
    health,
    heartbeat,
    liquidation,
    live,
    market,
    modes,
    page,
    positions,
    rules,
    scenarios,
    session,
    settings,
    state,
    trades,
    views,
)

__all__ = ["API", "ROOT"]

API: Final[tuple[Route, ...]] = (
    *trades.ROUTES,
    *market.ROUTES,
    *positions.ROUTES,
    *state.ROUTES,
    *bots.ROUTES,
    *budgets.ROUTES,
    *modes.ROUTES,
    *liquidation.ROUTES,
    *heartbeat.ROUTES,
    *rules.ROUTES,
    *alerts.ROUTES,
    *delivery.ROUTES,
    *settings.ROUTES,
    *audit.ROUTES,
    *session.ROUTES,
    *views.ROUTES,
    *live.ROUTES,
    *figures.ROUTES,
    *scenarios.ROUTES,
    *page.ROUTES,
    Route(
        "GET",
        "/openapi.json",
        Access.READ,
        "This document",
        lambda _call: Answer(document(API, ROOT)),
        answers=Open,
    ),
)
"""Under the prefix, ``/api/risk``."""
ROOT: Final[tuple[Route, ...]] = (*health.ROUTES, *session.LOGIN, *page.HOME)
"""At the root of `risk serve`."""
