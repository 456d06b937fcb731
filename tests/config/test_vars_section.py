from __future__ import annotations

import pytest

from emulator.config.vars_section import parse_var_flags
from emulator.errors import UsageError
from tests.config.project import Project


def test_vars_keep_their_json_types(project: Project) -> None:
    project.toml('[vars]\nS = "x"\nN = 1.5\nB = true\nL = [1, "a"]\nO = { a = { b = 2 } }\n')

    assert project.load().vars == {
        "S": "x",
        "N": 1.5,
        "B": True,
        "L": [1, "a"],
        "O": {"a": {"b": 2}},
    }


def test_a_toml_date_becomes_its_text_as_json_would_have_it(project: Project) -> None:
    project.toml("[vars]\nDAY = 2025-01-02\n")

    assert project.load().vars == {"DAY": "2025-01-02"}


def test_vars_that_are_not_table_are_refused(project: Project) -> None:
    project.toml('vars = ["A"]\n')

    assert "vars is an array; expected an object" in project.problem()


def test_a_top_level_key_that_slipped_under_vars_is_a_warning(project: Project) -> None:
    project.toml('[vars]\nA = "1"\ncompatibility_flags = ["x"]\n')

    assert project.warnings() == [
        "wrangler.toml:7: vars.compatibility_flags is a variable here, because it stands below a "
        "table header\n  Move compatibility_flags above the first [table]."
    ]


def test_cli_vars_beat_files_and_configuration(project: Project) -> None:
    project.toml('[vars]\nA = "1"\nB = "1"\n')
    project.write(".dev.vars", "B=2\nC=2")

    assert project.load(cli_vars={"C": "3", "D": "3"}).vars == {
        "A": "1",
        "B": "2",
        "C": "3",
        "D": "3",
    }


def test_a_secret_with_a_bindings_name_is_refused(project: Project) -> None:
    project.toml('[ai]\nbinding = "AI"\n')
    project.write(".dev.vars", "AI=1")

    assert project.problem() == (
        ".dev.vars: AI has a value here, and names a binding in the configuration (AI)\n"
        "  Rename one of the two: both are reached as env.NAME."
    )


def test_a_cli_var_with_a_bindings_name_is_refused(project: Project) -> None:
    project.toml('[[d1_databases]]\nbinding = "DB"\n')

    problem = project.problem(cli_vars={"DB": "1"})  # type: ignore[arg-type]
    assert problem.startswith("--var: DB has a value here")


def test_var_flags_are_split_at_the_first_colon() -> None:
    assert parse_var_flags(["A:1", "URL:http://x:1/", "E:"]) == {
        "A": "1",
        "URL": "http://x:1/",
        "E": "",
    }


@pytest.mark.parametrize("flag", ["A=hunter2", ":hunter2", ""])
def test_a_var_flag_without_a_name_is_refused_without_its_value(flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_var_flags([flag])

    assert "expected --var NAME:value" in str(caught.value)
    assert "hunter2" not in str(caught.value)
