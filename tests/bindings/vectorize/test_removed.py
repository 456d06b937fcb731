"""An index whose file is removed under it: nothing is acknowledged any more."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from bindings.vectorize.store import Store
from emulator.errors import WorkerError

from .conftest import Session

VECTOR = {"id": "east", "values": [1.0, 0.0]}


@pytest.mark.parametrize(
    "method, argument", [("upsert", [VECTOR]), ("deleteByIds", ["east"]), ("query", [1, 0])]
)
def test_a_call_to_a_removed_index_is_refused(
    session: Session, method: str, argument: object
) -> None:
    index = session.index()
    session.call(index, "insert", [VECTOR])
    assert index.removed() == ""
    shutil.rmtree(session.path.parent)

    with pytest.raises(WorkerError, match="was removed or replaced while it was open"):
        session.call(index, method, argument)
    assert f"{session.path} was removed" in index.removed()
    assert not session.path.exists()


def test_a_change_under_way_when_its_file_is_removed_is_not_acknowledged(tmp_path: Path) -> None:
    store = Store(tmp_path / "v" / "skills.sqlite")
    with pytest.raises(sqlite3.OperationalError, match="was removed"):
        with store.changing():
            store.raise_revision()
            shutil.rmtree(tmp_path / "v")
    store.close()
