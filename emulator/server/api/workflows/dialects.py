"""The differences between the two bases of the API: production's v4 and the local explorer's.

Everything else is the same. Where production is not documented, v4 answers as the explorer does.
Source: docs/platform/workflows-rest.md, "REST" and "The local explorer".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from emulator.engine.model.plain import as_text
from emulator.errors import WorkerError
from emulator.json_types import Json
from emulator.protocol.deep_json import TooMuch
from emulator.server.api import bases
from emulator.server.api.bodies import read_json
from emulator.server.api.envelope import INTERNAL, ApiError

WORKFLOW_NOT_FOUND = 10200
INSTANCE_NOT_FOUND = 10400
ALREADY_EXISTS = 10405
LOCAL_NOT_FOUND = 10501
INVALID_DATE_RANGE = 10502

# "(instance.already_exists) Instance already exists" -> "instance.already_exists"
_CODE = re.compile(r"\(?((?:instance|workflow|rate_limit)\.[a-z_]+)")
_STATUS = {
    "instance.not_found": 404,
    "instance.already_exists": 409,
    "instance.cannot_terminate": 409,
    "instance.cannot_restart": 409,
    "instance.in_finite_state": 409,
    "instance.cannot_skip": 409,
    "instance.cannot_fork": 409,
    "instance.too_many_queued": 429,
    "rate_limit.workflow_instance_creation": 429,
}


class Dialect(Struct, frozen=True):
    """One base of the API.

    base: the path before `/workflows`, as a route.
    show_output: shows a step's output in an instance's details.
    read_params: reads the `params` of a body.
    acknowledges: answers `{"success": true}`, where production names the instance and the time.
    """

    base: str
    show_output: Callable[[Json], Json]
    read_params: Callable[[Json], Json]
    acknowledges: bool

    def no_workflow(self, name: str) -> ApiError:
        """Return the refusal of a workflow that is not configured."""
        if self.acknowledges:
            return ApiError(404, LOCAL_NOT_FOUND, f"Workflow '{name}' not found.")
        return ApiError(404, WORKFLOW_NOT_FOUND, "workflows.api.error.workflow.not_found")

    def no_instance(self, instance_id: str) -> ApiError:
        """Return the refusal of an instance that does not exist."""
        if self.acknowledges:
            message = f"Workflow instance '{instance_id}' not found."
            return ApiError(404, LOCAL_NOT_FOUND, message)
        return ApiError(404, INSTANCE_NOT_FOUND, "workflows.api.error.instance.not_found")

    def refused(self, error: WorkerError, instance_id: str = "") -> ApiError:
        """Return the engine's error with an HTTP status and the API's number."""
        if error.name == "WorkflowInternalError":
            return ApiError(500, INTERNAL, error.message)
        found = _CODE.match(error.message)
        code = found[1] if found else ""
        if code == "instance.not_found":
            return self.no_instance(instance_id)
        if code == "instance.already_exists" and not self.acknowledges:
            return ApiError(409, ALREADY_EXISTS, "workflows.api.error.instance.already_exists")
        return ApiError(_STATUS.get(code, 400), INTERNAL, error.message)


def params_or_json_text(params: Json) -> Json:
    """Return the value of v4's `params`: a JSON value, or the text of a JSON object or array.

    wrangler sends the value, Cloudflare's SDKs its text. Any other text is a string.
    """
    if not isinstance(params, str) or not params.lstrip().startswith(("{", "[")):
        return params
    try:
        return read_json(params)
    except TooMuch:
        raise
    except ValueError:
        return params


def _as_it_is(value: Json) -> Json:
    return value


V4 = Dialect(bases.V4, as_text, params_or_json_text, acknowledges=False)
EXPLORER = Dialect(bases.EXPLORER, _as_it_is, _as_it_is, acknowledges=True)
