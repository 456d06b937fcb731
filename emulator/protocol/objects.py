"""Durable Objects: instances of a guest's classes, each with a number, and their storage."""

from __future__ import annotations

from .message import Message, message


@message
class ObjectOpen(Message):
    """host -> guest: an object lives here from now on."""

    type = "object_open"
    object: int
    class_name: str
    id: str
    name: str = ""
    has_name: bool = False
    has_sql: bool = True
    payload: bytes = b""


@message
class ObjectClose(Message):
    """host -> guest: forget an object."""

    type = "object_close"
    object: int
    reason: str = ""


@message
class ObjectOver(Message):
    """guest -> host: an object has ended by itself."""

    type = "object_over"
    object: int
    reason: str = ""


@message
class SocketCall(Message):
    """guest -> host: say something of a WebSocket that an object has handed over."""

    type = "socket_call"
    object: int
    socket: str
    method: str
    payload: bytes = b""


@message
class StorageCall(Message):
    """guest -> host: call a method of an object's storage."""

    type = "storage_call"
    object: int
    method: str
    id: int = 0
    payload: bytes = b""


@message
class StorageResult(Message):
    """host -> guest: the storage has done it."""

    type = "storage_result"
    id: int
    payload: bytes = b""


@message
class StorageFailed(Message):
    """host -> guest: the storage refused."""

    type = "storage_failed"
    id: int
    message: str
    name: str = "Error"
