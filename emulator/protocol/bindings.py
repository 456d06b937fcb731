"""Calls of a binding, from user code to the host."""

from __future__ import annotations

from .message import Message, message


@message
class BindingCall(Message):
    """guest -> host: call a method of a binding."""

    type = "binding_call"
    id: int
    binding: str
    method: str
    run: int = 0
    has_body: bool = False
    depth: int = 0
    object: int = 0
    payload: bytes = b""


@message
class BindingResult(Message):
    """host -> guest: the binding returned."""

    type = "binding_result"
    id: int
    has_body: bool = False
    content_type: str = ""
    payload: bytes = b""


@message
class BindingFailed(Message):
    """host -> guest: the binding raised: so does the call, in front of user code."""

    type = "binding_failed"
    id: int
    name: str
    message: str
    code: int = 0
    label: str = ""
