"""The way back from bundled code to its source, held against esbuild and Node.js."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bundling.source_maps import MalformedMap, Position, SourceMap, mapped_stack
from emulator.bundling.tools import Tools
from tests.bundling.conftest import Project

ROUNDS = 6


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def place_of(marker: str, text: str) -> tuple[int, int]:
    """Return line and column, from 1, at which `marker` begins."""
    before = text[: text.index(marker)]
    return before.count("\n") + 1, utf16(before.rpartition("\n")[2]) + 1


def program(rng: random.Random, file: int) -> str:
    """Return TypeScript whose calls have arguments that are found again in any output."""
    gaps = ["", " ", "\n", "\n\n  ", "\t", "/* 😀 é */ ", "// 💥\n", "\r\n"]
    lines = []
    for number in range(rng.randint(1, 12)):
        gap = rng.choice(gaps)
        lines.append(f"{gap}console.log({rng.choice(gaps)}'m{file}x{number}x' as string);")
        lines.append(
            rng.choice(["type T%d = { a: string };", "interface I%d {}", "// %d"]) % number
        )
        lines.append(rng.choice(["", f"function f{number}(a: number): void {{ f{number}(a); }}"]))
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_marker_is_found_where_it_was_written(project: Project, seed: int) -> None:
    rng = random.Random(seed)
    sources = {f"src/f{file}.ts": program(rng, file) for file in range(3)}
    imports = "".join(f"import './f{file}';" for file in range(3))
    project.configure("minify = true\n" if seed % 2 else "")
    project.write({"src/index.ts": f"{imports} export default {{}}", **sources})

    bundle = project.build()

    assert bundle.source_map is not None
    source_map = SourceMap(bundle.source_map)
    code = bundle.modules[0].content.decode()
    count = 0
    for name, text in sources.items():
        for marker in {word for word in text.split("'") if word.endswith("x")}:
            quoted = next(f"{quote}{marker}" for quote in "'\"`" if f"{quote}{marker}" in code)
            found = source_map.original(*place_of(quoted, code))
            wanted = place_of(f"'{marker}", text)
            assert found == Position(str(project.folder / name), *wanted)
            count += 1
    assert count > 2


def test_nodejs_finds_the_same_places(project: Project) -> None:
    node = os.environ.get("GROUNDFOG_NODE")
    if not node:
        pytest.skip("GROUNDFOG_NODE names no folder with node")
    project.write({"src/index.ts": program(random.Random(99), 0) + "\nexport default {}"})
    bundle = project.build()
    assert bundle.source_map is not None
    lines = bundle.modules[0].content.decode().split("\n")
    script = """
        const { SourceMap } = require("node:module");
        const { map, widths } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
        const found = new SourceMap(map);
        const all = widths.map((width, line) => Array.from({ length: width }, (_, column) => {
            const entry = found.findEntry(line, column);
            return entry.generatedLine === line ? [entry.originalLine, entry.originalColumn] : null;
        }));
        console.log(JSON.stringify(all));
    """
    given = {"map": json.loads(bundle.source_map), "widths": [utf16(line) for line in lines]}
    told = subprocess.run(
        [Path(node) / "node", "-e", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    ours = SourceMap(bundle.source_map)
    for line, columns in enumerate(json.loads(told.stdout), 1):
        for column, theirs in enumerate(columns, 1):
            found = ours.original(line, column)
            mine = [found.line - 1, found.column - 1] if found is not None else None
            assert mine == theirs, (line, column)


def test_a_stack_names_the_source(project: Project) -> None:
    project.write({"src/index.ts": "type A = 1;\nexport default () => { throw 'here' }"})
    bundle = project.build()
    assert bundle.source_map is not None
    line, column = place_of("throw", bundle.modules[0].content.decode())
    stack = f"Error: no\n    at default (main:{line}:{column})\n    at async main:{line}:{column}\n"
    maps = {"main": SourceMap(bundle.source_map)}

    found = mapped_stack(stack + "    at shim:1:1", maps.get, project.folder)

    assert found == (
        "Error: no\n    at default (src/index.ts:2:24)\n    at async src/index.ts:2:24\n"
        "    at shim:1:1"
    )


def test_places_outside_the_map_come_from_nowhere() -> None:
    source_map = SourceMap(b'{"version": 3, "sources": ["a.ts"], "mappings": ";IAAA"}')

    assert [source_map.original(*place) for place in ((0, 1), (1, 1), (2, 1), (3, 1))] == [None] * 4
    assert source_map.original(2, 9) == Position("a.ts", 1, 1)


def test_a_place_beyond_all_files_is_malformed() -> None:
    with pytest.raises(MalformedMap):
        SourceMap(_map("AAAA,AAAA;" + "gggggggggC" + "AAA")).original(2, 1)


@given(st.binary() | st.text("ABgf,;/+!", max_size=30).map(lambda m: _map(m)))
def test_what_is_no_map_is_malformed(content: bytes) -> None:
    try:
        SourceMap(content).original(1, 1)
    except MalformedMap:
        pass


def _map(mappings: str) -> bytes:
    return json.dumps({"version": 3, "sources": ["a"], "mappings": mappings}).encode()


def test_names_with_signs_of_addresses_lead_back_too(tmp_path: Path, tools: Tools) -> None:
    project = Project(tmp_path / "a b#c?d%20é", tools)
    project.configure()
    project.write({"src/index.ts": "import './x#y%41 ?z'; export default {}"})
    project.write({"src/x#y%41 ?z.ts": "type A = 1;\nconsole.log('here');"})

    bundle = project.build()

    assert bundle.source_map is not None
    line, column = place_of("console", bundle.modules[0].content.decode())
    stack = mapped_stack(
        f"    at main:{line}:{column}", {"main": SourceMap(bundle.source_map)}.get, project.folder
    )
    assert stack == "    at src/x#y%41 ?z.ts:2:1"
