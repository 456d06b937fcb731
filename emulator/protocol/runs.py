"""Workflow runs: history, steps, streams, guarded runs, rollback. `PROTOCOL.md`, section 8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from .message import MESSAGE_TYPES, Message, message

# A step's stream: how it is cut, and how many pieces may be on their way to the disk.
# Source: https://github.com/cloudflare/workers-sdk/blob/main/packages/workflows-shared/src/lib/streams.ts
OUTPUT_CHUNK_BYTES = 256 * 1024
OUTPUT_WINDOW_CHUNKS = 4
DELAY_TIMEOUT_S = 5  # for a delay function
REST_TIMEOUT_S = 5  # for a guarded run to come to rest; it does I/O outside steps after that


@message
class RunMessage(Message):
    """guest -> host: something about a workflow run, for whoever decides about runs."""

    run: int


@message
class History(Message):
    """host -> guest: finished steps that `run()` called."""

    type = "history"
    run: int
    payload: bytes = b""


@message
class RunStart(Message):
    """host -> guest: call `run()`."""

    type = "run_start"
    run: int
    class_name: str
    workflow: str
    instance: str
    payload: bytes = b""
    guarded: bool = False
    probe: bool = False
    rolling_back: bool = False
    free_steps: int = 0
    begun: list[list[Any]] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)


@message
class RunAskFirst(Message):
    """host -> guest: ask before every step from now on."""

    type = "run_ask_first"
    run: int


@message
class RunAsking(RunMessage):
    """guest -> host: nothing begins by itself any more; what has begun was told before this."""

    type = "run_asking"


@message
class Replayed(RunMessage):
    """guest -> host: how far a guarded run has come without any new step."""

    type = "replayed"
    state: str
    asked: list[list[Any]]
    declared: list[list[str]]
    where: str = ""


@message
class RunRelease(Message):
    """host -> guest: the run is guarded no more; what it has begun is answered now."""

    type = "run_release"
    run: int


@message
class RunAbort(Message):
    """host -> guest: drop the run without settling anything in it."""

    type = "run_abort"
    run: int


@message
class RunEnd(RunMessage):
    """guest -> host: `run()` returned or raised."""

    type = "run_end"
    name: str = ""
    message: str = ""
    traceback: str = ""
    payload: bytes = b""
    kept: bool = False
    damaged: bool = False


@message
class StepBegin(RunMessage):
    """guest -> host: user code called a step that history does not answer."""

    type = "step_begin"
    call: int
    kind: str
    name: str
    count: int
    options: dict[str, Any]
    line: str = ""
    parent: int = 0
    started: bool = False
    shared: int = 0


@message
class StepRun(Message):
    """host -> guest: execute the callback."""

    type = "step_run"
    run: int
    call: int
    attempt: int
    config: dict[str, Any]
    count: int = 0


@message
class StepDelay(Message):
    """host -> guest: an attempt failed: call the step's delay function."""

    type = "step_delay"
    run: int
    call: int
    attempt: int
    config: dict[str, Any]
    name: str
    message: str
    count: int = 0


@message
class StepDelayed(RunMessage):
    """guest -> host: the delay function returned or failed."""

    type = "step_delayed"
    call: int
    attempt: int
    problem: str = ""
    payload: bytes = b""


@message
class RollbackRun(Message):
    """host -> guest: execute the rollback handler of a `do`."""

    type = "rollback_run"
    run: int
    call: int
    attempt: int
    name: str
    count: int
    step_attempt: int
    config: dict[str, Any]
    error_name: str
    error_message: str
    payload: bytes = b""
    nth: int = 0
    given: int = 0


@message
class StepEnd(RunMessage):
    """guest -> host: the callback, or the handler, returned or raised."""

    type = "step_end"
    call: int
    attempt: int
    name: str = ""
    message: str = ""
    traceback: str = ""
    fatal: bool = False
    stream: bool = False
    payload: bytes = b""


@message
class StepChunk(RunMessage):
    """guest -> host: the next piece of the byte stream that an attempt returned."""

    type = "step_chunk"
    call: int
    attempt: int
    payload: bytes = b""


@message
class StepTaken(Message):
    """host -> guest: one `step_chunk` more is durable, or none is wanted."""

    type = "step_taken"
    run: int
    call: int
    attempt: int
    over: bool = False


@message
class StreamRead(RunMessage):
    """guest -> host: send a piece of a stream that a step has returned."""

    type = "stream_read"
    read: int
    stream: int
    position: int
    chunks: int
    bytes: int
    step: str


@message
class StreamPiece(Message):
    """host -> guest: the piece, or why there is none."""

    type = "stream_piece"
    run: int
    read: int
    error: str = ""
    payload: bytes = b""


@message
class StepDone(Message):
    """host -> guest: the step is recorded as succeeded."""

    type = "step_done"
    run: int
    call: int
    payload: bytes = b""


@message
class StepFailed(Message):
    """host -> guest: the step call raises this in front of user code."""

    type = "step_failed"
    run: int
    call: int
    name: str
    message: str


RUN_MESSAGES: Mapping[str, type[RunMessage]] = {
    kind: cls for kind, cls in MESSAGE_TYPES.items() if issubclass(cls, RunMessage)
}
