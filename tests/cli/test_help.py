"""`--help`, examples, errors and exit codes of every command."""

from __future__ import annotations

import shlex

import click
import pytest
from click.testing import CliRunner

from emulator.cli.examples import EXAMPLES
from emulator.cli.main import cli
from tests.test_docs import commands

COMMANDS = {name.partition(" ")[2]: command for name, command in commands(cli).items()}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def test_each_command_has_examples_and_no_others_have() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_each_example_is_a_command_line_that_is_understood(name: str) -> None:
    for line in lines(EXAMPLES[name]):
        words = shlex.split(line.partition(" >")[0])
        path = name.split()
        assert words[: 1 + len(path)] == ["groundfog", *path]
        command = COMMANDS[name]
        options = [param for param in command.params if isinstance(param.type, click.Path)]
        for option in options:
            option.type = click.Path(path_type=getattr(option.type, "type", None))
        command.make_context(name, words[1 + len(path) :])


def test_help_has_whole_sentences_and_examples() -> None:
    told = CliRunner().invoke(cli, ["--help"]).output
    of_d1 = CliRunner().invoke(cli, ["d1", "execute", "--help"]).output

    assert "..." not in told.partition("Commands:")[2]
    assert "Examples:\n    groundfog d1 execute DB --command" in of_d1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["dev", "--prot", "3"], 2, "error: No such option '--prot'."),
        (["d1", "info"], 2, "error: Missing argument 'NAME'."),
        (["no-such-command"], 2, "error: No such command 'no-such-command'."),
        (["d1", "info", "DB", "--cwd", "/"], 1, "error: "),
    ],
)
def test_errors_have_one_prefix_and_the_documented_codes(
    words: list[str], code: int, told: str
) -> None:
    done = CliRunner().invoke(cli, words)

    assert done.exit_code == code
    assert told in done.stderr and "Error:" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["deploy"], "`wrangler deploy` puts the worker on Cloudflare"),
        (["login"], "needs no account"),
        (["secret", "put", "KEY"], ".dev.vars"),
        (["d1", "create", "db"], "[[d1_databases]]"),
        (["tail", "--format", "json"], "terminal"),
    ],
)
def test_a_command_of_wranglers_without_a_local_meaning_says_so(
    words: list[str], told: str
) -> None:
    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 1
    assert done.stderr.startswith("error: ") and told in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["d1"], ["workflows", "instances"]])
def test_without_a_command_the_help_is_shown(words: list[str]) -> None:
    done = CliRunner().invoke(cli, words)

    assert done.exit_code == 0 and done.stdout.startswith("Usage: ") and done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    done = CliRunner().invoke(cli, ["complete", shell])

    assert done.exit_code == 0 and "_GROUNDFOG_COMPLETE" in done.stdout


def test_what_is_completed() -> None:
    asked = {"_GROUNDFOG_COMPLETE": "bash_complete", "COMP_CWORD": "2"}

    done = CliRunner(env={**asked, "COMP_WORDS": "groundfog d1 mig"}).invoke(
        cli, [], prog_name="groundfog", complete_var="_GROUNDFOG_COMPLETE"
    )

    assert done.stdout.strip() == "plain,migrations"
