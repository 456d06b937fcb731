"""Options of `groundfog dev` that say how TypeScript is bundled."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.cli.bundling_options import BundlingOptions, bundled_so, check_language
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.errors import UsageError
from tests.end_to_end.projects import make_project
from tests.typescript.projects import dev, project

CONFIGURED = """
minify = false
jsx_factory = "h"

[define]
VERSION = "'1'"
NAME = "'old'"

[alias]
small = "./src/small.ts"
"""


def configured(folder: Path, first: str = "") -> Config:
    project(folder, "export default {};")
    path = folder / "wrangler.toml"
    path.write_text(path.read_text().replace("\n[[d1", f"{first}{CONFIGURED}\n[[d1"))
    return load_config(folder, process_env={})


def test_an_option_takes_the_place_of_its_key_and_leaves_the_others(tmp_path: Path) -> None:
    config = configured(tmp_path / "project")
    options = BundlingOptions(
        defines=("NAME:'a:b'",),
        aliases=("node:fs:./shim.ts", "pkg:other"),
        minify=True,
        bundle=False,
        jsx_fragment="F",
    )

    bundling = bundled_so(config, options).bundling

    assert bundling.define == {"VERSION": "'1'", "NAME": "'a:b'"}
    assert bundling.alias == {
        "small": str(config.project_dir / "src" / "small.ts"),
        "node:fs": str(Path.cwd() / "shim.ts"),
        "pkg": "other",
    }
    assert (bundling.minify, bundling.no_bundle, bundling.has_additional_modules) == (True,) * 3
    assert (bundling.jsx_factory, bundling.jsx_fragment) == ("h", "F")
    assert bundled_so(config, BundlingOptions()) is config


@pytest.mark.parametrize(
    ("line", "bundle", "additional"),
    [
        ("find_additional_modules = false", False, False),
        ("find_additional_modules = true", True, True),
        ("no_bundle = true", True, False),
    ],
)
def test_no_bundle_takes_additional_modules_unless_the_configuration_says(
    tmp_path: Path, line: str, bundle: bool, additional: bool
) -> None:
    config = configured(tmp_path / "project", line)

    bundling = bundled_so(config, BundlingOptions(bundle=bundle)).bundling

    assert bundling.has_additional_modules is additional


@pytest.mark.parametrize(
    "options", [BundlingOptions(defines=("NAME",)), BundlingOptions(aliases=(":x",))]
)
def test_an_option_without_a_name_says_how_it_is_written(
    tmp_path: Path, options: BundlingOptions
) -> None:
    with pytest.raises(UsageError, match=r"found no name before a colon\. For example"):
        bundled_so(configured(tmp_path / "project"), options)


def test_they_are_refused_for_a_python_worker(tmp_path: Path) -> None:
    config = load_config(make_project(tmp_path / "project", ""), process_env={})

    with pytest.raises(UsageError, match="--no-bundle is for TypeScript and JavaScript workers"):
        check_language(config, BundlingOptions(bundle=False))


def test_the_command_bundles_as_it_was_told(tmp_path: Path) -> None:
    index = """
        import { word } from "words";
        declare const VERSION: string;
        export default { fetch: () => new Response(`${word} ${VERSION}`) };
    """
    folder = project(tmp_path / "project", index, words='export const word = "word";')
    words = folder / "src" / "words.ts"
    with dev(
        folder, "--define", "VERSION:'1:2'", "--alias", f"words:{words}", "--minify"
    ) as server:
        assert server.get("/").text == "word 1:2"
