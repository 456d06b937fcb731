"""Which classes of Durable Objects there are, as migrations or exports say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindings.durable_objects.namespace import ObjectClass
from emulator.kinds.durable_objects import ForeignClass
from tests.config.project import Project

BINDING = '[[durable_objects.bindings]]\nname = "ROOMS"\nclass_name = "Room"\n'


def classes(folder: Path, text: str) -> dict[str, tuple[str, bool]]:
    project = Project(folder)
    project.toml(text)
    found = [bound.record for bound in project.load().bound(ObjectClass)]
    return {each.name: (each.unique_key.removeprefix("app-"), each.has_sql) for each in found}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (BINDING, {"Room": ("Room", True)}),
        (BINDING + '[[migrations]]\nnew_classes = ["Room"]\n', {"Room": ("Room", False)}),
        (
            BINDING
            + '[[migrations]]\nnew_classes = ["Old", "Other"]\n[[migrations]]\n'
            + 'renamed_classes = [{ from = "Old", to = "Room" }]\n',
            {"Room": ("Old", False), "Other": ("Other", False)},
        ),
        (
            BINDING
            + '[[migrations]]\nnew_classes = ["Room"]\n[[migrations]]\n'
            + 'deleted_classes = ["Room"]\n[[migrations]]\nnew_sqlite_classes = ["Room"]\n',
            {"Room": ("Room-2", True)},
        ),
        (
            '[exports.Room]\ntype = "durable-object"\nstorage = "legacy-kv"\n'
            '[exports.Hall]\ntype = "durable-object"\nstate = "renamed"\nrenamed_to = "Lobby"\n'
            '[exports.Gone]\ntype = "durable-object"\nstate = "deleted"\n',
            {"Room": ("Room", False), "Lobby": ("Hall", True)},
        ),
        (
            BINDING + "[[migrations]]\ntransferred_classes = "
            '[{ from = "Hall", from_script = "app-2", to = "Room" }, { from = "x" }]\n',
            {"Room": ("2-Hall", True)},
        ),
        (
            '[exports.Room]\ntype = "durable-object"\nstate = "expecting-transfer"\n'
            'storage = "sqlite"\ntransfer_from = "app-2"\n'
            '[exports.Gone]\ntype = "durable-object"\nstate = "transferred"\n'
            'transferred_to = "app-3"\n',
            {"Room": ("2-Room", True)},
        ),
        ('migrations = "none"\nexports = 5\n', {}),
    ],
)
def test_migrations_and_exports_say_which_classes_there_are(
    tmp_path: Path, text: str, found: dict[str, tuple[str, bool]]
) -> None:
    assert classes(tmp_path, text) == found


def test_a_class_of_another_worker_is_looked_up_there(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.toml(BINDING + 'script_name = "chat"\nenvironment = "test"\n')
    (bound,) = project.load().bound(ForeignClass)
    assert bound.record == ForeignClass("chat-test", "Room")
