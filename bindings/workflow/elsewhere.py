"""The binding of a workflow that another worker of the session defines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bindings.binding import START_BOTH
from bindings.workflow.workflow import Executor, WorkflowBinding
from emulator.errors import WorkerError


class WorkflowElsewhere:
    """Does what `WorkflowBinding` does, with the executor that `find` returns at each call.

    find: returns None where the worker does not run. encode, decode: see `WorkflowBinding`.
    """

    kind = WorkflowBinding.kind
    keeps_typed_arrays = WorkflowBinding.keeps_typed_arrays
    arguments_max_bytes = WorkflowBinding.arguments_max_bytes

    def __init__(
        self,
        worker: str,
        workflow: str,
        find: Callable[[], Executor | None],
        encode: Callable[[Any], bytes],
        decode: Callable[[bytes], Any],
    ) -> None:
        self._worker = worker
        self._workflow = workflow
        self._find = find
        self.encode = encode
        self.decode = decode

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run a method. Raises WorkerError, also when the worker does not run."""
        executor = self._find()
        if executor is None:
            raise WorkerError(
                f"The workflow {self._workflow} is of the worker {self._worker}, which is not "
                f"started. {START_BOTH}"
            )
        binding = WorkflowBinding(self._workflow, executor, self.encode, self.decode)
        return await binding.call(method, args)

    async def close(self) -> None:
        """Nothing is held."""
