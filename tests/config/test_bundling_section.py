"""How TypeScript and JavaScript are bundled, as the configuration says it."""

from __future__ import annotations

import pytest

from emulator.config.model import Bundling, CustomBuild, ModuleRule
from tests.config.project import HEAD, Project

TS_HEAD = 'name = "app"\nmain = "src/index.ts"\ncompatibility_date = "2025-01-01"\n'


@pytest.fixture
def typescript(project: Project) -> Project:
    project.write("src/index.ts", "export default {}")
    project.write("tsconfig.build.json", "{}")
    return project


def test_a_worker_that_says_nothing_has_wranglers_defaults(typescript: Project) -> None:
    typescript.toml(head=TS_HEAD)

    assert typescript.load().bundling == Bundling()


def test_every_key_is_read(typescript: Project) -> None:
    typescript.toml(
        """
        no_bundle = true
        base_dir = "src"
        preserve_file_names = true
        minify = true
        keep_names = false
        tsconfig = "tsconfig.build.json"
        jsx_factory = "h"
        jsx_fragment = "Fragment"
        alias = { a = "b", c = "./d.ts" }
        define = { LIMIT = "1" }
        rules = [{ type = "Text", globs = ["**/*.md"], fallthrough = true }]
        [build]
        command = "npm run build"
        cwd = "tool"
        watch_dir = ["src", "lib"]
        """,
        head=TS_HEAD,
    )
    root = typescript.directory

    assert typescript.load().bundling == Bundling(
        no_bundle=True,
        base_dir=root / "src",
        preserve_file_names=True,
        minify=True,
        keep_names=False,
        tsconfig=root / "tsconfig.build.json",
        jsx_factory="h",
        jsx_fragment="Fragment",
        alias={"a": "b", "c": str(root / "d.ts")},
        define={"LIMIT": "1"},
        rules=(ModuleRule("Text", ("**/*.md",), True),),
        build=CustomBuild("npm run build", root / "tool", (root / "src", root / "lib")),
    )
    assert not typescript.load().warnings


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("minify = 1", "minify is 1; expected true or false"),
        ("define = { A = 5 }", "define.A is 5; expected a string"),
        ('tsconfig = "gone.json"', 'tsconfig is "gone.json", but there is no such file'),
        ('rules = [{ type = "Txt", globs = [] }]', 'rules[0].type is "Txt"; expected "ESModule"'),
        ("rules = [{ globs = [] }]", "rules[0] has no type; expected one of ESModule"),
        ('rules = [{ type = "Text" }]', "rules[0] has no globs; expected an array"),
        ("build = { command = 1 }", "build.command is 1; expected a string"),
    ],
)
def test_a_wrong_value_is_told_with_its_line(typescript: Project, line: str, text: str) -> None:
    typescript.toml(line, head=TS_HEAD)

    assert f"wrangler.toml:4: {text}" in typescript.problem()


def test_a_main_that_a_command_makes_need_not_be_there(typescript: Project) -> None:
    head = TS_HEAD.replace("src/index.ts", "dist/index.js")
    typescript.toml('[build]\ncommand = "make"', head=head)
    assert typescript.load().main == typescript.directory / "dist/index.js"

    typescript.toml(head=head)
    assert "there is no such file" in typescript.problem()


def test_a_python_worker_is_told_that_it_is_not_bundled(project: Project) -> None:
    project.toml('define = { A = "1" }\nminify = true', head=HEAD)

    (warning,) = project.load().warnings
    assert "not emulated yet: define (line 5)" in str(warning)
    assert project.load().bundling == Bundling()
