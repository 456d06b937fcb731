"""Workers AI over REST: a real server, plain HTTP and Cloudflare's own SDK."""

from __future__ import annotations

import base64
import json
from typing import Any

import cloudflare
import httpx
import pytest

from tests.end_to_end.server import DevServer
from tests.watchdog import unblocked

ACCOUNT = "0" * 32
LLAMA = "@cf/meta/llama-3.1-8b-instruct"
BGE = "@cf/baai/bge-base-en-v1.5"


class Ai:
    """The API of one server."""

    def __init__(self, server: DevServer) -> None:
        self.base = f"{server.url}/client/v4/accounts/{ACCOUNT}/ai"
        self.client = server.client

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        sent = more if body is None else {"json": body, **more}
        return self.client.post(self.base + path, **sent)

    def get(self, path: str) -> Any:
        response = self.client.get(self.base + path)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def ai(server: DevServer) -> Ai:
    return Ai(server)


def test_a_model_is_run_and_its_answer_wrapped(ai: Ai) -> None:
    answer = ai.post(f"/run/{LLAMA}", {"prompt": "Hello"}).json()

    assert answer["success"] is True
    assert "Hello" in answer["result"]["response"]


def test_an_error_has_productions_status_code_and_text(ai: Ai) -> None:
    response = ai.post("/run/@cf/no/model", {"prompt": "Hello"})

    assert response.status_code == 400
    assert response.json() == {
        "success": False,
        "errors": [{"code": 5007, "message": "AiError: No such model @cf/no/model or task"}],
        "messages": [],
        "result": None,
    }


def test_streams_and_files_are_not_wrapped(ai: Ai) -> None:
    stream = ai.post(f"/run/{LLAMA}", {"prompt": "Hello", "stream": True})
    picture = ai.post("/run/@cf/lykon/dreamshaper-8-lcm", {"prompt": "a cat", "width": 256})

    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.endswith("data: [DONE]\n\n")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_a_file_may_be_the_body(ai: Ai) -> None:
    sound = ai.post("/run/@cf/deepgram/aura-1", {"text": "Good morning."}).content

    plain = ai.post("/run/@cf/openai/whisper", content=sound).json()
    typed = ai.post(
        "/run/@cf/deepgram/nova-3", content=sound, headers={"content-type": "audio/mpeg"}
    ).json()
    form = ai.post("/run/@cf/black-forest-labs/flux-2-dev", files={"prompt": (None, "a barn")})

    assert plain["result"]["text"] == "Good morning."
    said = typed["result"]["results"]["channels"][0]["alternatives"][0]
    assert said["transcript"] == "Good morning."
    assert base64.b64decode(form.json()["result"]["image"]).startswith(b"\xff\xd8")


@pytest.mark.parametrize("body", [b"{", b"[1,", b'"', b"\xff\xfe{"])
def test_a_body_that_is_not_json_is_refused(ai: Ai, body: bytes) -> None:
    kind = {"content-type": "application/json"}

    assert ai.post(f"/run/{LLAMA}", content=body, headers=kind).status_code == 400


def test_models_are_listed_in_pages(ai: Ai) -> None:
    first = ai.get("/models/search?per_page=10&page=1")
    found = ai.get("/models/search?task=Text%20Embeddings&search=bge-base")

    assert first["result_info"]["count"] == len(first["result"]) == 10
    assert first["result_info"]["total_count"] > 50
    assert [model["name"] for model in found["result"]] == [BGE]


def test_the_schema_of_a_model_is_told(ai: Ai) -> None:
    schema = ai.get(f"/models/schema?model={BGE}")["result"]["input"]

    assert schema["required"] == ["text"]
    assert ai.client.get(f"{ai.base}/models/schema?model=x").status_code == 400


def test_tasks_authors_formats_and_finetunes_are_listed(ai: Ai) -> None:
    assert "Text Generation" in [task["name"] for task in ai.get("/tasks/search")["result"]]
    assert "meta" in ai.get("/authors/search")["result"]
    assert {"extension": ".csv", "mimeType": "text/csv"} in ai.get("/tomarkdown/supported")[
        "result"
    ]
    assert ai.get("/finetunes")["result"] == ai.get("/finetunes/public")["result"] == []


def test_chat_completions_speak_openai_for_every_model(ai: Ai) -> None:
    messages = [{"role": "user", "content": "Hello"}]

    whole = ai.post("/v1/chat/completions", {"model": LLAMA, "messages": messages}).json()
    stream = ai.post(
        "/v1/chat/completions", {"model": LLAMA, "messages": messages, "stream": True}
    ).text

    assert (whole["object"], whole["model"]) == ("chat.completion", LLAMA)
    text = whole["choices"][0]["message"]["content"]
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    deltas = [event["choices"][0]["delta"] for event in events if event["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == text


def test_embeddings_speak_openai(ai: Ai) -> None:
    answer = ai.post("/v1/embeddings", {"model": BGE, "input": ["a", "b"]}).json()

    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert len(answer["data"][0]["embedding"]) == 768
    assert ai.post("/v1/embeddings", {"model": LLAMA, "input": "a"}).status_code == 400
    sentiment = "@cf/huggingface/distilbert-sst-2-int8"
    assert ai.post("/v1/embeddings", {"model": sentiment, "input": "a"}).status_code == 400


def test_responses_speak_openai(ai: Ai) -> None:
    answer = ai.post("/v1/responses", {"model": "@cf/openai/gpt-oss-20b", "input": "Hello"}).json()

    assert (answer["object"], answer["status"]) == ("response", "completed")


def test_files_are_converted_to_markdown(ai: Ai) -> None:
    files = [("files", ("a.html", b"<h1>Hi</h1>", "text/html")), ("files", ("b.csv", b"x,y\n1,2"))]

    results = ai.post("/tomarkdown", files=files).json()["result"]

    assert [result["data"] for result in results] == [
        "# Hi\n",
        "| x | y |\n| --- | --- |\n| 1 | 2 |\n",
    ]
    assert ai.post("/tomarkdown", {"files": []}).status_code == 400


def test_a_form_of_a_hundred_thousand_parts_is_refused(ai: Ai, server: DevServer) -> None:
    part = b'--cut\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n\r\n'
    form = part * 100_000 + b"--cut--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=cut"}

    def send() -> httpx.Response:
        return ai.post("/tomarkdown", content=form, headers=kind)

    answer = unblocked(server.pid, server.url, send)

    assert answer.status_code == 400
    assert "a form of more than 1,000 parts" in answer.json()["errors"][0]["message"]


def test_hostile_inputs_hold_nobody_up(ai: Ai, server: DevServer) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    form = {"type": "json_schema", "json_schema": schema}
    ai.post(f"/run/{LLAMA}", {"prompt": "warm up", "response_format": form})

    def ask() -> None:
        for prompt in ("a" * 40 + "!", "a" * 100_000, " " * 100_000, "- " * 50_000):
            found = ai.post(f"/run/{LLAMA}", {"prompt": prompt, "response_format": form})
            assert found.status_code == 200, found.text

    unblocked(server.pid, server.url, ask)


def test_cloudflares_sdk_runs_models(server: DevServer) -> None:
    with cloudflare.Cloudflare(
        api_token="any",
        base_url=f"{server.url}/client/v4",
        http_client=httpx.Client(trust_env=False),
    ) as client:
        answer: Any = client.ai.run(LLAMA, account_id=ACCOUNT, prompt="Hello")
        models = list(client.ai.models.list(account_id=ACCOUNT, per_page=20))

    assert "Hello" in str(answer)
    assert len(models) > 50
