"""One dataclass per message of the runner protocol; `PROTOCOL.md` says when each is sent.

A message is a flat record of JSON fields and, at most, one `payload` of bytes, which is never
interpreted on the way (a value in tagged JSON, or a piece of a body). Fields that hold their
default are left out on the wire. `encode` and `decode` are the only places that know the JSON.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar

PROTOCOL_VERSION = 1


# What a guest that hangs says on stderr, after its stack, when the host asks with SIGUSR1:
# `workflow run 12` or `a request` follows, for whom the code runs.
STUCK_IN = "groundfog: this runs for "


class ProtocolError(Exception):
    """The peer broke the protocol. The connection cannot go on."""


Json = Any  # any JSON value
_M = typing.TypeVar("_M")


@typing.dataclass_transform(frozen_default=True)
def _message(cls: type[_M]) -> type[_M]:
    """Make a message class: frozen to the type checker, a plain record at run time.

    Freezing at run time makes an object five times as slow to create, and each step has four.
    Comparing and showing are written once, in `Message`: made anew for each class, they would cost
    a few milliseconds at every start of a host and of a guest.
    """
    return dataclass(slots=True, eq=False, repr=False)(cls)


@_message
class Message:
    """What all messages share: a name on the wire, and equality by value."""

    type: ClassVar[str]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))
        return f"{type(self).__name__}({shown})"


@_message
class RunMessage(Message):
    """guest -> host: something about a workflow run, for whoever decides about runs."""

    run: int


def _values(message: Message) -> list[Any]:
    return [getattr(message, f.name) for f in fields(message)]


# --- Loading: host -> guest Load; guest -> host Loaded or LoadFailed -----------------------------


@_message
class Load(Message):
    """Import the user's code. `payload`: `{"vars": {name: value}}` in tagged JSON."""

    type = "load"
    protocol: int
    generation: int
    project_dir: str
    main: str
    compatibility_date: str
    compatibility_flags: list[str]
    bindings: dict[str, Json]
    payload: bytes = b""


@_message
class Loaded(Message):
    """The code is imported. `workflows` and `entrypoints`: class name -> `"src/entry.py:12"`.

    `classes` holds every other class the main module defines, for error messages.
    `eager`: it can begin steps by itself where RunStart allows it, and answers RunHold.
    """

    type = "loaded"
    entrypoints: dict[str, str]
    workflows: dict[str, str]
    classes: dict[str, str]
    eager: bool = False


@_message
class LoadFailed(Message):
    """The import raised. `traceback` is the user's own, cut at our frames."""

    type = "load_failed"
    name: str
    message: str
    traceback: str
    file: str = ""
    line: int = 0


# --- Requests: exchange ids are even when the host opens them, odd when the guest does -----------


@_message
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


@_message
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


@_message
class FetchFailed(Message):
    """guest -> host: the handler raised, before or after the head was sent."""

    type = "fetch_failed"
    id: int
    name: str
    message: str
    traceback: str


@_message
class FetchDone(Message):
    """guest -> host: response and every `wait_until` promise of this request have ended."""

    type = "fetch_done"
    id: int


@_message
class Data(Message):
    """either way: a piece of the body the sender is sending on exchange `id`."""

    type = "data"
    id: int
    payload: bytes = b""


@_message
class End(Message):
    """either way: the sender's body on exchange `id` is complete; `error` says it was cut off."""

    type = "end"
    id: int
    error: str = ""


@_message
class Credit(Message):
    """either way: the receiver of a body has room for `bytes` more."""

    type = "credit"
    id: int
    bytes: int


@_message
class Cancel(Message):
    """either way: nobody will read the peer's body on exchange `id` any more."""

    type = "cancel"
    id: int


# --- Binding calls -------------------------------------------------------------------------------


@_message
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


@_message
class BindingResult(Message):
    """host -> guest: `payload` is the result; with `stream`, Data and End follow instead."""

    type = "binding_result"
    id: int
    stream: bool = False
    content_type: str = ""
    payload: bytes = b""


@_message
class BindingFailed(Message):
    """host -> guest: raise this in front of user code."""

    type = "binding_failed"
    id: int
    name: str
    message: str
    code: int = 0


