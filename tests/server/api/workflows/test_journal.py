"""The routes that look after the journal."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.end_to_end.server import DevServer
from tests.server.api.serving import Api

BASE = "/cdn-cgi/groundfog/journal"
_numbers = count()


@pytest.fixture
def journal(server: DevServer) -> Api:
    return Api(server, BASE)


@pytest.fixture
def name() -> str:
    """An id that no other test uses."""
    return f"journal-{next(_numbers)}"


def test_what_the_journal_takes_up_is_told(journal: Api, v4: Api, name: str) -> None:
    v4.create(name)
    v4.until(name, "complete")

    sizes = journal.get(largest=1000)

    assert sizes["path"].endswith("journal.sqlite")
    assert [workflow["name"] for workflow in sizes["workflows"]] == ["flow"]
    (own,) = (size for size in sizes["largest_instances"] if size["id"] == name)
    assert own["status"] == "complete" and 0 < own["bytes"] < sizes["workflows"][0]["bytes"] + 1


def test_a_dry_run_counts_and_deletes_nothing(journal: Api, v4: Api, name: str) -> None:
    v4.create(name)
    v4.until(name, "complete")

    assert journal.post("/prune", {"dry_run": True})["pruned"] >= 1
    assert v4.detail(name)["status"] == "complete"


def test_finished_instances_are_pruned(journal: Api, v4: Api, name: str) -> None:
    v4.create(name, do="fail")
    v4.create(f"{name}-open", do="wait")
    v4.until(name, "errored")

    body = {"workflow": "flow", "status": ["errored"], "older_than": 0}
    result = journal.post("/prune", body)

    assert result["pruned"] >= 1 and result["freed_bytes"] >= 0
    assert v4.error("GET", f"/flow/instances/{name}")[0] == 404
    assert v4.detail(f"{name}-open")["status"] in ("running", "waiting")


def test_what_is_younger_is_kept(journal: Api, v4: Api, name: str) -> None:
    v4.create(name)
    v4.until(name, "complete")

    assert journal.post("/prune", {"older_than": "1 hour"})["pruned"] == 0


@pytest.mark.parametrize("span", ["99999999999999999999 years", 2**70], ids=repr)
def test_a_span_longer_than_time_keeps_everything(
    journal: Api, v4: Api, name: str, span: object
) -> None:
    v4.create(name)
    v4.until(name, "complete")

    for body in ({"older_than": span, "dry_run": True}, {"older_than": span}):
        assert journal.post("/prune", body)["pruned"] == 0
    assert v4.detail(name)["status"] == "complete"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "running"}, "'status' has 'running'; expected some of: complete, errored"),
        ({"status": []}, "'status' is empty"),
        ({"status": [1]}, "'status' has 1"),
        ({"older_than": "7 d"}, "'older_than' is \"7 d\"; expected milliseconds or"),
        ({"workflow": {}}, "'workflow' is {}; expected a name."),
        ({"workflow": [1]}, "'workflow' is [1]; expected a name."),
        ({"dry_run": "yes"}, "'dry_run' is 'yes'; expected true or false."),
        ({"all": True}, "'all' is not a field here"),
        ([], "(body) Provided argument is invalid"),
    ],
    ids=repr,
)
def test_what_cannot_be_understood_is_refused_and_prunes_nothing(
    journal: Api, v4: Api, name: str, body: Any, said: str
) -> None:
    v4.create(name)
    v4.until(name, "complete")

    status, code, message = journal.error("POST", "/prune", json=body)

    assert (status, code) == (400, 10001) and said in message
    assert v4.detail(name)["status"] == "complete"


@pytest.mark.parametrize("content", ["null", " null\n", "1", '"all"', "[]"])
def test_a_body_that_is_not_an_object_prunes_nothing(
    journal: Api, v4: Api, name: str, content: str
) -> None:
    v4.create(name)
    v4.until(name, "complete")

    refused = journal.error(
        "POST", "/prune", content=content, headers={"content-type": "application/json"}
    )

    assert refused == (400, 10001, "(body) Provided argument is invalid")
    assert v4.detail(name)["status"] == "complete"


def test_a_workflow_that_does_not_exist_cannot_be_pruned(journal: Api) -> None:
    assert journal.error("POST", "/prune", json={"workflow": "nothing"})[:2] == (404, 10200)
