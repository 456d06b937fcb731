"""The configuration's settings reach esbuild."""

from __future__ import annotations

import asyncio

import pytest

from emulator.bundling import custom_build
from emulator.bundling.bundle import Bundle, BundleError
from tests.bundling.conftest import Project
from tests.typescript.projects import is_alive
from tests.waiting import eventually


def code_of(bundle: Bundle) -> str:
    return bundle.modules[0].content.decode()


def test_define_alias_and_paths_are_used(project: Project) -> None:
    project.configure(
        'define = { LIMIT = "42", NAME = "\'groundfog\'" }\n'
        'alias = { "left-pad" = "./src/pad.ts", "@x/y" = "real" }\n'
    )
    project.write(
        {
            "src/index.ts": """
                import pad from "left-pad"; import y from "@x/y"; import { z } from "~/deep/z";
                export default { pad, y, z, limit: LIMIT, name: NAME };
            """,
            "src/pad.ts": "export default 'my pad'",
            "lib/deep/z.ts": "export const z = 'my z'",
            "node_modules/real/package.json": '{"main": "r.js"}',
            "node_modules/real/r.js": "module.exports = 'the real one'",
            "tsconfig.json": '{"extends": "./base.json", /* yes */}',
            "base.json": '{"compilerOptions": {"paths": {"~/*": ["./lib/*"]}}}',
        }
    )

    bundle = project.build()

    for text in ("my pad", "my z", "the real one", "limit: 42", 'name: "groundfog"'):
        assert text in code_of(bundle)
    assert {project.folder / name for name in ("tsconfig.json", "base.json")} < bundle.inputs


def test_an_alias_that_leads_nowhere_is_told_with_its_place(project: Project) -> None:
    project.configure('alias = { "left-pad" = "./gone.ts" }\n')
    project.write({"src/index.ts": "import 'left-pad'; export default {}"})

    with pytest.raises(BundleError, match="gone.ts") as caught:
        project.build()

    assert "src/index.ts:1:7:" in str(caught.value)


def test_node_env_is_development_unless_the_environment_says_otherwise(project: Project) -> None:
    project.write({"src/index.ts": "export default process.env.NODE_ENV"})

    assert '"development"' in code_of(project.build())
    assert '"production"' in code_of(project.build(NODE_ENV="production"))


def test_jsx_is_understood_in_plain_javascript(project: Project) -> None:
    project.configure('main = "src/index.js"\njsx_factory = "h"\n')
    project.write({"src/index.js": "const h = 1; export default <b>hi</b>"})

    assert 'h("b", null, "hi")' in code_of(project.build())


def test_conditions_and_platform_come_from_the_environment_too(project: Project) -> None:
    exports = '{"workerd": "./w.js", "custom": "./c.js", "default": "./d.js"}'
    project.write(
        {
            "src/index.ts": "import which from 'pkg'; export default which",
            "node_modules/pkg/package.json": f'{{"exports": {exports}}}',
            **{f"node_modules/pkg/{name}.js": f"module.exports = 'is {name}'" for name in "wcd"},
        }
    )

    assert "is w" in code_of(project.build())
    assert "is c" in code_of(project.build(WRANGLER_BUILD_CONDITIONS="custom"))
    assert "is d" in code_of(project.build(WRANGLER_BUILD_CONDITIONS=""))
    with pytest.raises(BundleError, match="WRANGLER_BUILD_PLATFORM"):
        project.build(WRANGLER_BUILD_PLATFORM="deno")


def test_minified_code_keeps_the_names_of_classes(project: Project) -> None:
    project.configure("minify = true\n")
    project.write({"src/index.ts": "export class VeryLong {}; export default {}"})

    assert '"VeryLong")' in code_of(project.build())


def test_the_build_command_makes_main_and_runs_again_when_its_files_change(
    project: Project,
) -> None:
    project.configure(
        'main = "dist/index.js"\n[build]\ncommand = "mkdir -p dist && cat in/a.js > dist/index.js;'
        ' echo made; echo x >> runs"\nwatch_dir = "in"\n'
    )
    project.write({"in/a.js": "export default 'one'"})
    lines: list[str] = []

    async def scenario() -> list[str]:
        bundler = project.bundler(lines.append)
        try:
            first = code_of(await bundler.build())
            again = code_of(await bundler.build())
            project.write({"in/a.js": "export default 'second'"})
            return [first, again, code_of(await bundler.build())]
        finally:
            await bundler.close()

    first, again, second = asyncio.run(scenario())

    assert ("one" in first, first == again, "second" in second) == (True, True, True)
    assert (project.folder / "runs").read_text() == "x\nx\n"
    assert lines == ["[custom build] made"] * 2


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("echo no such thing; exit 3", "failed with exit status 3.\n  no such thing"),
        ("true", "was not found after running custom build"),
    ],
)
def test_a_build_command_that_fails_is_told(project: Project, command: str, text: str) -> None:
    project.configure(f'main = "dist/index.js"\n[build]\ncommand = "{command}"\n')

    with pytest.raises(BundleError, match=text) as caught:
        project.build()

    assert project.folder / "src" in caught.value.inputs


def test_a_build_command_that_does_not_end_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_build, "SLOW_S", 0.01)
    command = "until [ -e told ]; do sleep 0.01; done"
    project.configure(f'[build]\ncommand = "{command}"\n')
    project.write({"src/index.ts": "export default {}"})
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        project.write({"told": ""})

    async def scenario() -> None:
        bundler = project.bundler(tell)
        try:
            await bundler.build()
        finally:
            await bundler.close()

    asyncio.run(scenario())

    assert f"`{command}` still runs after 0.01 s. The worker waits for its end" in lines[0]


def test_a_build_that_is_given_up_ends_its_command_and_what_that_started(project: Project) -> None:
    project.configure('[build]\ncommand = "sleep 600 & echo $!; wait"\n')
    project.write({"src/index.ts": "export default {}"})

    async def scenario() -> int:
        started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        bundler = project.bundler(started.set_result)
        building = asyncio.ensure_future(bundler.build())
        line = await started
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
        await bundler.close()
        return int(line.rpartition(" ")[2])

    pid = asyncio.run(scenario())

    eventually(lambda: not is_alive(pid))
