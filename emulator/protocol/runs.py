"""Workflow runs: history, steps, their streams, guarded runs, rollback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from .message import MESSAGE_TYPES, Json, Message, message

# A step's stream: how it is cut, and how many pieces may be on their way to the disk.
OUTPUT_CHUNK_BYTES = 256 * 1024  # workers-sdk workflows-shared/src/lib/streams.ts
OUTPUT_WINDOW_CHUNKS = 4


@message
class RunMessage(Message):
    """guest -> host: something about a workflow run, for whoever decides about runs."""

    run: int


@message
class History(Message):
    """host -> guest, before RunStart: finished steps that `run()` called. `payload`: a list of

    `[kind, name, count, "ok", value]` or `[kind, name, count, "error", {"name", "message"}]`;
    `count` as in StepBegin.
    """

    type = "history"
    run: int
    payload: bytes = b""


@message
class RunStart(Message):
    """host -> guest: call `run()` of `class_name`. `payload`: the event's fields, tagged.

    `guarded`: it may begin no step but on a StepRun, and says what it asks for (Replayed), until
    RunRelease. `probe`: so it stays, and bindings may not be called.
    `rolling_back`: only so that it gives its rollback handlers again; nothing new is executed.
    `free_steps`: how many new `do` steps it may begin to execute without being told, until
    RunAskFirst; not those in `begun`, `[name, count]` each, which `run()` began in an earlier run
    and that have not ended. `shared`: names of dependencies that callbacks have asked for.
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
    free_steps: int = 0
    begun: list[list[Json]] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)


@message
class RunAskFirst(Message):
    """host -> guest: from now on ask before every step. Answered by RunAsking."""

    type = "run_ask_first"
    run: int


@message
class RunAsking(RunMessage):
    """guest -> host: nothing begins by itself any more; what has, was told before this."""

    type = "run_asking"


@message
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


@message
class RunRelease(Message):
    """host -> guest: the run is guarded no more; what it has begun is answered now."""

    type = "run_release"
    run: int


@message
class RunAbort(Message):
    """host -> guest: drop the run without settling anything in it. Nothing is answered."""

    type = "run_abort"
    run: int


@message
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


@message
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


@message
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


@message
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


@message
class StepDelayed(RunMessage):
    """guest -> host: the delay function returned `payload`, or failed: `problem` says how, as in

    "did not return within 5 seconds" and "threw an error: …".
    """

    type = "step_delayed"
    call: int
    attempt: int
    problem: str = ""
    payload: bytes = b""


@message
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


@message
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


@message
class StepChunk(RunMessage):
    """guest -> host: the next piece of the byte stream that an attempt returned.

    Never empty and at most `streams.OUTPUT_CHUNK_BYTES`.
    """

    type = "step_chunk"
    call: int
    attempt: int
    payload: bytes = b""


@message
class StepTaken(Message):
    """host -> guest: one StepChunk more is durable. `over`: the attempt has ended; send no more."""

    type = "step_taken"
    run: int
    call: int
    attempt: int
    over: bool = False


@message
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
    """host -> guest: the step is recorded as succeeded. `payload` is its value where the guest

    does not have it (an event, a stored stream); else it is empty: StepEnd carried the value.
    """

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
