"""The routes under /cdn-cgi/groundfog that concern one instance."""

from __future__ import annotations

from tests.server.api.serving import Api

SKIP = "/cdn-cgi/groundfog/workflows/{}/instances/{}/skip"


def test_a_sleep_is_skipped(v4: Api) -> None:
    v4.create("skipped", do="sleep")
    v4.until("skipped", "waiting", steps=2)

    response = v4.server.post(SKIP.format("flow", "skipped"))

    assert response.status_code == 200
    assert response.json()["result"].items() >= {"name": "nap-1", "type": "sleep"}.items()
    v4.until("skipped", "complete")


def test_a_wait_can_be_named(v4: Api) -> None:
    v4.create("named", do="wait")
    v4.until("named", "waiting", steps=2)

    refused = v4.server.post(SKIP.format("flow", "named"), json={"step": "nap-1"})
    skipped = v4.server.post(SKIP.format("flow", "named"), json={"step": "answer-1"})

    assert refused.status_code == 409
    assert "(instance.cannot_skip)" in refused.json()["errors"][0]["message"]
    assert skipped.json()["result"]["type"] == "waitForEvent"


def test_skipping_is_refused_for_what_is_not_there(v4: Api) -> None:
    no_workflow = v4.server.post(SKIP.format("nobody", "a"))
    no_instance = v4.server.post(SKIP.format("flow", "nobody"))
    no_step = v4.server.post(SKIP.format("flow", "nobody"), json={"step": 1})
    no_change = v4.server.get(SKIP.format("flow", "nobody"))

    codes = [response.status_code for response in (no_workflow, no_instance, no_step, no_change)]
    assert codes == [404, 404, 400, 405]


def test_a_page_of_another_site_cannot_skip(v4: Api) -> None:
    response = v4.server.post(
        SKIP.format("flow", "a"), headers={"origin": "http://example.invalid"}
    )

    assert response.status_code == 403
