"""Write the tables of docs/stress-scenarios.md to standard output."""

from __future__ import annotations

import sys

from risk_management.calculators.scenarios.page import scenario_table, source_list

sys.stdout.write(f"{scenario_table()}\n\n## Sources\n\n{source_list()}")
