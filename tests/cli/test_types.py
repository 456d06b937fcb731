"""`groundfog types`: what is on env, in all environments; a type checker knows it then."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli.main import cli
from emulator.kinds.registry import KINDS
from emulator.typings.files import STUBS
from tests.end_to_end.wrangler import environment, wrangler_folder

WRANGLER = """
name = "typed"
main = "src/entry.py"
compatibility_date = "2026-08-01"
compatibility_flags = ["python_workers"]

[vars]
MODE = "fast"
LIMIT = 3
DEBUG = false
RATIO = 0.5
"not-a-name" = "x"
SHOP = { name = "fog", tags = ["a", "b"], class = 1 }

[[d1_databases]]
binding = "DB"
database_id = "db"

[[kv_namespaces]]
binding = "KV"
id = "kv"

[[workflows]]
name = "orders"
binding = "ORDERS"
class_name = "Orders"

[[workflows]]
name = "plain"
binding = "PLAIN"
class_name = "Plain"

[[hyperdrive]]
binding = "POSTGRES"
id = "1"
localConnectionString = "postgres://a:b@localhost/c"

[env.staging]
vars = { MODE = "slow", LIMIT = 3, DEBUG = false, RATIO = 0.5 }
kv_namespaces = [{ binding = "KV", id = "other" }, { binding = "CACHE", id = "cache" }]
"""
ENTRY = """
from __future__ import annotations
from typing import TYPE_CHECKING
from flows import Orders
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint, Request

class Plain(WorkflowEntrypoint):
    async def run(self, event, step): ...

class Default(WorkerEntrypoint):
    async def fetch(self, request: Request) -> Response:
        reveal_type(self.env.DB.prepare("SELECT 1").bind(1))
        reveal_type(await self.env.DB.prepare("SELECT 1").first())
        reveal_type(await self.env.KV.get("a"))
        reveal_type(self.env.MODE)
        reveal_type(self.env.SHOP.tags[0])
        reveal_type(self.env.SECRET)
        await self.env.ORDERS.create(params={"sku": "a", "count": 1})
        await self.env.ORDERS.create(params={"sku": 2})
        self.env.NOPE
        return Response("x", headers={"a": "b"})
"""
FLOWS = """
from __future__ import annotations
from typing import TYPE_CHECKING, TypedDict
from workers import WorkflowEntrypoint
if TYPE_CHECKING:
    from worker_types import WorkflowEvent, WorkflowStep

class Order(TypedDict):
    sku: str
    count: int

class Orders(WorkflowEntrypoint):
    async def run(self, event: WorkflowEvent[Order], step: WorkflowStep) -> int:
        return event["payload"]["count"]
"""
UNTYPED = """
import asyncio
from workers import WorkflowEntrypoint

class Orders(WorkflowEntrypoint):
    async def run(self, event, step):
        reveal_type(event)

        @step.do("count", config={"timeout": "1 minute"})
        async def count(ctx) -> int:
            return 1

        @step.do()
        def name() -> str:
            return "fog"

        reveal_type(await count())
        reveal_type(await asyncio.gather(count(), name()))
        reveal_type(await self.env.KV.get("a"))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "wrangler.toml").write_text(WRANGLER)
    (tmp_path / ".dev.vars").write_text("SECRET=hidden")
    (tmp_path / "src/entry.py").write_text(ENTRY)
    (tmp_path / "src/flows.py").write_text(FLOWS)
    return tmp_path


def types(project: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["types", "--cwd", str(project), *arguments])


def members(project: Path, file: str = "typings/worker_env.pyi") -> dict[str, str]:
    text = (project / file).read_text()
    _, _, body = text.rpartition("class ")
    lines = [line.strip() for line in body.splitlines()[1:]]
    return dict(line.split(": ", 1) for line in lines)


def test_env_has_the_bindings_of_all_environments_and_variables_as_literals(project: Path) -> None:
    assert types(project).exit_code == 0
    assert members(project) == {
        "ORDERS": "Workflow[Order]  # not in: staging",
        "PLAIN": "Workflow  # not in: staging",
        "DB": "D1Database  # not in: staging",
        "KV": "KVNamespace",
        "POSTGRES": "Hyperdrive  # not in: staging",
        "MODE": "Literal['fast'] | Literal['slow']",
        "LIMIT": "Literal[3]",
        "DEBUG": "Literal[False]",
        "RATIO": "float",
        "# not-a-name": "Literal['x'] (use getattr)",
        "SHOP": "_SHOP  # not in: staging",
        "SECRET": "str",
        "CACHE": "KVNamespace  # not in: the top level",
    }
    text = (project / "typings/worker_env.pyi").read_text()
    assert "from flows import Order\n" in text
    assert "hidden" not in text


