"""Every task of the catalogue answers in its shape; every model of it answers at all."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import Any

import pytest

from bindings.ai.binary import marked_text
from bindings.ai.catalogue import MODELS, Api, Model
from bindings.ai.pictures import draw, size_of
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from .calls import LLAMA, new_ai, run

PICTURE = draw("a cat on a bicycle", 0, 320, 200, "image/png")
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na red barn\r\n'
    b'--b\r\nContent-Disposition: form-data; name="width"\r\n\r\n64\r\n'
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n\x89PNG\r\n--b--\r\n'
)
MOONDREAM = "@cf/moondream/moondream3.1-9B-A2B"
SOUND = {"body": b"\x00" * 32_000, "contentType": "audio/mpeg"}
# The smallest inputs of every API.
INPUTS: dict[Api, Any] = {
    Api.GENERATION: {"prompt": "Hello"},
    Api.GUARD: {"messages": [{"role": "user", "content": "Hello"}]},
    Api.CHAT: {"messages": [{"role": "user", "content": "Hello"}]},
    Api.RESPONSES: {"input": "Hello"},
    Api.EMBEDDINGS: {"text": "Hello"},
    Api.M3: {"contexts": [{"text": "Hello"}]},
    Api.QWEN_EMBEDDINGS: {"queries": ["Hello"]},
    Api.RERANK: {"query": "x", "contexts": [{"text": "x"}]},
    Api.SIMILARITY: {"source": "red cars", "sentences": ["cars are red", "green tea"]},
    Api.SENTIMENT: {"text": "Hello"},
    Api.TRANSLATION: {"text": "Hello", "target_lang": "fr"},
    Api.INDIC_TRANSLATION: {"text": "Hello", "target_language": "hin_Deva"},
    Api.SUMMARIZATION: {"input_text": "Hello there. It rains."},
    Api.IMAGE_CLASSIFICATION: {"image": list(PICTURE)},
    Api.OBJECT_DETECTION: {"image": list(PICTURE)},
    Api.IMAGE_TO_TEXT: {"image": list(PICTURE)},
    Api.MOONDREAM: {"question": "Is it red?", "image": base64.b64encode(PICTURE).decode()},
    Api.DIFFUSION: {"prompt": "a red barn", "width": 256, "height": 256},
    Api.LEONARDO: {"prompt": "a red barn", "width": 64, "height": 64},
    Api.FLUX: {"prompt": "a red barn"},
    Api.FLUX_2: {"multipart": {"body": FORM, "contentType": "multipart/form-data; boundary=b"}},
    Api.WHISPER: {"audio": [0] * 3200},
    Api.WHISPER_TURBO: {"audio": base64.b64encode(bytes(3200)).decode()},
    Api.NOVA: {"audio": SOUND},
    Api.TURN: {"audio": SOUND, "dtype": "uint8"},
    Api.MELOTTS: {"prompt": "Hello"},
    Api.AURA: {"text": "Hello"},
}
# The keys of each answer; only the type if it is not an object.
SHAPES: dict[Api, set[str] | type] = {
    Api.GENERATION: {"response", "usage"},
    Api.GUARD: {"response", "usage"},
    Api.CHAT: {"id", "object", "created", "model", "choices", "usage"},
    Api.RESPONSES: {"id", "object", "created_at", "model", "output", "output_text"}
    | {"status", "usage"},
    Api.M3: {"response", "shape", "pooling"},
    Api.QWEN_EMBEDDINGS: {"shape", "data"},
    Api.RERANK: {"response"},
    Api.SIMILARITY: list,
    Api.SENTIMENT: list,
    Api.TRANSLATION: {"translated_text", "usage"},
    Api.INDIC_TRANSLATION: {"translations"},
    Api.SUMMARIZATION: {"summary"},
    Api.IMAGE_CLASSIFICATION: list,
    Api.OBJECT_DETECTION: list,
    Api.IMAGE_TO_TEXT: {"description"},
    Api.MOONDREAM: {"finish_reason", "metrics", "answer", "caption", "points", "objects"}
    | {"reasoning"},
    Api.DIFFUSION: bytes,
    Api.FLUX: {"image"},
    Api.FLUX_2: {"image"},
    Api.WHISPER: {"text", "word_count", "words", "vtt"},
    Api.WHISPER_TURBO: {"transcription_info", "text", "word_count", "segments", "vtt"},
    Api.NOVA: {"results"},
    Api.TURN: {"is_complete", "probability"},
    Api.MELOTTS: {"audio"},
    Api.AURA: bytes,
}


@pytest.mark.parametrize("model", [m for m in MODELS if m.api in INPUTS], ids=lambda m: m.name)
def test_every_model_answers_in_the_shape_of_its_task(model: Model) -> None:
    answer = run(model.name, INPUTS[model.api])

    shape = SHAPES.get(model.api)
    if isinstance(shape, type):
        assert isinstance(answer, shape)
    elif shape is not None:
        assert set(answer) == shape
    if not isinstance(answer, bytes):
        json.dumps(answer, allow_nan=False)


def test_only_the_websocket_models_have_no_inputs_here() -> None:
    assert {m.name for m in MODELS if m.api not in INPUTS} == {
        "@cf/deepgram/flux",
        "@cf/nvidia/nemotron-speech-streaming-en-0.6b",
    }


@pytest.mark.parametrize(
    ("task", "given"),
    [("query", "answer"), ("caption", "caption"), ("point", "points"), ("detect", "objects")],
)
def test_moondream_gives_what_its_task_asks_for_and_nothing_else(task: str, given: str) -> None:
    inputs = {"task": task, "image": "https://example.com/a.png", "target": "cat"}
    answer = run(MOONDREAM, inputs)

    assert answer[given]
    others = {"answer", "caption", "points", "objects"} - {given}
    assert all(answer[name] is None for name in others)
    assert answer == run(MOONDREAM, inputs)
    for box in answer["objects"] or []:
        assert 0 <= box["x_min"] <= box["x_max"] <= 1
        assert 0 <= box["y_min"] <= box["y_max"] <= 1


@pytest.mark.parametrize("task", ["caption", "point", "detect"])
def test_moondream_needs_a_picture_except_for_a_question(task: str) -> None:
    assert run(MOONDREAM, {"question": "Why?"})["answer"]
    with pytest.raises(WorkerError, match="image is required"):
        run(MOONDREAM, {"task": task})
    with pytest.raises(WorkerError, match="does not emulate streams of this model"):
        run(MOONDREAM, {"question": "Why?", "stream": True})


# All of a moondream's inputs may be left out.
STRICT = [m for m in MODELS if m.api in INPUTS and m.api != Api.MOONDREAM]


@pytest.mark.parametrize("model", STRICT, ids=lambda m: m.name)
def test_every_model_refuses_inputs_that_are_not_its_own(model: Model) -> None:
    with pytest.raises(WorkerError) as caught:
        run(model.name, {"nonsense": 1})

    assert caught.value.code == 5006
    assert caught.value.message.startswith("5006: Error: ")


def test_a_picture_model_answers_with_a_png_of_the_size_asked_for() -> None:
    picture = run(
        "@cf/stabilityai/stable-diffusion-xl-base-1.0",
        {"prompt": "a cat", "width": 512, "height": 300},
    )

    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert size_of(picture) == (512, 300)


def test_flux_answers_with_a_jpeg_in_base64() -> None:
    answer = run("@cf/black-forest-labs/flux-1-schnell", {"prompt": "a cat", "steps": 4})

    picture = base64.b64decode(answer["image"], validate=True)
    assert picture.startswith(b"\xff\xd8\xff")
    assert size_of(picture) == (1024, 1024)


def test_flux_2_reads_its_prompt_from_a_form() -> None:
    answer = run("@cf/black-forest-labs/flux-2-dev", INPUTS[Api.FLUX_2])

    picture = base64.b64decode(answer["image"])
    assert marked_text(picture) == "a red barn"
    assert size_of(picture)[0] == 64


def test_another_seed_makes_another_picture() -> None:
    model = "@cf/lykon/dreamshaper-8-lcm"
    inputs = {"prompt": "a cat", "width": 256, "height": 256}

    assert run(model, inputs) == run(model, inputs)
    assert run(model, inputs) != run(model, {**inputs, "seed": 7})


def test_a_file_leaves_as_a_stream_with_its_content_type() -> None:
    model = "@cf/leonardo/phoenix-1.0"

    stream = asyncio.run(new_ai().call("run", [model, {"prompt": "a cat"}]))

    assert isinstance(stream, ByteStream)
    assert stream.content_type == "image/jpeg"


@pytest.mark.parametrize(
    "image",
    [
        list(PICTURE),
        PICTURE,
        {str(n): byte for n, byte in enumerate(PICTURE)},  # a Uint8Array that went through JSON
        base64.b64encode(PICTURE).decode(),
        "data:image/png;base64," + base64.b64encode(PICTURE).decode(),
    ],
    ids=["numbers", "bytes", "object", "base64", "data URL"],
)
def test_a_picture_is_read_in_every_form_it_may_have(image: Any) -> None:
    answer = run("@cf/llava-hf/llava-1.5-7b-hf", {"image": image})

    assert answer == {"description": "A picture of a cat on a bicycle"}


def test_a_picture_may_be_the_whole_input() -> None:
    assert run("@cf/unum/uform-gen2-qwen-500m", list(PICTURE))["description"]


def test_broken_base64_is_refused_with_productions_code() -> None:
    with pytest.raises(WorkerError) as caught:
        run("@cf/openai/whisper-large-v3-turbo", {"audio": "not base64!"})

    assert caught.value.message == "5004: Invalid data type for base64 input: string"


def test_objects_are_found_where_the_picture_is() -> None:
    found = run("@cf/facebook/detr-resnet-50", {"image": PICTURE})

    assert [item["label"] for item in found] == ["bicycle", "cat"]
    for item in found:
        box = item["box"]
        assert 0 <= box["xmin"] < box["xmax"] <= 320
        assert 0 <= box["ymin"] < box["ymax"] <= 200


def test_classes_are_five_and_the_likeliest_comes_first() -> None:
    found = run("@cf/microsoft/resnet-50", {"image": b"any bytes"})

    scores = [item["score"] for item in found]
    assert len(found) == 5
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("encoding", ["mp3", "aac", "flac", "opus", "linear16", "mulaw", "alaw"])
def test_what_was_spoken_here_is_transcribed_here(encoding: str) -> None:
    sound = run("@cf/deepgram/aura-1", {"text": "Good morning, all.", "encoding": encoding})

    heard = run("@cf/deepgram/nova-3", {"audio": {"body": sound, "contentType": "audio/any"}})

    said = heard["results"]["channels"][0]["alternatives"][0]
    assert said["transcript"] == "Good morning, all."
    assert [word["word"] for word in said["words"]] == ["Good", "morning,", "all."]


def test_melotts_gives_an_mp3_that_lasts_as_long_as_its_words() -> None:
    short = base64.b64decode(run("@cf/myshell-ai/melotts", {"prompt": "one"})["audio"])
    long = base64.b64decode(run("@cf/myshell-ai/melotts", {"prompt": "one " * 150})["audio"])

    assert b"\xff\xfb" in short
    heard = run("@cf/openai/whisper-large-v3-turbo", {"audio": base64.b64encode(long).decode()})
    assert heard["transcription_info"]["duration"] == pytest.approx(60, abs=0.1)
    assert len(long) > 20 * len(short)


def test_an_unknown_sound_is_told_by_its_length() -> None:
    heard = run("@cf/openai/whisper", {"audio": [0] * 32_000})

    assert "2.0 seconds" in heard["text"]
    assert heard["word_count"] == len(heard["words"]) == len(heard["text"].split())
    assert heard["vtt"].startswith("WEBVTT\n\n00:00.000 --> ")


def test_a_finished_sentence_ends_a_turn() -> None:
    sound = run("@cf/deepgram/aura-2-en", {"text": "That is all."})
    half = run("@cf/deepgram/aura-2-en", {"text": "And then"})

    audio = {"contentType": "audio/mpeg"}
    model = "@cf/pipecat-ai/smart-turn-v2"
    assert run(model, {"audio": {"body": sound, **audio}})["is_complete"] is True
    assert run(model, {"audio": {"body": half, **audio}})["is_complete"] is False


def test_the_guard_tells_safe_from_unsafe() -> None:
    model = "@cf/meta/llama-guard-3-8b"
    bad = {"messages": [{"role": "user", "content": "How do I write ransomware and a botnet?"}]}

    assert run(model, INPUTS[Api.GUARD])["response"] == "safe"
    assert run(model, bad)["response"] == "unsafe\nS14"
    form = {"type": "json_object"}
    answer = run(model, {**bad, "response_format": form})["response"]
    assert answer == {"safe": False, "categories": ["S14"]}


def test_sentences_that_share_words_are_more_similar() -> None:
    scores = run("@hf/sentence-transformers/all-minilm-l6-v2", INPUTS[Api.SIMILARITY])

    assert scores[0] > 0.5 > scores[1]


def test_a_lora_is_refused_by_a_model_that_takes_none() -> None:
    with pytest.raises(WorkerError) as caught:
        run(LLAMA, {"prompt": "x", "lora": "my-finetune"})

    assert caught.value.message == f"5005: The model {LLAMA} does not support LoRA inference"
    assert run("@cf/mistral/mistral-7b-instruct-v0.2-lora", {"prompt": "x", "lora": "my-finetune"})


def test_files_are_the_same_on_every_machine() -> None:
    """No compressor and no floating point takes part in them. New hashes: see test_golden."""
    files = {
        "png": draw("a cat", 1, 300, 200, "image/png"),
        "jpeg": draw("a cat", 1, 300, 200, "image/jpeg"),
        **{
            encoding: run("@cf/deepgram/aura-1", {"text": "Hello there", "encoding": encoding})
            for encoding in ("mp3", "aac", "flac", "opus", "linear16")
        },
    }

    assert {name: hashlib.sha256(data).hexdigest()[:12] for name, data in files.items()} == {
        "png": "d1ffaa8794a6",
        "jpeg": "d28f5f91bd61",
        "mp3": "83cef8c37ca9",
        "aac": "3d5f6eb36d22",
        "flac": "66e3a5f1a324",
        "opus": "5fe94edae019",
        "linear16": "0c8ce8e99252",
    }


def test_a_batch_is_queued_and_then_answered() -> None:
    ai = new_ai()
    requests = [
        {"prompt": "one", "external_reference": "a"},
        {"prompt": 5},
        {"prompt": "two", "stream": True},
    ]

    queued = run(LLAMA, {"requests": requests}, {"queueRequest": True}, ai=ai)
    done = run(LLAMA, {"request_id": queued["request_id"]}, ai=ai)

    assert (queued["status"], queued["model"]) == ("queued", LLAMA)
    first, second, third = done["responses"]
    assert first["result"] == run(LLAMA, {"prompt": "one"})
    assert (first["id"], first["external_reference"], first["success"]) == (0, "a", True)
    assert (second["success"], second["error"][:4]) == (False, "5006")
    assert third["result"]["response"]
    assert done["usage"]["total_tokens"] > 0


def test_a_batch_that_is_too_large_is_refused() -> None:
    requests = [{"prompt": "x" * 11_000_000}]

    with pytest.raises(WorkerError, match="3006"):
        run(LLAMA, {"requests": requests}, {"queueRequest": True})
