"""Creates an instance that shares the past of another one."""

from __future__ import annotations

import uuid

from emulator.engine.actions import Admit, Decision
from emulator.engine.decide import checks
from emulator.engine.decide.forks import fork as forked
from emulator.engine.decide.restarts import parse_restart_point
from emulator.engine.engine import Engine
from emulator.engine.model.instance import Instance
from emulator.errors import StateError, WorkerError
from emulator.json_types import Json


async def fork(
    engine: Engine,
    workflow: str,
    instance_id: str,
    start: Json,
    *,
    new_id: str | None = None,
    params: bytes | None = None,
    output: bytes | None = None,
) -> str:
    """Create an instance with what another had done before a step, and return its id.

    start: `{"name", "count"?, "type"?}`. params, output: see `decide/forks.py`. Raises WorkerError
    for a bad or used id, and when there is no such instance or step.
    """
    journal = engine.journal
    key = journal.find(workflow, instance_id)
    if key is None:
        raise WorkerError("(instance.not_found) Instance not found")
    checks.check_new(new_id, params)
    new_id = str(uuid.uuid4()) if new_id is None else new_id
    if journal.find(workflow, new_id) is not None:
        raise WorkerError("(instance.already_exists) Instance already exists")
    point, history = parse_restart_point(start), list(journal.numbered(key))
    now_ms = engine.clock.now_ms()
    forked(history, point, 0, now_ms, params=params, output=output)  # may refuse
    instance = Instance(journal.new_instance(workflow, new_id, now_ms), workflow, new_id)
    first, *more = forked(history, point, instance.key, now_ms, params=params, output=output)
    engine.obey(instance, Decision(actions=[Admit(instance, first, more)]))
    try:
        await journal.committed()
    except StateError as error:
        raise WorkerError(str(error), name="WorkflowInternalError") from error
    return new_id
