"""The workers that can call one another: by name, and their guests by address.

A call passes through here as it is: its arguments and its result are not looked into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from msgspec import Struct

from bindings.binding import Call, Encoded, OnlyForwards
from bindings.durable_objects.namespace import ObjectCalls, ObjectClass
from bindings.service.service import Target
from emulator import forwarding
from emulator.errors import WorkerError
from emulator.runner.requests import FetchReply, FetchRequest, RpcReply, RpcRequest

if TYPE_CHECKING:
    from bindings.workflow.workflow import Executor


class Serving(Protocol):
    """A worker that runs, as its supervisor does."""

    @property
    def executor(self) -> Executor:
        """What executes its workflows."""
        ...

    def objects(self, class_name: str) -> tuple[ObjectClass, ObjectCalls]:
        """Return a class of its Durable Objects, and where they live. Raises WorkerError."""
        ...

    async def fetch(self, request: FetchRequest) -> FetchReply: ...
    async def rpc(self, request: RpcRequest) -> RpcReply: ...
    async def call(self, handler: str, args: list[Any]) -> Any: ...


class Owner(Protocol):
    """A guest that others may have functions of."""

    async def rpc(self, request: RpcRequest) -> RpcReply: ...


class Peers:
    """Satisfies `Workers`; `stubs` is what a guest calls functions of another one through."""

    def __init__(self) -> None:
        self._workers: dict[str, Peer] = {}
        self._guests: WeakValueDictionary[str, Owner] = WeakValueDictionary()
        self._joined = 0
        self.stubs = Stubs(self._guests)

    def add(self, name: str, serving: Serving) -> None:
        """Let a worker be called by its name."""
        self._workers[name] = Peer(name, serving)

    def remove(self, name: str, serving: Serving) -> None:
        """A worker has stopped; another one may have its name by now."""
        peer = self._workers.get(name)
        if peer is not None and peer.serving is serving:
            del self._workers[name]

    def find(self, name: str) -> Peer | None:
        """Return the worker with this name; None: it does not run."""
        return self._workers.get(name)

    def executor(self, name: str) -> Executor | None:
        """Return what executes the workflows of that worker; None: it does not run."""
        peer = self._workers.get(name)
        return None if peer is None else peer.serving.executor

    def objects(self, name: str, class_name: str) -> tuple[ObjectClass, ObjectCalls] | None:
        """Return Durable Objects of that worker; None: it does not run. Raises WorkerError."""
        peer = self._workers.get(name)
        return None if peer is None else peer.serving.objects(class_name)

    def address(self, guest: Owner) -> str:
        """Return a new address, at which others reach what the guest sends."""
        self._joined += 1
        address = str(self._joined)
        self._guests[address] = guest
        return address


class Peer(Struct, frozen=True):
    """One worker, as the others call it. Satisfies `Callee`."""

    name: str
    serving: Serving

    async def handle(self, handler: str, args: list[Any]) -> Any:
        """Let its handler of an event be called. Raises EmulatorError."""
        return await self.serving.call(handler, args)

    async def answer(self, target: Target, call: Call) -> Encoded:
        """Let the worker answer a call. Raises WorkerError."""
        forwarding.check_depth(target.worker, call.depth)
        entrypoint = "" if target.entrypoint in ("default", "Default") else target.entrypoint
        try:
            if call.method == forwarding.FETCH:
                request = forwarding.fetch_request(call, entrypoint, target.props)
                return forwarding.encoded_fetch(await self.serving.fetch(request))
            return forwarding.encoded(
                await self.serving.rpc(
                    RpcRequest(
                        call.method,
                        call.payload,
                        call.body,
                        entrypoint,
                        target.props,
                        depth=call.depth + 1,
                    )
                )
            )
        except forwarding.FAILURES as error:
            raise forwarding.told(error, f"worker {self.name}") from error


class Stubs(OnlyForwards):
    """Calls functions, and methods of objects, that stayed in their guest."""

    kind = "stub"
    refusal = "Functions can only be called by workers."

    def __init__(self, guests: WeakValueDictionary[str, Owner]) -> None:
        self._guests = guests

    async def forward(self, call: Call) -> Encoded:
        """Call `"<owner> <number> <method>"`. Raises WorkerError."""
        forwarding.check_depth("a function of another worker", call.depth)
        owner, number, method = call.method.split(" ", 2)
        guest = self._guests.get(owner)
        if guest is None:
            raise WorkerError("The worker that this function came from was loaded anew.")
        request = RpcRequest(
            method, call.payload, call.body, stub=int(number), depth=call.depth + 1
        )
        try:
            return forwarding.encoded(await guest.rpc(request))
        except forwarding.FAILURES as error:
            raise forwarding.told(error, "the worker that this function came from") from error
