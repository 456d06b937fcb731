"""Calls of a binding, from user code to the host."""

from __future__ import annotations

from .message import Message, message


@message
class BindingCall(Message):
    """guest -> host: call `method` of binding `binding`. `payload`: the argument list.

    `run` is the workflow run it is made from, 0 outside runs: a dropped run can no longer call.
    """

    type = "binding_call"
    id: int
    binding: str
    method: str
    run: int = 0
    payload: bytes = b""


@message
class BindingResult(Message):
    """host -> guest: `payload` is the result; with `stream`, Data and End follow instead."""

    type = "binding_result"
    id: int
    stream: bool = False
    content_type: str = ""
    payload: bytes = b""


@message
class BindingFailed(Message):
    """host -> guest: raise this in front of user code."""

    type = "binding_failed"
    id: int
    name: str
    message: str
    code: int = 0
