"""What the API tells: workflows, versions, lists of instances, details, steps."""

from __future__ import annotations

import sqlite3
from itertools import count
from typing import Any

import pytest

from tests.server.api.serving import Api
from tests.waiting import eventually

_numbers = count()


@pytest.fixture
def name(api: Api, request: pytest.FixtureRequest) -> str:
    """An id that no other test uses."""
    return f"read-{next(_numbers)}"


def test_the_workflows_are_those_of_the_configuration(api: Api) -> None:
    (workflow,) = api.get()

    assert workflow["name"] == "flow"
    assert workflow["class_name"] == "Flow"
    assert workflow["script_name"] == "under-test"


def test_a_page_past_the_end_is_empty(api: Api) -> None:
    """SDKs ask for one page after the other until one is empty."""
    assert api.get(page=2) == []
    assert api.get("/flow/instances", page=1000) == []


def test_workflows_are_searched_by_name(api: Api) -> None:
    assert len(api.get(search="lo")) == 1
    assert api.get(search="other") == []


def test_a_workflow_counts_its_instances(api: Api, name: str) -> None:
    before = api.get("/flow")["instances"]["complete"]
    api.create(name)
    api.until(name, "complete")

    assert api.get("/flow")["instances"]["complete"] == before + 1


def test_the_code_as_it_was_loaded_is_a_version(api: Api, name: str) -> None:
    (version,) = api.get("/flow/versions")

    assert version["class_name"] == "Flow" and version["language"] == "python"
    assert version["workflow_id"] == api.get("/flow")["id"]
    week_ms = 7 * 86_400_000
    kept = {"success_retention": week_ms, "error_retention": week_ms}
    assert version["default_retention"] == kept
    assert api.get("/flow")["created_on"] == version["created_on"]
    assert api.get(f"/flow/versions/{version['id']}") == version
    assert api.error("GET", "/flow/versions/other")[0] == 404
    assert api.detail(api.create(name))["versionId"] == version["id"]


@pytest.mark.parametrize("kind", ["graph", "dag"])
def test_a_version_has_no_graph_and_says_why(api: Api, kind: str) -> None:
    (version,) = api.get("/flow/versions")

    body = api.ask("GET", f"/flow/versions/{version['id']}/{kind}").json()

    assert version["has_dag"] is False
    assert body["result"]["id"] == version["id"] and body["result"][kind] is None
    assert "not derive a graph from the source" in body["messages"][0]["message"]
    assert api.error("GET", f"/flow/versions/other/{kind}")[0] == 404


def test_a_list_is_newest_first_and_counts_all_statuses(api: Api, name: str) -> None:
    for letter in "abc":
        api.create(f"{name}{letter}", do="sleep")
    response = api.ask("GET", "/flow/instances", params={"per_page": 2}).json()

    assert [item["id"] for item in response["result"]] == [f"{name}c", f"{name}b"]
    info = response["result_info"]
    assert (info["page"], info["per_page"], info["count"]) == (1, 2, 2)
    assert info["total_count"] == sum(info["status_counts"].values()) >= 3
    assert info["total_pages"] == -(-info["total_count"] // 2)
    second = api.get("/flow/instances", per_page=2, page=2)
    assert second[0]["id"] == f"{name}a"
    after = api.get("/flow/instances", per_page=2, cursor=info["cursor"])
    assert after == second


def test_the_trailing_slash_of_wranglers_latest_is_accepted(api: Api, name: str) -> None:
    api.create(name)

    assert api.get("/flow/instances/")[0]["id"] == name


def test_a_list_item_has_its_times_and_what_triggered_it(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")
    item = next(each for each in api.get("/flow/instances") if each["id"] == name)

    assert item["status"] == "complete"
    assert item["trigger_source"] == "api"
    assert item["created_on"] <= item["started_on"] <= item["ended_on"]
    assert item["modified_on"] == item["ended_on"]


def test_lists_are_filtered_by_status_and_date(api: Api, name: str) -> None:
    api.create(name, do="sleep")
    created = api.until(name, "waiting")["queued"]

    def listed(**query: Any) -> bool:
        return name in [item["id"] for item in api.get("/flow/instances", **query)]

    assert listed(status="waiting", date_start=created, date_end=created)
    assert listed(date_start=created.removesuffix("Z"))
    assert not listed(status="errored")
    assert not listed(date_end="2020-01-01")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"page": "0"}, "'page'"),
        ({"page": "many"}, "'page'"),
        ({"page": "9" * 30}, "'page'"),
        ({"per_page": "101"}, "'per_page'"),
        ({"status": "asleep"}, "waitingForPause"),
        ({"date_start": "yesterday"}, "'date_start'"),
        ({"date_end": "2026-13-01"}, "'date_end'"),
        ({"cursor": "x"}, "'cursor'"),
        ({"direction": "up"}, "'direction'"),
    ],
)
def test_a_bad_query_names_the_parameter(v4: Api, query: dict[str, str], named: str) -> None:
    status, code, message = v4.error("GET", "/flow/instances", params=query)

    assert (status, code) == (400, 10001)
    assert named in message


