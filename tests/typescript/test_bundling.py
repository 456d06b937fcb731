"""A TypeScript worker whose bundle is more than its main module, served and saved."""

from __future__ import annotations

import os
import time
from pathlib import Path

import httpx

from tests.bundling.conftest import ADD
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project
from tests.waiting import eventually

INDEX = "export default { fetch() { return new Response('first') } }"


def answers(server: DevServer, text: str) -> bool:
    """Whether the worker answers so; while a generation is replaced, it may answer nothing."""
    try:
        return server.client.get(server.url).text == text
    except httpx.TransportError:
        return False


def test_what_a_build_waits_for_is_noticed(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", INDEX)
    index = folder / "src" / "index.ts"
    with dev(folder) as server:
        seen = len(server.lines)
        index.write_text(
            "import { text } from './later';\nexport default { fetch: () => new Response(text) }"
        )
        server.wait_for('Could not resolve "./later"', seen)
        server.wait_for("src/index.ts:1:21:", seen)
        assert answers(server, "first")
        (folder / "src" / "later.ts").write_text("export const text = 'second'")
        eventually(lambda: answers(server, "second"))

        seen = len(server.lines)
        (folder / "src" / "later.ts").write_text("export { default as text } from 'pkg'")
        server.wait_for('Could not resolve "pkg"', seen)
        package = folder / "node_modules" / "pkg"
        package.mkdir(parents=True)
        (package / "index.js").write_text("module.exports = 'third'")
        eventually(lambda: answers(server, "third"))

        (folder / "src" / "later.ts").write_text("export { text } from '~/z'")
        (folder / "src" / "z.ts").write_text("export const text = 'fourth'")
        (folder / "tsconfig.json").write_text(
            '{"compilerOptions": {"paths": {"~/*": ["./src/*"]}}}'
        )
        eventually(lambda: answers(server, "fourth"))

        (folder / "src" / "later.ts").write_text("export { default as text } from './a.md'")
        (folder / "src" / "a.md").write_text("fifth")
        config = folder / "wrangler.toml"
        config.write_text(
            'rules = [{ type = "Text", globs = ["**/*.md"], fallthrough = true }]\n'
            + config.read_text()
        )
        eventually(lambda: answers(server, "fifth"))
        (folder / "src" / "a.md").write_text("sixth")
        eventually(lambda: answers(server, "sixth"))


def test_a_service_worker_has_its_modules_as_global_variables(tmp_path: Path) -> None:
    index = """
        import add from "./add.wasm";
        import text from "./hello.txt";
        import data from "./data.bin";
        addEventListener("fetch", (event: any) => event.respondWith(answer()));
        async function answer() {
            const { exports } = await WebAssembly.instantiate(add as any) as any;
            return new Response(`${text} ${exports.add(40, 2)} ${(data as any).byteLength}`);
        }
    """
    folder = project(tmp_path / "p", index)
    (folder / "wrangler.toml").write_text(
        'name = "sw"\nmain = "src/index.ts"\ncompatibility_date = "2026-08-01"\n'
    )
    (folder / "src" / "add.wasm").write_bytes(ADD)
    (folder / "src" / "data.bin").write_bytes(b"123")
    (folder / "src" / "hello.txt").write_text("hello")

    with dev(folder) as server:
        assert server.client.get(server.url).text == "hello 42 3"


def test_the_projects_own_build_command_runs_when_its_files_are_saved(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "")
    (folder / "wrangler.toml").write_text(
        'name = "built"\nmain = "dist/worker.mjs"\ncompatibility_date = "2026-08-01"\n'
        'no_bundle = true\nrules = [{ type = "ESModule", globs = ["**/*.mjs"] }]\n'
        '[build]\ncommand = "mkdir -p dist && cp src/*.mjs dist/ && echo copied'
        ' && sleep 0.4"\n'  # longer than the intervals at which saves are looked for at the start
    )
    (folder / "src" / "worker.mjs").write_text(
        "import { text } from './text.mjs'; export default { fetch: () => new Response(text) }"
    )
    (folder / "src" / "text.mjs").write_text("export const text = 'first'")

    with dev(folder) as server:
        assert answers(server, "first")
        server.wait_for(r"\[custom build\] copied")
        (folder / "src" / "text.mjs").write_text("export const text = 'second'")
        eventually(lambda: answers(server, "second"))
        (folder / "src" / "text.mjs").write_text("export const text = 'third'")
        eventually(lambda: answers(server, "third"))
        eventually(lambda: server.output.count("reloaded in") >= 2)
        assert server.output.count("reloaded in") == 2  # what the command writes is no save


def test_a_save_during_the_first_build_is_not_lost(tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        "import { text } from './text'; export default { fetch: () => new Response(text) }",
        text="export const text = 'first'",
    )
    later = time.time() + 3600  # as if it was saved between its reading and the first answer
    os.utime(folder / "src" / "text.ts", (later, later))
    with dev(folder) as server:
        server.wait_for(r"reloaded in .*text\.ts")
        assert answers(server, "first")


def test_code_that_does_not_build_at_the_start_is_told_once(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", "import './other'", other="import './gone'")
    with dev(folder) as server:
        (folder / "src" / "gone.ts").write_text("broken(")
        server.wait_for("Unexpected end of file")
        assert server.output.count('Could not resolve "./gone"') == 1
