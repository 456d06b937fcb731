"""The sample that sends, forwards, answers and refuses emails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from tests.config.project import Project
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer

PATHS = ["/cdn-cgi/local/email", "/cdn-cgi/handler/email", "/cdn-cgi/mf/email"]
WHO = {"from": "ada@example.com", "to": "shop@example.com"}


def message(subject: str) -> str:
    fields = f"From: ada@example.com\nTo: shop@example.com\nSubject: {subject}\n"
    return f"{fields}Message-ID: <1@example.com>\nBcc: secret@example.com\n\nHello"


def groundfog(project: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["email", *words, "--cwd", str(project)])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = tmp_path_factory.mktemp("email") / "email"
    shutil.copytree(FIXTURES / "email", project)
    with DevServer(project) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_the_handler_gets_an_email_at_each_path_of_wranglers(server: DevServer, path: str) -> None:
    answer = server.post(path, params=WHO, content=message("hello"))
    assert (answer.status_code, answer.text) == (200, "Worker successfully processed email")
    refused = server.post(path, params=WHO, content=message("spam"))
    told = "Worker rejected email with the following reason: No spam, please."
    assert (refused.status_code, refused.text) == (400, told)


def test_a_forwarded_email_is_told_and_kept(server: DevServer) -> None:
    query = {**WHO, "format": "json"}
    handled = server.post(PATHS[0], params=query, content=message("question")).json()
    (forward,) = handled["forwards"]
    assert forward["recipient"] == "support@example.com"
    assert [event["type"] for event in handled["events"]] == ["received", "forward"]
    kept = groundfog(server.project, "show", forward["messageId"], "--raw").output
    assert "Subject: question" in kept and "secret@example.com" not in kept


def test_an_email_to_somebody_else_is_refused_with_productions_code(server: DevServer) -> None:
    told = "E_RECIPIENT_NOT_ALLOWED: email to ada@example.com not allowed"
    assert server.get("/support").text == told


def test_what_a_request_sends_is_shown(server: DevServer) -> None:
    message_id = server.get("/").text
    server.wait_for('email [0-9]+ to ada@example.com, bob@example.com: "Your order"')
    shown = json.loads(groundfog(server.project, "show", message_id, "--json").output)
    assert (shown["way"], shown["text"].strip()) == ("sent", "It is on its way.")
    listed = groundfog(server.project, "list", "--way", "sent").output
    assert "Your order" in listed
    plain = groundfog(server.project, "show", message_id).output
    assert "[html]\n<p>It is on its way.</p>" in plain
    assert "There is no email 99" in groundfog(server.project, "show", "99").output


@pytest.mark.parametrize(
    ("query", "content", "status", "text"),
    [
        ({}, "x", 400, "Invalid email. Your request must include URL parameters"),
        (WHO, "", 400, "Invalid email. Your request must include URL parameters"),
        (WHO, "x", 400, "Email could not be parsed: invalid or no message id provided"),
        ({**WHO, "to": "a\nb@c"}, "x", 400, "cannot be the address of an email"),
        (WHO, "x" * (25 * 1024 * 1024 + 1), 400, "production size limit of 25 MiB"),
    ],
)
def test_what_is_no_email_is_refused(
    server: DevServer, query: dict[str, str], content: str, status: int, text: str
) -> None:
    answer = server.post(PATHS[1], params=query, content=content)
    assert answer.status_code == status and text in answer.text


HANDLER = """
from workers import WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def email(self, message, env, ctx):
        content = await message.raw.to_bytes()
        assert len(content) == message.rawSize and message.to == "shop@example.com"
        raise ValueError("too bad")
"""


def test_a_handler_that_fails_or_is_missing_loses_no_email(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.toml()
    project.write("src/entry.py", HANDLER)
    with DevServer(tmp_path) as server:
        answer = server.post(PATHS[1], params=WHO, content=message("x"))
        assert answer.status_code == 500 and "ValueError: too bad" in answer.text
        project.write("src/entry.py", HANDLER.replace("def email", "def fetch"))
        server.wait_for("Reloaded|reloaded")
        answer = server.post(PATHS[1], params=WHO, content=message("x"))
        assert answer.status_code == 500
        assert answer.text.startswith("Worker does not export an email() handler")
    listed = json.loads(groundfog(tmp_path, "list", "--json").output)
    assert [mail["outcome"] for mail in listed] == ["exception", "exception"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[send_email]]\n", "send_email[0] has no name"),
        (
            '[[send_email]]\nname = "E"\nallowed_sender_addresses = "a"\n',
            "expected an array of strings",
        ),
        (
            '[[send_email]]\nname = "E"\ndestination_address = "a@b.c"\n'
            'allowed_destination_addresses = ["a@b.c"]\n',
            "send_email[0] has destination_address and allowed_destination_addresses",
        ),
    ],
)
def test_a_wrong_binding_is_named(tmp_path: Path, text: str, told: str) -> None:
    project = Project(tmp_path)
    project.toml(text)
    assert told in project.problem()
