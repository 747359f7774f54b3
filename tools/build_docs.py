"""Write the pages that are made from the program: vocabulary, codes, settings and addresses.

python tools/build_docs.py            write them
python tools/build_docs.py --check    exit 1 when one is out of date
"""

from __future__ import annotations

import ast
import inspect
import io
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.text import Text

from risk_management import _HOMES
from risk_management.alerts.default_rules import default_rules
from risk_management.cli._entries import ROUTINE
from risk_management.config._base import Settings
from risk_management.config.risk_config import RiskLevel, RiskManagementConfig
from risk_management.core.emergency import EmergencyAction
from risk_management.core.emergency_rows import emergency_rows
from risk_management.demo.market import PERIODS, Market
from risk_management.demo.report import opening, period_report
from risk_management.demo.run import CAPITAL, run_demo
from risk_management.model.alert import AlertSeverity
from risk_management.model.codes import MEANINGS
from risk_management.model.events import Event
from risk_management.model.vocabulary import SCOPED, VOCABULARY, Word
from risk_management.service.openapi import document
from risk_management.service.routes import API, ROOT

DOCS = Path(__file__).resolve().parent.parent / "docs"


def vocabulary_page() -> str:
    rows = [f"| `{word}` | {entry.unit} | {entry.meaning} |" for word, entry in VOCABULARY.items()]
    return "\n".join(
        [
            "# Vocabulary",
            "",
            "The words of assessments, alert conditions, emergency rows, the API and reports.",
            "`portfolio_heat` is the word; `overall_heat` is the same figure as an attribute, capped at 100.",
            "",
            "| word | unit | meaning |",
            "|---|---|---|",
            *rows,
            "",
            *(line for scope, words in SCOPED.items() for line in _scoped_words(scope, words)),
        ]
    )


def _scoped_words(scope: str, words: dict[str, Word]) -> list[str]:
    rows = [f"| `{word}` | {entry.unit} | {entry.meaning} |" for word, entry in words.items()]
    return [
        f"## Of each {scope}",
        "",
        f'For alert rules with `scope = "{scope}"`, beside the words above.',
        "",
        "| word | unit | meaning |",
        "|---|---|---|",
        *rows,
        "",
    ]


