"""The document and the service are one: every address in both, every answer as it is written."""

from __future__ import annotations

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from risk_management.service.openapi import PREFIX, document
from risk_management.service.routes import API, ROOT

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    status_code_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
]
UNAVAILABLE = 503
LEFT_OUT = {
    "POST /api/risk/emergency-stop",  # it would end the rest
    "GET /login",
    "GET /api/risk/stream",  # it goes on for ever, or is refused where no streams are open; see test_live
}


def test_every_address_is_in_the_document_and_the_reverse(service):
    """Oracle: the url_map of the running app."""
    served = {
        re.sub(r"<(\w+)>", r"{\1}", rule.rule)
        for rule in service.app.url_map.iter_rules()
        if not rule.rule.endswith("<path:rest>") and rule.rule != f"{PREFIX}/"
    }
    paths = service.call("GET", "openapi.json", scope="read").json["paths"]
    assert set(paths) == served
    for path, methods in paths.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            asked = path.replace("{request_id}", "x").replace("{name}", "x").replace("{version}", "x")
            answer = service.call(method, asked, b"" if method != "GET" else None)
            assert (answer.status == 405) == (method.lower() not in methods), (method, path, answer)


def test_the_issue_of_this_service_is_all_there():
    asked = """
        POST /trades | GET /trades/{request_id} | POST /trades/{request_id}/executions
        DELETE /trades/{request_id} | POST /what-if | POST /prices | POST /equity | POST /cash-flows
        GET /state | GET /limits | PUT /bots/{name} | POST /bots/{name}/enable | POST /bots/{name}/disable
        POST /mode | POST /emergency-stop | POST /emergency-release | GET /rules | POST /rules | GET /audit
        GET /audit/verify | POST /positions | GET /config | PATCH /config | GET /openapi.json
        GET /metrics | GET /heatmap | GET /correlation | GET /var | GET /stress | GET /alerts | GET /bots
    """
    wanted = {
        " ".join(words.split()) for line in asked.splitlines() for words in line.split("|") if words.strip()
    }
    assert wanted <= {f"{route.method} {route.path}" for route in API}
    assert {"/healthz", "/readyz", "/metrics"} <= {route.path for route in ROOT}


def test_the_document_is_one_of_its_kind():
    made = document(API, ROOT)
    text = json.dumps(made)
    assert made["openapi"].startswith("3.1")
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in made["components"]["schemas"]
    operations = [one["operationId"] for methods in made["paths"].values() for one in methods.values()]
    assert len(operations) == len(set(operations)) == len(API) + len(ROOT)
    fields = {
        (name, field): said
        for name, schema in made["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
    }
    assert [place for place, said in fields.items() if "description" not in said] == []
    trade = made["components"]["schemas"]["TradeAsked"]
    assert trade["additionalProperties"] is False
    assert trade["properties"]["size"]["exclusiveMinimum"] == 0


def fuzzed(service, examples: int) -> int:
    """How many requests were sent that the document allows, or just not; each answer is held against it."""
    schema = schemathesis.openapi.from_dict(document(API, ROOT))
    schema.config.update(base_url=f"http://127.0.0.1:{service.port}")
    sent = 0
    headers = {"Authorization": f"Bearer {service.secrets['admin']}"}
    modes = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    for mode in modes:
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.label in LEFT_OUT:
                continue

            @settings(
                max_examples=examples,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case):
                nonlocal sent
                # an empty list is nothing in an address: what is sent is right, whatever is said of the case
                assume([] not in (case.query or {}).values())
                sent += 1
                case.call_and_validate(headers=headers, checks=CHECKS, timeout=20)

            try:
                ask()
            except Unsatisfiable:
                assert mode is schemathesis.GenerationMode.NEGATIVE  # there is nothing that could be wrong
    return sent


def test_what_the_document_allows_and_what_it_does_not(fresh):
    service = fresh()
    assert fuzzed(service, 8) > 300
    assert service.call("GET", "/readyz", scope=None).status == 200
    assert service.call("GET", "audit/verify").json["ok"]


@pytest.mark.soak
def test_the_same_at_length(fresh, record_property):
    service = fresh()
    sent = fuzzed(service, 500)
    assert sent > 20_000
    assert service.call("GET", "audit/verify").json["ok"]
    record_property("figure", f"{sent:,} requests, no 5xx")
