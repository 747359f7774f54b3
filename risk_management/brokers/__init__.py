"""Adapters through which the risk system itself acts: it reads positions, closes and cancels."""

from __future__ import annotations

from risk_management.brokers.broker import Broker

__all__ = ["Broker"]
