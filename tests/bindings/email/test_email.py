"""Emails: what may be sent, what is kept of it, and which answers are allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindings.email import headers
from bindings.email.addresses import new_id
from bindings.email.mailbox import Mail, Mailbox, decoded
from bindings.email.replies import reply_to
from bindings.email.sending import RAW, Rules, SendEmail
from emulator.clock import VirtualClock
from emulator.errors import WorkerError
from tests.bindings.killed import acknowledged

OBJECT = {"from": "a@example.com", "to": "b@example.com", "subject": "Hi", "text": "Hello"}
MESSAGE = "From: Ann <a@example.com>\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\n\r\nHello"


async def in_pieces() -> AsyncIterator[bytes]:
    yield MESSAGE.encode()[:20]
    yield MESSAGE.encode()[20:]


def raw(message: Any = MESSAGE, **more: str) -> dict[str, Any]:
    return {"from": "a@example.com", "to": "b@example.com", RAW: message, **more}


def sent(folder: Path, message: Any, rules: Rules | None = None) -> tuple[Mail, bytes]:
    async def send() -> tuple[Mail, bytes]:
        box = Mailbox(folder / "mails", VirtualClock().now_ms, "OFF")
        binding = SendEmail(box, rules or Rules(), lambda text: None)
        try:
            answer = await binding.call("send", [message])
            found = box.get(answer["messageId"])
            assert found is not None
            return found
        finally:
            await binding.close()

    return asyncio.run(send())


@pytest.mark.parametrize("content", [MESSAGE, MESSAGE.encode(), "stream"])
def test_a_raw_message_is_kept_with_an_id_of_its_own(tmp_path: Path, content: Any) -> None:
    mail, kept = sent(tmp_path, raw(in_pieces() if content == "stream" else content))
    assert (mail.way, mail.sender, mail.recipients) == ("sent", "a@example.com", ["b@example.com"])
    assert kept.decode() == MESSAGE.replace("<1@x>", mail.message_id)
    assert mail.message_id.endswith("@example.com>") and mail.subject == "Hi"


def test_an_object_becomes_a_message(tmp_path: Path) -> None:
    given = {
        "from": {"email": "a@example.com", "name": 'Ann "A"'},
        "to": ["b@example.com", "Bob <c@example.com>"],
        "cc": "d@example.com",
        "bcc": ["e@example.com"],
        "replyTo": "f@example.com",
        "subject": "Grüße",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "headers": {"X-Own": "1", "Subject": "no", "Message-ID": "no"},
        "attachments": [
            {"filename": "a.txt", "type": "text/plain", "content": "SGk="},
            {
                **{"filename": "ü.bin", "type": "image/png", "content": b"\0\xff"},
                **{"disposition": "inline", "contentId": "pic"},
            },
        ],
    }
    mail, kept = sent(tmp_path, given)
    assert mail.recipients == [f"{name}@example.com" for name in "bcde"]
    message = message_from_bytes(kept, policy=default)
    assert (message["from"], message["subject"]) == ('"Ann \\"A\\"" <a@example.com>', "Grüße")
    assert (mail.subject, message["bcc"], message["x-own"]) == ("Grüße", None, "1")
    parts = [(part.get_content_type(), part.get_payload(decode=True)) for part in message.walk()]
    assert ("text/plain", b"Hello\r\n") in parts and ("text/plain", b"Hi") in parts
    assert ("image/png", b"\0\xff") in parts
    assert b"Content-ID: <pic>" in kept


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (None, "send() needs an EmailMessage, or an object"),
        (raw("Subject: x\r\n\r\n"), "invalid message-id"),
        (
            raw("From: z@example.com\nMessage-ID: <1@x>\n\n"),
            "From: header does not match mail from",
        ),
        (raw(f"Received: x\r\n{MESSAGE}"), "invalid headers set"),
        (raw(5), "the raw part of an EmailMessage must be text, bytes or a stream"),
        (raw(b"x" * (25 * 1024 * 1024 + 1)), "production size limit of 25 MiB"),
        ({**OBJECT, "to": []}, "an email needs at least one address in to"),
        ({**OBJECT, "to": "nobody"}, "invalid to address: 'nobody'"),
        ({**OBJECT, "from": None}, "invalid from address"),
        ({**OBJECT, "from": "a@example.com\r\nBcc: x@example.com"}, "invalid from address"),
        ({**OBJECT, "to": ["b@example.com"] * 51}, "too many recipients: 51, at most 50"),
        ({**OBJECT, "subject": None}, "an email needs a subject"),
        ({**OBJECT, "subject": "a\r\nBcc: x@example.com"}, "invalid headers set"),
        ({**OBJECT, "subject": "x" * 999}, "longer than 998 characters"),
        ({**OBJECT, "text": None}, "an email needs text or html"),
        ({**OBJECT, "text": 5}, "text of an email must be a string"),
        ({**OBJECT, "headers": {"X-A": "b\nc"}}, "invalid headers set"),
        ({**OBJECT, "headers": {"Received": "x"}}, "invalid headers set"),
        ({**OBJECT, "headers": {"X-A": "x" * 16_400}}, "larger than 16384 bytes"),
        ({**OBJECT, "attachments": [{"filename": "a"}]}, "invalid attachment"),
        (
            {**OBJECT, "attachments": [{"filename": "a", "type": "a/b", "content": "!"}]},
            "invalid attachment content",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_kept(
    tmp_path: Path, message: Any, text: str
) -> None:
    with pytest.raises(WorkerError) as caught:
        sent(tmp_path, message)
    assert text in caught.value.message
    box = Mailbox(tmp_path / "mails", VirtualClock().now_ms, "OFF")
    assert box.newest(10) == []
    asyncio.run(box.close())


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (Rules(destination="x@example.com"), "email to b@example.com not allowed"),
        (Rules(destinations=("x@example.com",)), "email to b@example.com not allowed"),
        (Rules(destinations=()), "email to b@example.com not allowed"),
        (Rules(senders=("x@example.com",)), "email from a@example.com not allowed"),
    ],
)
def test_a_binding_sends_only_from_and_to_whom_it_may(
    tmp_path: Path, rules: Rules, text: str
) -> None:
    for message in (OBJECT, raw()):
        with pytest.raises(WorkerError) as caught:
            sent(tmp_path, message, rules)
        assert caught.value.message == text
    copy = {**OBJECT, "bcc": "z@example.com"}
    with pytest.raises(WorkerError, match="email to z@example.com not allowed"):
        sent(tmp_path, copy, Rules(destinations=("b@example.com",)))
    sent(tmp_path, OBJECT, Rules("b@example.com", None, ("a@example.com",)))


ORIGINAL = "From: b@example.com\nMessage-ID: <9@x>\n"
ANSWER = "From: a@example.com\nMessage-ID: <2@x>\nIn-Reply-To: <9@x>\n"


@pytest.mark.parametrize(
    ("original", "answer", "text"),
    [
        ("X-Auto-Response-Suppress: All\n", ANSWER, "Original email is not replyable"),
        ("Auto-Submitted: auto-replied\n", ANSWER, "Original email is not replyable"),
        ("In-Reply-To: <8@x>\n", ANSWER, "Original email is not replyable"),
        (f"In-Reply-To: <8@x>\nReferences: {'<a@b> ' * 100}\n", ANSWER, "is not replyable"),
        ("", "From: a@example.com\n", "no In-Reply-To header found in reply message"),
        ("", f"{ANSWER[:40]}\nIn-Reply-To: <7@x>\n", "In-Reply-To does not match original"),
        ("", f"{ANSWER}References: <7@x>\n", "provided References header is invalid"),
        ("", ANSWER.replace("a@", "z@"), "From: header does not match mail from"),
    ],
)
def test_an_answer_must_fit_the_email(original: str, answer: str, text: str) -> None:
    fields = headers.read((ORIGINAL + original).encode())
    with pytest.raises(WorkerError, match=text):
        asyncio.run(reply_to(fields, "b@example.com", raw(answer + "\n"), 0))


def test_an_answer_names_what_it_answers() -> None:
    fields = headers.read(f"{ORIGINAL}In-Reply-To: <8@x>\nReferences: <8@x>\n".encode())
    _, _, content = asyncio.run(reply_to(fields, "b@example.com", raw(f"{ANSWER}\nHello"), 0))
    assert headers.read(content).get("references") == "<8@x> <9@x>"
    assert content.endswith(b"\n\nHello")

    made = {**OBJECT, "to": "z@example.com"}
    own_id, sender, content = asyncio.run(reply_to(fields, "b@example.com", made, 0))
    found = headers.read(content)
    assert (found.addresses("to"), found.get("in-reply-to")) == (["b@example.com"], "<9@x>")
    assert (found.get("message-id"), sender) == (own_id, "a@example.com")


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("a@example.com", "example.com"),
        ("a@[127.0.0.1]", "[127.0.0.1]"),
        ("a@exa mple", "localhost"),
        ("nobody", "localhost"),
    ],
)
def test_an_id_has_the_domain_of_its_sender(sender: str, domain: str) -> None:
    assert new_id(sender).partition("@")[2] == f"{domain}>"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({**OBJECT, "subject": None}, "E_FIELD_MISSING"),
        ({**OBJECT, "from": None}, "E_FIELD_MISSING"),
        ({**OBJECT, "to": "x"}, "E_VALIDATION_ERROR"),
        ({**OBJECT, "to": ["b@example.com"] * 51}, "E_TOO_MANY_RECIPIENTS"),
        ({**OBJECT, "to": "other@example.com"}, "E_RECIPIENT_NOT_ALLOWED"),
        (raw(b"x" * (25 * 1024 * 1024 + 1)), "E_CONTENT_TOO_LARGE"),
    ],
)
def test_an_error_has_productions_code(tmp_path: Path, message: Any, code: str) -> None:
    with pytest.raises(WorkerError) as caught:
        sent(tmp_path, message, Rules(destination="b@example.com"))
    assert caught.value.label == code


def test_header_fields_are_read_removed_and_replaced_in_any_form() -> None:
    content = b"A: 1\r\n folded\r\nBcc: x\r\n\ty\r\nnonsense\r\nb: \xff\r\n\r\nBcc: body"
    assert headers.read(content).fields == [("a", "1 folded"), ("bcc", "x y"), ("b", "ÿ")]
    without = headers.without(content, "bcc")
    assert without == b"A: 1\r\n folded\r\nnonsense\r\nb: \xff\r\n\r\nBcc: body"
    assert headers.replaced(b"A: 1\nB: 2\n\nx", "a", "3") == b"a: 3\nB: 2\n\nx"
    assert headers.replaced(b"", "A", "1") == b"A: 1\r\n\r\n"
    assert headers.replaced(b"B: 2", "A", "1") == b"B: 2\r\nA: 1\r\n\r\n"


def test_hostile_addresses_and_subjects_are_read() -> None:
    for value in ("(" * 100_000, '"' * 100_000, "<" * 100_000, ",".join(["a@b"] * 50_000)):
        assert len(headers.read(f"From: {value}\n\n".encode()).addresses("from")) < 10_000
    assert decoded("=?utf-8?q?a=0Ab?=") == "a b"
    assert decoded("=?nothing?q?a?=") == "=?nothing?q?a?="
    assert decoded("=?utf-8?b?!?=") == ""


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text("AaBbc: \t\r\n", max_size=60).map(str.encode))
def test_a_replaced_field_is_there_once_and_the_body_stays(content: bytes) -> None:
    changed = headers.replaced(content, "X-Own", "1")
    assert [value for key, value in headers.read(changed).fields if key == "x-own"] == ["1"]
    assert not headers.read(headers.without(changed, "x-own")).has("x-own")
    body = content.partition(b"\n\n")[2]
    assert changed.endswith(body)


WRITES = """
import asyncio, sys
from pathlib import Path
from bindings.email.mailbox import Mailbox
from bindings.email.sending import Rules, SendEmail

async def main():
    box = Mailbox(Path(sys.argv[1]), lambda: 0, "NORMAL")
    binding = SendEmail(box, Rules(), lambda text: None)
    for number in range(100_000):
        email = {"from": "a@b.c", "to": "d@e.f", "subject": str(number), "text": "x"}
        await binding.call("send", [email])
        print(number, flush=True)

asyncio.run(main())
"""


def test_an_email_that_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    told = acknowledged(WRITES, 20, tmp_path / "mails")
    box = Mailbox(tmp_path / "mails", VirtualClock().now_ms, "NORMAL")
    found = {mail.subject for mail in box.newest(1_000_000)}
    asyncio.run(box.close())
    assert set(map(str, told)) <= found
