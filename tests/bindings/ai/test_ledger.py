"""The ledger of calls, and the budget."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bindings.ai import ledger
from bindings.ai.ai import Ai, Settings
from bindings.ai.catalogue import MODELS
from bindings.ai.ledger import Call, Ledger, read
from bindings.ai.neurons import estimate
from bindings.ai.scrubbing import Scrubber
from bindings.ai.settings import Budget, Rule
from bindings.binding import ByteStream
from emulator.errors import WorkerError

from .calls import LLAMA, run
from .test_tasks import INPUTS


def calls(path: Path, ai: Ai, *inputs: dict[str, Any], model: str = LLAMA) -> list[dict[str, Any]]:
    """Make calls, failing ones too, and return what the ledger says of them."""

    async def scenario() -> None:
        for values in inputs:
            try:
                answer = await ai.run(model, values)
            except WorkerError:
                continue
            if isinstance(answer, ByteStream):
                assert [chunk async for chunk in answer.chunks]

    asyncio.run(scenario())
    return [dict(line) for line in read(path)]


def test_every_call_is_written_down_with_who_answered(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    rules = [
        Rule(prompt="weather", text="Rain.", where="groundfog.toml:3"),
        Rule(prompt="fail", error={"code": 3040}, where="groundfog.toml:9"),
    ]

    first, second, third, fourth = calls(
        path,
        Ai(rules, ledger=Ledger(path)),
        {"prompt": "hello"},
        {"prompt": "weather?"},
        {"prompt": "fail"},
        {"prompt": 5},
    )

    assert (first["answered_by"], first["model"], first["task"]) == (
        "stub",
        LLAMA,
        "Text Generation",
    )
    assert first["tokens_in"] == 1
    assert first["tokens_out"] > 10
    assert first["neurons"] > 0
    assert first["usd"] == pytest.approx(first["neurons"] * 0.011 / 1000, abs=1e-7)
    assert (second["answered_by"], second["tokens_out"]) == ("groundfog.toml:3", 2)
    assert third["answered_by"] == "groundfog.toml:9"
    assert third["error"].startswith("AiError: 3040: ")
    assert fourth["error"].startswith("AiError: 5006: ")


def test_a_call_that_strict_refuses_was_answered_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    ai = Ai([], Settings(strict=True), ledger=Ledger(path))

    (call,) = calls(path, ai, {"prompt": "hello"})

    assert call["answered_by"] == "nobody"
    assert call["error"].startswith("NoMatchingRule: ")


def test_no_prompt_and_no_answer_gets_into_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"

    calls(path, Ai(ledger=Ledger(path)), {"prompt": "my secret plan about otters"})

    assert "otters" not in path.read_text()


def test_a_full_ledger_is_put_aside_and_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "FILE_MAX_BYTES", 1_000)
    path = tmp_path / "calls.jsonl"
    book = Ledger(path)

    for number in range(100):
        book.record(Call(number, "m", "t", "stub", 0))

    kept = list(read(path))
    assert kept[-1]["at_ms"] == 99
    assert len(kept) < 100
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2_500


def test_a_line_that_a_crash_cut_short_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    book = Ledger(path)
    book.record(Call(1, "m", "t", "stub", 0))
    with open(path, "a") as file:
        file.write('{"at_ms":2,"mod')

    assert [entry["at_ms"] for entry in read(path)] == [1]


def test_a_ledger_that_cannot_be_written_does_not_fail_the_call(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert run(LLAMA, {"prompt": "x"}, ai=Ai(ledger=Ledger(tmp_path / "file" / "calls.jsonl")))


def test_calls_past_the_budget_fail() -> None:
    ai = Ai((), Settings(budget=Budget(max_calls=2)))
    for _ in range(2):
        run(LLAMA, {"prompt": "x"}, ai=ai)

    with pytest.raises(WorkerError, match="used 2 calls of env.AI, and max_calls = 2 is set"):
        run(LLAMA, {"prompt": "x"}, ai=ai)


def test_a_retry_loop_over_failures_is_stopped_too() -> None:
    ai = Ai([Rule(error={"code": 3040})], Settings(budget=Budget(max_calls=3)))
    errors = []
    for _ in range(5):
        with pytest.raises(WorkerError) as caught:
            run(LLAMA, {"prompt": "x"}, ai=ai)
        errors.append(caught.value.name)

    assert errors == ["AiError"] * 3 + ["AiBudgetExceeded"] * 2


def test_neurons_past_the_budget_fail() -> None:
    ai = Ai((), Settings(budget=Budget(max_neurons=1)))

    with pytest.raises(WorkerError, match="neurons of env.AI, and max_neurons = 1 is set"):
        for _ in range(1_000):
            run(LLAMA, {"prompt": "x " * 50}, ai=ai)


def test_the_budget_is_the_ledgers_and_outlives_a_reload() -> None:
    book = Ledger()
    run(LLAMA, {"prompt": "x"}, ai=Ai(ledger=book))

    with pytest.raises(WorkerError, match="max_calls"):
        run(LLAMA, {"prompt": "x"}, ai=Ai((), Settings(budget=Budget(max_calls=1)), ledger=book))


@pytest.mark.parametrize("model", [m for m in MODELS if m.api in INPUTS], ids=lambda m: m.name)
def test_every_model_has_a_price(model: Any) -> None:
    cost = estimate(model, "some words", INPUTS[model.api], {})

    assert cost.neurons > 0


def test_an_upstreams_error_gets_into_the_ledger_without_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    told = "Incorrect API key provided: hf_abcdefGHIJ0123456789. userPassword=hunter2 s3cr3t-value"
    rule = Rule(error={"code": 3040, "message": told + " x" * 5_000})

    ai = Ai([rule], Settings(scrubber=Scrubber(["s3cr3t-value"])), ledger=Ledger(path))
    with pytest.raises(WorkerError):
        run(LLAMA, {"prompt": "x"}, ai=ai)

    (entry,) = read(path)
    assert (
        "Incorrect API key provided: [scrubbed]. userPassword=[scrubbed] [scrubbed]"
        in entry["error"]
    )
    assert len(entry["error"]) < 2_100
