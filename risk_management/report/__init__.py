"""The risk report: everything about a book in one HTML file that opens anywhere and asks no host for it."""

from __future__ import annotations

from risk_management.report.content import ReportContent, gathered
from risk_management.report.page import as_html

__all__ = ["ReportContent", "as_html", "gathered"]
