from __future__ import annotations

import pytest

from tests.config.project import HEAD, Project


def head(**changes: str | None) -> str:
    """Return the usual four lines with some replaced, or left out for None."""
    values: dict[str, str | None] = {
        "name": '"app"',
        "main": '"src/entry.py"',
        "compatibility_date": '"2025-01-01"',
        "compatibility_flags": '["python_workers"]',
        **changes,
    }
    return "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)


def test_a_usual_head_is_read(project: Project) -> None:
    project.toml("[dev]\nport = 0\nip = 'localhost'\n")

    config = project.load()

    assert (config.name, config.main) == ("app", project.directory / "src/entry.py")
    assert config.compatibility_date == "2025-01-01"
    assert config.compatibility_flags == ("python_workers",)
    assert (config.dev.port, config.dev.ip) == (0, "localhost")
    assert config.is_python
    assert config.warnings == ()


def test_a_missing_name_is_worker(project: Project) -> None:
    project.toml(head=head(name=None))

    assert project.load().name == "worker"


def test_a_name_with_capitals_is_refused_with_a_proposal(project: Project) -> None:
    project.toml(head=head(name='"My Worker"'))

    assert project.problem() == (
        'wrangler.toml:1: name is "My Worker"; expected lower case letters, digits, - and _\n'
        '  Rename it, for example to "my-worker".'
    )


def test_a_missing_main_proposes_a_file_that_exists(project: Project) -> None:
    project.toml(head=head(main=None))

    assert project.problem() == (
        "wrangler.toml: main is missing; expected the path of the file that exports the worker\n"
        '  Add main = "src/entry.py" above the first [table].'
    )


def test_a_main_that_does_not_exist_proposes_a_near_name(project: Project) -> None:
    project.toml(head=head(main='"src/enty.py"'))

    assert project.problem() == (
        'wrangler.toml:2: main is "src/enty.py", but there is no such file\n'
        '  Did you mean "src/entry.py"?'
    )


def test_a_main_in_another_directory_is_proposed(project: Project) -> None:
    project.toml(head=head(main='"entry.py"'))

    assert 'Did you mean "src/entry.py"?' in project.problem()


def test_a_main_with_an_impossible_name_is_not_a_crash(project: Project) -> None:
    project.toml(head=head(main='"' + "x" * 5_000 + '.py"'))

    assert "but there is no such file" in project.problem()


def test_a_main_with_a_nul_character_is_not_a_crash(project: Project) -> None:
    project.toml(head=head(main='"a\\u0000b.py"'))

    assert 'main is "a\\x00b.py", but there is no such file' in project.problem()


def test_a_main_that_is_a_directory_says_so(project: Project) -> None:
    project.toml(head=head(main='"src"'))

    assert 'main is "src", which is a directory' in project.problem()


def test_a_main_in_another_language_is_refused(project: Project) -> None:
    project.write("src/entry.rb", "")
    project.toml(head=head(main='"src/entry.rb"'))

    assert "expected a Python, TypeScript or JavaScript file" in project.problem()


def test_python_without_the_flag_is_refused_and_shows_the_line_to_write(project: Project) -> None:
    project.toml(head=head(compatibility_flags='["nodejs_als"]'))

    assert project.problem() == (
        "wrangler.toml:4: The `python_workers` compatibility flag is required to use Python, and "
        'main is "entry.py"\n'
        '  Write compatibility_flags = ["nodejs_als", "python_workers"].'
    )


def test_typescript_needs_no_flag(project: Project) -> None:
    project.write("src/index.ts", "")
    project.toml(head=head(main='"src/index.ts"', compatibility_flags=None))

    assert not project.load().is_python


def test_flags_that_are_not_list_are_refused(project: Project) -> None:
    project.toml(head=head(compatibility_flags='"python_workers"'))

    assert project.problems()[0] == (
        'wrangler.toml:4: compatibility_flags is "python_workers"; expected an array of strings\n'
        '  Write compatibility_flags = ["python_workers"].'
    )


def test_a_flag_that_is_not_a_string_is_named_by_its_place(project: Project) -> None:
    project.toml(head=head(compatibility_flags='["python_workers", 5]'))

    assert project.problem() == ("wrangler.toml:4: compatibility_flags[1] is 5; expected a string")


class TestCompatibilityDate:
    def test_a_missing_one_is_a_warning_and_a_fixed_default(self, project: Project) -> None:
        project.toml(head=head(compatibility_date=None))

        config = project.load()

        assert config.compatibility_date == "2026-08-21"
        assert "No compatibility_date was specified." in str(config.warnings[0])

    def test_one_without_quotes_in_toml_is_refused(self, project: Project) -> None:
        project.toml(head=head(compatibility_date="2025-01-01"))

        assert project.problem() == (
            "wrangler.toml:3: compatibility_date is 2025-01-01 without quotes, a TOML date; "
            'expected a string\n  Write compatibility_date = "2025-01-01".'
        )

    def test_one_with_long_dashes_is_refused(self, project: Project) -> None:
        project.toml(head=head(compatibility_date='"2025–01—01"'))

        problem = project.problem()
        assert "ISO-8601 accepted hyphens (-) rather than en-dashes (–) or em-dashes" in problem
        assert 'Write "2025-01-01".' in problem

    @pytest.mark.parametrize("text", ["2025-13-01", "2025-1-1", "soon", "20250101", ""])
    def test_a_date_that_is_not_a_date_is_refused(self, project: Project, text: str) -> None:
        project.toml(head=head(compatibility_date=f'"{text}"'))

        assert "expected a date as YYYY-MM-DD" in project.problem()

    def test_one_in_the_future_is_a_warning(self, project: Project) -> None:
        project.toml(head=head(compatibility_date='"2026-01-02"'))

        (warning,) = project.warnings()
        assert "which is in the future (today is 2026-01-01 UTC)" in warning


@pytest.mark.parametrize("port", ["-1", "65536", '"8787"', "80.5", "true"])
def test_an_impossible_port_is_refused(project: Project, port: str) -> None:
    project.toml(f"[dev]\nport = {port}\n")

    assert "expected a whole number from 0 to 65535" in project.problem()


def test_all_problems_of_all_files_are_reported_at_once(project: Project) -> None:
    project.toml(
        '[[workflows]]\nbinding = "W"\nname = "no spaces"\nclass_name = "W"\n[ai]\nbinding = 5\n',
        head=head(name='"Bad"', main='"src/no.py"', compatibility_date="2025-01-01"),
    )
    project.write("groundfog.toml", "[engine]\ndurability = 'none'\n")

    problems = project.problems()

    assert [problem.split(" ")[0] for problem in problems] == [
        "groundfog.toml:2:",
        "wrangler.toml:1:",
        "wrangler.toml:2:",
        "wrangler.toml:7:",
        "wrangler.toml:10:",
        "wrangler.toml:3:",
    ]


def test_a_syntax_error_does_not_hide_problems_of_other_files(project: Project) -> None:
    project.toml("oops\n")
    project.write("groundfog.toml", "nonsense = 1\n")

    assert len(project.problems()) == 2


def test_a_pages_project_is_refused(project: Project) -> None:
    project.toml(head=HEAD + 'pages_build_output_dir = "dist"\n')

    assert "makes this a Pages project; expected a Worker" in project.problem()
