"""Adapters through which the risk system itself acts: it reads positions, closes and cancels."""

from __future__ import annotations

from risk_management.brokers.broker import Broker, Surroundings
from risk_management.brokers.registry import BROKERS, load_broker

__all__ = ["BROKERS", "Broker", "Surroundings", "load_broker"]
