"""The Durable Objects of a TypeScript worker, as other workers call them: workerd keeps them."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from bindings.binding import Call, Encoded
from bindings.durable_objects.namespace import Address
from emulator import forwarding
from emulator.runner.requests import FetchReply, FetchRequest, RpcReply, RpcRequest


class Serving(Protocol):
    """The worker that has them."""

    async def fetch(self, request: FetchRequest) -> FetchReply: ...
    async def rpc(self, request: RpcRequest) -> RpcReply: ...


class InWorkerd:
    """Satisfies `ObjectCalls`."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def answer(self, address: Address, call: Call) -> Encoded:
        """Let an object answer a call of a worker. Raises WorkerError."""
        of = address.of.name
        who = f"Durable Object {of}"
        forwarding.check_depth(who, call.depth)
        durable = address.id if address.name is None else f"{address.id} {address.name}"
        try:
            if call.method == forwarding.FETCH:
                request = replace(forwarding.fetch_request(call, of), durable=durable)
                return forwarding.encoded_fetch(await self._serving.fetch(request))
            asked = RpcRequest(
                *(call.method, call.payload, call.body, of), depth=call.depth + 1, durable=durable
            )
            return forwarding.encoded(await self._serving.rpc(asked))
        except forwarding.FAILURES as error:
            raise forwarding.told(error, who) from error
