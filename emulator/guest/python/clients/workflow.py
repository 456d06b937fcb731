"""The Workflow client. Source: docs/platform/python-workers.md, "Bindings".

As in the published SDK, methods with a Python name (`create`, `get`, `create_batch`,
`send_event`) send when they are awaited; those with JavaScript's name, when they are called.
"""

from __future__ import annotations

from typing import Any

from .. import deployed
from ..calls import Answer, Caller
from .binding import _BindingWrapper


class Workflow(_BindingWrapper):
    """A workflow: creates and finds instances."""

    async def create(self, *options: Any, **keywords: Any) -> WorkflowInstance:
        """Create an instance from `{"id"?, "params"?, …}` or keywords; returns a handle."""
        given = self._options("create", options, keywords)
        wanted = given[0] if given and given[0] is not None else {}
        found = await self._caller.call(self._name, "create", [wanted], then=self._handle)
        return found  # type: ignore[no-any-return]

    async def create_batch(self, *batch: Any, **keywords: Any) -> Any:
        """Create several instances; see `createBatch`.

        Warns unless it is given a list: the published SDK raises TypeError for other answers.
        """
        found = await self.createBatch(*batch, **keywords)
        if not isinstance(found, list):
            deployed.warn(
                f"env.{self._name}.create_batch() of anything but a list raises a TypeError when "
                "it is deployed, and the instances are there. Use createBatch()."
            )
        return found

    def createBatch(self, *batch: Any, **keywords: Any) -> Answer:
        """Create several instances.

        From a list of options: returns a list of handles; ids that exist are skipped. From
        `{"count", "params"?, …}`, `{"instances": […]}` or keywords: returns `{"created": handles,
        "errors": [{"index", "id", "code", "message"}]}`.
        """
        args = self._options("createBatch", batch, keywords)
        return self._caller.call(self._name, "createBatch", args, then=self._created)

    def delete_batch(self, ids: list[str], /) -> Answer:
        """Delete instances; warns, because the published SDK has no such name."""
        deployed.warn(
            f"env.{self._name}.delete_batch is an AttributeError when it is deployed. "
            "Use deleteBatch()."
        )
        return self.deleteBatch(ids)

    def deleteBatch(self, ids: list[str], /) -> Answer:
        """Delete up to 100 instances.

        Returns `{"deleted": [{"id"}], "errors": [{"id", "code", "message"}]}`.
        """
        return self._call("deleteBatch", ids)

    async def get(self, id: str, /) -> WorkflowInstance:
        """Return a handle of an existing instance."""
        found = await self._caller.call(self._name, "get", [id], then=self._handle)
        return found  # type: ignore[no-any-return]

    def _created(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._handle(record) for record in result]
        result["created"] = [self._handle(record) for record in result["created"]]
        return result

    def _handle(self, record: Any) -> WorkflowInstance:
        return WorkflowInstance(self._caller, self._name, record["id"])


class WorkflowInstance(_BindingWrapper):
    """A handle of one instance. It holds only the id, so it never becomes outdated."""

    def __init__(self, caller: Caller, name: str, id: str) -> None:
        super().__init__(caller, name)
        self.id = id

    def status(self) -> Answer:
        """Return `{"status", "output", "rollback", "error"?}`."""
        return self._call("status", self.id)

    def pause(self) -> Answer:
        """Hold the instance after the steps in flight."""
        return self._call("pause", self.id)

    def resume(self) -> Answer:
        """Go on after a pause."""
        return self._call("resume", self.id)

    def terminate(self, *options: Any, **keywords: Any) -> Answer:
        """End the instance for good; `rollback=True`: after its rollback handlers."""
        return self._call("terminate", self.id, *self._options("terminate", options, keywords))

    def restart(self, *options: Any, **keywords: Any) -> Answer:
        """Run it again from the start, or from a step."""
        return self._call("restart", self.id, *self._options("restart", options, keywords))

    def delete(self) -> Answer:
        """Stop the instance and forget it; its id can be used again."""
        return self._call("delete", self.id)

    async def send_event(self, *event: Any, **keywords: Any) -> None:
        """Send `{"type", "payload"}` to the instance."""
        await self.sendEvent(*event, **keywords)

    def sendEvent(self, *event: Any, **keywords: Any) -> Answer:
        """Send `{"type", "payload"}` to the instance."""
        return self._call("sendEvent", self.id, *self._options("sendEvent", event, keywords))


CLIENT = Workflow
