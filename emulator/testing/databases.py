"""What a test does with the D1 databases of its worker beside what `env` offers."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from bindings.d1.script import script_statements
from emulator.cli.pending_migrations import apply_pending
from emulator.config.model import Bound
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds import d1
from emulator.kinds.d1 import Database
from emulator.testing.operations import Args, asked
from emulator.testing.refusals import NoSuch, Refused
from emulator.testing.subject import Subject


@asked("apply_migrations")
async def apply_migrations(subject: Subject, args: Args) -> list[str]:
    """Apply pending migrations; return what a person would be told."""
    told: list[str] = []
    config = subject.config
    if args["binding"] is not None:
        bound = _database(subject, args["binding"])
        config = replace(config, bindings=(bound,))
    try:
        await apply_pending(config, subject.worker.state, told.append)
    except EmulatorError as error:
        raise Refused(str(error)) from None
    return told


@asked("seed")
async def seed(subject: Subject, args: Args) -> None:
    """Execute a script."""
    bound = _database(subject, args["binding"])
    database: Any = subject.worker.opened(d1.KIND, bound.record)
    try:
        statements = [{"sql": each, "params": []} for each in script_statements(args["sql"])]
        await database.call("query", [statements])
    except (WorkerError, UsageError) as error:
        raise Refused(f"The SQL is refused: {error}") from None


def _database(subject: Subject, binding: str) -> Bound[Database]:
    for bound in subject.config.bound(Database):
        if bound.name == binding:
            return bound
    names = ", ".join(bound.name for bound in subject.config.bound(Database)) or "none"
    raise NoSuch(f"There is no D1 database {binding}. There are: {names}.")
