"""`[assets]`: what is read of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bindings.assets.settings import AssetSettings
from tests.config.project import Project


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('directory = "none"', 'assets.directory is "none"; there is no such folder'),
        ('binding = "A"', "assets has no directory; expected a string"),
        ('directory = "."\nhtml_handling = "auto"', "assets.html_handling is"),
        ('directory = "."\nnot_found_handling = 1', "assets.not_found_handling is 1"),
        ('directory = "."\nrun_worker_first = "x"', 'assets.run_worker_first is "x"'),
        ('directory = "."\nrun_worker_first = ["x"]', "expected one that begins with / or !/"),
        ('directory = "."\nrun_worker_first = ["!/x"]', "has only patterns that begin with !"),
        ('directory = "."\nbase_path = "//x"', "The value must be a pathname, not a URL."),
        ('directory = "."\nbase_path = 1', "assets.base_path is 1; expected a string"),
    ],
)
def test_a_wrong_value_is_named(project: Project, text: str, told: str) -> None:
    project.toml(f"[assets]\n{text}\n")
    assert told in project.problem()


def test_everything_is_read(project: Project) -> None:
    project.toml(
        '[assets]\ndirectory = "."\nbinding = "FILES"\nhtml_handling = "none"\n'
        'not_found_handling = "404-page"\nrun_worker_first = ["/a/*"]\nbase_path = "app"\n'
    )
    config = project.load()
    (bound,) = config.bound(AssetSettings)
    assert (bound.name, bound.record) == (
        "FILES",
        AssetSettings(Path(config.project_dir), "none", "404-page", ("/a/*",), "/app/", False),
    )


def test_date_and_flags_say_whether_navigations_go_to_assets_first(project: Project) -> None:
    def reads(date: str, flags: str) -> bool:
        project.write(
            "wrangler.toml",
            f'name = "w"\nmain = "src/entry.py"\ncompatibility_date = "{date}"\n'
            f'compatibility_flags = ["python_workers"{flags}]\n[assets]\ndirectory = "."\n',
        )
        (bound,) = project.load().bound(AssetSettings)
        assert bound.name == ""
        return bound.record.navigation_first

    assert [reads("2025-03-31", ""), reads("2025-04-01", "")] == [False, True]
    assert reads("2025-03-31", ', "assets_navigation_prefers_asset_serving"')
    assert not reads("2025-04-01", ', "assets_navigation_has_no_effect"')
