"""Cloudflare's official Python SDK, pointed at a running server."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from cloudflare import Cloudflare, NotFoundError

from tests.end_to_end.server import DevServer
from tests.server.api.serving import Api

ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def sdk(server: DevServer) -> Iterator[Cloudflare]:
    """The SDK as a user would make it, but for the proxies of this machine."""
    with Cloudflare(
        api_token="anything",
        base_url=f"{server.url}/client/v4",
        http_client=httpx.Client(trust_env=False),
        max_retries=0,
    ) as sdk:
        yield sdk


def test_the_sdk_lists_workflows_to_the_last_page(sdk: Cloudflare) -> None:
    (workflow,) = sdk.workflows.list(account_id=ACCOUNT)

    assert workflow.name == "flow" and workflow.class_name == "Flow"
    assert "complete" in workflow.instances
    assert sdk.workflows.get("flow", account_id=ACCOUNT).id == workflow.id
    (version,) = sdk.workflows.versions.list("flow", account_id=ACCOUNT)
    assert (
        sdk.workflows.versions.get(version.id, account_id=ACCOUNT, workflow_name="flow").language
        == "python"
    )


def test_the_sdk_runs_an_instance_from_creation_to_its_output(sdk: Cloudflare, v4: Api) -> None:
    instances = sdk.workflows.instances
    created = instances.create(
        "flow", account_id=ACCOUNT, instance_id="sdk", params='{"do": "wait"}'
    )
    v4.until(created.id, "waiting", steps=2)
    at = {"account_id": ACCOUNT, "workflow_name": "flow"}

    paused = instances.status.edit(created.id, **at, status="pause")
    assert paused.status == "paused"
    instances.status.edit(created.id, **at, status="resume")
    sent = instances.events.create("answered", **at, instance_id=created.id, body={"yes": True})
    assert sent.instance_id == "sdk"
    v4.until(created.id, "complete")

    told = instances.get(created.id, **at)
    assert told.success is True and told.step_count == 2
    assert told.output == {"yes": True}
    assert [step.type for step in told.steps] == ["step", "waitForEvent"]
    step = instances.step(created.id, **at, name="greet-1", type="step")
    assert (step.status, step.output) == ("complete", "hello ")


def test_the_sdk_lists_and_filters_instances(sdk: Cloudflare, v4: Api) -> None:
    body = [{"instance_id": f"bulk{n}", "params": '{"do": "sleep"}'} for n in range(3)]
    made = sdk.workflows.instances.bulk("flow", account_id=ACCOUNT, body=body)
    assert [each.id for each in made] == ["bulk0", "bulk1", "bulk2"]
    for each in body:
        v4.until(each["instance_id"], "waiting")

    waiting = sdk.workflows.instances.list("flow", account_id=ACCOUNT, status="waiting", per_page=2)

    assert {"bulk0", "bulk1", "bulk2"} <= {instance.id for instance in waiting}


def test_the_sdk_raises_its_own_error_for_what_is_missing(sdk: Cloudflare) -> None:
    with pytest.raises(NotFoundError) as caught:
        sdk.workflows.instances.get("nope", account_id=ACCOUNT, workflow_name="flow")

    assert caught.value.errors[0].code == 10400
