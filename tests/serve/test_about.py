"""What the service says of itself: health, metrics, OpenAPI, a page; and which pages of others may use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.serve.running import Held, Running, encoded, make_service, picture, plain, running

from segruntime.serve.app import build_app
from segruntime.serve.openapi import description
from segruntime.serve.pictures import OPERATIONS


def test_health_is_ready_with_the_workers_and_the_model(real: Running) -> None:
    answer = real.get("/health")
    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "ready", "workers": 2, "stuck": 0, "model": "a.tflite"}
    assert json.loads(real.get("/health/live").body) == {"status": "live"}


def test_metrics_count_requests_by_path_and_status() -> None:
    worker = Held()
    worker.let.set()
    with running(make_service([worker])) as service:
        for _ in range(3):
            service.post("/v1/mask", plain(1))
        service.post("/v1/mask", b"broken")
        for number in range(20):
            service.get(f"/guess/{number}")
        answer = service.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = answer.body.decode()
    assert 'segrun_requests_total{path="/v1/mask",status="200"} 3.0' in found
    assert 'segrun_requests_total{path="/v1/mask",status="415"} 1.0' in found
    assert 'segrun_requests_total{path="other",status="404"} 20.0' in found  # one series, whatever is guessed
    assert 'segrun_request_seconds_count{path="/v1/mask"} 4.0' in found
    for line in ("segrun_workers 1.0", "segrun_workers_busy 0.0", "segrun_waiting 0.0", "segrun_held_bytes 0.0"):
        assert f"{line}\n" in found
    for line in found.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{(\w+=\"[^\"]*\",?)+\})? [0-9.e+-]+", line), line


def test_openapi_describes_every_path_and_only_those(real: Running) -> None:
    answer = real.get("/openapi.json")
    found = json.loads(answer.body)
    assert found["openapi"] == "3.1.0"
    routes: Any = build_app(make_service([Held()])).routes
    assert set(found["paths"]) == {route.path for route in routes}
    assert {path for path, operations in found["paths"].items() if "post" in operations} == set(OPERATIONS)


def test_openapi_names_the_options_that_are_taken() -> None:
    found = description(make_service([Held()], {"wall": picture()}))
    for path, (_, known) in OPERATIONS.items():
        assert [option["name"] for option in found["paths"][path]["post"]["parameters"]] == list(known)
    (background,) = [o for o in found["paths"]["/v1/composite"]["post"]["parameters"] if o["name"] == "background"]
    assert background["description"].endswith("blue, wall")


@pytest.mark.parametrize("path", list(OPERATIONS))
def test_each_value_that_openapi_lists_is_taken_and_gives_a_kind_that_it_lists(real: Running, path: str) -> None:
    operation = json.loads(real.get("/openapi.json").body)["paths"][path]["post"]
    listed = set(operation["responses"]["200"]["content"])
    given = set()
    for option in operation["parameters"]:
        for value in option["schema"].get("enum", [option["schema"]["default"]]):
            answer = real.post(f"{path}?{option['name']}={value}", encoded(picture()))
            assert answer.status == 200, answer.body
            given.add(answer.headers["content-type"])
    assert given == listed


def everything_in(document: Any) -> Iterator[tuple[str, Any]]:
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield str(key), value
        if isinstance(value, dict | list):
            yield from everything_in(value)


def test_openapi_is_whole() -> None:
    found = description(make_service([Held()]))
    operations = [operation for item in found["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for key, value in everything_in(found):
        if key == "$ref":
            target: Any = found
            for step in value.removeprefix("#/").split("/"):
                target = target[step]
    for operation in operations:
        for status, response in operation["responses"].items():
            assert re.fullmatch("[1-5][0-9]{2}", status)
            assert set(response) == {"$ref"} or response["description"]
        for option in operation.get("parameters", []):
            assert option["in"] == "query"
            assert option["schema"]["type"] in ("string", "integer")


def test_every_status_that_the_service_gives_is_described(real: Running) -> None:
    operation = json.loads(real.get("/openapi.json").body)["paths"]["/v1/mask"]["post"]
    answers = [
        real.post("/v1/mask", plain(1)),
        real.post("/v1/mask", b""),
        real.post("/v1/mask", b"x"),
        real.post("/v1/mask?x=1", plain(1)),
        real.post("/v1/mask", plain(1), origin="https://stranger.example"),
    ]
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 400, 415, 422, 403]
    assert {str(status) for status in statuses} <= set(operation["responses"])


def test_the_page_names_what_is_there_and_loads_nothing_from_elsewhere(real: Running) -> None:
    answer = real.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    html = answer.body.decode()
    for path in (*OPERATIONS, "/v1/stream", "/openapi.json", "/health", "/metrics", "a.tflite", "wall"):
        assert path in html
    assert "@MODEL@" not in html
    assert not re.findall(r"(?:src|href)=\"(?!/|data:)|https?://|url\(", html)
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_page_names_its_model_as_text() -> None:
    from dataclasses import replace

    from segruntime.serve.page import page

    html = page(replace(make_service([Held()]), model="<script>alert(1)</script>.tflite"))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


@pytest.mark.parametrize("path", ["/", "/health", "/v1/mask", "/nowhere"])
def test_no_reply_is_cached_or_guessed_at(real: Running, path: str) -> None:
    headers = real.get(path).headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "server" not in headers


def test_a_page_of_another_origin_is_403_and_a_program_without_one_is_not(real: Running) -> None:
    answer = real.post("/v1/mask", plain(1), origin="https://stranger.example")
    assert answer.status == 403
    assert answer.error == (
        "origin: a page of https://stranger.example may not use this service, "
        "expected the service's own or one named with --allow-origin"
    )
    assert real.post("/v1/mask", plain(1), origin="null").status == 403
    assert real.post("/v1/mask", plain(1), origin=f"http://127.0.0.1:{real.port}").status == 200


def test_a_page_that_is_allowed_gets_cors_headers_and_no_other_does(real: Running) -> None:
    answer = real.post("/v1/mask", plain(1), origin="https://friend.example")
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://friend.example")
    asked = real.ask(
        "OPTIONS",
        "/v1/mask",
        origin="https://friend.example",
        access_control_request_method="POST",
        access_control_request_headers="content-type",
    )
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (200, "https://friend.example")
    assert "access-control-allow-origin" not in real.post("/v1/mask", plain(1)).headers
    with running(make_service([Held()])) as closed:
        refused = closed.get("/health", origin="https://friend.example")
        assert (refused.status, "access-control-allow-origin" in refused.headers) == (403, False)
