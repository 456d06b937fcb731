"""The protocol of workerd's AI client modules, as bytes."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.ai.ai import Ai
from bindings.ai.http import answer
from bindings.binding import ByteStream
from bindings.http import HttpAnswer

from .calls import LLAMA, new_ai

TYPED = {"content-type": "application/json"}


def ask(
    method: str,
    target: str,
    body: Any = b"",
    *,
    model: str = "",
    kind: str = "application/json",
    ai: Ai | None = None,
) -> HttpAnswer | ByteStream:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": kind, **({"cf-consn-model-id": model} if model else {})}
    return asyncio.run(answer(ai or new_ai(), method, target, headers, content))


def result(*arguments: Any, **more: Any) -> Any:
    found = ask(*arguments, **more)
    assert isinstance(found, HttpAnswer)
    assert found.status == 200, found.body
    return json.loads(found.body)


@pytest.mark.parametrize("model", [LLAMA, f"beta:{LLAMA}"])
def test_a_model_is_named_in_a_header(model: str) -> None:
    found = ask("POST", "/run?version=3", {"inputs": {"prompt": "Hi"}, "options": {}}, model=model)

    assert isinstance(found, HttpAnswer)
    assert found.headers["content-type"] == "application/json"
    assert found.headers["cf-ai-req-id"]
    assert "Hi" in json.loads(found.body)["response"]


def test_an_error_is_one_the_client_can_read() -> None:
    found = ask("POST", "/run", {"inputs": {"prompt": "Hi"}}, model="@cf/no/model")

    assert isinstance(found, HttpAnswer)
    assert found.status == 400
    error = json.loads(found.body)
    assert (error["internalCode"], error["name"]) == (5007, "AiError")
    assert error["description"] == "No such model @cf/no/model or task"


def test_streams_and_files_have_their_types() -> None:
    stream = ask("POST", "/run", {"inputs": {"prompt": "x", "stream": True}}, model=LLAMA)
    picture = ask("POST", "/run", {"inputs": {"prompt": "x"}}, model="@cf/lykon/dreamshaper-8-lcm")

    assert isinstance(stream, ByteStream)
    assert stream.content_type == "text/event-stream"
    assert isinstance(picture, HttpAnswer)
    assert picture.headers["content-type"] == "image/png"


def test_a_stream_of_bytes_is_the_input_it_can_be() -> None:
    sound = ask("POST", "/run", {"inputs": {"text": "Good day."}}, model="@cf/deepgram/aura-1")
    assert isinstance(sound, HttpAnswer)

    target = "/run?version=3&userInputs=%7B%22language%22%3A%22en%22%7D"
    heard = result("POST", target, sound.body, model="@cf/deepgram/nova-3", kind="audio/mpeg")

    assert heard["results"]["channels"][0]["alternatives"][0]["transcript"] == "Good day."


def test_a_gateway_gives_a_log_to_look_up() -> None:
    ai = new_ai()
    body = {"inputs": {"prompt": "Hi"}, "options": {"gateway": {"id": "g"}}}

    found = ask("POST", "/ai-gateway/run?version=3", body, model=LLAMA, ai=ai)
    assert isinstance(found, HttpAnswer)
    logs = f"/ai-gateway/gateways/g/logs/{found.headers['cf-aig-log-id']}"
    result("PATCH", logs, {"score": 5}, ai=ai)

    assert result("GET", logs, ai=ai)["result"]["score"] == 5
    missing = ask("GET", "/ai-gateway/gateways/g/logs/x", ai=ai)
    assert isinstance(missing, HttpAnswer) and missing.status == 404


def test_the_other_paths_answer_in_their_shapes() -> None:
    page = {"name": "a.html", "mimeType": "text/html", "data": base64.b64encode(b"<h1>A").decode()}
    universal = [{"provider": "workers-ai", "endpoint": LLAMA, "query": {"prompt": "Hi"}}]

    models = result("GET", "https://workers-binding.ai/ai-api/models/search?search=bge-m3")
    converted = result("POST", "/to-everything/markdown/transformer", {"files": [page]})
    address = result("GET", "/ai-gateway/gateways/g/url/openai")

    assert [model["name"] for model in models["result"]] == ["@cf/baai/bge-m3"]
    assert converted["result"][0]["data"] == "# A\n"
    assert address["result"]["url"].endswith("/local/g/openai")
    assert len(result("GET", "/to-everything/markdown/supported")["result"]) > 10
    assert "Hi" in result("POST", "/ai-gateway/universal/run/g", universal)["response"]
    assert result("GET", "/autorag/rags") == {"result": []}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("POST", "/run", 400),
        ("GET", "/run", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/ai-gateway/gateways/g/logs/1", 404),
        ("POST", "/autorag/rags/docs/search", 404),
        ("POST", "/to-everything/markdown/transformer", 400),
    ],
)
def test_what_cannot_be_answered_is_told(method: str, target: str, status: int) -> None:
    found = ask(method, target)

    assert isinstance(found, HttpAnswer)
    assert found.status == status
    json.loads(found.body)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PATCH"]),
    st.sampled_from(["/run", "/run?userInputs=5", "/ai-gateway/universal/run/g", "/x"]),
    st.binary(max_size=20) | st.sampled_from([b"[]", b"5", b'{"inputs": 5}', b'{"inputs": []}']),
    st.sampled_from(["", LLAMA, "x:y", "@cf/openai/whisper"]),
)
def test_no_request_is_left_without_an_answer(
    method: str, target: str, body: bytes, model: str
) -> None:
    found = ask(method, target, body, model=model, kind="application/json")

    assert isinstance(found, HttpAnswer)
