"""Bodies that nest deeply or are large: answered in the envelope, by limits known before."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server.api.serving import V4, Api
from tests.waiting import eventually

TYPE = {"content-type": "application/json"}
AI = "/client/v4/accounts/local/ai"


def lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def depth_of(value: Any) -> int:
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    return depth


@pytest.mark.parametrize("depth", [340, 500, 900])
def test_an_instance_has_params_nested_as_deeply_as_they_may_be(api: Api, depth: int) -> None:
    body = f'{{"params": {{"do": "echo", "d": {lists(depth)}}}}}'

    created = api.result("POST", "/flow/instances", content=body, headers=TYPE)

    output = api.until(created["id"], "complete")["output"]
    assert depth_of(output["d"]) == depth - 1
    history = api.server.get(f"/cdn-cgi/groundfog/workflows/flow/instances/{created['id']}/export")
    assert lists(depth) in history.text


@pytest.mark.parametrize("depth", [1_100, 2_000, 100_000])
@pytest.mark.parametrize("path", ["/flow/instances", "/flow/instances/{}/events/answered"])
def test_what_is_nested_deeper_is_refused_in_the_envelope(api: Api, depth: int, path: str) -> None:
    waiting = api.create(f"deep-{api.base == V4:d}-{depth}-{len(path)}", do="wait")
    for body in (f'{{"params": {lists(depth)}}}', lists(depth)):
        refused = api.error("POST", path.format(waiting), content=body, headers=TYPE)

        assert refused[:2] in ((400, 10001), (400, 10001))
        assert refused[2].startswith(
            ("(body) is not JSON: it is nested too deeply", "(body) Provided argument is invalid")
        )


def test_an_event_has_a_payload_nested_deeply(api: Api) -> None:
    waiting = api.create(f"deep-event-{api.base == V4:d}", do="wait")
    api.until(waiting, "waiting")

    path = f"/flow/instances/{waiting}/events/answered"
    api.result("POST", path, content=lists(900), headers=TYPE)

    assert depth_of(api.until(waiting, "complete")["output"]) == 899


def test_params_that_the_json_module_cannot_read_are_taken_and_shown(v4: Api) -> None:
    body = f'{{"params": {{"do": "echo", "d": {lists(1_010)}}}}}'
    created = v4.result("POST", "/flow/instances", content=body, headers=TYPE)

    def shown() -> str | None:
        text = v4.ask("GET", f"/flow/instances/{created['id']}").text
        return text if '"status":"complete"' in text else None

    assert lists(1_010) in eventually(shown)


def test_params_as_text_nest_deeply_too_or_are_refused(v4: Api) -> None:
    for depth, expected in ((900, 200), (2_000, 400)):
        params = json.dumps({"do": "echo", "d": json.loads(lists(900))}).replace(
            lists(900), lists(depth)
        )
        response = v4.ask("POST", "/flow/instances", json={"params": params})

        assert response.status_code == expected, response.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/flow/instances/x/status"),
        ("POST", "/flow/instances/batch"),
        ("POST", "/flow/instances/batch/terminate"),
        ("POST", "/flow/instances/batch/delete"),
    ],
)
@pytest.mark.parametrize("body", [lists(100_000), f'{{"status": {lists(900)}}}'])
def test_every_route_answers_deep_json_in_the_envelope(
    v4: Api, method: str, path: str, body: str
) -> None:
    status, code, _ = v4.error(method, path, content=body, headers=TYPE)

    assert (status, code) == (400, 10001)


@pytest.mark.parametrize(
    "path",
    [
        "/cdn-cgi/groundfog/clock/advance",
        "/cdn-cgi/groundfog/journal/prune",
        "/cdn-cgi/groundfog/workflows/flow/instances/x/skip",
        f"{AI}/run/@cf/meta/llama-3.1-8b-instruct",
        f"{AI}/v1/chat/completions",
        f"{AI}/v1/embeddings",
    ],
)
def test_our_own_routes_and_those_of_models_do_too(v4: Api, path: str) -> None:
    for depth in (900, 50_000):
        body = f'{{"span": {lists(depth)}, "workflow": {lists(depth)}}}'
        response = v4.server.post(path, content=body, headers=TYPE)

        assert response.status_code in (400, 404), response.text
        assert response.json()["success"] is False


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_that_is_larger_than_any_instance_is_refused_by_its_size(
    v4: Api, announced: bool
) -> None:
    body = b'{"params": [' + b"[]," * 3_000_000 + b"1]}"
    content = body if announced else iter([body])

    refused = v4.error("POST", "/flow/instances", content=content, headers=TYPE)

    assert refused == (413, 10001, "(body) is larger than 8,388,608 bytes")


def test_a_value_of_too_many_parts_is_refused_before_they_are_all_read(v4: Api) -> None:
    body = '{"params": [' + "[]," * 2_000_000 + "1]}"

    refused = v4.error("POST", "/flow/instances", content=body, headers=TYPE)

    assert refused[0] == 400
    assert "more than 349,525 lists and objects" in refused[2]


def test_a_large_batch_is_read_item_by_item_and_stops_nobody(v4: Api) -> None:
    text = "x" * 300_000
    body = json.dumps([{"params": {"do": "wait", "text": text}}] * 40)

    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(v4.result, "POST", "/flow/instances/batch", content=body, headers=TYPE)
        answered = 0
        while not batch.done():
            assert v4.server.get("/").status_code < 500
            answered += 1

    assert len(batch.result()) == 40
    assert answered > 0


def test_a_large_batch_that_is_not_a_list_of_objects_creates_nothing(v4: Api) -> None:
    before = sum(v4.get("/flow")["instances"].values())
    for body in (
        '{"params": "' + "x" * 100_000 + '"}',
        '[{"params": "' + "x" * 100_000 + '"}, 7]',
        '[{"params": "' + "x" * 100_000 + '"}, oops]',
        '[{"params": "' + "x" * 100_000 + '"}] more',
    ):
        assert v4.error("POST", "/flow/instances/batch", content=body, headers=TYPE)[0] == 400

    assert sum(v4.get("/flow")["instances"].values()) == before