def codes_page() -> str:
    lines = [
        "# Codes",
        "",
        "Every code that an answer may carry: stable, and never given another meaning.",
        "",
    ]
    for part, meanings in MEANINGS.items():
        rows = [f"| `{code}` | {text} |" for code, text in meanings.items()]
        lines += [f"## {part.partition(' (')[0]}", ""]
        lines += [f"{part.partition(' (')[2].removesuffix(')')}.", ""] if " (" in part else []
        lines += ["| code | means |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def journal_page() -> str:
    lines = [
        "# The journal",
        "",
        "Kinds of entries, as `risk audit tail --kind` takes them. Money and units are integers of 1e-8.",
        f"What is written at every look at the book ({', '.join(ROUTINE)}) is left out unless asked for.",
        "See [durability](durability.md).",
        "",
        "| kind | says | fields |",
        "|---|---|---|",
    ]
    kinds = {kind.__name__: kind for kind in Event.__subclasses__()}
    for _, kind in sorted(kinds.items()):
        own = [f"`{field.name}`" for field in fields(kind) if field.name not in ("at", "actor")]
        lines.append(f"| `{kind.__name__}` | {(kind.__doc__ or '').splitlines()[0]} | {', '.join(own)} |")
    return "\n".join([*lines, ""])


def api_page() -> str:
    lines = [
        "# Python",
        "",
        "The public names: `from risk_management import NAME`. Made from their docstrings by `make docs`.",
        "",
    ]
    for name, home in sorted(_HOMES.items()):
        lines += [f"::: risk_management.{home}.{name}", ""]
    return "\n".join(lines)


def routes_page() -> str:
    made = document(API, ROOT)
    lines = [
        "# Addresses",
        "",
        "Made from the OpenAPI document. Fields in **bold** are required. See [the service](service.md).",
        "",
        "| address | scope | what it does | fields |",
        "|---|---|---|---|",
    ]
    for path, methods in made["paths"].items():
        for method, one in methods.items():
            fields = ", ".join(_fields(one, made["components"]["schemas"]))
            lines.append(f"| `{method.upper()} {path}` | {one['x-scope']} | {one['summary']} | {fields} |")
    return "\n".join([*lines, ""])


def _fields(operation: dict, schemas: dict) -> list[str]:
    query = [
        (one["name"], one["required"]) for one in operation.get("parameters", []) if one["in"] == "query"
    ]
    if "requestBody" in operation:
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        needed = schemas[name].get("required", [])
        query += [(field, field in needed) for field in schemas[name]["properties"]]
    return [f"**`{name}`**" if required else f"`{name}`" for name, required in query]


def settings_page() -> str:
    levels = {level: RiskManagementConfig(risk_level=level) for level in RiskLevel}
    lines = ["# Settings", "", "Every setting with its value at each level.", ""]
    lines += _table("", RiskManagementConfig, levels)
    for name, field in RiskManagementConfig.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            lines += [f"## {name}", "", (kind.__doc__ or "").splitlines()[0], ""]
            lines += _table(name, kind, levels)
    return "\n".join(lines)


def _table(section: str, kind: type[Settings], levels: dict[RiskLevel, RiskManagementConfig]) -> list[str]:
    texts = _field_docs(kind)
    rows = ["| setting | conservative | moderate | aggressive | what it is |", "|---|---|---|---|---|"]
    for name in kind.model_fields:
        values = [getattr(getattr(c, section) if section else c, name) for c in levels.values()]
        if isinstance(values[0], Settings):
            continue
        cells = [_shown(v) for v in values]
        rows.append(f"| `{name}` | {' | '.join(cells)} | {texts.get(name, '')} |")
    return [*rows, ""]


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(_shown(v) for v in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items()) or "none"
    return str(getattr(value, "value", value)).replace("|", "\\|")


def _field_docs(kind: type[Settings]) -> dict[str, str]:
    """The string that stands below each field."""
    body = ast.parse(inspect.getsource(sys.modules[kind.__module__])).body
    node = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == kind.__name__)
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return found


def on_call_page() -> str:
    """What each alert means and what a person can do, from the texts that stand in the alerts themselves."""
    config = RiskManagementConfig()
    lines = [
        "# On call",
        "",
        "Every alert of the default rules and every emergency, with the figures of the moderate level.",
        "Take an alert on: `risk alerts list`, then `risk alerts ack ID`. To stop everything: "
        "`POST /api/risk/emergency-stop`.",
        "See [alerts](alerts.md) and [emergencies](emergencies.md).",
        "",
    ]
    for severity in reversed(AlertSeverity):
        rules = [rule for rule in default_rules(config) if rule.severity is severity]
        if rules:
            lines += [f"## {severity.value.capitalize()}", ""]
        for rule in rules:
            lines += [f"### {rule.rule_id}", "", f"Fires when `{rule.condition}`.", ""]
            lines += [f"- It means: {rule.meaning}", f"- The system: {rule.did}", f"- You: {rule.todo}", ""]
    lines += ["## Emergency rows", "", "| row | fires at | what is done |", "|---|---|---|"]
    for row in emergency_rows(config):
        done = ACTIONS[row.action]
        lines.append(f"| `{row.name}` | `{row.metric}` {row.threshold:g} | {done} |")
    lines += ["", "## Alerts that are no rules", "", "| key | what it means | what to do |", "|---|---|---|"]
    lines += [f"| `{key}` | {meaning} | {todo} |" for key, (meaning, todo) in RAISED.items()]
    return "\n".join([*lines, ""])


