"""Types of what is on `env`, for type checkers only: at run time there is no such module."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, NotRequired, Protocol, TypeAlias, TypedDict, overload

import js
from typing_extensions import TypeVar
from workers import Blob, Request, Response

_T = TypeVar("_T")
_Params = TypeVar("_Params", default=Any)
_Body = TypeVar("_Body", default=Any)

Json: TypeAlias = Any

class JsDict(dict[str, Any]):
    """A dict whose items can be read as attributes."""

    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any) -> None: ...

# D1

class D1Meta(JsDict):
    duration: float
    changes: int
    last_row_id: int
    changed_db: bool
    size_after: int
    rows_read: int
    rows_written: int
    served_by: str

class D1Result(JsDict):
    success: bool
    meta: D1Meta
    results: list[JsDict]

class D1ExecResult(JsDict):
    count: int
    duration: float

class D1PreparedStatement:
    def bind(
        self, *values: None | bool | int | float | str | bytes | memoryview
    ) -> D1PreparedStatement: ...
    @overload
    async def first(self) -> JsDict | None: ...
    @overload
    async def first(self, column: str) -> Any: ...
    async def all(self) -> D1Result: ...
    async def run(self) -> D1Result: ...
    async def raw(
        self, options: Mapping[str, Any] | None = ..., *, columnNames: bool = ...
    ) -> list[list[Any]]: ...

class _D1Queries:
    def prepare(self, sql: str, /) -> D1PreparedStatement: ...
    async def batch(self, statements: Sequence[D1PreparedStatement], /) -> list[D1Result]: ...

class D1DatabaseSession(_D1Queries):
    def getBookmark(self) -> str | None: ...

class D1Database(_D1Queries):
    async def exec(self, sql: str, /) -> D1ExecResult: ...
    def withSession(self, constraint: str | None = None, /) -> D1DatabaseSession: ...

# KV

class KVKey(JsDict):
    name: str
    expiration: int
    metadata: Any

class KVList(JsDict):
    list_complete: bool
    cursor: str

class KVValueWithMetadata(JsDict):
    value: Any
    metadata: Any
    cacheStatus: str | None

_KVType: TypeAlias = Literal["text", "json", "arrayBuffer", "stream"]

class KVNamespace:
    @overload
    async def get(self, key: str, /) -> str | None: ...
    @overload
    async def get(self, key: str, type: Literal["text"], /) -> str | None: ...
    @overload
    async def get(
        self,
        key: str | Sequence[str],
        type: _KVType | Mapping[str, Any] | None = ...,
        /,
        *,
        cacheTtl: int = ...,
    ) -> Any: ...
    @overload
    async def get(
        self, key: str | Sequence[str], /, *, type: _KVType = ..., cacheTtl: int = ...
    ) -> Any: ...
    async def getWithMetadata(
        self,
        key: str | Sequence[str],
        type: _KVType | Mapping[str, Any] | None = ...,
        /,
        **options: Any,
    ) -> KVValueWithMetadata: ...
    async def put(
        self,
        key: str,
        value: str | bytes | memoryview | js.ReadableStream,
        options: Mapping[str, Any] | None = ...,
        /,
        *,
        expirationTtl: int = ...,
        expiration: int = ...,
        metadata: Any = ...,
    ) -> None: ...
    async def list(
        self,
        options: Mapping[str, Any] | None = ...,
        /,
        *,
        prefix: str | None = ...,
        limit: int = ...,
        cursor: str | None = ...,
    ) -> KVList: ...
    async def delete(self, key: str, /) -> None: ...

# R2

class R2Object:
    key: str
    version: str
    size: int
    etag: str
    httpEtag: str
    uploaded: datetime
    httpMetadata: JsDict
    customMetadata: JsDict
    storageClass: str
    range: JsDict
    def writeHttpMetadata(self, headers: js.Headers) -> None: ...

class R2ObjectBody(R2Object):
    body: js.ReadableStream
    bodyUsed: bool
    async def text(self) -> str: ...
    async def json(self) -> Any: ...
    async def bytes(self) -> bytes: ...
    async def arrayBuffer(self) -> memoryview: ...
    async def blob(self) -> Blob: ...

class R2UploadedPart(JsDict):
    partNumber: int
    etag: str

class R2MultipartUpload:
    key: str
    uploadId: str
    async def uploadPart(
        self, number: int, value: str | bytes | memoryview | js.ReadableStream, /
    ) -> R2UploadedPart: ...
    async def complete(self, parts: Sequence[Mapping[str, Any]], /) -> R2Object: ...
    async def abort(self) -> None: ...

class R2Objects(JsDict):
    objects: list[R2Object]
    truncated: bool
    cursor: str
    delimitedPrefixes: list[str]

class R2Bucket:
    async def head(self, key: str, /) -> R2Object | None: ...
    async def get(
        self, key: str, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> R2ObjectBody | None: ...
    async def put(
        self,
        key: str,
        value: None | str | bytes | memoryview | Blob | js.ReadableStream = ...,
        options: Mapping[str, Any] | None = ...,
        /,
        **keywords: Any,
    ) -> R2Object | None: ...
    async def delete(self, keys: str | Sequence[str], /) -> None: ...
    async def list(
        self, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> R2Objects: ...
    async def createMultipartUpload(
        self, key: str, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> R2MultipartUpload: ...
    def resumeMultipartUpload(self, key: str, upload_id: str, /) -> R2MultipartUpload: ...

# Queues

class Queue(Generic[_Body]):
    async def send(
        self,
        body: _Body = ...,
        options: Mapping[str, Any] | None = ...,
        /,
        *,
        contentType: Literal["text", "bytes", "json", "v8"] = ...,
        delaySeconds: int = ...,
    ) -> Any: ...
    async def sendBatch(
        self,
        messages: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any] | None = ...,
        /,
        *,
        delaySeconds: int = ...,
    ) -> Any: ...

class Message(Generic[_Body]):
    id: str
    timestamp: datetime
    body: _Body
    attempts: int
    def ack(self) -> None: ...
    def retry(
        self, options: Mapping[str, Any] | None = ..., *, delaySeconds: int = ...
    ) -> None: ...

class MessageBatch(Generic[_Body]):
    queue: str
    messages: list[Message[_Body]]
    def ackAll(self) -> None: ...
    def retryAll(
        self, options: Mapping[str, Any] | None = ..., *, delaySeconds: int = ...
    ) -> None: ...

# Vectorize

class VectorizeMatch(JsDict):
    id: str
    score: float
    # `values` is read as match["values"]: dicts have a method of this name
    metadata: JsDict
    namespace: str

class VectorizeMatches(JsDict):
    count: int
    matches: list[VectorizeMatch]

class VectorizeMutation(JsDict):
    mutationId: str

class VectorizeIndex:
    async def describe(self) -> JsDict: ...
    async def query(
        self,
        vector: Sequence[float],
        options: Mapping[str, Any] | None = ...,
        /,
        *,
        topK: int = ...,
        namespace: str = ...,
        filter: Mapping[str, Any] = ...,
        returnValues: bool = ...,
        returnMetadata: Literal["none", "indexed", "all"] | bool = ...,
    ) -> VectorizeMatches: ...
    async def queryById(
        self, vector_id: str, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> VectorizeMatches: ...
    async def insert(self, vectors: Sequence[Mapping[str, Any]], /) -> VectorizeMutation: ...
    async def upsert(self, vectors: Sequence[Mapping[str, Any]], /) -> VectorizeMutation: ...
    async def getByIds(self, ids: Sequence[str], /) -> list[JsDict]: ...
    async def deleteByIds(self, ids: Sequence[str], /) -> VectorizeMutation: ...

# Workers AI

class Ai:
    async def run(
        self,
        model: str,
        inputs: Mapping[str, Any] = ...,
        options: Mapping[str, Any] | None = ...,
        /,
        **keywords: Any,
    ) -> Any: ...
    async def models(
        self, params: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> list[JsDict]: ...
    def toMarkdown(
        self, files: Any = ..., options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> Any: ...
    def gateway(self, gateway_id: str, /) -> Any: ...
    def autorag(self, rag_id: str | None = ..., /) -> Any: ...

# Workflows

class WorkflowEvent(Generic[_Params]):
    """What `run` gets: attributes, or keys of a dict."""

    payload: _Params
    timestamp: datetime
    instanceId: str
    workflowName: str
    @overload
    def __getitem__(self, name: Literal["payload"]) -> _Params: ...
    @overload
    def __getitem__(self, name: Literal["timestamp"]) -> datetime: ...
    @overload
    def __getitem__(self, name: Literal["instanceId", "workflowName"]) -> str: ...

class WorkflowInstanceStatus(JsDict):
    status: str
    output: Any
    error: JsDict | None

class WorkflowInstance:
    id: str
    async def status(self) -> WorkflowInstanceStatus: ...
    async def pause(self) -> None: ...
    async def resume(self) -> None: ...
    async def terminate(
        self, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> None: ...
    async def restart(
        self, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> None: ...
    async def send_event(
        self, event: Mapping[str, Any] | None = ..., /, *, type: str = ..., payload: Any = ...
    ) -> None: ...

class WorkflowOptions(TypedDict, Generic[_Params]):
    id: NotRequired[str]
    params: NotRequired[_Params]
    retention: NotRequired[Mapping[str, Any]]

class Workflow(Generic[_Params]):
    async def get(self, id: str, /) -> WorkflowInstance: ...
    @overload
    async def create(
        self, options: WorkflowOptions[_Params] | None = ..., /
    ) -> WorkflowInstance: ...
    @overload
    async def create(
        self, *, id: str = ..., params: _Params = ..., retention: Mapping[str, Any] = ...
    ) -> WorkflowInstance: ...
    async def create_batch(
        self, batch: Sequence[WorkflowOptions[_Params]], /
    ) -> list[WorkflowInstance]: ...

_Function = TypeVar("_Function", bound=Callable[..., Any])

class _StepDecorator(Protocol):
    @overload
    def __call__(
        self, function: Callable[..., Awaitable[_T]], /
    ) -> Callable[[], Coroutine[Any, Any, _T]]: ...
    @overload
    def __call__(self, function: Callable[..., _T], /) -> Callable[[], Coroutine[Any, Any, _T]]: ...

class WorkflowStep:
    def do(
        self,
        name: str | None = None,
        depends: Sequence[Callable[..., Any]] | None = None,
        concurrent: bool = False,
        config: Mapping[str, Any] | None = None,
        *,
        rollback: Callable[..., Any] | None = None,
        rollback_config: Mapping[str, Any] | None = None,
    ) -> _StepDecorator: ...
    async def sleep(self, name: str, duration: str | int) -> None: ...
    async def sleep_until(self, name: str, timestamp: datetime | float) -> None: ...
    async def wait_for_event(
        self, name: str, event_type: str, /, timeout: str | int = ...
    ) -> Any: ...

# Others

class Fetcher:
    """A service binding, or ASSETS: `fetch`, and the methods of the other worker."""

    async def fetch(self, resource: str | Request, **options: Any) -> Response: ...
    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]: ...

class DurableObjectId:
    name: str | None
    def toString(self) -> str: ...
    def equals(self, other: DurableObjectId) -> bool: ...

class DurableObjectStub(Fetcher):
    id: DurableObjectId
    name: str | None

class DurableObjectNamespace:
    def idFromName(self, name: str) -> DurableObjectId: ...
    def idFromString(self, id: str) -> DurableObjectId: ...
    def newUniqueId(self, options: Mapping[str, Any] | None = ...) -> DurableObjectId: ...
    def get(
        self, id: DurableObjectId, options: Mapping[str, Any] | None = ...
    ) -> DurableObjectStub: ...
    def getByName(
        self, name: str, options: Mapping[str, Any] | None = ...
    ) -> DurableObjectStub: ...
    def jurisdiction(self, jurisdiction: str) -> DurableObjectNamespace: ...

class RateLimitOutcome(JsDict):
    success: bool

class RateLimit:
    async def limit(
        self, options: Mapping[str, Any] | None = ..., /, *, key: str = ...
    ) -> RateLimitOutcome: ...

class AnalyticsEngineDataset:
    def writeDataPoint(self, event: Mapping[str, Any] | None = ..., /, **keywords: Any) -> None: ...

class AnalyticsSQL:
    async def query(
        self, request: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> JsDict: ...

class DispatchNamespace:
    def get(self, name: str, args: Any = ..., options: Any = ...) -> Fetcher: ...

class Hyperdrive:
    connectionString: str
    host: str
    port: int
    user: str
    password: str
    database: str

class WorkerStub:
    def getEntrypoint(
        self, name: str | None = ..., options: Any = ..., **keywords: Any
    ) -> Fetcher: ...

class WorkerLoader:
    def get(self, name: str | None, callback: Callable[[], Any]) -> WorkerStub: ...
    def load(self, code: Any) -> WorkerStub: ...

class SendEmail:
    @overload
    async def send(self, message: Any, /) -> JsDict: ...
    @overload
    async def send(self, /, **keywords: Any) -> JsDict: ...

class ImageInfo(JsDict):
    format: str
    fileSize: int
    width: int
    height: int

class ImageTransformationResult:
    def contentType(self) -> str: ...
    def image(self, options: Mapping[str, Any] | None = ..., **keywords: Any) -> Any: ...
    def response(self, options: Mapping[str, Any] | None = ..., **keywords: Any) -> Response: ...

class ImageTransformer:
    def transform(
        self, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> ImageTransformer: ...
    def draw(
        self, image: Any, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> ImageTransformer: ...
    async def output(
        self, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> ImageTransformationResult: ...

class ImagesBinding:
    async def info(
        self, image: Any, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> ImageInfo: ...
    def input(
        self, image: Any, options: Mapping[str, Any] | None = ..., /, **keywords: Any
    ) -> ImageTransformer: ...

class SecretsStoreSecret:
    async def get(self) -> str: ...

class WorkerVersionMetadata:
    id: str
    tag: str
    timestamp: str

class JsonObject:
    """An object of a variable in JSON: attributes, not keys."""

    def to_py(self) -> dict[str, Any]: ...

class JsonArray(Generic[_T]):
    """An array of a variable in JSON."""

    length: int
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> _T: ...
    def __iter__(self) -> Iterator[_T]: ...
    def to_py(self) -> list[Any]: ...

class ScheduledController:
    cron: str
    scheduledTime: float
    def noRetry(self) -> None: ...

class ExecutionContext:
    props: Any
    exports: Any
    def waitUntil(self, awaitable: Awaitable[Any]) -> None: ...
    def passThroughOnException(self) -> None: ...