# --- Workflow runs -------------------------------------------------------------------------------


@_message
class History(Message):
    """host -> guest, before RunStart: finished steps that `run()` called. `payload`: a list of

    `[kind, name, count, "ok", value]` or `[kind, name, count, "error", {"name", "message"}]`;
    `count` as in StepBegin.
    """

    type = "history"
    run: int
    payload: bytes = b""


@_message
class RunStart(Message):
    """host -> guest: call `run()` of `class_name`. `payload`: the event's fields, tagged.

    `guarded`: it may begin no step but on a StepRun, and says what it asks for (Replayed), until
    RunRelease. `probe`: so it stays, and bindings may not be called.
    `rolling_back`: only so that it gives its rollback handlers again; nothing new is executed.
    `eager`: how many new `do` steps it may begin to execute without being told, until RunHold; not
    those in `begun`, `[name, count]` each, which `run()` began in an earlier run and that have not
    ended. `shared`: names of dependencies that callbacks have asked for.
    """

    type = "run_start"
    run: int
    class_name: str
    workflow: str
    instance: str
    payload: bytes = b""
    guarded: bool = False
    probe: bool = False
    rolling_back: bool = False
    eager: int = 0
    begun: list[list[Json]] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)


@_message
class RunHold(Message):
    """host -> guest: from now on ask before every step. Answered by RunHeld."""

    type = "run_hold"
    run: int


@_message
class RunHeld(RunMessage):
    """guest -> host: nothing begins by itself any more; what has, was told before this."""

    type = "run_held"


@_message
class Replayed(RunMessage):
    """guest -> host: how far a guarded run has come without any new step.

    `state`: "through" (History has been asked for to its end; `asked` is left out), "rested" (every
    branch waits for a step), "ended" (RunEnd follows; `where` is what was raised), "restless" (it
    does I/O outside steps, as `where` says, and cannot be waited for). `asked`: every step called
    so far, in call order, `[kind, name, count, line, call]`; `call` is 0 where History answered.
    `declared`: `[name, line]` of steps that are declared and were not called.
    """

    type = "replayed"
    state: str
    asked: list[list[Json]]
    declared: list[list[str]]
    where: str = ""


@_message
class RunRelease(Message):
    """host -> guest: the run is guarded no more; what it has begun is answered now."""

    type = "run_release"
    run: int


@_message
class RunAbort(Message):
    """host -> guest: drop the run without settling anything in it. Nothing is answered."""

    type = "run_abort"
    run: int


@_message
class RunEnd(RunMessage):
    """guest -> host: `run()` returned (`payload`: its value) or raised (`name` is not empty).

    `kept`: the guest keeps the run, for its rollback handlers, until RunAbort. `damaged`: it was
    not called, for a value in History or RunStart cannot be read; a guarded run says so at once.
    """

    type = "run_end"
    name: str = ""
    message: str = ""
    traceback: str = ""
    payload: bytes = b""
    kept: bool = False
    damaged: bool = False


@_message
class StepBegin(RunMessage):
    """guest -> host: user code called a step that History does not answer.

    `kind` is "do", "sleep" or "waitForEvent"; `count` counts the calls of that name and kind by the
    same caller, from 1: this execution of the parent's callback, or `run()` outside callbacks.
    `options`: do {"config": …?, "rollback": …?}, where `rollback`, if there, is the configuration
    of the step's rollback handler, and a `delay` that is a function is {"$function": 1};
    sleep {"duration": …} or {"timestamp": ms}; waitForEvent {"type": …, "timeout": …?}.
    `line` is `"src/entry.py:31"`, where known.
    `parent` is the call whose callback made this call, 0 when `run()` itself did.
    `started`: the guest executes the callback already, as attempt 1.
    `shared`: it is a dependency that `run()` has declared, the n-th of its name; whoever asks for
    it first, in a callback or not, all get the same. 0: no dependency, or one that no callback
    has asked for.
    """

    type = "step_begin"
    call: int
    kind: str
    name: str
    count: int
    options: dict[str, Json]
    line: str = ""
    parent: int = 0
    started: bool = False
    shared: int = 0


