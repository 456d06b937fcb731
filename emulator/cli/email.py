"""`groundfog email`: the mailbox of the project, and handing an email to the worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from bindings.email.mailbox import Mail, Mailbox
from emulator.cli.lazy import Group
from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show, show_json
from emulator.clock import SystemClock
from emulator.engine.model.plain import iso
from emulator.errors import UsageError
from emulator.kinds.email import path
from emulator.state import State

T = TypeVar("T")
WAYS = ("sent", "received", "forwarded", "reply")


@click.group(cls=Group)
def email() -> None:
    """Show the emails that the worker has sent and received."""


@email.command("list")
@click.option("--way", type=click.Choice(WAYS), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def list_(options: ProjectOptions, way: Any, limit: int, as_json: bool) -> None:
    """Print the newest emails, the newest first."""
    found = _asked(options, lambda box: box.newest(limit, way))
    if as_json:
        show_json([_fields(each) for each in found])
        return
    for each in found:
        who = f"{each.sender} → {', '.join(each.recipients)}"
        about = "" if each.about is None else f" (of {each.about})"
        outcome = f"  {each.outcome or 'running'}" if each.way == "received" else ""
        line = f"{each.number:>5}  {iso(each.at_ms)}  {each.way + about:<16}  {who}"
        show(f"{line}  {each.subject!r}{outcome}")
    if not found:
        say("There is no email yet.")


@email.command("show")
@click.argument("email")
@click.option("--raw", is_flag=True, help="Print the message as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def show_(options: ProjectOptions, email: str, raw: bool, as_json: bool) -> None:
    """Print EMAIL, named by its number or its message id."""
    found = _asked(options, lambda box: box.get(email))
    if found is None:
        raise UsageError(f"There is no email {email}; groundfog email list shows all.")
    mail, content = found
    if raw:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    parts = _parts(content)
    if as_json:
        show_json({**_fields(mail), **parts})
        return
    show(f"From:     {mail.sender}\nTo:       {', '.join(mail.recipients)}")
    show(f"Subject:  {mail.subject}\nDate:     {iso(mail.at_ms)}\nId:       {mail.message_id}")
    if mail.outcome and mail.way == "received":
        show(f"Outcome:  {mail.outcome}{f': {mail.reason}' if mail.reason else ''}")
    for name in ("text", "html"):
        if parts[name]:
            show(f"\n[{name}]\n{parts[name].rstrip()}")
    for each in parts["attachments"]:
        show(f"\n[attachment] {each['filename']}  {each['type']}  {each['size']} bytes")


def _asked(options: ProjectOptions, ask: Callable[[Mailbox], T]) -> T:
    state = State.locate(load_project(options), options.persist_to)
    state.prepare()

    async def read() -> T:
        box = Mailbox(path(state), SystemClock().now_ms, "FULL")
        try:
            return ask(box)
        finally:
            await box.close()

    return asyncio.run(read())


def _fields(mail: Mail) -> dict[str, Any]:
    return {
        "number": mail.number,
        "way": mail.way,
        "timestamp": iso(mail.at_ms),
        "messageId": mail.message_id,
        "from": mail.sender,
        "to": mail.recipients,
        "subject": mail.subject,
        "size": mail.size_bytes,
        "about": mail.about,
        "outcome": mail.outcome,
        "reason": mail.reason,
    }


def _parts(content: bytes) -> dict[str, Any]:
    """Return the text, the HTML and the attachments of a message; what is damaged is left out."""
    from email import message_from_bytes
    from email.policy import compat32

    texts = {"text": "", "html": ""}
    attachments = []
    for part in message_from_bytes(content, policy=compat32).walk():
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue  # it has parts
        kind, name = part.get_content_type(), part.get_filename()
        shown = {"text/plain": "text", "text/html": "html"}.get(kind)
        if name is None and shown is not None and not texts[shown]:
            charset = part.get_content_charset() or "utf-8"
            texts[shown] = _decoded(payload, charset)
        else:
            shown_name = name or "attachment"
            attachments.append({"filename": shown_name, "type": kind, "size": len(payload)})
    return {**texts, "attachments": attachments}


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except LookupError:  # an encoding that nobody knows
        return payload.decode("utf-8", "replace")
