"""Upstreams: what is sent, how answers come back, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from bindings.ai.ai import Ai, Settings, Substitute
from bindings.ai.settings import Rule, UpstreamSettings
from bindings.ai.upstreams import Cloudflare, OpenAi
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from .calls import BGE, GLM, GPT_OSS, LLAMA, events
from .service import HANG, Answer, Request, Service, response, result, serving

MODELS = {"@cf/meta/*": "llama3.2", "@cf/zai-org/*": "glm", "@cf/baai/*": "embed", "@cf/*": "big"}


def ask(answer: Answer, model: str, inputs: Any, *, kind: str = "openai", **more: Any) -> Any:
    """Return the answer of one call and the requests that the upstream saw."""

    async def scenario() -> tuple[Any, list[Request]]:
        async with serving(answer) as service:
            ai = Ai((), Settings(substitute=upstream(service, kind, **more)))
            try:
                found = await ai.run(model, inputs)
                if isinstance(found, ByteStream):
                    found = b"".join([chunk async for chunk in found.chunks]).decode()
                return found, service.requests
            finally:
                await ai.close()

    return asyncio.run(scenario())


def upstream(service: Service, kind: str, **more: Any) -> Substitute:
    if kind == "cloudflare":
        settings = {"api_key": "secret-token", "account_id": "acc"} | more
        return Cloudflare(UpstreamSettings("cloudflare", service.url, **settings))
    settings = {"models": MODELS} | more
    return OpenAi(UpstreamSettings("ollama", f"{service.url}/v1", **settings))


def completion(message: dict[str, Any]) -> bytes:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return response({"id": "c", "choices": [choice], "usage": usage})


def sse(*data: Any) -> bytes:
    lines = "".join(f"data: {json.dumps(item)}\n\n" for item in data)
    return response(f"{lines}data: [DONE]\n\n".encode(), kind="text/event-stream")


def test_cloudflare_is_asked_by_its_rest_api() -> None:
    answer, requests = ask(
        lambda request: result({"response": "Hi"}),
        LLAMA,
        {"prompt": "Hello", "seed": None},
        kind="cloudflare",
    )

    assert answer == {"response": "Hi"}
    assert requests[0].path == f"/accounts/acc/ai/run/{LLAMA}"
    assert requests[0].headers["authorization"] == "Bearer secret-token"
    assert requests[0].json == {"prompt": "Hello"}


def test_a_model_that_only_cloudflare_knows_is_asked_for() -> None:
    answer, _ = ask(lambda _: result({"x": 1}), "@cf/new/model", {"y": 1}, kind="cloudflare")

    assert answer == {"x": 1}


def test_cloudflare_sends_files_and_streams_as_they_are() -> None:
    picture, _ = ask(
        lambda _: response(b"\x89PNG", kind="image/png"),
        "@cf/lykon/dreamshaper-8-lcm",
        {"prompt": "a cat"},
        kind="cloudflare",
    )
    text, _ = ask(
        lambda _: response(b"data: {}\n\n", kind="text/event-stream"),
        LLAMA,
        {"prompt": "x", "stream": True},
        kind="cloudflare",
    )

    assert (picture.content, picture.content_type) == (b"\x89PNG", "image/png")
    assert text == "data: {}\n\n"


def test_an_upload_is_posted_as_it_is() -> None:
    audio = {"body": b"sound", "contentType": "audio/mpeg"}

    _, requests = ask(
        lambda _: result({}),
        "@cf/deepgram/nova-3",
        {"audio": audio, "diarize": True},
        kind="cloudflare",
    )

    assert requests[0].body == b"sound"
    assert requests[0].headers["content-type"] == "audio/mpeg"
    assert requests[0].path.endswith("?diarize=true")


def test_an_error_of_cloudflares_is_the_one_it_is() -> None:
    error = {"message": "AiError: No more data centers to forward the request to", "code": 3040}
    refused = {"result": None, "success": False, "errors": [error], "messages": []}

    with pytest.raises(WorkerError) as caught:
        ask(lambda _: response(refused, 429), LLAMA, {"prompt": "x"}, kind="cloudflare")

    assert caught.value.message == "3040: No more data centers to forward the request to"
    assert (caught.value.name, caught.value.code) == ("AiError", 3040)


def test_cloudflare_without_a_token_says_what_to_set() -> None:
    with pytest.raises(WorkerError, match="set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN"):
        ask(lambda _: b"", LLAMA, {"prompt": "x"}, kind="cloudflare", api_key=None)


def test_a_prompt_becomes_a_chat_completion() -> None:
    inputs = {"prompt": "Hello", "temperature": 0.5, "seed": 7}

    answer, requests = ask(lambda _: completion({"content": "Hi"}), LLAMA, inputs)

    assert answer["response"] == "Hi"
    assert answer["usage"]["total_tokens"] == 5
    assert requests[0].path == "/v1/chat/completions"
    assert requests[0].json == {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "seed": 7,
        "max_tokens": 256,
    }


def test_tools_and_their_calls_change_shape_both_ways() -> None:
    tool = {"name": "add", "description": "Adds", "parameters": {"type": "object"}}
    called = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}

    answer, requests = ask(
        lambda _: completion({"content": None, "tool_calls": [called]}),
        LLAMA,
        {"messages": [{"role": "user", "content": "1+1"}], "tools": [tool]},
    )

    assert requests[0].json["tools"] == [{"type": "function", "function": tool}]
    assert answer["tool_calls"] == [{"name": "add", "arguments": {"a": 1}}]


def test_json_mode_gives_an_object_or_productions_error() -> None:
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": schema}
    inputs = {"prompt": "x", "response_format": form}

    answer, requests = ask(lambda _: completion({"content": '{"a": 1}'}), LLAMA, inputs)

    assert answer["response"] == {"a": 1}
    sent = requests[0].json["response_format"]["json_schema"]
    assert sent == {"name": "answer", "schema": schema}
    with pytest.raises(WorkerError, match="5024: JSON Mode couldn't be met"):
        ask(lambda _: completion({"content": "sure!"}), LLAMA, inputs)


def test_a_stream_is_told_in_the_older_models_events() -> None:
    chunks = sse(
        {"choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"content": "Hel"}}]},
        {"choices": [{"delta": {"content": "lo"}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}}]},
        {"choices": [], "usage": {"total_tokens": 9}},
    )

    text, _ = ask(lambda _: chunks, LLAMA, {"prompt": "x", "stream": True})

    sent = events(text)
    assert "".join(event["response"] for event in sent) == "Hello"
    assert sent[-2]["tool_calls"] == [{"name": "f", "arguments": {}}]
    assert sent[-1]["usage"] == {"total_tokens": 9}
    assert text.endswith("data: [DONE]\n\n")


def test_chat_and_responses_models_pass_through() -> None:
    messages = {"messages": [{"role": "user", "content": "x"}]}

    chat, asked = ask(lambda _: completion({"content": "Hi"}), GLM, messages)
    whole, asked_too = ask(lambda _: response({"object": "response"}), GPT_OSS, {"input": "x"})

    assert (chat["model"], asked[0].json["model"]) == (GLM, "glm")
    assert whole == {"object": "response"}
    assert (asked_too[0].path, asked_too[0].json["model"]) == ("/v1/responses", "big")


def test_embeddings_come_in_the_order_of_their_texts() -> None:
    def answer(request: Request) -> bytes:
        assert request.json["input"] == ["a", "b"]
        data = [{"index": 1, "embedding": [1.0] * 768}, {"index": 0, "embedding": [0.5] * 768}]
        return response({"data": data})

    found, _ = ask(answer, BGE, {"text": ["a", "b"]})

    assert found["shape"] == [2, 768]
    assert [vector[0] for vector in found["data"]] == [0.5, 1.0]


def test_vectors_of_another_length_are_refused() -> None:
    data = {"data": [{"index": 0, "embedding": [1.0] * 384}]}

    with pytest.raises(WorkerError, match="made vectors of 384 numbers with embed; .* makes 768"):
        ask(lambda _: response(data), BGE, {"text": "a"})


def test_a_picture_travels_as_a_part_of_the_message() -> None:
    vision = "@cf/meta/llama-3.2-11b-vision-instruct"

    _, requests = ask(
        lambda _: completion({"content": "A dot"}), vision, {"prompt": "What?", "image": [1, 2]}
    )

    text, picture = requests[0].json["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    assert picture["image_url"]["url"].endswith(base64.b64encode(b"\x01\x02").decode())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            response(b"<html>oops</html>", kind="text/html"),
            "not with a JSON object: '<html>oops</html>'",
        ),
        (response([1, 2]), "not with a JSON object: '[1, 2]'"),
        (response({"choices": []}), "did not answer with a chat completion"),
        (response({"choices": [{"message": None}]}), "did not answer with a chat completion"),
        (response({"error": {"message": "model not found"}}, 404), "404: model not found"),
        (response({"error": "busy"}, 503), "503: busy"),
        (response(b"", 502), "answered 502, but not with a JSON object"),
        (b"not http at all\r\n\r\n", "cannot be reached at"),
        (b"", "cannot be reached at"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", "broke off its answer"),
    ],
)
def test_rubbish_is_told_in_words(answer: bytes, message: str) -> None:
    with pytest.raises(WorkerError) as caught:
        ask(lambda _: answer, LLAMA, {"prompt": "x"})

    assert message in caught.value.message
    assert caught.value.name in ("UpstreamError", "InferenceUpstreamError")


def test_an_upstream_that_is_not_there_is_named_with_its_address() -> None:
    async def scenario() -> None:
        async with serving(lambda _: b"") as service:
            url = service.url
        ai = Ai((), Settings(substitute=OpenAi(UpstreamSettings("ollama", url))))
        await ai.run(LLAMA, {"prompt": "x"})

    with pytest.raises(WorkerError, match=r"The upstream ollama .* cannot be reached at http://"):
        asyncio.run(scenario())


def test_a_time_out_is_productions() -> None:
    with pytest.raises(WorkerError) as caught:
        ask(lambda _: HANG, LLAMA, {"prompt": "x"}, timeout_ms=50)

    assert caught.value.message == "3007: Request timeout"


def test_an_answer_that_is_not_a_stream_is_refused_in_words() -> None:
    with pytest.raises(WorkerError, match="answered a stream with"):
        ask(lambda _: response({}), LLAMA, {"prompt": "x", "stream": True})


def test_a_model_that_the_map_lacks_is_named_with_what_to_add() -> None:
    with pytest.raises(WorkerError, match=r'add models = \{ "@cf/meta/llama'):
        ask(lambda _: b"", LLAMA, {"prompt": "x"}, models={"@cf/baai/*": "x"})


def test_inputs_are_checked_before_an_upstream_is_asked() -> None:
    with pytest.raises(WorkerError, match="5006"):
        ask(lambda _: pytest.fail("it was asked"), LLAMA, {"prompt": 5})


def test_a_rule_answers_before_the_upstream() -> None:
    async def scenario() -> tuple[Any, int]:
        async with serving(lambda _: completion({"content": "remote"})) as service:
            ai = Ai([Rule(text="rule")], Settings(substitute=upstream(service, "openai")))
            answer = await ai.run(LLAMA, {"prompt": "x"})
            await ai.close()
            return answer["response"], len(service.requests)

    assert asyncio.run(scenario()) == ("rule", 0)


def test_a_task_that_the_upstream_cannot_do_is_named() -> None:
    with pytest.raises(WorkerError, match="Translation by the upstream ollama"):
        ask(lambda _: b"", "@cf/meta/m2m100-1.2b", {"text": "x", "target_lang": "fr"})


@pytest.mark.parametrize(
    "model",
    [
        "../../../../zones",
        "..",
        "@cf/../../zones",
        "@cf/meta/..",
        "@cf//llama",
        "@cf/./llama",
        "@cf/%2e%2e/zones",
        "..%2f..%2fzones",
        "%2e%2e/zones",
        "@cf/a?b=c/d",
        "@cf/a#/b",
        "@cf\\..\\zones/x",
        "/@cf/meta/llama",
        "@cf/meta/llama/",
        "llama",
        "",
        "@cf/meta/a\n/b",
        "@cf/" + "a" * 300,
    ],
)
def test_a_text_that_is_not_a_name_of_a_model_is_never_asked_for(model: str) -> None:
    async def scenario() -> list[Request]:
        async with serving(lambda request: result({})) as service:
            ai = Ai((Rule(model=model),), Settings(substitute=upstream(service, "cloudflare")))
            with pytest.raises(WorkerError, match="^5007: No such model ") as caught:
                await ai.run(model, {"prompt": "x"})
            await ai.close()
            assert len(caught.value.message) < 300
            return service.requests

    assert asyncio.run(scenario()) == []


@pytest.mark.parametrize(
    "model", ["@cf/meta/llama-3.1", "openai/gpt-5", "@hf/a/b_c:latest", "a/b/c.d"]
)
def test_names_of_models_are_asked_for_as_they_are(model: str) -> None:
    _, (asked,) = ask(lambda request: result({}), model, {"prompt": "x"}, kind="cloudflare")

    assert asked.path == f"/accounts/acc/ai/run/{quote(model, safe='@/')}"
