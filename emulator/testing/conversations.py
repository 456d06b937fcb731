"""Requests whose bodies a test reads and writes piece by piece: streams and WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from emulator.runner.requests import FetchReply, FetchRequest, GuestLost, HandlerError, LoadError
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import Refused, TooLate
from emulator.testing.requests import handler_refused
from emulator.testing.subject import Subject, load_refused


@dataclass(slots=True)
class Conversation:
    """One of them. `said`: what the test sends, in pieces; None is its end."""

    what: str
    said: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    reply: FetchReply | None = None
    pieces: AsyncIterator[bytes] | None = None

    async def body(self) -> AsyncIterator[bytes]:
        """Yield what the test sends."""
        while (piece := await self.said.get()) is not None:
            yield piece


@asked("conversation.open")
async def open_one(subject: Subject, args: Args) -> dict[str, Any]:
    """Send a request; return `{"id", "status", "status_text", "headers"}` of its answer.

    web_socket: it asks for a WebSocket. Else `body` is sent whole.
    """
    one = Conversation(f"{args['method']} {args['url']}")
    headers = [(name, value) for name, value in args["headers"]]
    is_socket = args["web_socket"]
    if args["body"] is not None:
        one.said.put_nowait(args["body"])
    if not is_socket:
        one.said.put_nowait(None)
    has_body = is_socket or args["body"] is not None
    body = one.body() if has_body else None
    request = FetchRequest(args["method"], args["url"], headers, body, is_socket)
    try:
        async with asyncio.timeout(args["timeout_ms"] / 1000):
            one.reply = await subject.supervisor.fetch(request)
    except TimeoutError:
        raise _late(one, args) from None
    except LoadError as error:
        raise load_refused(error) from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, one.what) from None
    one.pieces = None if one.reply.body is None else aiter(one.reply.body)
    number = max(subject.conversations, default=0) + 1
    subject.conversations[number] = one
    told = [list(pair) for pair in one.reply.headers]
    reply = {"status": one.reply.status, "status_text": one.reply.status_text}
    return {"id": number, **reply, "headers": told}


@asked("conversation.piece")
async def piece(subject: Subject, args: Args) -> bytes | None:
    """Return the next piece of the answer's body; None at its end."""
    one = _found(subject, args)
    if one.pieces is None:
        return None
    try:
        async with asyncio.timeout(args["timeout_ms"] / 1000):
            return await anext(one.pieces, None)
    except TimeoutError:
        raise _late(one, args) from None
    except (HandlerError, GuestLost) as error:
        raise handler_refused(error, one.what) from None


@asked("conversation.say")
async def say(subject: Subject, args: Args) -> None:
    """Send a piece."""
    _found(subject, args).said.put_nowait(args["data"])


@asked("conversation.close")
async def close(subject: Subject, args: Args) -> None:
    """End it, also in the middle."""
    one = subject.conversations.pop(args["id"], None)
    if one is not None:
        one.said.put_nowait(None)
        if one.reply is not None:
            await one.reply.close()


def _found(subject: Subject, args: Args) -> Conversation:
    if args["id"] not in subject.conversations:
        raise Refused("This answer is closed.")
    found: Conversation = subject.conversations[args["id"]]
    return found


def _late(one: Conversation, args: Args) -> TooLate:
    return TooLate(f"{one.what}: nothing came within {args['timeout_ms'] / 1000:g} s.")
