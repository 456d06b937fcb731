"""HTTP requests to a worker under test, its logs, and its end of work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from bindings.http import whole
from emulator.errors import WorkerError
from emulator.kinds import cron, email
from emulator.protocol import values
from emulator.runner.requests import (
    FetchRequest,
    GuestLost,
    HandlerError,
    InvokeRequest,
    LoadError,
)
from emulator.session import Door
from emulator.testing.operations import Args, asked, told
from emulator.testing.refusals import HandlerRefused, Refused, TooLate
from emulator.testing.subject import Subject, load_refused
from emulator.triggers.cron import CronTriggers

if TYPE_CHECKING:
    from bindings.email.sending import SendEmail
    from emulator.triggers.email import Emails

EMAILS_MAX = 1_000  # the newest


@asked("fetch")
async def fetch(subject: Subject, args: Args) -> dict[str, Any]:
    """Send a request; return `{"status", "status_text", "headers", "body"}`, the body whole."""
    body = args["body"]
    request = FetchRequest(
        args["method"],
        args["url"],
        [(name, value) for name, value in args["headers"]],
        whole(body) if body is not None else None,
    )
    what = f"{request.method} {request.url}"
    seconds = args["timeout_ms"] / 1000
    try:
        async with asyncio.timeout(seconds):
            reply = await subject.supervisor.fetch(request)
            chunks = [] if reply.body is None else [chunk async for chunk in reply.body]
    except TimeoutError:
        raise TooLate(f"{what} was not answered within {seconds:g} s.") from None
    except LoadError as error:
        raise load_refused(error) from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, what) from None
    return {
        "status": reply.status,
        "status_text": reply.status_text,
        "headers": [list(pair) for pair in reply.headers],
        "body": b"".join(chunks),
    }


@asked("invoke")
async def invoke(subject: Subject, args: Args) -> bytes:
    """Call a method of an entrypoint; arguments and result are tagged JSON."""
    given = values.decode(args["args"])
    request = InvokeRequest(args["entrypoint"], args["method"], given)
    what = f"{request.entrypoint or 'Default'}.{request.method}()"
    seconds = args["timeout_ms"] / 1000
    try:
        async with asyncio.timeout(seconds):
            reply = await subject.supervisor.runner.invoke(request)
            value = reply.value
            if hasattr(value, "__anext__"):
                value = b"".join([chunk async for chunk in value])
    except TimeoutError:
        raise TooLate(f"{what} did not return within {seconds:g} s.") from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, what) from None
    return values.encode(value)


@asked("queue")
async def deliver(subject: Subject, args: Args) -> dict[str, Any]:
    """Call the `queue` handler with a batch; return what it said of its messages."""
    now = datetime.fromtimestamp(subject.worker.timekeeper.now_ms() / 1000, UTC)
    batch = [{"timestamp": now, **message} for message in args["messages"]]
    try:
        told: dict[str, Any] = await subject.supervisor.call("queue", [args["queue"], batch])
    except LoadError as error:
        raise load_refused(error) from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, f"queue {args['queue']}") from None
    return {name: told[name] for name in ("outcome", "ackAll", "retryAll", "acks", "retries")}


@asked("email")
async def receive_email(subject: Subject, args: Args) -> dict[str, Any]:
    """Call the `email` handler with a message; return what it did."""
    emails = cast("Emails", subject.worker.triggers.of(email.KIND))
    try:
        handled = await emails.deliver(args["sender"], args["recipient"], args["raw"])
    except LoadError as error:
        raise load_refused(error) from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, "email") from None
    except WorkerError as error:
        raise Refused(error.message) from None
    if handled.unhandled:
        raise Refused("The worker has no email handler.")
    return {
        name: getattr(handled, name)
        for name in ("outcome", "reject_reason", "error", "forwards", "replies")
    }


@asked("sent_emails")
async def sent_emails(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return what the worker has sent: `{"from", "to", "subject", "raw"}` of each, in order."""
    box = cast("SendEmail", subject.worker.opened(email.KIND, email.Sender())).mailbox
    found = []
    for mail in reversed(box.newest(EMAILS_MAX, "sent")):
        kept = box.get(str(mail.number))
        raw = b"" if kept is None else kept[1]
        told = {"from": mail.sender, "to": mail.recipients, "subject": mail.subject}
        found.append({**told, "raw": raw.decode("utf-8", "replace")})
    return found


@asked("wait_until_done")
async def wait_until_done(subject: Subject, args: Args) -> None:
    """Return when no request is under way, with what `waitUntil` has of it."""
    guest = subject.supervisor.runner.current
    if guest is None:
        return
    try:
        async with asyncio.timeout(args["timeout_ms"] / 1000):
            await guest.connection.exchanges.idle()
    except TimeoutError:
        work = ", ".join(guest.connection.exchanges.work())
        seconds = args["timeout_ms"] / 1000
        raise TooLate(f"Still under way after {seconds:g} s: {work}.") from None


@asked("scheduled")
async def scheduled(subject: Subject, args: Args) -> dict[str, Any]:
    """Call the `scheduled` handler for a cron expression, at `at_ms` or now."""
    at_ms = args["at_ms"]
    trigger = cast(CronTriggers, subject.worker.triggers.of(cron.KIND))
    scheduled_ms = subject.worker.timekeeper.now_ms() if at_ms is None else at_ms
    try:
        found = await trigger.run(args["cron"], scheduled_ms)
    except LoadError as error:
        raise load_refused(error) from None
    return {"outcome": found.outcome, "no_retry": found.no_retry}


@asked("url")
async def url(subject: Subject, args: Args) -> dict[str, str]:
    """Listen for HTTP on a free port, if the worker does not yet; return `{"url", "token"}`."""
    running = subject.running
    announced = running.announced
    if announced is None:
        announced = await running.open_door(Door("127.0.0.1", 0))
    return {"url": announced.url, "token": announced.token}


@asked("logs")
async def logs(subject: Subject, args: Args) -> list[dict[str, Any]]:
    """Return what was printed and told."""
    await asyncio.sleep(0.001)  # the pipes of the guest are read in another turn of the loop
    return subject.logs.lines


@told("clear_logs")
def clear_logs(subject: Subject, args: Args) -> None:
    """Forget what was printed and told."""
    subject.logs.lines.clear()


def handler_refused(error: HandlerError | GuestLost, what: str) -> HandlerRefused:
    """Return the error of code that raised, for a test."""
    if isinstance(error, GuestLost):
        return HandlerRefused(f"{what}: {error}", name="GuestLost", message=str(error))
    traceback = error.traceback.rstrip()
    text = f"{what}: {error}" + (f"\n{traceback}" if traceback else "")
    return HandlerRefused(text, name=error.name, message=error.message, traceback=traceback)
