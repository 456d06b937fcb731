"""Transferred classes: the storage of their objects moves to the worker that has the class now.

It moves when both workers are started together: a folder of one state directory becomes one of the
other. Nothing is moved where the new worker has such a folder already.
Source: docs/platform/durable-objects.md, "Migrations".
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from bindings.durable_objects.namespace import ObjectClass
from emulator.config.model import Config
from emulator.disk import make_folder, refusal, sync_folder
from emulator.errors import StateError
from emulator.state import State

Workers = Sequence[tuple[Config, State]]


def transferred(workers: Workers) -> Iterator[str]:
    """Move what was transferred between these workers; yield what a person is told of each move.

    Raises StateError, also while another server has one of the states.
    """
    for config, state in workers:
        for of in {bound.record for bound in config.bound(ObjectClass) if bound.record.origin}:
            for other, origin in workers:
                source, target = origin.objects(of.unique_key), state.objects(of.unique_key)
                if other.name != of.origin or not source.is_dir() or target.exists():
                    continue
                if other.is_python != config.is_python:
                    raise StateError(
                        f"{of.name} of the worker {config.name} cannot take over the objects of "
                        f"{other.name}: Python and JavaScript store values in different formats. "
                        "Transfer the class between workers of the same language."
                    )
                with origin.locked(), state.locked():
                    _move(source, target)
                yield f"the objects of {of.name} were transferred from {other.name} ({target})"


def _move(source: Path, target: Path) -> None:
    try:
        make_folder(target.parent)
        try:
            source.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # else another file system: copy, and then remove
                raise
            making = target.with_name(f"{target.name}.new")
            shutil.rmtree(making, ignore_errors=True)
            shutil.copytree(source, making)
            making.rename(target)
            shutil.rmtree(source)
        sync_folder(target.parent)
        sync_folder(source.parent)
    except OSError as error:
        raise StateError(refusal(source, f"cannot be moved to {target}", error)) from error
