"""`groundfog ai`: the ledger as a person and as a program reads it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bindings.ai.ledger import NOBODY, Call, Ledger
from emulator.cli.main import cli


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "entry.py").touch()
    (tmp_path / "wrangler.toml").write_text(
        'name = "x"\nmain = "entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\n[ai]\nbinding = "AI"\n'
    )
    (tmp_path / "groundfog.toml").write_text('[[ai.rules]]\nprompt = "hi"\ntext = "Hello"\n')
    return tmp_path


def ledger(project: Path) -> Ledger:
    return Ledger(project / ".groundfog" / "ai-calls.jsonl")


def fill(project: Path) -> None:
    book = ledger(project)
    book.record(Call(1_000, "@cf/a/b", "Text Generation", "stub", 3, 10, 20, 1.5, 0.0165))
    book.record(Call(2_000, "@cf/a/c", "Translation", "groundfog.toml:1", 0, error="AiError: 3040"))


def run(project: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["ai", *arguments, "--cwd", str(project)])
    assert result.exit_code == 0, result.output
    return result.output


def test_calls_are_listed_with_what_they_cost(project: Path) -> None:
    fill(project)

    shown = run(project, "calls")

    assert "@cf/a/b" in shown
    assert "│ stub" in shown
    assert "AiError: 3040" in shown
    assert "2 calls, 1 failed; about 1.5 neurons, $0.0165 at Cloudflare's list price." in shown


def test_calls_are_listed_for_programs(project: Path) -> None:
    fill(project)

    lines = run(project, "calls", "--json", "--limit", "1").splitlines()

    assert [json.loads(line)["model"] for line in lines] == ["@cf/a/c"]


def test_only_calls_that_failed_can_be_asked_for(project: Path) -> None:
    fill(project)

    assert "@cf/a/b" not in run(project, "calls", "--errors")


def test_without_calls_it_says_so(project: Path) -> None:
    assert run(project, "calls") == "No calls of env.AI have been made.\n"


def test_each_rule_is_shown_with_the_calls_it_answered(project: Path) -> None:
    fill(project)

    shown = run(project, "rules")

    (row,) = [line for line in shown.splitlines() if "groundfog.toml:1" in line]
    assert row.split("│")[4].strip() == "1"
    assert "1 call answered otherwise." in shown


def test_calls_that_strict_refused_do_not_count_as_answered(project: Path) -> None:
    ledger(project).record(Call(1_000, "@cf/a/b", "Text Generation", NOBODY, 0, error="No rule"))

    shown = run(project, "rules")

    assert "0 calls answered otherwise.\n1 call refused: strict is on." in shown


def test_the_ledger_can_be_cleared(project: Path) -> None:
    fill(project)

    run(project, "clear")

    assert not (project / ".groundfog" / "ai-calls.jsonl").exists()


def test_new_calls_are_followed_until_interrupted(project: Path) -> None:
    command = [sys.executable, "-m", "groundfog", "ai", "calls", "--follow", "--cwd", str(project)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        assert "No calls" in process.stdout.readline()
        fill(project)
        assert "@cf/a/b  stub  10+20 tokens" in process.stdout.readline()
        assert "AiError: 3040" in process.stdout.readline()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_model_is_run_by_hand_as_for_the_worker(project: Path) -> None:
    ruled = run(project, "run", "@cf/meta/llama-3.1-8b-instruct", "say hi")
    told = run(project, "run", "@cf/baai/bge-base-en-v1.5", '{"text": ["fog"]}')

    assert json.loads(ruled)["response"] == "Hello"
    assert json.loads(told)["shape"] == [1, 768]
    assert run(project, "calls").count("@cf/") == 2


def test_an_error_of_a_model_is_told_in_a_line(project: Path) -> None:
    words = ["ai", "run", "@cf/none/such", "hi", "--cwd", str(project)]

    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 1 and done.stderr.startswith("error: ")
    assert "@cf/none/such" in done.stderr


def test_models_are_listed_and_searched(project: Path) -> None:
    found = json.loads(run(project, "models", "bge-base", "--json"))

    assert [each["name"] for each in found] == ["@cf/baai/bge-base-en-v1.5"]
    assert "Text Embeddings" in run(project, "models", "bge-base")
