"""Record and replay: what is written, what is found again, and what is told when it is not."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bindings.ai.ai import Ai, Settings
from bindings.ai.cassettes import FORMAT, Cassette, CassetteError, canonical, read_cassette
from bindings.ai.scrubbing import Scrubber
from bindings.ai.settings import UpstreamSettings
from bindings.ai.substitutes import PlayedCassette, RecordedUpstream
from bindings.ai.upstreams import Cloudflare
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from .calls import LLAMA
from .service import Answer, response, result, serving

DREAM = "@cf/lykon/dreamshaper-8-lcm"


def record(path: Path, answer: Answer, calls: list[tuple[str, Any]], *secrets: str) -> list[Any]:
    """Record calls into `path`; return what the caller got, errors as their messages."""

    async def scenario() -> list[Any]:
        async with serving(answer) as service:
            settings = UpstreamSettings("cloudflare", service.url, "secret-token", "acc")
            cassette = Cassette(path, Scrubber(("secret-token", *secrets)))
            return await run_all(
                Ai((), Settings(substitute=RecordedUpstream(Cloudflare(settings), cassette))), calls
            )

    return asyncio.run(scenario())


def replay(path: Path, calls: list[tuple[str, Any]], *secrets: str) -> list[Any]:
    ai = Ai((), Settings(substitute=PlayedCassette(Cassette(path, Scrubber(secrets)))))
    return asyncio.run(run_all(ai, calls))


async def run_all(ai: Ai, calls: list[tuple[str, Any]]) -> list[Any]:
    found: list[Any] = []
    for model, inputs in calls:
        try:
            answer = await ai.run(model, inputs)
        except CassetteError:
            raise
        except WorkerError as error:
            answer = f"{error.name}: {error.message}"
        if isinstance(answer, ByteStream):
            answer = b"".join([chunk async for chunk in answer.chunks])
        found.append(answer)
    await ai.close()
    return found


def service(request: Any) -> bytes:
    """JSON, a stream, a picture and an error, by what is asked."""
    body = request.json
    if body.get("stream"):
        events = b'data: {"response":"Hi"}\n\ndata: [DONE]\n\n'
        return response(events, kind="text/event-stream")
    if "dreamshaper" in request.path:
        return response(b"\x89PNG picture", kind="image/png")
    if body["prompt"] == "fail":
        error = {"code": 3040, "message": "AiError: Busy"}
        return response({"success": False, "errors": [error], "result": None}, 429)
    return result({"response": f"You said {body['prompt']}"})


CALLS: list[tuple[str, Any]] = [
    (LLAMA, {"prompt": "Hello", "seed": 1}),
    (LLAMA, {"prompt": "Hello", "stream": True}),
    (DREAM, {"prompt": "a cat", "image": list(range(200))}),
    (LLAMA, {"prompt": "fail"}),
]


def test_what_was_recorded_is_replayed_word_for_word(tmp_path: Path) -> None:
    path = tmp_path / "cassettes" / "ai.json"

    recorded = record(path, service, CALLS)
    replayed = replay(path, CALLS)

    assert replayed == recorded
    assert recorded[0] == {"response": "You said Hello"}
    assert recorded[1] == b'data: {"response":"Hi"}\n\ndata: [DONE]\n\n'
    assert recorded[2].content == b"\x89PNG picture"
    assert recorded[3] == "AiError: 3040: Busy"


def test_a_cassette_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"

    record(path, service, CALLS[:3])

    whole = json.loads(path.read_text())
    assert whole["format"] == FORMAT
    assert whole["calls"][0] == {
        "model": LLAMA,
        "inputs": {"prompt": "Hello", "seed": 1},
        "answer": {"json": {"response": "You said Hello"}},
    }
    assert whole["calls"][1]["answer"]["events"][0] == 'data: {"response":"Hi"}\n\n'
    assert whole["calls"][2]["inputs"]["image"]["bytes"] == 200  # by its hash, not its bytes


def test_requests_match_whatever_the_order_of_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"
    record(path, service, [(LLAMA, {"prompt": "Hello", "max_tokens": 5, "seed": None})])

    assert replay(path, [(LLAMA, {"max_tokens": 5.0, "prompt": "Hello"})])


def test_equal_requests_are_answered_in_their_order_and_the_last_answer_repeats(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ai.json"
    numbers = iter(range(10))
    calls = [(LLAMA, {"prompt": "x"})] * 2
    record(path, lambda _: result({"response": str(next(numbers))}), calls)

    answers = replay(path, [*calls, *calls])

    assert [answer["response"] for answer in answers] == ["0", "1", "1", "1"]


def test_recording_again_replaces_that_request_and_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"
    record(path, service, CALLS[:2])

    record(path, lambda _: result({"response": "new"}), CALLS[:1])

    assert replay(path, CALLS[:1]) == [{"response": "new"}]
    assert len(read_cassette(path)) == 2


def test_a_call_that_was_not_recorded_tells_the_nearest_one_and_what_differs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ai.json"
    asked = {"messages": [{"role": "user", "content": "Hello"}], "seed": 1}
    record(
        path, lambda _: result({"response": "x"}), [(LLAMA, {"prompt": "other"}), (LLAMA, asked)]
    )

    with pytest.raises(CassetteError) as caught:
        changed = {"messages": [{"role": "user", "content": "Hello!"}], "top_k": 4}
        replay(path, [(LLAMA, changed)])

    message = caught.value.message
    assert f"ai.json has no answer for this call of {LLAMA}. The nearest recorded one" in message
    assert 'inputs.messages[0].content: recorded "Hello", asked "Hello!"' in message
    assert "inputs.seed: recorded 1, not asked" in message
    assert "inputs.top_k: asked 4, not recorded" in message
    line = path.read_text().splitlines()[int(message.split("ai.json:")[1].split(",")[0]) - 1]
    assert line.strip() == "{"


def test_secrets_are_not_written_and_still_match(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"
    prompt = "My key is hunter2-hunter2 and sk-abcdefghijklmnop1234 and secret-token"
    calls = [(LLAMA, {"prompt": prompt, "tools": None})]

    record(path, service, calls, "hunter2-hunter2")

    text = path.read_text()
    for secret in ("hunter2", "sk-abc", "secret-token"):
        assert secret not in text
    (answer,) = replay(path, calls, "hunter2-hunter2", "secret-token")
    assert answer == {"response": "You said My key is [scrubbed] and [scrubbed] and [scrubbed]"}


GOOD = '{"model": "m", "inputs": {}, "answer": {"json": 1}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "ai.json:1: not JSON: Expecting property name"),
        ('{\n"format": 1\n}', f'ai.json:1: expected an object with "format": "{FORMAT}"'),
        (f'{{"format": "{FORMAT}"}}', 'ai.json:1: "calls" is missing'),
        (
            f'{{"format": "{FORMAT}",\n"calls": [\n{GOOD},\n 5]}}',
            'ai.json:4: calls[1] is not an object with "model"',
        ),
        (
            f'{{"x": [1, {{}}],\n"format": "{FORMAT}",\n"calls": [\n\n'
            '{"model": "m", "answer": {"text": 1}}]}',
            'ai.json:5: calls[0] has an "answer" that is not one of json, events, file, error',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [{{"model": "m", "answer": {{"events": 1}}}}]}}',
            'ai.json:1: calls[0] has "events" that are not a list',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [{{"model": "m", "answer": {{"error": 1}}}}]}}',
            'calls[0] has an "error" without',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [{{"model": "m", "answer": '
            '{"file": {"content_type": "x", "base64": "?"}}}]}',
            'calls[0] has a "file" without',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [],\n"calls": [{GOOD}]}}',
            'ai.json:2: "calls" is here for the second time',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [\n{GOOD},\n{GOOD[:-1]}, "answer": {{}}}}]}}',
            'ai.json:3: the object that begins here has "answer" twice',
        ),
        (
            f'{{"format": "{FORMAT}", "calls": [{"9" * 5_000}]}}',
            "ai.json: not JSON that can be read: Exceeds the limit",
        ),
    ],
)
def test_a_malformed_cassette_is_told_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "ai.json"
    path.write_text(text)

    with pytest.raises(CassetteError) as caught:
        replay(path, CALLS[:1])

    assert message in caught.value.message


def test_a_cassette_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CassetteError, match='Record one with mode = "record"'):
        replay(tmp_path / "ai.json", CALLS[:1])


def test_a_malformed_cassette_is_not_recorded_over(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"
    path.write_text("{")

    with pytest.raises(CassetteError):
        record(path, service, CALLS[:1])

    assert path.read_text() == "{"


def test_a_write_that_fails_leaves_the_old_cassette_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ai.json"
    record(path, service, CALLS[:1])
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CassetteError, match="cannot be written: No space left"):
        record(path, service, CALLS[1:2])

    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["ai.json"]


def test_a_stream_that_breaks_off_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "ai.json"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n"

    with pytest.raises(WorkerError, match="broke off"):
        asyncio.run(_read_broken(path, head + b"data: {}\n\n"))

    assert not path.exists()


async def _read_broken(path: Path, answer: bytes) -> None:
    async with serving(lambda _: answer) as there:
        settings = UpstreamSettings("cloudflare", there.url, "secret-token", "acc")
        substitute = RecordedUpstream(Cloudflare(settings), Cassette(path, Scrubber()))
        ai = Ai((), Settings(substitute=substitute))
        try:
            stream = await ai.run(LLAMA, {"prompt": "x", "stream": True})
            async for _ in stream.chunks:
                pass
        finally:
            await ai.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(JSON)
def test_the_canonical_form_survives_being_written_and_read(value: Any) -> None:
    form = canonical(value)

    assert canonical(json.loads(json.dumps(form))) == form
