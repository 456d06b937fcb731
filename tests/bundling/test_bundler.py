"""A project becomes modules, with the real esbuild."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from msgspec.structs import replace

from emulator.bundling.bundle import Bundle, BundleError
from emulator.bundling.bundler import Bundler
from emulator.bundling.hooks import Hooks
from emulator.bundling.service import Message
from emulator.bundling.tools import Tools
from tests.bundling.conftest import Project
from tests.runner.test_requests import until

HELLO = "export default { fetch() { return new Response('hello') } };"


def test_typescript_becomes_one_module_with_a_map(project: Project) -> None:
    project.write(
        {
            "src/index.ts": "import { to } from './to'; export default { go: () => to as string }",
            "src/to.ts": "export const to: string = 'world'",
        }
    )

    bundle = project.build()

    assert (bundle.main, [module.name for module in bundle.modules]) == ("main", ["main"])
    assert b'to = "world"' in bundle.modules[0].content
    assert bundle.source_map is not None and b"src/to.ts" in bundle.source_map
    assert bundle.inputs == {
        project.folder / name for name in ("src/index.ts", "src/to.ts", "tsconfig.json")
    }


def test_a_second_build_sees_what_was_saved(project: Project) -> None:
    async def scenario() -> tuple[bytes, bytes]:
        project.write({"src/index.ts": HELLO})
        bundler = project.bundler()
        try:
            first = await bundler.build()
            project.write({"src/index.ts": HELLO.replace("hello", "again")})
            second = await bundler.build()
        finally:
            await bundler.close()
        return first.modules[0].content, second.modules[0].content

    first, second = asyncio.run(scenario())

    assert (b"hello" in first, b"again" in second) == (True, True)


def test_a_build_after_an_error_works(project: Project) -> None:
    async def scenario() -> bytes:
        project.write({"src/index.ts": "export default {"})
        bundler = project.bundler()
        try:
            with pytest.raises(BundleError):
                await bundler.build()
            project.write({"src/index.ts": HELLO})
            return (await bundler.build()).modules[0].content
        finally:
            await bundler.close()

    assert b"hello" in asyncio.run(scenario())


def test_a_syntax_error_shows_place_and_code(project: Project) -> None:
    project.write({"src/index.ts": "\nexport default { fetch( };\n"})

    with pytest.raises(BundleError) as caught:
        project.build()

    text = str(caught.value)
    assert 'Expected identifier but found "}"' in text
    assert "src/index.ts:2:24:" in text
    assert "2 │ export default { fetch( };" in text
    assert (caught.value.file, caught.value.line) == ("src/index.ts", 2)
    assert project.folder / "src/index.ts" in caught.value.inputs


def test_a_missing_file_is_waited_for(project: Project) -> None:
    project.write(
        {"src/index.ts": "import './a'; export default {}", "src/a.ts": "import './not-there'"}
    )

    with pytest.raises(BundleError, match='Could not resolve "./not-there"') as caught:
        project.build()

    assert {project.folder / f"src/{name}.ts" for name in ("index", "a", "not-there")} < (
        caught.value.inputs
    )


def test_a_missing_package_is_told_with_advice(project: Project) -> None:
    project.write({"src/index.ts": "import 'left-pad'; export default {}"})

    with pytest.raises(BundleError) as caught:
        project.build()

    assert 'Could not resolve "left-pad"' in str(caught.value)
    advice = 'Run `npm install left-pad`, or you can add an entry to "alias" in your Wrangler'
    assert advice in str(caught.value)
    assert project.folder / "node_modules" in caught.value.inputs


def test_text_data_and_wasm_are_modules_of_their_own(project: Project) -> None:
    wasm = b"\0asm\1\0\0\0"
    project.write(
        {
            "src/index.ts": """
                import text from "./a.txt"; import data from "./b.bin";
                import wasm from "./c.wasm"; import again from "./c.wasm?module";
                export default { text, data, wasm, again };
            """,
            **{"src/a.txt": "text", "src/b.bin": b"\0\1", "src/c.wasm": wasm},
        }
    )

    bundle = project.build()

    assert [(module.kind, module.content) for module in bundle.modules[1:]] == [
        ("text", b"text"),
        ("data", b"\0\1"),
        ("wasm", wasm),
    ]
    for module in bundle.modules[1:]:
        assert f'from "./{module.name}"'.encode() in bundle.modules[0].content
    assert {project.folder / f"src/{name}" for name in ("a.txt", "b.bin", "c.wasm")} < bundle.inputs


def test_builtins_of_node_are_left_to_workerd(project: Project) -> None:
    project.write(
        {
            "src/index.ts": "import 'fs'; import 'node:path'; import './c.cjs'; export default 1",
            "src/c.cjs": "module.exports = require('events').EventEmitter",
        }
    )

    content = project.build().modules[0].content

    for name in (b"fs", b"path", b"events"):
        assert b'"node:%s"' % name in content
    assert b'__require("' not in content


def test_a_builtin_without_the_flag_is_told(project: Project) -> None:
    project.configure(date="2024-01-01")
    project.write({"src/index.ts": "import 'node:fs'; export default {}"})
    assert 'The package "node:fs" wasn\'t found' in "".join(project.build().warnings)

    project.write({"src/index.ts": "import 'fs'; export default {}"})
    with pytest.raises(BundleError, match='Add the "nodejs_compat" compatibility flag'):
        project.build()


def test_a_script_without_exports_is_a_service_worker(project: Project) -> None:
    project.write({"src/index.ts": "addEventListener('fetch', (event: FetchEvent) => {})"})

    assert project.build().service_worker


def test_esbuild_ends_with_the_bundler(project: Project) -> None:
    async def scenario() -> int:
        project.write({"src/index.ts": HELLO})
        bundler = project.bundler()
        await bundler.build()
        assert bundler.esbuild_pid is not None
        pid = bundler.esbuild_pid
        await bundler.close()
        return pid

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(scenario()), 0)


def test_an_esbuild_that_was_killed_is_started_again(project: Project) -> None:
    async def scenario() -> bytes:
        project.write({"src/index.ts": HELLO})
        bundler = project.bundler()
        try:
            await bundler.build()
            assert bundler.esbuild_pid is not None
            os.kill(bundler.esbuild_pid, signal.SIGKILL)
            await until(lambda: bundler.esbuild_pid is None, "the end of esbuild")
            return (await bundler.build()).modules[0].content
        finally:
            await bundler.close()

    assert b"hello" in asyncio.run(scenario())


def test_modules_that_workerd_lacks_are_told_without_wranglers_polyfills(
    project: Project, tools: Tools
) -> None:
    project.configure('compatibility_flags = ["nodejs_compat"]\n', date="2025-01-01")
    project.write({"src/index.ts": HELLO})

    (warning,) = project.build(replace(tools, wrangler=None)).warnings

    assert "At the compatibility date 2025-01-01 workerd does not have every module" in warning


def test_a_project_behind_a_link_is_bundled_like_any_other(project: Project, tools: Tools) -> None:
    project.configure("find_additional_modules = true\n")
    project.write({"src/index.ts": "import a from './a.txt'; export default {", "src/a.txt": "a"})
    link = project.folder.with_name("link")
    link.symlink_to(project.folder)
    linked = Project(link, tools)

    with pytest.raises(BundleError, match=r"src/index\.ts:1:41:"):
        linked.build()
    linked.write({"src/index.ts": "import a from './a.txt'; export default {a}"})
    bundle = linked.build()

    assert [module.name for module in bundle.modules] == ["main", "a.txt"]
    assert project.folder / "src/index.ts" in bundle.inputs


def test_what_unenv_said_is_kept_for_the_next_start(project: Project, tools: Tools) -> None:
    project.configure('compatibility_flags = ["nodejs_compat"]\n', date="2025-01-01")
    project.write({"src/index.ts": "import fs from 'fs'; export default fs"})
    cache = project.folder / "kept.json"
    config = project.config()
    no_workerd = replace(tools, workerd=replace(tools.workerd, path=project.folder / "gone"))

    async def build(tools: Tools) -> Bundle:
        bundler = Bundler(config, tools, {}, cache=cache)
        try:
            return await bundler.build()
        finally:
            await bundler.close()

    first = asyncio.run(build(tools))
    assert asyncio.run(build(no_workerd)) == first

    cache.write_text("[damaged")
    assert asyncio.run(build(no_workerd)).warnings != ()
    assert asyncio.run(build(tools)) == first


def test_a_build_after_one_that_was_given_up_sees_what_was_saved(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write({"src/index.ts": "import 'node:fs'; export default 'first'"})
    answer = Hooks.answer

    async def scenario() -> bytes:
        asked, go = asyncio.Event(), asyncio.Event()

        async def late(hooks: Hooks, request: Message) -> Message:
            asked.set()
            await go.wait()
            return await answer(hooks, request)

        monkeypatch.setattr(Hooks, "answer", late)
        bundler = project.bundler()
        try:
            building = asyncio.ensure_future(bundler.build())
            await asked.wait()
            project.write({"src/index.ts": "import 'node:fs'; export default 'second'"})
            building.cancel()
            await asyncio.gather(building, return_exceptions=True)
            asyncio.get_running_loop().call_later(0.1, go.set)
            return (await bundler.build()).modules[0].content
        finally:
            await bundler.close()

    assert b"second" in asyncio.run(scenario())
