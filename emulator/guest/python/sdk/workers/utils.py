"""`workers.utils`: what else of the SDK user code imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ... import scope
from ...env import _EnvWrapper
from ..javascript.headers import Headers
from ..jsobject import JsObject
from .entrypoints import DurableObject, WorkerEntrypoint, WorkflowEntrypoint
from .headers import from_user

_PAGE = "docs/python.md says what Groundfog has of JavaScript's names"
_env: _EnvWrapper | None = None


def set_env(env: _EnvWrapper) -> None:
    """Make this `env` the one of the worker."""
    global _env
    _env = env


def current_env() -> Any:
    """Return the `env` of the worker."""
    return _env


class CloudflareWorkers(JsObject):
    """The module `cloudflare:workers`."""

    WorkerEntrypoint = WorkerEntrypoint
    DurableObject = DurableObject
    WorkflowEntrypoint = WorkflowEntrypoint
    env = property(lambda self: current_env())

    def waitUntil(self, awaitable: Any) -> None:  # JavaScript's name
        """Keep the request alive until an awaitable has settled."""
        scope.current().wait_until(awaitable)


def import_from_javascript(module_name: str) -> Any:
    """Return a module of the runtime's: `"cloudflare:workers"` or `"cloudflare:email"`.

    Raises ImportError for others.
    """
    if module_name == "cloudflare:workers":
        return CloudflareWorkers()
    if module_name == "cloudflare:email":
        from ...emails import CloudflareEmail

        return CloudflareEmail()
    text = f"Groundfog does not emulate it in Python workers; {_PAGE}."
    raise ImportError(f"Failed to import '{module_name}': {text}")


@contextmanager
def patch_env(
    d: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None, /, **kwds: Any
) -> Iterator[None]:
    """Put other values on `env` for a while."""
    assert _env is not None
    members, changed = vars(_env), {**dict(d or {}), **kwds}
    before = {name: members[name] for name in changed if name in members}
    members.update(changed)
    try:
        yield
    finally:
        for name in changed:
            members.pop(name, None)
        members.update(before)


def get_compat_flag(flag: str) -> bool:
    """Return whether a compatibility flag is on."""
    return bool(getattr(sys.modules.get("_cloudflare_compat_flags"), flag, False))


def _to_js_headers(headers: Any) -> Headers:
    return Headers.of(from_user(headers))
