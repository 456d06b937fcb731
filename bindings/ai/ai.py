"""The AI binding: `run`, and the way to everything else on `env.AI`.

One call: find the model, check the inputs, let the rules answer, else whatever the mode says (the
stub, a cassette, an upstream), and write it into the ledger.
Stubs run on a thread, so that a long prompt or a hundred texts do not hold up the event loop.

Source: workerd src/cloudflare/internal/ai-api.ts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

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
from bindings.ai.errors import no_such_model, not_emulated, shortened
from bindings.ai.gateway import Gateway
from bindings.ai.ledger import NOBODY, Budget, Call, Ledger
from bindings.ai.model_names import is_model_name
from bindings.ai.model_search import search_models
from bindings.ai.neurons import Cost, estimate
from bindings.ai.replies import Events, Media
from bindings.ai.rules import NO_MATCHING_RULE, Reply, Rule, RuleBook, missing_rule
from bindings.ai.schemas import input_schema, takes_upload
from bindings.ai.scrubbing import Scrubber
from bindings.ai.stub import respond
from bindings.binding import ByteStream, Value
from emulator.clock import Clock, SystemClock
from emulator.errors import WorkerError

log = logging.getLogger(__name__)

STREAM_SAMPLE_BYTES = 1_000_000  # of a stream, for counting its tokens
ERROR_MAX_CHARS = 2_000  # of an error in the ledger

Answer = Any  # a JSON value, Media, Events or ByteStream


class Source(Protocol):
    """Who answers in place of the stub: a cassette or an upstream. `name` goes to the ledger."""

    name: str
    takes_any_model: bool  # models that the catalogue does not know are its own business

    async def answer(self, model: str, inputs: Any) -> Answer:
        """Return a JSON value, Media, Events or a ByteStream; raises WorkerError."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """`strict`: nothing but rules answers. `source` answers in place of the stub.

    `scrubber` keeps secrets out of what the ledger tells of errors.
    """

    strict: bool = False
    source: Source | None = None
    budget: Budget = Budget()
    scrubber: Scrubber = Scrubber()


class Ai:
    """The binding. `rules` give fixed answers; `clock` delays answers and dates them."""

    kind = "ai"

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        settings: Settings = Settings(),
        *,
        clock: Clock | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._rules = RuleBook(rules)
        self._settings = settings
        self._clock = clock or SystemClock()
        self._ledger = ledger or Ledger()
        self._batches = Batches(self.run)
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
                return await asyncio.to_thread(convert, files, wanted)
            case "toMarkdownSupported":
                from bindings.ai.markdown import supported

                return supported()
            case "gateway":
                return await self._gateway.call(*_padded(args, 3))
            case _:
                raise not_emulated(f"env.AI.{method}", "docs/workers-ai.md lists what there is.")

    async def close(self) -> None:
        """Close what the source holds open."""
        if self._settings.source is not None:
            await self._settings.source.close()

    def models(self, params: Any) -> list[dict[str, Any]]:
        """Return the models of the catalogue that `params` ask for."""
        return search_models(MODELS, params)

    def schema(self, name: Any) -> dict[str, Any]:
        """Return `{"input": JSON schema, "output": {}}` of a model. Raises WorkerError."""
        return {"input": input_schema(self._find_model(name)), "output": {}}

    def upload_name(self, name: Any) -> str | None:
        """Return which input of a model is an upload, None without one."""
        model = BY_NAME.get(name)
        for key in ("audio", "multipart"):
            if model is not None and takes_upload(model, key):
                return key
        return None

    async def chat(self, name: Any, values: Any) -> Answer:
        """Return a chat completion of any text generation model, a stream of chunks likewise.

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
        began_ms = self._clock.now_ms()
        reply = None
        prompt = inputs.prompt_text(values)
        try:
            inputs.check_inputs(model, values)
            reply = self._rules.reply(model, prompt, values)
            answer = await self._answer(model, values, prompt, reply)
        except WorkerError as error:
            call = self._entry(model, reply, began_ms, Cost(), log_id)
            if error.name == NO_MATCHING_RULE:
                call = replace(call, answered_by=NOBODY)
            self._record(call, error)
            raise
        if isinstance(answer, ByteStream):
            return self._counted(answer, model, prompt, values, began_ms, log_id)
        cost = estimate(model, prompt, values, countable(answer))
        self._record(self._entry(model, reply, began_ms, cost, log_id))
        if isinstance(answer, Events):
            return stream_events(answer, Rule() if reply is None else reply.rule, self._clock)
        return answer

    def _find_model(self, name: Any) -> Model:
        source = self._settings.source
        # What a source may be asked for becomes a part of its address.
        if not isinstance(name, str) or (source is not None and not is_model_name(name)):
            raise no_such_model(name)
        model = BY_NAME.get(name) or self._rules.declared(name)
        if model is None and source is not None and source.takes_any_model:
            model = Model(name, Task.TEXT_GENERATION, options.UNCHECKED)
        if model is None:
            raise no_such_model(name)
        return model

    async def _answer(self, model: Model, values: Any, prompt: str, reply: Reply | None) -> Answer:
        rule = Rule() if reply is None else reply.rule
        if rule.delay_ms:
            await pause(self._clock, rule.delay_ms)
        if reply is not None and reply.error is not None:
            raise reply.error
        is_answered = reply is not None and reply.value is not None
        if not is_answered and self._settings.strict:
            raise missing_rule(model, prompt)
        if not is_answered and self._settings.source is not None:
            return await self._settings.source.answer(model.name, values)
        fixed = None if reply is None else reply.value
        now_ms = self._clock.now_ms()
        return await asyncio.to_thread(respond, model, values, fixed, now_ms, rule.stream_words)

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

    def _entry(
        self, model: Model, reply: Reply | None, began_ms: int, cost: Cost, log_id: str
    ) -> Call:
        source = self._settings.source
        by = "stub" if source is None else source.name
        if reply is not None:
            by = reply.rule.where or "rule"
        return Call(
            at_ms=began_ms,
            model=model.name,
            task=str(model.task),
            answered_by=by,
            latency_ms=self._clock.now_ms() - began_ms,
            tokens_in=cost.tokens_in,
            tokens_out=cost.tokens_out,
            neurons=cost.neurons,
            usd=round(cost.usd, 8),
            log_id=log_id,
        )

    def _record(self, call: Call, error: WorkerError | None = None) -> None:
        if error is not None:
            text = shortened(f"{error.name}: {error.message}", ERROR_MAX_CHARS)
            call = replace(call, error=self._settings.scrubber.scrub(text))
        try:
            self._ledger.record(call)
        except OSError as problem:  # a full disk must not fail the user's call
            log.warning("the ledger of env.AI cannot be written: %s", problem)

    def _counted(
        self,
        stream: ByteStream,
        model: Model,
        prompt: str,
        values: Any,
        began_ms: int,
        log_id: str,
    ) -> ByteStream:
        """Return the stream of a source; when it has been read, it goes to the ledger."""

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
                cost = estimate(model, prompt, values, text.decode(errors="replace"))
                call = self._entry(model, None, began_ms, cost, log_id)
                self._record(call, error)

        return ByteStream(read(), stream.content_type)


def _padded(args: list[Value], count: int) -> list[Value]:
    return [*args, *[None] * count][:count]
