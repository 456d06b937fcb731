"""Requests and bodies. Exchange ids are even when the host opens them, odd when the guest does."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from .message import Message, message


@message
class Invoke(Message):
    """host -> guest: call a method."""

    type = "invoke"
    id: int
    method: str
    entrypoint: str = ""
    has_body: bool = False
    rpc: bool = False
    stub: int = 0
    object: int = 0
    depth: int = 0
    props: dict[str, Any] = field(default_factory=dict)
    durable: str = ""
    payload: bytes = b""


@message
class InvokeResult(Message):
    """guest -> host: the method returned."""

    type = "invoke_result"
    id: int
    has_body: bool = False
    payload: bytes = b""


@message
class Fetch(Message):
    """host -> guest: answer an HTTP request."""

    type = "fetch"
    id: int
    method: str
    url: str
    headers: list[list[str]]
    has_body: bool = False
    web_socket: bool = False
    entrypoint: str = ""
    object: int = 0
    depth: int = 0
    props: dict[str, Any] = field(default_factory=dict)
    durable: str = ""


@message
class FetchResponse(Message):
    """guest -> host: head of the response."""

    type = "fetch_response"
    id: int
    status: int
    headers: list[list[str]]
    has_body: bool = False
    status_text: str = ""
    socket: str = ""
    payload: bytes = b""


@message
class InvokeFailed(Message):
    """guest -> host: the handler or method raised, before or after it was answered."""

    type = "invoke_failed"
    id: int
    name: str
    message: str
    traceback: str


@message
class InvokeDone(Message):
    """guest -> host: the exchange is over."""

    type = "invoke_done"
    id: int


@message
class Data(Message):
    """either way: a piece of the sender's body."""

    type = "data"
    id: int
    payload: bytes = b""


@message
class End(Message):
    """either way: the sender's body is complete, or was cut off."""

    type = "end"
    id: int
    error: str = ""


@message
class Credit(Message):
    """either way: there is room for more of the peer's body."""

    type = "credit"
    id: int
    bytes: int


@message
class Cancel(Message):
    """either way: nobody reads the peer's body any more."""

    type = "cancel"
    id: int
