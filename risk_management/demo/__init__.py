"""Four bots through real crises, with and without the gate: `risk demo`."""

from __future__ import annotations

from risk_management.demo.command import demo_command
from risk_management.demo.market import PERIODS, QUICK_PERIODS, Period
from risk_management.demo.records import DemoResult
from risk_management.demo.run import run_demo

__all__ = ["PERIODS", "QUICK_PERIODS", "DemoResult", "Period", "demo_command", "run_demo"]