@_message
class StepRun(Message):
    """host -> guest: execute the step's callback as attempt `attempt` (from 1).

    `count` is what the step is counted as in its instance, where that is not the one of StepBegin.
    """

    type = "step_run"
    run: int
    call: int
    attempt: int
    config: dict[str, Json]
    count: int = 0


@_message
class StepDelay(Message):
    """host -> guest: call the step's delay function; this attempt failed with this error.

    `config` and `count` are the step's, as in StepRun.
    """

    type = "step_delay"
    run: int
    call: int
    attempt: int
    config: dict[str, Json]
    name: str
    message: str
    count: int = 0


@_message
class StepDelayed(RunMessage):
    """guest -> host: the delay function returned `payload`, or failed: `problem` says how, as in

    "did not return within 5 seconds" and "threw an error: …".
    """

    type = "step_delayed"
    call: int
    attempt: int
    problem: str = ""
    payload: bytes = b""


@_message
class RollbackRun(Message):
    """host -> guest: execute the rollback handler of a `do`, as attempt `attempt` (from 1).

    Answered by StepEnd with this `call`, which is below 0. `name`, `count`, `step_attempt` and
    `config` are those of the step, `error_name` and `error_message` say why it is rolled back,
    `payload` is what the step returned, empty when it did not.
    `nth`: the `count` in StepBegin, where it was another. `given`: the handler is the one of this
    call, which a callback made; below 0: one made it in an earlier run, and the handler is gone.
    """

    type = "rollback_run"
    run: int
    call: int
    attempt: int
    name: str
    count: int
    step_attempt: int
    config: dict[str, Json]
    error_name: str
    error_message: str
    payload: bytes = b""
    nth: int = 0
    given: int = 0


@_message
class StepEnd(RunMessage):
    """guest -> host: the callback returned (`payload`) or raised (`name` is not empty).

    `fatal` marks a value that cannot be cloned: the instance fails, nothing is retried.
    `stream`: it returned a byte stream, all of which has been sent in StepChunk; with `fatal` one
    that cannot be kept.
    """

    type = "step_end"
    call: int
    attempt: int
    name: str = ""
    message: str = ""
    traceback: str = ""
    fatal: bool = False
    stream: bool = False
    payload: bytes = b""


@_message
class StepChunk(RunMessage):
    """guest -> host: the next piece of the byte stream that an attempt returned.

    Never empty and at most `streams.OUTPUT_CHUNK_BYTES`.
    """

    type = "step_chunk"
    call: int
    attempt: int
    payload: bytes = b""


@_message
class StepTaken(Message):
    """host -> guest: one StepChunk more is durable. `over`: the attempt has ended; send no more."""

    type = "step_taken"
    run: int
    call: int
    attempt: int
    over: bool = False


@_message
class StreamRead(RunMessage):
    """guest -> host: send piece `position` (from 0) of a stream that a step has returned.

    `read` is the guest's number for the answer; `stream`, `chunks` and `bytes` are what the value
    of the step said. `step` is `"export-1"`, for messages.
    """

    type = "stream_read"
    read: int
    stream: int
    position: int
    chunks: int
    bytes: int
    step: str


@_message
class StreamPiece(Message):
    """host -> guest: the piece, or why there is none."""

    type = "stream_piece"
    run: int
    read: int
    error: str = ""
    payload: bytes = b""


@_message
class StepDone(Message):
    """host -> guest: the step is recorded as succeeded. `payload` is its value where the guest

    does not have it (an event, a stored stream); else it is empty: StepEnd carried the value.
    """

    type = "step_done"
    run: int
    call: int
    payload: bytes = b""


@_message
class StepFailed(Message):
    """host -> guest: the step call raises this in front of user code."""

    type = "step_failed"
    run: int
    call: int
    name: str
    message: str


# --- Life ----------------------------------------------------------------------------------------


@_message
class Ping(Message):
    """host -> guest: are you there?"""

    type = "ping"
    number: int


@_message
class Pong(Message):
    """guest -> host: yes. Sent from the event loop, so a loop that is stuck does not answer."""

    type = "pong"
    number: int


@_message
class Shutdown(Message):
    """host -> guest: exit as soon as what is being written is written."""

    type = "shutdown"


# --- Bytes ---------------------------------------------------------------------------------------


