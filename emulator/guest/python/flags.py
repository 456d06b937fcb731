"""Compatibility flags a Python worker can observe.

Source: docs/platform/python-workers.md, "Compatibility flags".
"""

from __future__ import annotations

NO_GLOBAL_HANDLERS = "python_no_global_handlers"
IMPLICIT_DEPENDENCIES = "python_workflows_implicit_dependencies"
DELETES_ALARM = "delete_all_deletes_alarm"
NODEJS_COMPAT = "nodejs_compat"
CTX_EXPORTS = "enable_ctx_exports"
STRIPS_AUTHORIZATION = "strip_authorization_on_cross_origin_redirect"

# enable flag, the flag that turns it off again, and the compatibility date that implies it
_FLAGS = (
    ("python_workers", "", "9999-99-99"),
    ("python_workers_20250116", "no_python_workers_20250116", "2025-09-29"),
    (NO_GLOBAL_HANDLERS, f"disable_{NO_GLOBAL_HANDLERS}", "2025-08-14"),
    ("python_workers_force_new_vendor_path", "", "2025-08-11"),
    ("python_workflows", "disable_python_workflows", "2025-09-20"),
    ("python_dedicated_snapshot", "no_python_dedicated_snapshot", "2025-10-16"),
    ("python_check_rng_state", "disable_python_check_rng_state", "2025-12-16"),
    (
        "python_request_headers_preserve_commas",
        "disable_python_request_headers_preserve_commas",
        "2026-02-17",
    ),
    (IMPLICIT_DEPENDENCIES, f"no_{IMPLICIT_DEPENDENCIES}", "2026-02-25"),
    (STRIPS_AUTHORIZATION, "retain_authorization_on_cross_origin_redirect", "2025-09-01"),
    (CTX_EXPORTS, "disable_ctx_exports", "2025-11-17"),
    (DELETES_ALARM, "delete_all_preserves_alarm", "2026-02-24"),
    ("enable_python_external_sdk", "disable_python_external_sdk", "2026-04-21"),
    ("python_process_pth_files", "disable_python_process_pth_files", "2026-05-26"),
    (NODEJS_COMPAT, "no_nodejs_compat", "2026-08-04"),
)

_on: dict[str, bool] = {}


def use(resolved: dict[str, bool]) -> None:
    """Let these be the flags of the worker."""
    _on.update(resolved)


def is_on(name: str) -> bool:
    """Return whether a flag of the worker is on."""
    return _on.get(name, False)


def resolve(compatibility_date: str, given: list[str]) -> dict[str, bool]:
    """Return every known flag and whether it is on; `given` has priority over the date."""
    resolved = {}
    for name, opposite, implied_from in _FLAGS:
        on = name in given or compatibility_date >= implied_from
        resolved[name] = on and opposite not in given
    resolved.update({name: True for name in given if name not in resolved and name.isidentifier()})
    return resolved