ACTIONS = {
    EmergencyAction.WARN: "people are told; nothing else",
    EmergencyAction.HALT_NEW_RISK: "what increases VaR is refused; hedges and closing pass",
    EmergencyAction.REDUCE_ONLY: "only closing passes",
    EmergencyAction.REDUCE_CORRELATED: "the smaller contributor of the pair is closed",
    EmergencyAction.TRIM: "the largest contributors are cut",
    EmergencyAction.HALT: "all trading stops until a named person releases it",
    EmergencyAction.LIQUIDATE: "entries are cancelled, the book is closed, trading is halted",
}
RAISED = {
    "missing_metrics": (
        "numbers that rules need are missing: those rules can't be judged",
        "find out which feed or model gives no number; a missing number is never taken for fine",
    ),
    "alert_storm:*": (
        "a channel would have got too many messages; further warnings are folded into one",
        "look at the alert list; what is critical still comes at once, in full",
    ),
    "too_many_alerts": (
        "as many alerts are open as may be; others that hold are told nowhere",
        "take out rules that fire for everything, resolve what was raised and is over (risk alerts resolve)",
    ),
    "unjudged_rules": (
        "rules times the names that they are judged for are too many for a round; some are not judged",
        "take rules out, or judge the whole book with scope portfolio",
    ),
    "ledger": (
        "carried sums differ from sums from scratch; all trading stopped",
        "compare positions with the broker, keep the journal, report it",
    ),
    "store": (
        "the store can't be written: nothing opens, what closes passes and is kept in memory",
        "see the disk: space, mount, permissions; it is written again by itself",
    ),
    "feed": (
        "the source of prices does not answer; prices grow stale and open nothing",
        "check the network and the provider; closing passes meanwhile",
    ),
    "emergency_stop": (
        "a person stopped all trading; protective orders stay",
        "ask who did it and why; release by name with a reason",
    ),
    "UNAPPROVED_FILL": (
        "the broker filled an order that nobody approved; it is booked and counts",
        "find the bot or person that trades past the gate",
    ),
    "RECONCILIATION_BREAK": (
        "the broker says otherwise than the book; the symbol is held",
        "compare with the broker's statement, then settle",
    ),
    "equity": (
        "a report of equity is not believed: nothing opens, what closes passes",
        "if it is right report it again, else report what the book says; tell cash that moved as a cash flow",
    ),
    "bot_off:*": (
        "a bot lost too much, or keeps failing, and was switched off; its exits pass",
        "look at what it did, then enable it: its losses are counted anew",
    ),
    "strategy_drawdown:*": (
        "a strategy lost too much and only closes; without a name: orders for no strategy",
        "decide whether it still works, then set its mode to ACTIVE: its losses are counted anew",
    ),
}

PAGES = {
    "on-call.md": on_call_page,
    "vocabulary.md": vocabulary_page,
    "codes.md": codes_page,
    "settings.md": settings_page,
    "service-routes.md": routes_page,
    "journal.md": journal_page,
    "api.md": api_page,
}


def draw_picture() -> None:
    """The first screen of the demo, as it printed it in this run."""
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
    market = Market.sample()
    result = run_demo(PERIODS[:1], market=market)
    console.print(opening(CAPITAL))
    console.print(period_report(result.periods[0], 100))
    _save(console, "demo.svg", "risk demo")


def draw_backtest() -> None:
    """What `risk backtest-var` shows of the example book, as it printed it in this run."""
    command = [str(Path(sys.executable).with_name("risk")), "backtest-var", "--example"]
    shown = {**os.environ, "COLUMNS": "116", "FORCE_COLOR": "1"}
    done = subprocess.run(command, env=shown, capture_output=True, text=True, check=True)
    console = Console(record=True, width=116, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(done.stdout))
    _save(console, "var-backtest.svg", "risk backtest-var --example")


def _save(console: Console, name: str, title: str) -> None:
    target = DOCS / "images" / name
    target.parent.mkdir(exist_ok=True)
    svg = console.export_svg(title=title, font_aspect_ratio=0.61)
    # no font from another host: the reader's own monospace serves
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S), encoding="utf-8")


def main() -> int:
    if "--picture" in sys.argv:
        draw_picture()
        draw_backtest()
        return 0
    stale = []
    for name, make in PAGES.items():
        path = DOCS / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != make():
                stale.append(name)
        else:
            path.write_text(make(), encoding="utf-8")
    if stale:
        print(f"out of date: {', '.join(stale)}; run python tools/build_docs.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
