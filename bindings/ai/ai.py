"""The AI binding: `run`, and the entry to everything else on `env.AI`.

One call: find the model, check the inputs, then let a rule answer, or else the stub, a cassette or
an upstream, as the mode says. Then write the call into the ledger.
The binding has a thread of its own that reads inputs and makes answers, one call after the other.
So the inputs of a worker cannot block the event loop. Files are converted on another thread.

Source: docs/platform/workers-ai.md, "The client".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from bindings.ai import inputs, options
from bindings.ai.batches import Batches
from bindings.ai.catalogue import BY_NAME, MODELS, Api, Model, Task
from bindings.ai.delivery import (
    as_stream,
    countable,
    pause,
    raw_answer,
    raw_error,
    stream_events,
)
from bindings.ai.errors import bad_input, no_such_model, not_emulated
from bindings.ai.gateway import Gateway
from bindings.ai.ledger import NOBODY, Call, Ledger
from bindings.ai.model_names import is_model_name
from bindings.ai.model_search import search_models
from bindings.ai.neurons import Cost, estimate
from bindings.ai.replies import Events, Media
from bindings.ai.rules import NO_MATCHING_RULE, Reply, RuleBook, missing_rule
from bindings.ai.schemas import input_schema, takes_upload
from bindings.ai.scrubbing import Scrubber
from bindings.ai.settings import Budget, Rule
from bindings.ai.stub import respond
from bindings.binding import ByteStream, Value
from bindings.messages import shortened
from emulator.answers.ai import ListedModel
from emulator.clock import Clock, SystemClock
from emulator.errors import WorkerError

log = logging.getLogger(__name__)

STREAM_SAMPLE_BYTES = 1_000_000  # of a stream, for counting its tokens
ERROR_MAX_CHARS = 2_000  # of an error in the ledger

Given = TypeVar("Given")
Made = TypeVar("Made")
Answer = Any  # a JSON value, Media, Events or ByteStream


class Substitute(Protocol):
    """Who answers in place of the stub: a cassette or an upstream. `name` goes to the ledger."""

    name: str
    takes_any_model: bool  # also models that the catalogue does not know

    async def answer(self, model: str, inputs: Any) -> Answer:
        """Return a JSON value, Media, Events or a ByteStream; raises WorkerError."""
        ...

    async def close(self) -> None: ...


class Settings(Struct, frozen=True):
    """`strict`: only rules answer. `substitute` answers in place of the stub.

    `scrubber` removes secrets from the errors in the ledger.
    """

    strict: bool = False
    substitute: Substitute | None = None
    budget: Budget = Budget()
    scrubber: Scrubber = Scrubber()


class _Asked(Struct):
    """A call under way, and what has been found out about it."""

    model: Model
    values: Any
    began_ms: int
    log_id: str
    prompt: str = ""
    reply: Reply | None = None
    answer: Answer = None
    is_answered: bool = False
    cost: Cost = Cost()

    @property
    def rule(self) -> Rule:
        return Rule() if self.reply is None else self.reply.rule


_SETTINGS = Settings()


class Ai:
    """The binding. `rules` give fixed answers; `clock` delays answers and dates them."""

    kind = "ai"

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        settings: Settings = _SETTINGS,
        *,
        clock: Clock | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._rules = RuleBook(rules)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._ledger = ledger or Ledger()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ai")
        self._converter = ThreadPoolExecutor(1, thread_name_prefix="ai-files")
        self._batches = Batches(self.run, self._off_loop)
        self._gateway = Gateway(self.run, self._ledger)

    async def call(self, method: str, args: list[Value]) -> Value:
        """Answer a client; raises WorkerError.

        `run(model, inputs, options?, ids?)` returns a JSON value, or a ByteStream of events or of
        a file. With `returnRawResponse` it returns `{status, headers, body}` in place of a value,
        of an error too. `ids` is `{"logId"}`, made by the client.
        """
        match method:
            case "run":
                return await self._run_for_client(*_padded(args, 4))
            case "models":
                return self.models(args[0] if args else None)
            case "toMarkdown":
                from bindings.ai.markdown import convert  # rarely used, and long to import

                files, wanted = _padded(args, 2)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._converter, convert, files, wanted)
            case "toMarkdownSupported":
                from bindings.ai.markdown import supported

                return supported()
            case "gateway":
                return await self._gateway.call(*_padded(args, 3))
            case _:
                raise not_emulated(f"env.AI.{method}", "docs/workers-ai.md lists what there is.")

    async def close(self) -> None:
        """Close the substitute's connections; calls that wait for their turn are dropped."""
        for thread in (self._thread, self._converter):
            thread.shutdown(wait=False, cancel_futures=True)
        if self._settings.substitute is not None:
            await self._settings.substitute.close()

    def models(self, params: Any) -> list[ListedModel]:
        """Return the models of the catalogue that `params` ask for."""
        return search_models(MODELS, params)

    def schema(self, name: Any) -> dict[str, Any]:
        """Return `{"input": JSON schema, "output": {}}` of a model. Raises WorkerError."""
        return {"input": input_schema(self._find_model(name)), "output": {}}

    def upload_name(self, name: Any) -> str | None:
        """Return the name of the input that is an upload, or None."""
        model = BY_NAME.get(name)
        for key in ("audio", "multipart"):
            if model is not None and takes_upload(model, key):
                return key
        return None

    async def chat(self, name: Any, values: Any) -> Answer:
        """Return a chat completion of any text generation model, or a stream of its chunks.

        Differs: what a cassette or an upstream answers keeps the model's own shape.
        """
        model = self._find_model(name)
        if model.api == Api.GENERATION:
            model = replace(model, api=Api.CHAT)
        return await self._run(model, values, None, "")

    async def run(self, name: Any, values: Any, wanted: Any = None, log_id: str = "") -> Answer:
        """Return what the service answers; raises WorkerError, whose code is production's."""
        return await self._run(self._find_model(name), values, wanted, log_id)

    async def _run(self, model: Model, values: Any, wanted: Any, log_id: str) -> Answer:
        choices = options.parse(wanted)
        if self._batches.is_meant(values, choices):
            return await self._batches.answer(model, values, choices)
        self._ledger.check(self._settings.budget)
        asked = _Asked(model, values, self._clock.now_ms(), log_id)
        try:
            await self._off_loop(self._look, asked)
            if not asked.is_answered:
                await self._answer(asked)
        except WorkerError as error:
            call = self._entry(asked)
            if error.name == NO_MATCHING_RULE:
                call = replace(call, answered_by=NOBODY)
            self._record(call, error)
            raise
        if isinstance(asked.answer, ByteStream):
            return self._counted(asked)
        self._record(self._entry(asked))
        if isinstance(asked.answer, Events):
            return stream_events(asked.answer, asked.rule, self._clock)
        return asked.answer

    async def _off_loop(self, work: Callable[[Given], Made], given: Given) -> Made:
        """Do `work` on the binding's thread. Raises WorkerError."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, given)
        except RecursionError:
            raise bad_input("the inputs are nested too deeply") from None

    def _look(self, asked: _Asked) -> None:
        """Check a call and ask the rules; answer it if it needs no substitute and no delay."""
        asked.prompt = inputs.prompt_text(asked.values)
        inputs.check_inputs(asked.model, asked.values)
        asked.reply = self._rules.reply(asked.model, asked.prompt, asked.values)
        is_fixed = asked.reply is not None and asked.reply.value is not None
        is_refused = asked.reply is not None and asked.reply.error is not None
        is_ours = is_fixed or (self._settings.substitute is None and not self._settings.strict)
        if is_ours and not is_refused and not asked.rule.delay_ms:
            self._respond(asked)

    def _respond(self, asked: _Asked) -> None:
        """Answer as the rule says, else as the stub does."""
        fixed = None if asked.reply is None else asked.reply.value
        now_ms, words = self._clock.now_ms(), asked.rule.stream_words
        asked.answer = respond(asked.model, asked.values, fixed, now_ms, words)
        self._estimate(asked)

    def _estimate(self, asked: _Asked) -> None:
        asked.is_answered = True
        if not isinstance(asked.answer, ByteStream):
            answer = countable(asked.answer)
            asked.cost = estimate(asked.model, asked.prompt, asked.values, answer)

    async def _answer(self, asked: _Asked) -> None:
        """Answer a call that `_look` has not answered."""
        reply = asked.reply
        if asked.rule.delay_ms:
            await pause(self._clock, asked.rule.delay_ms)
        if reply is not None and reply.error is not None:
            raise reply.error
        if reply is None or reply.value is None:
            if self._settings.strict:
                raise missing_rule(asked.model, asked.prompt)
            if self._settings.substitute is not None:
                substitute = self._settings.substitute
                asked.answer = await substitute.answer(asked.model.name, asked.values)
                return await self._off_loop(self._estimate, asked)
        await self._off_loop(self._respond, asked)

    def _find_model(self, name: Any) -> Model:
        substitute = self._settings.substitute
        # The name of the model becomes a part of the substitute's address.
        if not isinstance(name, str) or (substitute is not None and not is_model_name(name)):
            raise no_such_model(name)
        model = BY_NAME.get(name) or self._rules.declared(name)
        if model is None and substitute is not None and substitute.takes_any_model:
            model = Model(name, Task.TEXT_GENERATION, options.UNCHECKED)
        if model is None:
            raise no_such_model(name)
        return model

    async def _run_for_client(self, name: Any, values: Any, wanted: Any, ids: Any) -> Value:
        log_id = str(ids["logId"]) if isinstance(ids, Mapping) and "logId" in ids else ""
        if not (isinstance(wanted, Mapping) and wanted.get("returnRawResponse")):
            answer = await self.run(name, values, wanted, log_id)
            if isinstance(answer, Media):
                return as_stream(answer)
            return answer
        try:
            answer = await self.run(name, values, wanted, log_id)
        except WorkerError as error:
            if error.code is None:
                raise
            return raw_error(error)
        return raw_answer(answer)

    def _entry(self, asked: _Asked) -> Call:
        substitute = self._settings.substitute
        by = "stub" if substitute is None else substitute.name
        if asked.reply is not None:
            by = asked.reply.rule.where or "rule"
        return Call(
            at_ms=asked.began_ms,
            model=asked.model.name,
            task=str(asked.model.task),
            answered_by=by,
            latency_ms=self._clock.now_ms() - asked.began_ms,
            tokens_in=asked.cost.tokens_in,
            tokens_out=asked.cost.tokens_out,
            neurons=asked.cost.neurons,
            usd=round(asked.cost.usd, 8),
            log_id=asked.log_id,
        )

    def _record(self, call: Call, error: WorkerError | None = None) -> None:
        if error is not None:
            text = shortened(f"{error.name}: {error.message}", ERROR_MAX_CHARS)
            call = replace(call, error=self._settings.scrubber.scrub(text))
        try:
            self._ledger.record(call)
        except OSError as problem:  # a full disk must not fail the user's call
            log.warning("the ledger of env.AI cannot be written: %s", problem)

    def _counted(self, asked: _Asked) -> ByteStream:
        """Return the stream of a substitute; at its end, the call goes into the ledger."""
        stream: ByteStream = asked.answer

        async def read() -> AsyncIterator[bytes]:
            text = bytearray()
            error: WorkerError | None = None
            try:
                async for chunk in stream.chunks:
                    if len(text) < STREAM_SAMPLE_BYTES:
                        text.extend(chunk)
                    yield chunk
            except WorkerError as raised:
                error = raised
                raise
            finally:
                sample = text[:STREAM_SAMPLE_BYTES].decode(errors="replace")
                asked.cost = estimate(asked.model, asked.prompt, asked.values, sample)
                self._record(self._entry(asked), error)

        return ByteStream(read(), stream.content_type)


def _padded(args: list[Value], count: int) -> list[Value]:
    return [*args, *[None] * count][:count]