def test_dates_the_wrong_way_round_are_refused(api: Api) -> None:
    query = {"date_start": "2026-02-01", "date_end": "2026-01-01"}

    assert api.error("GET", "/flow/instances", params=query)[:2] == (400, 10502)


def test_a_detail_has_params_output_and_steps(api: Api, name: str) -> None:
    api.create(name, do="echo", nested={"a": [1, None]})
    detail = api.until(name, "complete")

    assert detail["params"] == detail["output"] == {"do": "echo", "nested": {"a": [1, None]}}
    assert detail["trigger"] == {"source": "api"}
    assert (detail["success"], detail["error"], detail["step_count"]) == (True, None, 1)
    (step,) = detail["steps"]
    assert (step["name"], step["success"], len(step["attempts"])) == ("greet-1", True, 1)


def test_steps_come_in_either_order_or_not_at_all(api: Api, name: str) -> None:
    api.create(name, do="sleep")
    api.until(name, "waiting", steps=2)

    def names(**query: str) -> list[str]:
        return [step["name"] for step in api.detail(name, **query)["steps"]]

    assert names() == names(order="asc") == ["greet-1", "nap-1"]
    assert names(order="desc") == ["nap-1", "greet-1"]
    assert names(simple="true") == []
    assert api.detail(name, simple="true")["step_count"] == 2


def test_a_failed_step_shows_its_error(api: Api, name: str) -> None:
    api.create(name, do="fail")
    detail = api.until(name, "errored")

    assert detail["error"]["name"] == "WorkflowFatalError"
    error = detail["steps"][1]["attempts"][0]["error"]
    assert error == {"name": "NonRetryableError", "message": "never"}
    step = api.get(f"/flow/instances/{name}/step", name="broken-1", type="step", attempt=1)
    assert (step["status"], step["error"]) == ("errored", error)


def test_a_sensitive_output_is_redacted(api: Api, name: str) -> None:
    api.create(name, do="secret")
    detail = api.until(name, "complete")
    step = api.get(f"/flow/instances/{name}/step", name="secret-1", type="step")

    assert detail["steps"][1]["output"] == step["output"] == "[REDACTED]"
    assert "hunter2" not in str(detail)


def test_the_stream_a_step_returned_is_shown_in_part_and_given_as_bytes(
    api: Api, name: str
) -> None:
    text = "id,name\n" + "1,Zoë\n" * 100_000
    api.create(name, do="export", text=text)
    shown = api.until(name, "complete")["steps"][1]["output"]
    step = api.ask(
        "GET", f"/flow/instances/{name}/step", params={"name": "export-1", "type": "step"}
    )

    assert shown == text[:1024] + "[truncated output]"
    assert step.headers["content-type"] == "application/octet-stream"
    assert step.content == text.encode()


def test_a_streamed_output_that_is_damaged_is_an_error(v4: Api) -> None:
    v4.create("damaged", do="export", text="hello")
    v4.until("damaged", "complete")
    journal = v4.server.project / ".groundfog" / "journal.sqlite"
    with sqlite3.connect(journal) as connection:
        connection.execute("DELETE FROM stream_chunks WHERE length(chunk) = 5")
    connection.close()

    asked = {"name": "export-1", "type": "step"}
    status, _, message = v4.error("GET", "/flow/instances/damaged/step", params=asked)
    assert status == 500
    assert message == "Step has completed but its stored stream output is corrupt or incomplete"


