from __future__ import annotations

import os
from pathlib import Path

import pytest

from emulator.config.problems import InvalidConfig
from tests.config.project import HEAD, Project

JSON_HEAD = (
    '{"name": "j", "main": "src/entry.py", "compatibility_date": "2025-01-01", '
    '"compatibility_flags": ["python_workers"]}'
)


def test_the_configuration_is_found_in_a_directory_above(project: Project) -> None:
    project.toml()
    (project.directory / "src" / "deep").mkdir()

    config = project.load(start="src/deep")

    assert config.path == project.directory / "wrangler.toml"
    assert config.project_dir == project.directory


def test_wrangler_json_is_taken_before_jsonc_and_toml(project: Project) -> None:
    project.toml()
    project.write("wrangler.json", JSON_HEAD)
    project.write("wrangler.jsonc", JSON_HEAD)

    assert project.load().path.name == "wrangler.json"


def test_wrangler_json_far_above_beats_a_nearer_wrangler_toml_with_a_warning(
    project: Project,
) -> None:
    project.write("wrangler.json", JSON_HEAD)
    project.write("inner/wrangler.toml", HEAD)

    config = project.load(start="inner")

    assert config.path == project.directory / "wrangler.json"
    assert "../wrangler.json: is used although wrangler.toml is nearer" in str(config.warnings[0])


def test_config_path_is_used_as_it_is_and_relative_to_the_start(project: Project) -> None:
    project.toml()
    project.write("other/special.jsonc", JSON_HEAD)
    project.write("other/src/entry.py", "")

    config = project.load(config="other/special.jsonc")

    assert config.path == project.directory / "other/special.jsonc"
    assert config.main == project.directory / "other/src/entry.py"


def test_a_config_path_of_another_kind_names_the_kinds_it_may_have(project: Project) -> None:
    project.write("worker.yaml", "name: app")

    assert project.problem(config="worker.yaml") == (
        'worker.yaml: the file name ends in ".yaml"; expected .toml, .json or .jsonc'
    )


def test_a_missing_config_path_says_so(project: Project) -> None:
    assert project.problem(config="nowhere.toml") == "nowhere.toml: no such file"


def test_a_directory_as_config_path_says_so(project: Project) -> None:
    (project.directory / "dir.toml").mkdir()

    assert project.problem(config="dir.toml") == "dir.toml: is a directory; expected a file"


def test_no_configuration_at_all_shows_a_minimal_one(project: Project) -> None:
    problem = project.problem()

    assert "found no wrangler.json, wrangler.jsonc or wrangler.toml here" in problem
    assert 'main = "src/entry.py"' in problem


def test_a_directory_named_like_the_configuration_is_mentioned(project: Project) -> None:
    (project.directory / "wrangler.toml").mkdir()

    assert "(wrangler.toml is a directory; expected a file)" in project.problem()


def test_a_missing_configuration_leaves_the_files_to_watch_on_the_error(project: Project) -> None:
    with pytest.raises(InvalidConfig) as caught:
        project.load()

    assert project.directory / "wrangler.toml" in caught.value.files


def test_a_start_directory_that_is_a_file_says_so(project: Project) -> None:
    assert "is not a directory; expected the directory of a worker" in project.problem(
        start="src/entry.py"
    )


def test_an_empty_file_says_so(project: Project) -> None:
    project.toml(head="\n  \n")

    assert project.problem().startswith("wrangler.toml: the file is empty; expected")


def test_a_file_that_cannot_be_opened_says_why(project: Project) -> None:
    os.symlink("loop.toml", project.directory / "loop.toml")

    assert "the file cannot be read: too many levels" in project.problem(config="loop.toml")


def test_a_fifo_is_refused_instead_of_waited_for(project: Project) -> None:
    os.mkfifo(project.directory / "pipe.toml")

    assert project.problem(config="pipe.toml").startswith("pipe.toml: is not a regular file")


