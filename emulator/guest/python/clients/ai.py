"""The Workers AI client: `env.AI`. Source: docs/platform/workers-ai.md, "The client".

The host makes the answers. This does what workerd's own client does before and after: it reads
uploads, leaves out options that are not for the service, and keeps the ids of a call.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Any

from ..calls import Answer, Caller, answer_of
from ..sdk.jsproxy import plain
from ..sdk.pyodide.ffi import JsException
from . import ai_files
from .binding import _BindingWrapper

_NOT_SENT = ("prefix", "extraHeaders", "sessionOptions", "signal")
_INTERNAL_CODE = re.compile(r"(\d+): ")
# HTTP status -> the service's internal codes. Source: docs/platform/workers-ai.md, "Errors".
_CODES_BY_STATUS = {
    400: (1001, 3003, 3039, 5004, 5006, 5007, 5024),
    403: (1031, 3023, 3041, 5016, 5018),
    404: (3042,),
    405: (5005, 5019),
    408: (3007, 3008),
    413: (3006,),
    429: (3036, 3040),
}
STATUS_OF_CODE = {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes}


class Ai(_BindingWrapper):
    """Runs models."""

    # JavaScript's names, all of the last call that was answered.
    lastRequestId: str | None = None
    aiGatewayLogId: str | None = None
    lastRequestHttpStatusCode: int | None = None
    lastRequestInternalStatusCode: int | None = None

    def run(self, model: str, /, *given: Any, **keywords: Any) -> Answer:
        """Run `model` with inputs and options; keywords are used for the first that is missing.

        Returns a JSON value, a ReadableStream of events or of a file, or with `returnRawResponse`
        a Response. Raises JsException.
        """
        inputs = plain(given[0]) or {} if given else keywords
        more = self._options("run", given[1:], keywords) if given else []
        options = _as_dict(more[0]) if more else {}
        if _may_hold_uploads(inputs):
            keys = ai_files.upload_keys(inputs)
            if keys:
                ai_files.check_uploads(inputs, keys, options)
                uploaded = self._run_uploaded(model, inputs, keys, options)
                return answer_of(asyncio.ensure_future(uploaded), self._name)
        return self._run(model, inputs, options)

    async def _run_uploaded(
        self, model: str, inputs: Any, uploads: list[str], options: dict[str, Any]
    ) -> Any:
        return await self._run(model, await ai_files.read_uploads(inputs, uploads), options)

    def _run(self, model: str, inputs: Any, options: dict[str, Any]) -> Answer:
        sent = {key: value for key, value in options.items() if key not in _NOT_SENT}
        gateway = sent.get("gateway")
        log_id = uuid.uuid4().hex if isinstance(gateway, dict) and gateway.get("id") else None
        args = [model, inputs]
        if sent or log_id:
            args.append(sent)
        if log_id:
            args.append({"logId": log_id})
        ids = {"cf-ai-req-id": str(uuid.uuid4())}
        if log_id:
            ids["cf-aig-log-id"] = log_id
        is_raw = bool(sent.get("returnRawResponse"))

        def answered(value: Any) -> Any:
            if not is_raw:
                self._remember(ids, 200, None)
                return value
            response = ai_files.to_response(value, ids)
            self._remember(ids, response.status, None)
            return response

        def failed(name: str, message: str) -> JsException:
            code = _INTERNAL_CODE.match(message)
            internal = int(code[1]) if code else None
            self._remember(ids, STATUS_OF_CODE.get(internal or 0, 500), internal)
            return JsException(message, name)

        return self._caller.call(self._name, "run", args, then=answered, failed=failed)

    def _remember(self, ids: dict[str, str], status: int, internal: int | None) -> None:
        self.lastRequestId = ids["cf-ai-req-id"]
        self.aiGatewayLogId = ids.get("cf-aig-log-id")
        self.lastRequestHttpStatusCode = status
        self.lastRequestInternalStatusCode = internal

    def models(self, *params: Any, **keywords: Any) -> Answer:
        """Search the model catalogue."""
        given = self._options("models", params, keywords)
        return self._call("models", *(each for each in given if each is not None))

    def toMarkdown(self, files: Any = None, /, *options: Any, **keywords: Any) -> Any:
        """Convert files; without files, return the service with `transform` and `supported`."""
        service = _ToMarkdown(self._caller, self._name)
        return service if files is None else service.transform(files, *options, **keywords)

    def gateway(self, gateway_id: str, /) -> _Gateway:
        """Return the AI Gateway of this name; locally, calls go straight to the models."""
        return _Gateway(self._caller, self._name, gateway_id)

    def autorag(self, rag_id: str | None = None, /) -> _AutoRag:
        """Return the AutoRAG of this name; locally there are none."""
        return _AutoRag(rag_id)

    def aiSearch(self, *args: Any, **keywords: Any) -> Any:
        """Raise: AI Search is not emulated."""
        raise JsException(
            "Groundfog does not emulate AI Search (env.AI.aiSearch). env.AI.run and a Vectorize "
            "index do the same by hand.",
            "NotSupported",
        )

    def getLogs(self) -> list[str]:
        """Return nothing. Deprecated by Cloudflare."""
        return []


class _ToMarkdown(_BindingWrapper):
    def transform(self, files: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Convert `{name, blob}`, or a list of them."""
        given = self._options("toMarkdown().transform", options, keywords)
        converted = self._transform(files, _as_dict(given[0]) if given else {})
        return answer_of(asyncio.ensure_future(converted), self._name)

    async def _transform(self, files: Any, options: dict[str, Any]) -> Any:
        is_many = isinstance(files, list)
        read = [await ai_files.read_file(file) for file in (files if is_many else [files])]
        result = await self._call("toMarkdown", read, options)
        return result if is_many else result[0]

    def supported(self) -> Answer:
        """Return `[{extension, mimeType}]`."""
        return self._call("toMarkdownSupported")