@pytest.mark.parametrize("key", ["greet", "do:x:greet", "dance:1:greet", ""])
def test_a_step_whose_key_is_damaged_is_an_error_that_says_so(
    api: Api, name: str, key: str
) -> None:
    api.create(name)
    api.until(name, "complete")
    with sqlite3.connect(api.server.project / ".groundfog" / "journal.sqlite") as journal:
        journal.execute(
            "UPDATE entries SET step = ? WHERE step = 'do:1:greet' AND instance ="
            " (SELECT key FROM instances WHERE id = ?)",
            (key, name),
        )
    journal.close()

    asked = {"name": "greet-1", "type": "step"}
    status, code, message = api.error("GET", f"/flow/instances/{name}/step", params=asked)

    assert (status, code) == (500, 10001)
    assert f"the history of flow {name} is damaged" in message
    assert "groundfog workflows instances delete" in message


def test_the_stream_of_a_sensitive_step_is_redacted(api: Api, name: str) -> None:
    api.create(name, do="export", text="hunter2", config={"sensitive": "output"})
    detail = api.until(name, "complete")
    step = api.get(f"/flow/instances/{name}/step", name="export-1", type="step")

    assert step["output"] == detail["steps"][1]["output"] == "[REDACTED]"


def test_v4_shortens_the_output_of_a_step_and_the_step_has_all_of_it(v4: Api) -> None:
    v4.create("long", times=1_000)
    (step,) = v4.until("long", "complete")["steps"]
    whole = v4.get("/flow/instances/long/step", name="greet-1", type="step")

    assert step["output"].endswith("[truncated output]") and len(step["output"]) < 1_100
    assert whole == {"status": "complete", "error": None, "output": "hello " * 1_000}


def test_the_explorer_shows_the_output_as_it_is(explorer: Api) -> None:
    explorer.create("whole", times=1_000)

    assert explorer.until("whole", "complete")["steps"][0]["output"] == "hello " * 1_000


def test_a_waiting_step_can_be_asked_for(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.until(name, "waiting", steps=2)
    path = f"/flow/instances/{name}/step"

    assert api.get(path, name="answer-1", type="waitForEvent") == {
        "status": "waiting",
        "error": None,
        "output": None,
        "event_type": "answered",
    }
    missing = {"name": "answer-2", "type": "waitForEvent"}
    assert api.error("GET", path, params=missing)[0] == 404
    assert "'name'" in api.error("GET", path)[2]
    assert "'type'" in api.error("GET", path, params={"name": "answer-1"})[2]


def test_what_does_not_exist_is_not_found_in_productions_words(v4: Api) -> None:
    workflow = (404, 10200, "workflows.api.error.workflow.not_found")
    instance = (404, 10400, "workflows.api.error.instance.not_found")

    assert v4.error("GET", "/nope") == workflow
    assert v4.error("GET", "/nope/instances") == workflow
    assert v4.error("GET", "/flow/instances/nope") == instance
    assert v4.error("GET", "/flow/instances/*%2F30%20*%20*%20*%20*-1") == instance


def test_what_does_not_exist_is_not_found_in_the_explorers_words(explorer: Api) -> None:
    assert explorer.error("GET", "/nope") == (404, 10501, "Workflow 'nope' not found.")
    assert explorer.error("GET", "/flow/instances/nope") == (
        404,
        10501,
        "Workflow instance 'nope' not found.",
    )


def test_pages_of_other_sites_cannot_ask(api: Api) -> None:
    response = api.ask("GET", headers={"origin": "https://example.com"})

    assert response.status_code == 403


def test_a_head_request_reads_too(api: Api) -> None:
    assert api.ask("HEAD", "/flow").status_code == 200


def test_an_instance_that_the_worker_made_says_so(api: Api, name: str) -> None:
    api.server.post("/create", json={"id": name})

    assert eventually(lambda: api.detail(name)["trigger"]) == {"source": "binding"}
