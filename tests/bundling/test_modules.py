"""Modules of their own: rules, additional modules, projects that are not bundled."""

from __future__ import annotations

import pytest

from emulator.bundling.bundle import Bundle, BundleError
from tests.bundling.conftest import Project


def names(bundle: Bundle) -> dict[str, str]:
    """Return the kinds of a bundle's modules by name."""
    return {module.name: module.kind for module in bundle.modules}


def test_a_rule_of_the_project_makes_modules(project: Project) -> None:
    project.configure('[[rules]]\ntype = "Text"\nglobs = ["**/*.md"]\nfallthrough = true\n')
    project.write(
        {
            "src/index.ts": "import a from './a.md'; import b from './b.txt'; export default a + b",
            "src/a.md": "# a",
            "src/b.txt": "b",
        }
    )

    bundle = project.build()

    assert [module.content for module in bundle.modules[1:]] == [b"# a", b"b"]
    assert bundle.warnings == ()


def test_a_rule_that_shuts_out_the_default_is_told(project: Project) -> None:
    project.configure('[[rules]]\ntype = "Text"\nglobs = ["**/*.md"]\n')
    project.write({"src/index.ts": "export default {}", "src/b.txt": "b"})

    (warning,) = project.build().warnings
    assert '{"type":"Text","globs":["**/*.md"]} does not have a fallback' in warning
    assert '"**/*.sql"]} (DEFAULT)' in warning

    project.write({"src/index.ts": "import b from './b.txt'; export default {b}"})
    with pytest.raises(BundleError, match="was ignored because a previous rule") as caught:
        project.build()
    assert "src/index.ts:1:14:" in str(caught.value)


def test_names_of_files_are_kept_if_asked_for(project: Project) -> None:
    project.configure("preserve_file_names = true\n")
    project.write({"src/index.ts": "import a from './a.txt'; export default {a}", "src/a.txt": "a"})

    assert list(names(project.build())) == ["main", "a.txt"]


def test_a_file_of_a_package_is_found_as_node_finds_it(project: Project) -> None:
    project.write(
        {
            "src/index.ts": "import a from 'pkg/a.txt'; export default {a}",
            "node_modules/pkg/package.json": '{"exports": {"./a.txt": "./text/real.txt"}}',
            "node_modules/pkg/text/real.txt": "from a package",
        }
    )

    assert project.build().modules[1].content == b"from a package"


def test_additional_modules_stay_apart(project: Project) -> None:
    project.configure(
        "find_additional_modules = true\n"
        '[[rules]]\ntype = "ESModule"\nglobs = ["**/*.mjs"]\n'
        '[[rules]]\ntype = "CommonJS"\nglobs = ["**/*.cjs"]\n'
    )
    project.write(
        {
            "src/index.ts": "import './lang/en.mjs'; import fr from './lang/fr'; export default fr",
            "src/lang/en.mjs": "export default 'hello'",
            "src/lang/fr.ts": "import text from './fr.txt'; export default text",
            "src/lang/fr.txt": "salut",
            "src/lang/de.mjs": "export default 'hallo'",
            "src/old.cjs": "module.exports = 1",
            "src/a.txt": "a",
        }
    )

    bundle = project.build()

    assert names(bundle) == {
        **{"main": "esm", "lang/en.mjs": "esm", "lang/de.mjs": "esm"},
        **{"old.cjs": "commonjs", "a.txt": "text", "lang/fr.txt": "text"},
    }
    for name in (b"en.mjs", b"fr.txt"):
        assert b'"./lang/%s"' % name in bundle.modules[0].content
    assert project.folder / "src" in bundle.inputs


def test_without_bundling_files_stay_as_they_are(project: Project) -> None:
    project.configure(
        'main = "src/worker.mjs"\nno_bundle = true\n'
        '[[rules]]\ntype = "ESModule"\nglobs = ["**/*.mjs"]\n'
    )
    entry = "import './to.mjs'; export default {}; export class C {}"
    project.write({"src/worker.mjs": entry, "src/to.mjs": "export const to = 1"})

    bundle = project.build()

    assert names(bundle) == {"main": "esm", "worker.mjs": "esm", "to.mjs": "esm"}
    assert bundle.modules[0].content == (
        b'export * from "./worker.mjs";\nexport { default } from "./worker.mjs";'
    )
    assert (bundle.modules[1].content, bundle.source_map) == (entry.encode(), None)


def test_a_service_worker_gets_modules_as_global_variables(project: Project) -> None:
    project.write(
        {"src/index.ts": "import t from './a.txt'; addEventListener(t, () => 1)", "src/a.txt": "a"}
    )

    bundle = project.build()

    (module,) = bundle.modules[1:]
    assert module.name.endswith("_a_txt") and module.name.isidentifier()
    assert f"= {module.name};".encode() in bundle.modules[0].content


def test_a_service_worker_that_imports_modules_of_workerd_is_refused(project: Project) -> None:
    project.write({"src/index.ts": "import 'cloudflare:workers'; addEventListener('fetch', 1)"})

    with pytest.raises(BundleError, match="try adding `export default { ... }`"):
        project.build()
