"""What user code sees of `env.AI`: the real client in a real guest, the real binding behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bindings.ai.ai import Ai
from bindings.ai.errors import ERRORS
from bindings.ai.settings import Rule
from emulator.guest.python.clients.ai import STATUS_OF_CODE
from tests.guest.test_bindings import seen

LLAMA = "@cf/meta/llama-3.1-8b-instruct"


def with_ai(folder: Path, code: str, *rules: Rule) -> Any:
    """Run `code` with `env.AI` and `LLAMA` at hand; return its `out`."""
    return seen(folder, f"LLAMA = {LLAMA!r}\n{code}", {"AI": Ai(rules)})


def test_a_picture_is_a_stream_that_can_be_a_response(tmp_path: Path) -> None:
    code = """
picture = await env.AI.run("@cf/lykon/dreamshaper-8-lcm", prompt="a cat", width=256, height=256)
whole = await Response(picture).bytes()
described = await env.AI.run("@cf/llava-hf/llava-1.5-7b-hf", {"image": list(whole)})
out = [whole[:4] == b"\\x89PNG", described.description]
"""
    assert with_ai(tmp_path, code) == [True, "A picture of a cat"]


def test_a_raw_response_has_status_headers_and_body_even_for_an_error(tmp_path: Path) -> None:
    code = """
from workers import Response as R
good = await env.AI.run(LLAMA, {"prompt": "hi"}, returnRawResponse=True)
bad = await env.AI.run("@cf/no/model", {"prompt": "hi"}, {"returnRawResponse": True})
error = await bad.json()
streamed = await env.AI.run(LLAMA, {"prompt": "hi", "stream": True}, returnRawResponse=True)
out = [isinstance(good, R), good.status, good.headers["content-type"],
       "response" in await good.json(), bool(good.headers["cf-ai-req-id"]),
       bad.status, error["internalCode"], error["name"], error["description"],
       streamed.headers["content-type"], (await streamed.text()).endswith("[DONE]\\n\\n")]
"""
    good = [True, 200, "application/json", True, True]
    bad = [400, 5007, "AiError", "No such model @cf/no/model or task"]
    assert with_ai(tmp_path, code) == [*good, *bad, "text/event-stream", True]


def test_the_ids_and_codes_of_the_last_call_are_kept(tmp_path: Path) -> None:
    code = """
before = env.AI.lastRequestId
await env.AI.run(LLAMA, {"prompt": "hi"})
fine = [env.AI.lastRequestId is not None, env.AI.aiGatewayLogId, env.AI.lastRequestHttpStatusCode,
        env.AI.lastRequestInternalStatusCode]
try:
    await env.AI.run(LLAMA, {"prompt": "fail"})
except JsException as error:
    out = [before, fine, str(error), env.AI.lastRequestHttpStatusCode,
           env.AI.lastRequestInternalStatusCode]
"""
    rule = Rule(prompt="fail", error={"code": 3040})
    message = "AiError: 3040: No more data centers to forward the request to"
    fine = [True, None, 200, None]
    assert with_ai(tmp_path, code, rule) == [None, fine, message, 429, 3040]


def test_every_code_of_the_service_has_its_status_in_the_client(tmp_path: Path) -> None:
    assert STATUS_OF_CODE == {code: status for code, (status, _) in ERRORS.items()}


def test_uploads_are_read_before_they_are_sent(tmp_path: Path) -> None:
    code = """
from workers import FormData
from js import ReadableStream
sound = await env.AI.run("@cf/deepgram/aura-1", {"text": "Good morning."})
heard = await env.AI.run("@cf/deepgram/nova-3",
                         {"audio": {"body": sound, "contentType": "audio/mpeg"}})
form = FormData({"prompt": "a barn", "width": "64", "height": "64"})
by_stream = Response(form)
inputs = {"multipart": {"body": by_stream.body, "contentType": by_stream.headers["content-type"]}}
one = await env.AI.run("@cf/black-forest-labs/flux-2-dev", inputs)
two = await env.AI.run("@cf/black-forest-labs/flux-2-dev",
                       {"multipart": {"body": form, "contentType": "multipart/form-data"}})