class _Gateway(_BindingWrapper):
    def __init__(self, caller: Caller, name: str, gateway_id: str) -> None:
        super().__init__(caller, name)
        self._id = gateway_id

    def run(self, data: Any, /, *options: Any, **keywords: Any) -> Answer:
        """Send universal requests; returns a Response."""
        args = [self._id, "run", [data]]
        return self._caller.call(
            self._name, "gateway", args, then=lambda value: ai_files.to_response(value, {})
        )

    def getUrl(self, provider: str | None = None, /) -> Answer:
        """Return the gateway's address for a provider."""
        return self._call("gateway", self._id, "getUrl", [provider])

    def getLog(self, log_id: str, /) -> Answer:
        """Return what is known of a call that named this gateway."""
        return self._call("gateway", self._id, "getLog", [log_id])

    def patchLog(self, log_id: str, data: Any, /) -> Answer:
        """Keep a score, feedback or metadata with a log."""
        return self._call("gateway", self._id, "patchLog", [log_id, data])


class _AutoRag:
    def __init__(self, rag_id: str | None) -> None:
        self._id = rag_id

    async def list(self) -> list[Any]:
        """Return the AutoRAGs there are: none."""
        return []

    async def search(self, params: Any = None, **keywords: Any) -> Any:
        """Raise: no AutoRAG exists locally."""
        self._refuse()

    aiSearch = search

    def _refuse(self) -> None:
        if not self._id:
            raise JsException("AutoRAG name not defined", "AutoRAGNameNotSetError")
        raise JsException(
            f"AutoRAG {self._id} does not exist locally: Groundfog does not emulate AutoRAG.",
            "AutoRAGNotFoundError",
        )


def _as_dict(options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise TypeError(f"AI options must be a dict, not {type(options).__name__}")
    return options


def _may_hold_uploads(inputs: Any) -> bool:
    return isinstance(inputs, dict) and any(
        isinstance(value, dict) and "body" in value for value in inputs.values()
    )


CLIENT = Ai