def test_a_type_checker_knows_what_is_on_env(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    types(project)
    monkeypatch.chdir(project / "src")
    monkeypatch.setenv("MYPYPATH", f"{project / 'typings'}:{project / 'src'}")
    cache = str(project / "cache")
    # A process of its own: mypy raises the recursion limit of the one that it runs in.
    checker = [sys.executable, "-m", "mypy", "entry.py", "--config-file=", "--cache-dir", cache]
    checked = subprocess.run(checker, capture_output=True, text=True, check=False)
    told, failed = checked.stdout, checked.stderr
    assert not failed
    revealed = [line.partition('Revealed type is "')[2][:-1] for line in told.splitlines()]
    assert [each.replace("builtins.", "") for each in revealed if each] == [
        "worker_types.D1PreparedStatement",
        "worker_types.JsDict | None",
        "str | None",
        "Literal['fast'] | Literal['slow']",
        "Literal['a'] | Literal['b']",
        "str",
    ]
    errors = [line for line in told.splitlines() if "error:" in line]
    assert len(errors) == 2, told
    assert '"Env" has no attribute "NOPE"' in errors[1]
    assert "entry.py:19" in errors[0]  # params without their count


def test_pyright_knows_what_is_on_env_and_what_a_run_and_its_steps_get(project: Path) -> None:
    """Without annotations: it takes them from the class that is extended."""
    pyright = wrangler_folder() / "node_modules" / "pyright" / "index.js"
    if not pyright.exists():
        pytest.skip("pyright is not beside wrangler: npm install pyright")
    types(project)
    (project / "src/flows.py").write_text(UNTYPED)
    settings = {"include": ["src"], "stubPath": "typings", "reportMissingModuleSource": False}
    (project / "pyrightconfig.json").write_text(json.dumps(settings))
    command = ["node", str(pyright), "--outputjson", "--pythonpath", sys.executable]
    checked = subprocess.run(
        command, cwd=project, env=environment(project), capture_output=True, text=True, check=False
    )
    told = json.loads(checked.stdout)["generalDiagnostics"]
    revealed = [
        each["message"].partition(' is "')[2][:-1]
        for each in told
        if each["severity"] == "information"
    ]
    assert sorted(revealed) == sorted(
        ["D1PreparedStatement", "JsDict | None", "str | None", "str", "str | None"]
        + ["Literal['fast', 'slow']", "Literal['a', 'b']"]
        + ["WorkflowEvent[Any]", "int", "tuple[int, str]"]
    )
    errors = [each["message"] for each in told if each["severity"] == "error"]
    assert len(errors) == 1 and 'Cannot access attribute "NOPE" for class "Env"' in errors[0]


def test_check_says_what_is_out_of_date_and_writes_nothing(project: Path) -> None:
    told = types(project, "--check")
    assert told.exit_code == 1
    assert "typings/worker_env.pyi" in told.stderr and "run `groundfog types`" in told.stderr
    assert not (project / "typings").exists()

    types(project)
    assert types(project, "--check").exit_code == 0
    (project / "wrangler.toml").write_text(WRANGLER.replace("fast", "quick"))
    assert types(project, "--check").exit_code == 1


def test_wranglers_options_choose_file_class_and_parts(project: Path) -> None:
    told = types(
        project,
        "src/fog_env.pyi",
        "--env-interface=CloudflareEnv",
        "--strict-vars=false",
        "--include-runtime=false",
        "--env=staging",
    )
    assert told.exit_code == 0, told.output
    assert "mypy_path" in told.stderr
    assert members(project, "src/fog_env.pyi")["MODE"] == "str"
    assert "class CloudflareEnv:" in (project / "src/fog_env.pyi").read_text()
    assert not (project / "src/workers").exists()
    types(project, "src/fog_env.pyi", "--env-interface=CloudflareEnv", "--include-env=false")
    stub = (project / "src/workers/__init__.pyi").read_text()
    assert "from fog_env import CloudflareEnv as Env" in stub


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("env.d.ts",), 'expected a file that ends in ".pyi"'),
        (("my-env.pyi",), "'my-env' cannot be imported"),
        (("--env-interface=My-Env",), "--env-interface 'My-Env' is not the name of a class"),
    ],
)
def test_wrong_arguments_are_told(project: Path, arguments: tuple[str, ...], message: str) -> None:
    told = types(project, *arguments)
    assert (told.exit_code, message in told.stderr) == (1, True), told.stderr


def test_every_kind_has_a_class_in_the_stubs() -> None:
    text = (STUBS / "worker_types.pyi").read_text()
    for kind in KINDS:
        assert kind.typed == "JsProxy" or f"class {kind.typed}" in text, kind.name


def test_the_stubs_of_workers_have_every_name_of_the_package() -> None:
    from emulator.guest.python.sdk import js, workers

    stub = (STUBS / "workers/__init__.pyi").read_text()
    for name in set(workers.__all__) - {"ReadableStream"}:
        assert any(f"{before}{name}" in stub for before in ("def ", "class ", "\n")), name
    stub = (STUBS / "js/__init__.pyi").read_text()
    classes = {name for name, value in vars(js).items() if isinstance(value, type)}
    absent = {name for name in classes if not re.search(rf"^class {name}\b", stub, re.MULTILINE)}
    assert {name for name in absent if name.strip("_") == name} <= {"JsObject", "Any"}