stream = ReadableStream([b"x"])
problems = []
for wrong, options in [({"audio": {"body": stream}}, {}),
                       ({"a": {"body": stream, "contentType": "x"},
                         "b": {"body": stream, "contentType": "x"}}, {}),
                       ({"audio": {"body": stream, "contentType": "x"}}, {"gateway": {"id": "g"}})]:
    try:
        await env.AI.run("@cf/deepgram/nova-3", wrong, options)
    except JsException as error:
        problems.append(str(error))
said = heard.results.channels[0].alternatives[0].transcript
out = [said, one.image == two.image, problems]
"""
    assert with_ai(tmp_path, code) == [
        "Good morning.",
        True,
        [
            "AiInternalError: Content-Type is required with ReadableStream inputs",
            "AiInternalError: Multiple ReadableStreams are not supported. "
            "Found streams in keys: [a, b]",
            "AiInternalError: AI Gateway does not support ReadableStreams yet.",
        ],
    ]


def test_files_become_markdown_one_or_many(tmp_path: Path) -> None:
    code = """
from workers import Blob
page = {"name": "p.html", "blob": Blob("<h1>Hi</h1>", content_type="text/html")}
one = await env.AI.toMarkdown(page)
many = await env.AI.toMarkdown([page, {"name": "a.txt", "blob": b"plain"}])
service = env.AI.toMarkdown()
kinds = await service.supported()
text = await service.transform(page, {"conversionOptions": {"output": {"format": "text"}}})
out = [one.data, one.mimeType, [r.data for r in many], len(kinds) > 10, text.format]
"""
    found = with_ai(tmp_path, code)
    assert found == ["# Hi\n", "text/html", ["# Hi\n", "plain"], True, "text"]


def test_a_gateway_answers_by_the_models_and_keeps_logs(tmp_path: Path) -> None:
    code = """
answer = await env.AI.run(LLAMA, {"prompt": "hi"}, gateway={"id": "g", "skipCache": True})
gateway = env.AI.gateway("g")
log_id = env.AI.aiGatewayLogId
await gateway.patchLog(log_id, {"feedback": 1, "score": 90})
log = await gateway.getLog(log_id)
request = {"provider": "workers-ai", "endpoint": LLAMA, "headers": {}, "query": {"prompt": "hi"}}
response = await gateway.run([{**request, "endpoint": "@cf/no/model"}, request])
body = await response.json()
problems = []
for call in [lambda: gateway.getLog("nope"), lambda: gateway.run({"provider": "openai"}),
             lambda: gateway.run([])]:
    try:
        await call()
    except JsException as error:
        problems.append(error.name)
out = [log.model == LLAMA, log.provider, log.success, log.feedback, log.tokens_in > 0,
       response.status, body["response"] == answer.response, await gateway.getUrl("openai"),
       problems]
"""
    assert with_ai(tmp_path, code) == [
        True,
        "workers-ai",
        True,
        1,
        True,
        200,
        True,
        "https://gateway.ai.cloudflare.com/v1/local/g/openai",
        ["AiGatewayLogNotFound", "NotSupported", "Error"],
    ]


def test_there_is_no_ai_search_and_it_says_so(tmp_path: Path) -> None:
    code = """
try:
    env.AI.aiSearch("docs")
except JsException as error:
    out = [error.name, str(error)]
"""
    name, text = with_ai(tmp_path, code)

    assert name == "NotSupported" and "does not emulate AI Search" in text


def test_there_is_no_autorag_and_it_says_so(tmp_path: Path) -> None:
    code = """
problems = []
for rag in (env.AI.autorag(), env.AI.autorag("docs")):
    try:
        await rag.search({"query": "x"})
    except JsException as error:
        problems.append(error.name)
out = [await env.AI.autorag().list(), problems]
"""
    assert with_ai(tmp_path, code) == [[], ["AutoRAGNameNotSetError", "AutoRAGNotFoundError"]]
