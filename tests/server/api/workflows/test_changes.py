"""What the API does: create, pause, resume, terminate, restart, events, delete."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.server.api.serving import Api
from tests.waiting import eventually

_numbers = count()


@pytest.fixture
def name(api: Api) -> str:
    """An id that no other test uses."""
    return f"change-{next(_numbers)}"


def test_an_instance_is_created_with_an_id_or_without(api: Api, name: str) -> None:
    created = api.post("/flow/instances", {"instance_id": name})
    unnamed = api.post("/flow/instances")

    assert created["id"] == name and created["trigger_source"] == "api"
    assert created["workflow_id"] == api.get("/flow")["id"]
    assert api.until(unnamed["id"], "complete")["params"] == {}


def test_the_explorers_id_is_understood(explorer: Api) -> None:
    assert explorer.post("/flow/instances", {"id": "by-id"})["id"] == "by-id"


@pytest.mark.parametrize("params", [{"$date": 0}, {"a": {"$ref": 0}}, {"big": 2**60}, {"": None}])
def test_params_arrive_as_they_were_sent(api: Api, name: str, params: dict[str, Any]) -> None:
    api.create(name, do="echo", value=params)

    assert api.until(name, "complete")["output"]["value"] == params


def test_half_a_surrogate_pair_comes_back(api: Api, name: str) -> None:
    body = rb'{"instance_id": "%b", "params": {"do": "echo", "half": "\ud800"}}' % name.encode()
    api.result("POST", "/flow/instances", content=body)

    assert api.until(name, "complete")["output"]["half"] == "\ud800"


def test_v4_takes_the_text_of_an_object_for_the_object(v4: Api) -> None:
    v4.post("/flow/instances", {"instance_id": "text", "params": '{"do": "echo"}'})

    assert v4.until("text", "complete")["output"] == {"do": "echo"}


def test_a_retention_of_nothing_deletes_the_instance_when_it_ends(api: Api, name: str) -> None:
    retention = {"success_retention": 0, "error_retention": "1 day"}
    api.post("/flow/instances", {"id": name, "instance_retention": retention})

    eventually(lambda: api.ask("GET", f"/flow/instances/{name}").status_code == 404)


@pytest.mark.parametrize(
    ("retention", "said"),
    [
        ("1 day", "'instance_retention' is \"1 day\"; expected an object."),
        ({"success": 1}, "'instance_retention.success' is unknown"),
        ({"error_retention": "1 d"}, "'instance_retention.error_retention' is \"1 d\""),
        ({"error_retention": -1}, "'instance_retention.error_retention' is -1"),
    ],
    ids=repr,
)
def test_a_wrong_retention_is_refused(v4: Api, retention: Any, said: str) -> None:
    body = {"instance_id": "not-made", "instance_retention": retention}

    status, code, message = v4.error("POST", "/flow/instances", json=body)

    assert (status, code) == (400, 10001) and said in message
    assert v4.error("GET", "/flow/instances/not-made")[0] == 404


def test_an_id_in_use_is_a_conflict(v4: Api, explorer: Api) -> None:
    v4.create("taken")
    body = {"instance_id": "taken"}

    assert v4.error("POST", "/flow/instances", json=body) == (
        409,
        10405,
        "workflows.api.error.instance.already_exists",
    )
    assert explorer.error("POST", "/flow/instances", json=body) == (
        409,
        10001,
        "(instance.already_exists) Instance already exists",
    )


@pytest.mark.parametrize("bad_id", ["", "a/b", "..", "a b", "x" * 101, None, 7])
def test_a_bad_id_is_refused(api: Api, bad_id: Any) -> None:
    refused = api.error("POST", "/flow/instances", json={"instance_id": bad_id})

    assert refused == (400, 10001, "(instance.invalid_id) Instance has invalid id")


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"x"', b"\xff", b"[" * 100_000, b'{"params": NaN}', b"1" * 5_000]
)
def test_a_body_that_cannot_be_read_is_refused(api: Api, body: bytes) -> None:
    status, code, message = api.error("POST", "/flow/instances", content=body)

    assert (status, code) == (400, 10001)
    assert message.startswith("(body)")


def test_params_over_a_mebibyte_are_refused(api: Api) -> None:
    body = {"params": {"x": "y" * 1_100_000}}
    status, _, message = api.error("POST", "/flow/instances", json=body)

    assert status == 400 and "1MiB" in message


def test_a_batch_is_created_without_the_ids_in_use(api: Api, name: str) -> None:
    api.create(name)
    body = [{"instance_id": name}, {"instance_id": f"{name}b"}, {}]
    created = api.post("/flow/instances/batch", body)

    assert [item["id"] for item in created][0] == f"{name}b"
    assert len(created) == 2


@pytest.mark.parametrize("body", [{}, None, ["a"], [], [{}] * 101])
def test_a_wrong_batch_is_refused(api: Api, body: Any) -> None:
    assert api.error("POST", "/flow/instances/batch", json=body)[:2] == (400, 10001)


def test_an_instance_is_paused_and_resumed(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.until(name, "waiting", steps=2)

    assert api.patch(name, {"status": "pause"})["status"] == "paused"
    assert api.detail(name)["status"] == "paused"
    api.patch(name, {"status": "resume"})
    api.until(name, "waiting")


def test_the_older_form_with_action_is_understood(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.until(name, "waiting", steps=2)

    assert api.patch(name, {"action": "pause"}) == {"success": True}
    assert api.detail(name)["status"] == "paused"


def test_an_instance_is_terminated_after_its_rollback(api: Api, name: str) -> None:
    api.create(name, do="book")
    api.until(name, "waiting", steps=3)
    answer = api.patch(name, {"status": "terminate", "rollback": True})
    assert answer["status"] in ("rollingBack", "terminated")
    detail = api.until(name, "terminated")

    assert detail["rollback"] == {"outcome": "complete", "error": None}
    cancelled = detail["steps"][-2]
    assert (cancelled["name"], cancelled["type"]) == ("book-1", "rollback")
    assert (cancelled["success"], cancelled["config"]["timeout"]) == (True, "1 minute")


def test_an_event_is_delivered(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.post(f"/flow/instances/{name}/events/answered", {"$date": 0})
    detail = api.until(name, "complete")

    assert detail["output"] == {"$date": 0}
    assert "answered" in str(detail["steps"][1]["output"])


def test_an_event_needs_no_body(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.result("POST", f"/flow/instances/{name}/events/answered")

    assert api.until(name, "complete")["output"] is None


def test_an_event_type_with_a_dot_is_refused(api: Api, name: str) -> None:
    api.create(name, do="wait")
    status, _, message = api.error("POST", f"/flow/instances/{name}/events/a.b")

    assert status == 400 and message.startswith("(workflow.invalid_event_type)")


def test_an_event_for_an_ended_instance_is_a_conflict(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")

    assert api.error("POST", f"/flow/instances/{name}/events/answered")[0] == 409


def test_an_instance_is_terminated_once(api: Api, name: str) -> None:
    api.create(name, do="sleep")

    assert api.patch(name, {"status": "terminate"})["status"] == "terminated"
    assert api.detail(name)["steps"][-1] == {"type": "termination", "trigger": {"source": "api"}}
    status, _, message = api.error(
        "PATCH", f"/flow/instances/{name}/status", json={"status": "terminate"}
    )
    assert status == 409 and message.startswith("(instance.cannot_terminate)")


def test_an_instance_is_restarted(api: Api, name: str) -> None:
    api.create(name)
    before = api.until(name, "complete")["steps"][0]["start"]
    api.patch(name, {"status": "restart"})

    eventually(lambda: api.until(name, "complete")["steps"][0]["start"] > before)
    assert api.detail(name)["trigger"] == {"source": "api"}


def test_an_instance_is_restarted_from_a_step(api: Api, name: str) -> None:
    api.create(name, do="wait")
    api.post(f"/flow/instances/{name}/events/answered", 1)
    before = api.until(name, "complete")["steps"]
    api.patch(name, {"status": "restart", "from": {"name": "answer", "type": "waitForEvent"}})
    after = api.until(name, "waiting", steps=2)["steps"]

    assert after[0] == before[0]
    assert after[1]["finished"] is False


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Invalid action 'None'. Must be one of: pause, resume, restart, terminate."),
        ({"status": "x"}, "Invalid action 'x'. Must be one of: pause, resume, restart, terminate."),
        ({"status": "pause", "rollback": True}, "'rollback' is only valid when terminating."),
        ({"status": "terminate", "rollback": "x"}, "'rollback' is 'x'; expected true or false."),
        (
            {"status": "restart", "from": {}},
            "'from.name' is required when restarting from a specific step.",
        ),
        ({"status": "pause", "from": {"name": "greet"}}, "'from' is only valid when restarting."),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    api: Api, name: str, body: dict[str, Any], message: str
) -> None:
    api.create(name)
    path = f"/flow/instances/{name}/status"

    assert api.error("PATCH", path, json=body) == (400, 10001, message)


def test_a_restart_from_a_step_that_never_started_is_refused(api: Api, name: str) -> None:
    api.create(name)
    api.until(name, "complete")
    body = {"status": "restart", "from": {"name": "other"}}
    status, code, message = api.error("PATCH", f"/flow/instances/{name}/status", json=body)

    assert (status, code) == (409, 10001)
    assert message == '(instance.cannot_restart) Step "other" not found in execution history'


def test_instances_are_terminated_in_a_batch(api: Api, name: str) -> None:
    for letter in "ab":
        api.create(f"{name}{letter}", do="sleep")
    ids = [f"{name}a", f"{name}b", f"{name}b", "nope"]

    assert api.post("/flow/instances/batch/terminate", ids) == {
        "instancesTerminated": 2,
        "status": "ok",
    }
    assert api.detail(f"{name}a")["status"] == "terminated"


@pytest.mark.parametrize("body", [{}, [], [7], ["x"] * 101])
def test_a_wrong_batch_of_terminations_is_refused(api: Api, body: Any) -> None:
    assert api.error("POST", "/flow/instances/batch/terminate", json=body)[0] == 400


def test_instances_are_deleted_in_a_batch(api: Api, name: str) -> None:
    api.create(name, do="sleep")
    deleted = api.post("/flow/instances/batch/delete", {"instances": [name, "nope"]})

    assert deleted["deleted"] == [{"id": name}]
    assert deleted["errors"] == [
        {"id": "nope", "code": 10400, "message": "workflows.api.error.instance.not_found"}
    ]


@pytest.mark.parametrize("instances", [None, [], ["x"] * 101, ["a?b"], "a"])
def test_a_wrong_batch_of_deletions_is_refused(api: Api, instances: Any) -> None:
    body = {"instances": instances}

    assert api.error("POST", "/flow/instances/batch/delete", json=body)[0] == 400


def test_an_instance_is_deleted_and_its_id_is_free(api: Api, name: str) -> None:
    api.create(name, do="sleep")
    api.result("DELETE", f"/flow/instances/{name}")

    assert api.error("GET", f"/flow/instances/{name}")[0] == 404
    api.create(name)


def test_v4_names_the_instance_it_changed(v4: Api) -> None:
    v4.create("named", do="wait")
    sent = v4.post("/flow/instances/named/events/answered")
    deleted = v4.result("DELETE", "/flow/instances/named")

    assert sent["instanceId"] == deleted["instanceId"] == "named"
    assert sent["timestamp"] <= deleted["timestamp"]


def test_the_explorer_says_that_it_succeeded(explorer: Api) -> None:
    explorer.create("acknowledged", do="wait")

    assert explorer.post("/flow/instances/acknowledged/events/answered") == {"success": True}
    assert explorer.result("DELETE", "/flow/instances/acknowledged") == {"success": True}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/flow/instances/nope", None),
        ("PATCH", "/flow/instances/nope/status", {"status": "pause"}),
        ("POST", "/flow/instances/nope/events/x", None),
        ("POST", "/nope/instances", None),
        ("DELETE", "/nope", None),
    ],
)
def test_nothing_is_done_to_what_does_not_exist(
    api: Api, method: str, path: str, body: Any
) -> None:
    status, code, _ = api.error(method, path, json=body)

    assert (status, code) in [(404, 10200), (404, 10400), (404, 10501)]


def test_a_deployment_of_what_is_configured_changes_nothing(v4: Api) -> None:
    workflow = v4.get("/flow")
    body = {"class_name": "Flow", "script_name": "under-test"}

    put = v4.result("PUT", "/flow", json=body)

    assert put["id"] == workflow["id"] and put["is_deleted"] == put["terminator_running"] == 0
    assert put["version_id"] == v4.get("/flow/versions")[0]["id"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"class_name": "Other"}, "'class_name' is 'Other', but the configuration says 'Flow'"),
        ({"limits": {"steps": 5}}, "'limits' is set in the worker's configuration file here"),
        ({"script_name": 7}, "'script_name' is 7, but"),
    ],
    ids=repr,
)
def test_a_deployment_of_something_else_is_refused(v4: Api, change: Any, said: str) -> None:
    body = {"class_name": "Flow", "script_name": "under-test"} | change

    status, code, message = v4.error("PUT", "/flow", json=body)

    assert (status, code) == (400, 10001) and said in message
    assert "'class_name' is missing" in v4.error("PUT", "/flow", json={})[2]


def test_a_workflow_that_is_not_configured_cannot_be_put(v4: Api) -> None:
    body = {"class_name": "Flow", "script_name": "under-test"}

    assert v4.error("PUT", "/new", json=body)[:2] == (404, 10200)