def test_a_file_that_is_not_utf8_says_on_which_line(project: Project) -> None:
    project.write("wrangler.toml", HEAD.encode() + b'[vars]\nCITY = "K\xf6ln"\n')

    assert project.problem() == (
        "wrangler.toml:6: byte 0xf6 is not UTF-8; expected a UTF-8 text file\n"
        "  Save the file as UTF-8."
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_other_encodings_are_named(project: Project, encoding: str) -> None:
    project.write("wrangler.toml", ("\ufeff" + HEAD).encode(encoding))

    assert f"the file is encoded as {encoding[:6].upper()}; expected UTF-8" in project.problem()


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(project: Project) -> None:
    project.write("wrangler.toml", b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode())

    assert project.load().name == "app"


def test_lines_are_right_with_windows_line_ends(project: Project) -> None:
    project.write("wrangler.toml", (HEAD + "[dev]\nport = true\n").replace("\n", "\r\n"))

    assert project.problem().startswith("wrangler.toml:6: dev.port is true;")


def test_a_file_shown_from_below_keeps_a_path_one_can_open(project: Project) -> None:
    project.toml("[dev]\nport = true\n")

    assert project.problem(start="src").startswith("../wrangler.toml:6:")


class TestRedirect:
    def write(self, project: Project, pointer: str = '{"configPath": "../../dist/w.json"}') -> None:
        project.toml()
        project.write(".wrangler/deploy/config.json", pointer)
        project.write("dist/src/entry.py", "")

    def test_a_generated_configuration_is_used_and_state_stays_with_the_users(
        self, project: Project
    ) -> None:
        self.write(project)
        project.write("dist/w.json", JSON_HEAD)

        config = project.load()

        assert config.name == "j"
        assert config.path == project.directory / "dist/w.json"
        assert config.project_dir == project.directory
        assert config.main == project.directory / "dist/src/entry.py"

    def test_config_path_ignores_it(self, project: Project) -> None:
        self.write(project)

        assert project.load(config="wrangler.toml").name == "app"

    def test_a_missing_target_is_named(self, project: Project) -> None:
        self.write(project)

        assert 'configPath is "../../dist/w.json", which does not exist' in project.problem()

    def test_a_missing_config_path_key_is_named(self, project: Project) -> None:
        self.write(project, "{}")

        assert 'this deploy configuration has no "configPath"' in project.problem()

    def test_a_syntax_error_in_it_has_its_line(self, project: Project) -> None:
        self.write(project, '{\n"configPath" "x"}')

        where = os.path.join(".wrangler", "deploy", "config.json")
        assert project.problem().startswith(f"{where}:2:14: JSON syntax")

    def test_environments_in_it_are_refused(self, project: Project) -> None:
        self.write(project)
        project.write("dist/w.json", JSON_HEAD[:-1] + ', "env": {"a": {}}}')

        assert "Redirected configurations cannot include environments" in project.problem()

    def test_one_that_is_not_beside_the_configuration_is_refused(self, project: Project) -> None:
        project.toml()
        project.write("inner/.wrangler/deploy/config.json", "{}")

        assert "do not share the same base path" in project.problem(start="inner")


def test_every_file_read_or_probed_is_listed(project: Project) -> None:
    project.toml("[env.staging]\n")

    files = project.load(env="staging").files

    names = {path.name for path in files if path.parent == project.directory}
    assert names == {
        "wrangler.json",
        "wrangler.jsonc",
        "wrangler.toml",
        "groundfog.toml",
        ".dev.vars",
        ".dev.vars.staging",
        ".env",
        ".env.local",
        ".env.staging",
        ".env.staging.local",
    }


def test_a_symbolic_link_to_a_project_keeps_the_name_it_is_known_by(
    project: Project, tmp_path: Path
) -> None:
    project.toml()
    (project.directory / "link").symlink_to(project.directory, target_is_directory=True)

    assert project.load(start="link").project_dir == project.directory / "link"
