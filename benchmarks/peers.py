"""The servers to measure: Groundfog, the rivals in GROUNDFOG_WRANGLER, and engines.

Owns the command of each. `servers.py` starts them, and the programs measure them.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

PROJECTS = Path(__file__).parent / "projects"


@dataclass(frozen=True, slots=True)
class Peer:
    """One server: `command` runs in a copy of `project` and takes `{port}` for the port.

    `source` holds the worker's VERSION, `state` is the folder of its data, both inside the copy.
    """

    name: str
    version: str
    command: tuple[str, ...]
    project: Path
    source: str
    state: str
    environment: dict[str, str] = field(default_factory=dict)
    is_engine: bool = False  # runs steps, but is not a dev server


class NotInstalled(Exception):
    """A program that a measurement needs is missing; the message says how to get it."""


def groundfog() -> Peer:
    """Return the `groundfog` installed beside the running Python. Raises NotInstalled."""
    command = Path(sys.executable).with_name("groundfog")
    if not command.exists():
        raise NotInstalled(f"{command} does not exist: run `{sys.executable} -m pip install -e .`")
    return Peer(
        name="groundfog",
        version=metadata.version("groundfog"),
        command=(str(command), "dev", "--port", "{port}"),
        project=PROJECTS / "python",
        source="src/entry.py",
        state=".groundfog",
    )


def groundfog_typescript() -> Peer:
    """Return the same `groundfog` on the TypeScript project of the rivals. Raises NotInstalled."""
    python = groundfog()
    return Peer(
        name="groundfog, TypeScript",
        version=python.version,
        command=python.command,
        project=PROJECTS / "typescript",
        source="src/index.ts",
        state=python.state,
        environment={"GROUNDFOG_TOOLS": str(_packages().parent)},
    )


def rivals() -> list[Peer]:
    """Return workerd's native mode and wrangler dev, both on the TypeScript project.

    Raises NotInstalled unless GROUNDFOG_WRANGLER names a folder where npm installed wrangler and
    GROUNDFOG_NODE (or else PATH) has a real Node binary.
    """
    packages = _packages()
    wrangler = packages / "wrangler/bin/wrangler.js"
    binaries = packages / ".bin"
    node = _node()
    typescript = PROJECTS / "typescript"
    native_options = ("--experimental", "--socket-addr", "http=127.0.0.1:{port}")
    wrangler_options = ("--ip", "127.0.0.1", "--port", "{port}", "--inspector-port", "0")
    return [
        Peer(
            name="workerd native",
            version=_version(packages / "workerd"),
            command=(str(binaries / "workerd"), "serve", *native_options, "wrangler.jsonc", "-w"),
            project=typescript,
            source="src/index.ts",
            state=".wrangler/state",
            environment={"WORKERD_ESBUILD": str(binaries / "esbuild")},
        ),
        Peer(
            name="wrangler dev",
            version=_version(packages / "wrangler"),
            command=(str(node), str(wrangler), "dev", *wrangler_options),
            project=typescript,
            source="src/index.ts",
            state=".wrangler/state",
            environment={
                # No data may leave the machine, and no prompt may wait for an answer.
                "CI": "1",
                "WRANGLER_SEND_METRICS": "false",
                "WRANGLER_HIDE_BANNER": "true",
                "CLOUDFLARE_CF_FETCH_ENABLED": "false",
                "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            },
        ),
    ]


def engines() -> list[Peer]:
    """Return DBOS Transact on SQLite and Restate: other engines that run Python steps durably.

    Raises NotInstalled unless GROUNDFOG_ENGINES names a virtual environment of their own with dbos,
    restate-sdk, hypercorn and httpx, and GROUNDFOG_RESTATE a folder where npm installed Restate.
    """
    python, packages = _engine_python(), _restate_packages()
    servers = sorted(packages.glob("restate-server-*/bin/restate-server"))
    if not servers:
        raise NotInstalled(f"{packages} has no restate-server for this machine")
    return [
        _engine("DBOS", _python_version(python, "dbos"), python, "dbos", {}),
        _engine(
            "Restate",
            _version(packages / "restate-server"),
            python,
            "restate",
            {"RESTATE_SERVER": str(servers[0])},
        ),
    ]


def _engine(
    name: str, version: str, python: Path, project: str, environment: dict[str, str]
) -> Peer:
    return Peer(
        name=name,
        version=version,
        command=(str(python), "serve.py", "{port}"),
        project=PROJECTS / project,
        source="serve.py",
        state="state",
        environment=environment,
        is_engine=True,
    )


def _engine_python() -> Path:
    folder = os.environ.get("GROUNDFOG_ENGINES", "")
    python = Path(folder).absolute() / "bin/python"
    if not folder or not python.exists():
        raise NotInstalled(
            "GROUNDFOG_ENGINES does not name a virtual environment: set it to one in which"
            " `pip install dbos restate-sdk hypercorn httpx` was run."
        )
    return python


def _restate_packages() -> Path:
    folder = os.environ.get("GROUNDFOG_RESTATE", "")
    packages = Path(folder).absolute() / "node_modules/@restatedev"
    if not folder or not packages.exists():
        raise NotInstalled(
            "GROUNDFOG_RESTATE does not name a folder with Restate: set it to one in which"
            " `npm install @restatedev/restate-server` was run."
        )
    return packages


def _python_version(python: Path, package: str) -> str:
    found = sorted(python.parent.parent.glob(f"lib/python*/site-packages/{package}-*.dist-info"))
    if not found:
        raise NotInstalled(f"{python} has no {package}: run `{python} -m pip install {package}`")
    return found[0].name.removesuffix(".dist-info").partition("-")[2]


def _packages() -> Path:
    folder = os.environ.get("GROUNDFOG_WRANGLER")
    how = "set it to a folder in which `npm install wrangler` was run."
    if not folder:
        raise NotInstalled(f"GROUNDFOG_WRANGLER is not set: {how}")
    packages = Path(folder).absolute() / "node_modules"
    if not (packages / "wrangler").exists():
        raise NotInstalled(f"GROUNDFOG_WRANGLER is {folder}, but {packages} lacks wrangler: {how}")
    return packages


def _version(package: Path) -> str:
    version: str = json.loads((package / "package.json").read_text())["version"]
    return version


def _node() -> Path:
    folders = [os.environ.get("GROUNDFOG_NODE"), *os.environ.get("PATH", "").split(os.pathsep)]
    for folder in filter(None, folders):
        node = Path(folder).absolute() / "node"
        if node.exists():
            with node.open("rb") as binary:
                is_script = binary.read(2) == b"#!"
            if is_script:
                raise NotInstalled(
                    f"{node} is a script that starts Node: its own start would be measured too."
                    " Let GROUNDFOG_NODE name the folder of the binary."
                )
            return node
    raise NotInstalled("No `node` found: let GROUNDFOG_NODE name the folder of Node 22 or later.")
