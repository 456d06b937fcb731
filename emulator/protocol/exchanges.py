"""Requests and bodies. Exchange ids are even when the host opens them, odd when the guest does."""

from __future__ import annotations

from .message import Message, message


@message
class Fetch(Message):
    """host -> guest: an HTTP request. Headers are (name, value) pairs, latin-1, repeats kept.

    With `web_socket` the client asks for one, and the bodies are its messages (`web_sockets.py`).
    """

    type = "fetch"
    id: int
    method: str
    url: str
    headers: list[list[str]]
    has_body: bool = False
    web_socket: bool = False


@message
class FetchResponse(Message):
    """guest -> host: the head of the response; with `has_body`, Data and End follow.

    A body that is there already and fits in one chunk may come along as `payload` instead.
    """

    type = "fetch_response"
    id: int
    status: int
    headers: list[list[str]]
    has_body: bool = False
    status_text: str = ""
    payload: bytes = b""


@message
class FetchFailed(Message):
    """guest -> host: the handler raised, before or after the head was sent."""

    type = "fetch_failed"
    id: int
    name: str
    message: str
    traceback: str


@message
class FetchDone(Message):
    """guest -> host: response and every `wait_until` promise of this request have ended."""

    type = "fetch_done"
    id: int


@message
class Data(Message):
    """either way: a piece of the body the sender is sending on exchange `id`."""

    type = "data"
    id: int
    payload: bytes = b""


@message
class End(Message):
    """either way: the sender's body on exchange `id` is complete; `error` says it was cut off."""

    type = "end"
    id: int
    error: str = ""


@message
class Credit(Message):
    """either way: the receiver of a body has room for `bytes` more."""

    type = "credit"
    id: int
    bytes: int


@message
class Cancel(Message):
    """either way: nobody will read the peer's body on exchange `id` any more."""

    type = "cancel"
    id: int
