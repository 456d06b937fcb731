"""The API's routes: every path and method, for both bases."""

from __future__ import annotations

from starlette.routing import Route

from emulator.server.api.envelope import Handler, endpoint
from emulator.server.api.workflows.changes import Changes
from emulator.server.api.workflows.dialects import EXPLORER, V4, Dialect
from emulator.server.api.workflows.durable import durable
from emulator.server.api.workflows.groundfog_only import own_routes
from emulator.server.api.workflows.journal import journal_routes
from emulator.server.api.workflows.reads import Reads
from emulator.server.api.workflows.streams import Streams
from emulator.server.api.workflows.terminator import Terminations, Terminator
from emulator.worker import Worker


def workflow_routes(worker: Worker) -> list[Route]:
    """Return the routes of both bases and our own, for `create_app`."""
    terminator = Terminator(worker)
    bases = [route for base in (V4, EXPLORER) for route in _routes(worker, base, terminator)]
    return [*bases, *own_routes(worker), *journal_routes(worker)]


def _routes(worker: Worker, dialect: Dialect, terminator: Terminator) -> list[Route]:
    reads, changes = Reads(worker, dialect), Changes(worker, dialect, terminator)
    terminations = Terminations(worker, dialect, terminator)
    streams = Streams(worker, dialect)
    one = "/{workflow}"
    instances = f"{one}/instances"
    # An instance's id may have slashes, as those of schedules do. So the longer paths come first.
    instance = f"{instances}/{{instance:path}}"
    table: list[tuple[str, str, Handler]] = [
        ("GET", "", durable(worker, reads.list_workflows)),
        ("GET", one, durable(worker, reads.get_workflow)),
        ("PUT", one, changes.put_workflow),
        ("DELETE", one, changes.delete_workflow),
        ("GET", f"{one}/versions", durable(worker, reads.list_versions)),
        ("GET", f"{one}/versions/{{version}}", durable(worker, reads.get_version)),
        ("GET", f"{one}/versions/{{version}}/dag", durable(worker, reads.get_graph)),
        ("GET", f"{one}/versions/{{version}}/graph", durable(worker, reads.get_graph)),
        ("GET", instances, durable(worker, reads.list_instances)),
        ("GET", f"{instances}/", durable(worker, reads.list_instances)),
        ("POST", instances, changes.create),
        ("PUT", f"{instances}/terminate", terminations.start),
        ("GET", f"{instances}/terminate", terminations.tell),
        ("POST", f"{instances}/batch", changes.create_batch),
        ("POST", f"{instances}/batch/terminate", changes.terminate_batch),
        ("POST", f"{instances}/batch/delete", changes.delete_batch),
        ("PATCH", f"{instance}/status", changes.change_status),
        ("POST", f"{instance}/events/{{event_type}}", changes.send_event),
        ("GET", f"{instance}/step", durable(worker, reads.get_step)),
        ("GET", f"{instance}/subscribe", streams.subscribe),
        ("GET", instance, durable(worker, reads.get_instance)),
        ("DELETE", instance, changes.delete),
    ]
    return [
        Route(f"{dialect.base}/workflows{path}", endpoint(handler), methods=[method])
        for method, path, handler in table
    ]