class _Shape(typing.NamedTuple):
    cls: type[Message]
    opening: str  # `{"type":"step_run"`
    plain: tuple[tuple[str, str, Any, Callable[[Any], str]], ...]  # name, key, default, writer
    types: dict[str, type]  # `object`: any JSON
    has_payload: bool


# A class with slots is made from one without, which may still be there: the later one counts.
RUN_MESSAGES: Mapping[str, type[RunMessage]] = {
    cls.type: cls for cls in RunMessage.__subclasses__()
}
MESSAGE_TYPES: Mapping[str, type[Message]] = {
    **{cls.type: cls for cls in Message.__subclasses__() if hasattr(cls, "type")},
    **RUN_MESSAGES,
}

_dump = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode
_read = json.JSONDecoder().raw_decode  # json.loads would guess the encoding and skip blanks
_WRITERS: dict[Any, Callable[[Any], str]] = {
    int: str,
    str: encode_basestring_ascii,
    bool: lambda value: "true" if value else "false",
    dict[str, Json]: lambda value: _dump(value) if value else "{}",
}


_SHAPES: dict[str, _Shape] = {}  # filled when a type is first needed: starting waits for none


def _shape(cls: type[Message]) -> _Shape:
    """Return how a message is written and read."""
    shape = _SHAPES.get(cls.type)
    if shape is None:
        shape = _SHAPES[cls.type] = _work_out(cls)
    return shape


def _work_out(cls: type[Message]) -> _Shape:
    hints = typing.get_type_hints(cls)
    plain = [f for f in fields(cls) if f.name != "payload"]
    return _Shape(
        cls,
        f'{{"type":"{cls.type}"',
        tuple(
            (f.name, f',"{f.name}":', _default(f), _WRITERS.get(hints[f.name], _dump))
            for f in plain
        ),
        {f.name: _accepted(hints[f.name]) for f in plain},
        any(f.name == "payload" for f in fields(cls)),
    )


def _default(declared: Field[Any]) -> Any:
    factory = declared.default_factory
    return declared.default if factory is MISSING else factory()


def _accepted(hint: Any) -> type:
    if hint is Any:
        return object
    origin = typing.get_origin(hint)
    accepted: type = origin if isinstance(origin, type) else hint
    return accepted


def encode(message: Message) -> tuple[bytes, bytes]:
    """Return a message as its JSON header and its payload."""
    shape = _shape(type(message))
    parts = [shape.opening]
    for name, key, default, write in shape.plain:
        value = getattr(message, name)
        if value != default:
            parts.append(key)
            parts.append(write(value))
    parts.append("}")
    payload: bytes = message.payload if shape.has_payload else b""  # type: ignore[attr-defined]
    return "".join(parts).encode("ascii"), payload


def decode(header: bytes, payload: bytes) -> Message:
    """Return the message that `header` and `payload` carry.

    Unknown fields are ignored, so that a newer peer may add some.
    Raises ProtocolError for an unknown type, a missing field or a field of the wrong type.
    """
    try:
        text = str(header, "utf-8")
        record, end = _read(text)
        if end != len(text):
            raise ValueError(f"extra data at {end}")
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a frame header is not JSON: {error}") from error
    kind = record.pop("type", None) if isinstance(record, dict) else None
    shape = _SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        shape = _shape_called(kind, header)
    values = {}
    for name, value in record.items():
        accepted = shape.types.get(name)
        if accepted is type(value) or accepted is object:
            values[name] = value
        elif accepted is not None:
            raise ProtocolError(f"{kind}.{name} is {type(value).__name__}")
    if shape.has_payload:
        values["payload"] = payload
    elif payload:
        raise ProtocolError(f"{kind} carries no payload")
    try:
        return shape.cls(**values)
    except TypeError:
        lacking = [name for name, _, default, _ in shape.plain if default is MISSING]
        missing = ", ".join(name for name in lacking if name not in values)
        raise ProtocolError(f"{kind} lacks {missing}") from None


def _shape_called(kind: Any, header: bytes) -> _Shape:
    cls = MESSAGE_TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ProtocolError(f"unknown message {header[:80]!r}")
    return _shape(cls)
