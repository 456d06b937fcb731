"""The same projects bundled by wrangler and by us: the same modules, and the same answers."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from emulator.bundling.bundle import Module, ModuleKind
from emulator.bundling.tools import Tools
from tests.bundling.conftest import ADD, Project, project, tools
from tests.end_to_end.wrangler import wrangler

__all__ = ["project", "tools"]  # fixtures

KINDS: dict[str, ModuleKind] = {".txt": "text", ".bin": "data", ".wasm": "wasm", ".cjs": "commonjs"}

EVERYTHING = {
    "wrangler.toml": """
        name = "w"
        main = "src/index.tsx"
        compatibility_date = "2024-09-23"  # so that Node.js needs polyfills
        compatibility_flags = ["nodejs_compat"]
        jsx_factory = "h"
        rules = [{ type = "Text", globs = ["**/*.md"], fallthrough = true }]
        define = { LIMIT = "42", NAME = '"groundfog"' }
        alias = { "left-pad" = "./src/pad.ts", "old" = "real" }
    """,
    "tsconfig.json": '{"compilerOptions": {"paths": {"~/*": ["./lib/*"]}}}',
    "src/index.tsx": """
        import fs from "fs";
        import { createHash } from "crypto";
        import { platform } from "node:os";
        import fetched from "node-fetch";
        import debug from "debug";
        import add from "./add.wasm?module";
        import data from "./data.bin";
        import pad from "left-pad";
        import old from "old";
        import readme from "./readme.md";
        import text from "./hello.txt";
        import { z } from "~/deep/z";
        import cjs from "./old.cjs";
        import which from "conditions";
        const h = (tag: string, props: null, text: string) => tag + text;
        class VeryLongName {}
        export default { async fetch() {
            const { exports } = await WebAssembly.instantiate(add);
            let threw = "";
            try { fs.readFileSync("/x"); } catch (error) { threw = String(error); }
            return Response.json([
                threw, typeof platform, typeof fetched, process.version, typeof performance.mark,
                createHash("sha1").update("x").digest("hex"), exports.add(40, 2), data.byteLength,
                debug, pad, old, readme, text, z, cjs, which, LIMIT, NAME, <b>hi</b>,
                VeryLongName.name, navigator.userAgent,
            ]);
        } };
    """,
    "src/add.wasm": ADD,
    "src/data.bin": b"\0\1\2",
    "src/readme.md": "# read me",
    "src/hello.txt": "hello",
    "src/pad.ts": "export default 'my pad'",
    "src/old.cjs": """
        const { request } = require("http");
        module.exports = [
            typeof require("events").once, require("path").join("a", "b"), typeof request,
            typeof require("node-fetch"), typeof require("inherits"), process.platform,
        ];
    """,
    "lib/deep/z.ts": "export const z: string = 'z'",
    "node_modules/real/package.json": '{"main": "r.js"}',
    "node_modules/real/r.js": "module.exports = 'the real one'",
    # unenv has an empty package of this name, which wrangler does not want.
    "node_modules/debug/package.json": '{"main": "n.js", "browser": "b.js"}',
    "node_modules/debug/n.js": "module.exports = 'debug of node'",
    "node_modules/debug/b.js": "module.exports = 'debug of browsers'",
    "node_modules/conditions/package.json": json.dumps(
        {"exports": {"node": "./n.js", "workerd": "./w.js", "default": "./d.js"}}
    ),
    **{f"node_modules/conditions/{name}.js": f"module.exports = '{name}'" for name in "nwd"},
}
APART = {
    "wrangler.toml": """
        name = "w"
        main = "src/index.ts"
        compatibility_date = "2026-08-21"
        find_additional_modules = true
        rules = [
            { type = "ESModule", globs = ["**/*.mjs"] },
            { type = "CommonJS", globs = ["lib/*.cjs"] },
        ]
    """,
    "src/index.ts": """
        import here from "./lang/en.mjs";
        import old from "./lib/old.cjs";
        export default { async fetch(request: Request) {
            const there = await import(`./lang/${new URL(request.url).pathname.slice(1)}.mjs`);
            return Response.json([here, there.default, old]);
        } };
    """,
    "src/lang/en.mjs": "export default 'hello'",
    "src/lang/de.mjs": "export default 'hallo'",
    "src/lib/old.cjs": "module.exports = 'old'",
    "src/lib/deep/not.cjs": "module.exports = 'not found by the rule'",
}


@pytest.mark.wrangler
@pytest.mark.parametrize("files", [EVERYTHING, APART], ids=["everything", "apart"])
def test_wrangler_makes_the_same_modules(
    project: Project, tools: Tools, files: dict[str, str | bytes]
) -> None:
    project.write(files)

    theirs = bundled_by_wrangler(project.folder)
    bundle = project.build()

    assert {(each.name, each.kind, each.content) for each in bundle.modules[1:]} == {
        (each.name, each.kind, each.content) for each in theirs[1:]
    }
    assert bundle.warnings == ()
    answer = run(bundle.modules, project, tools)
    assert answer == run(theirs, project, tools)
    assert json.loads(answer)


def bundled_by_wrangler(folder: Path) -> tuple[Module, ...]:
    """Return the modules that wrangler would upload, the main module first."""
    out = folder / ".wrangler" / "out"
    words = "deploy", "--dry-run", "--outdir", str(out)
    wrangler(folder, *words, timeout_s=120, NODE_ENV="development")
    main = out / "index.js"
    others = [
        path
        for path in sorted(out.rglob("*"))
        if path.is_file() and path != main and path.name != "README.md" and path.suffix != ".map"
    ]
    return (
        Module("main", "esm", main.read_bytes()),
        *(
            Module(
                path.relative_to(out).as_posix(),
                "text" if path.suffix == ".md" else KINDS.get(path.suffix, "esm"),
                path.read_bytes(),
            )
            for path in others
        ),
    )


def run(modules: tuple[Module, ...], project: Project, tools: Tools) -> str:
    """Return what a worker of these modules answers to `GET /de`, in the real workerd."""
    members = {
        **{"esm": "esModule", "commonjs": "commonJsModule", "text": "text", "data": "data"},
        **{"wasm": "wasm", "json": "json"},
    }
    folder = project.folder / ".wrangler" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for number, module in enumerate(modules):
        (folder / f"{number}").write_bytes(module.content)
        listed.append(f'(name = "{module.name}", {members[module.kind]} = embed "{number}")')
    config = project.config()
    flags = ", ".join(f'"{flag}"' for flag in config.compatibility_flags)
    (folder / "config.capnp").write_text(
        f"""
        using Workerd = import "/workerd/workerd.capnp";
        const config :Workerd.Config = (
          services = [(name = "w", worker = (
            modules = [{", ".join(listed)}],
            compatibilityDate = "{config.compatibility_date}", compatibilityFlags = [{flags}]))],
          sockets = [(name = "s", address = "127.0.0.1:0", http = (), service = "w")]);
        """
    )
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [tools.workerd.path, "serve", "config.capnp", f"--control-fd={writing}"],
        cwd=folder,
        pass_fds=[writing],
    )
    os.close(writing)
    try:
        with open(reading, encoding="utf-8") as control:
            event = json.loads(control.readline())
        address = f"http://127.0.0.1:{event['port']}/de"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return str(answer.read().decode())
    finally:
        process.kill()
        process.wait(10)
