"""`GET …/subscribe`: the event log as server-sent events, over a real connection."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.projects import workflow_project
from tests.end_to_end.server import DevServer
from tests.server.api.serving import RUN, V4, Api

ONE_STEP = [
    *("workflow_queued", "workflow_started", "step_started", "attempt_started"),
    *("attempt_completed", "step_completed", "workflow_completed"),
]
_numbers = count()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An id that no other test uses."""
    return f"stream-{next(_numbers)}"


@contextmanager
def stream(
    api: Api, instance: str, headers: dict[str, str] | None = None, **query: Any
) -> Iterator[tuple[httpx.Response, Iterator[tuple[str, Any]]]]:
    path = f"{api.base}/flow/instances/{instance}/subscribe"
    with api.server.client.stream("GET", path, params=query, headers=headers) as response:
        yield response, blocks(response)


def blocks(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Yield the id and data of each block that has an id, as it arrives; data may be None."""
    last, data = "", None
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "id":
            last = value
        elif field == "data":
            data = json.loads(value)
        elif not line and last:
            yield last, data
            last, data = "", None


def events(api: Api, instance: str, **query: Any) -> list[Any]:
    """Everything that a finished instance tells."""
    with stream(api, instance, **query) as (_, told):
        return [data for _, data in told if data is not None]


def test_the_log_of_a_finished_instance_is_told_and_the_stream_ends(api: Api, name: str) -> None:
    api.create(name, times=2)
    api.until(name, "complete")

    with stream(api, name) as (response, told):
        found = list(told)

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert [data["type"] for _, data in found[:-1]] == ONE_STEP
    assert [int(block) for block, _ in found[:-1]] == [data["eventId"] for _, data in found[:-1]]
    assert found[1][1]["params"] == {"times": 2}
    assert found[-2][1]["output"] == "hello hello "
    assert found[-1] == (found[-2][0], None)


def test_events_arrive_while_the_instance_goes_on(api: Api, name: str) -> None:
    api.create(name, do="wait")

    with stream(api, name) as (_, told):
        for _, data in told:
            if data["type"] == "wait_started":
                break
        api.post(f"/flow/instances/{name}/events/answered", 42)
        rest = [data for _, data in told if data is not None]

    assert "wait_completed" in [event["type"] for event in rest]
    assert rest[-1]["type"] == "workflow_completed" and rest[-1]["output"] == 42


def test_a_cursor_resumes_after_the_last_event_seen(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")
    all_events = events(api, name)

    assert events(api, name, cursor=all_events[3]["eventId"]) == all_events[4:]


def test_an_event_source_that_comes_back_goes_on_where_it_was(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")
    all_events = events(api, name)

    headers = {"Last-Event-ID": str(all_events[3]["eventId"])}
    with stream(api, name, headers, cursor=1) as (_, told):
        found = [data for _, data in told if data is not None]

    assert found == all_events[4:]


def test_an_event_source_that_comes_back_after_the_end_is_told_not_to(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")
    with stream(api, name, filter="step_completed") as (_, told):
        last = [block for block, _ in told][-1]

    with stream(api, name, {"Last-Event-ID": last}, filter="step_completed") as (response, _):
        assert response.status_code == 204


def test_a_filter_may_be_repeated_or_have_commas(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")

    listed = events(api, name, filter="step_started,step_completed")
    repeated = events(api, name, filter=["step_started", "step_completed"])

    assert [event["type"] for event in listed] == ["step_started", "step_completed"]
    assert repeated == listed


def test_what_only_groundfog_knows_is_told_when_asked_for(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.post(f"/flow/instances/{name}/events/other", {"a": 1})
    api.post(f"/flow/instances/{name}/events/answered", 42)
    api.until(name, "complete")

    plain, local = events(api, name), events(api, name, local="true")

    assert not any("local" in event or event["type"].startswith("local_") for event in plain)
    (started,) = (event for event in local if event["type"] == "step_started")
    assert started["local"]["line"].startswith("src/entry.py:")
    assert started["local"]["generation"] == 1
    (done,) = (event for event in local if event["type"] == "step_completed")
    assert done["local"]["durationMs"] >= 0
    received = [event for event in local if event["type"] == "local_event_received"]
    assert [(event["eventType"], event["payload"]) for event in received] == [
        ("other", {"a": 1}),
        ("answered", 42),
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"cursor": "-1"}, "'cursor' is '-1'"),
        ({"cursor": "last"}, "'cursor' is 'last'"),
        ({"cursor": str(2**53)}, "at most 9007199254740991"),
        ({"filter": "step_started,nothing"}, "'filter' has 'nothing'"),
        ({"local": "yes"}, "'local' is 'yes'"),
    ],
    ids=repr,
)
def test_what_cannot_be_understood_is_refused(
    v4: Api, name: str, query: dict[str, str], said: str
) -> None:
    v4.create(name)

    path = f"/flow/instances/{name}/subscribe"
    status, code, message = v4.error("GET", path, params=query)

    assert (status, code) == (400, 10001) and said in message


def test_an_instance_that_does_not_exist_has_no_log(v4: Api) -> None:
    assert v4.error("GET", "/flow/instances/nobody/subscribe")[:2] == (404, 10400)
    assert v4.error("GET", "/nothing/instances/nobody/subscribe")[:2] == (404, 10200)


def test_a_server_that_stops_ends_its_streams_at_once(tmp_path: Path) -> None:
    """Otherwise it would wait for them, and cut them off in the end."""
    with DevServer(workflow_project(tmp_path / "p", RUN)) as server:
        api = Api(server, V4)
        api.create("open", do="wait")
        with stream(api, "open") as (_, told):
            assert next(told)[1]["type"] == "workflow_queued"
            os.kill(server.pid, signal.SIGINT)
            rest = list(told)  # raises when the connection is cut

    assert rest[-1][1] is None
