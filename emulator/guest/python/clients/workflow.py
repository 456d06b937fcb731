"""The Workflow client. Source: python-workers.md sections 8.3 and 13.4."""

from __future__ import annotations

from typing import Any

from ..calls import Answer, Caller
from .binding import _BindingWrapper, with_options


class Workflow(_BindingWrapper):
    """A workflow: creates and finds instances."""

    def create(self, options: Any = None, **keywords: Any) -> Answer:
        """Create an instance from `{"id"?, "params"?, …}` or keywords; returns a handle."""
        merged = {**(options or {}), **keywords}
        return self._caller.call(self._name, "create", [merged], then=self._handle)

    def create_batch(self, batch: Any = None, **keywords: Any) -> Answer:
        """Create several instances.

        From a list of options: returns a list of handles; ids that exist are skipped. From
        `{"count", "params"?, …}`, `{"instances": […]}` or keywords: returns `{"created": handles,
        "errors": [{"index", "id", "code", "message"}]}`.
        """
        args = with_options(() if batch is None else (batch,), keywords)
        return self._caller.call(self._name, "createBatch", args, then=self._created)

    createBatch = create_batch  # JavaScript's name

    def delete_batch(self, ids: list[str]) -> Answer:
        """Delete up to 100 instances.

        Returns `{"deleted": [{"id"}], "errors": [{"id", "code", "message"}]}`.
        """
        return self._call("deleteBatch", ids)

    deleteBatch = delete_batch  # JavaScript's name

    def get(self, id: str) -> Answer:
        """Return a handle of an existing instance."""
        return self._caller.call(self._name, "get", [id], then=self._handle)

    def _created(self, result: Any) -> Any:
        if isinstance(result, list):
            return [self._handle(record) for record in result]
        result["created"] = [self._handle(record) for record in result["created"]]
        return result

    def _handle(self, record: Any) -> WorkflowInstance:
        return WorkflowInstance(self._caller, self._name, record["id"])


class WorkflowInstance(_BindingWrapper):
    """A handle of one instance; it holds nothing but the id and never goes stale."""

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
        return self._call("terminate", self.id, *with_options(options, keywords))

    def restart(self, *options: Any, **keywords: Any) -> Answer:
        """Run it again from the start, or from a step."""
        return self._call("restart", self.id, *with_options(options, keywords))

    def delete(self) -> Answer:
        """Stop the instance and forget it; its id can be used again."""
        return self._call("delete", self.id)

    def send_event(self, *event: Any, **keywords: Any) -> Answer:
        """Send `{"type", "payload"}` to the instance."""
        return self._call("sendEvent", self.id, *event, **keywords)

    sendEvent = send_event  # JavaScript's name
