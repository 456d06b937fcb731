from __future__ import annotations

import pytest

from emulator.config.dotenv_syntax import EndlessExpansion, expand, parse_dotenv
from tests.config.project import Project, texts


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=b", {"A": "b"}),
        ("  A = b  \r\nB=c", {"A": "b", "B": "c"}),
        ("export A=b", {"A": "b"}),
        ("export = b", {"export": "b"}),
        ("A: b", {"A": "b"}),
        ("A:b", {}),
        ("A=", {"A": ""}),
        ("A=b # c", {"A": "b"}),
        ("A=b#c", {"A": "b"}),
        ("# A=b", {}),
        ("A='b # c'", {"A": "b # c"}),
        ("A='b\\nc'", {"A": "b\\nc"}),
        ('A="b\\nc\\td"', {"A": "b\nc\\td"}),
        ('A="b\\"c"', {"A": 'b\\"c'}),
        ('A="b\\" # c"', {"A": 'b\\" # c'}),
        ("A=`b \"c\" 'd'`", {"A": "b \"c\" 'd'"}),
        ('A="b\nc"\nD=e', {"A": "b\nc", "D": "e"}),
        ("A='b' # 'c'", {"A": "b"}),
        ("A=b\nA=c", {"A": "c"}),
        ('A="b" c', {"A": '"b" c'}),
        ("A.B-C_1=d", {"A.B-C_1": "d"}),
        ("A=b=c", {"A": "b=c"}),
        ('A={"b": 1}', {"A": '{"b": 1}'}),
    ],
)
def test_values_are_read_as_the_npm_package_reads_them(text: str, values: dict[str, str]) -> None:
    assert parse_dotenv(text)[0] == values


def test_lines_that_are_not_understood_are_named_without_their_text() -> None:
    _, oddities = parse_dotenv("A=1\nhunter2 secret\n\nB='open\n")

    assert [(oddity.line, "hunter2" in oddity.text) for oddity in oddities] == [
        (2, False),
        (4, False),
    ]
    assert "open" not in oddities[1].text.replace("opens", "")


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("$A", "1"),
        ("x${A}y", "x1y"),
        ("$A-$A", "1-1"),
        ("${NO}", ""),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${NO:-$A}", "1"),
        ("${A:+other}", "other"),
        ("${NO:+other}", ""),
        ("\\$A", "$A"),
        ("100$", "100$"),
        ("$5", "$5"),
    ],
)
def test_references_are_expanded_as_the_npm_package_does(value: str, expanded: str) -> None:
    assert expand({"A": "1", "B": value}, {})["B"] == expanded


def test_a_reference_to_a_later_name_is_empty() -> None:
    assert expand({"B": "$A", "A": "1"}, {}) == {"B": "", "A": "1"}


def test_a_value_taken_whole_from_an_earlier_name_is_not_expanded_again() -> None:
    assert expand({"A": "\\$B", "B": "1", "C": "$A"}, {})["C"] == "$B"


def test_the_process_wins_over_files_when_it_is_included() -> None:
    assert expand({"A": "file", "B": "$A"}, {"A": "process"}) == {"A": "process", "B": "process"}


def test_references_without_end_are_refused() -> None:
    with pytest.raises(EndlessExpansion) as caught:
        expand({"A": "\\$A", "B": "x$A"}, {})

    assert caught.value.key == "B"


class TestFiles:
    def test_dev_vars_override_vars_and_are_secret(self, project: Project) -> None:
        project.toml('[vars]\nA = "1"\nB = { c = [1] }\n')
        project.write(".dev.vars", "A=2\nKEY=s")

        config = project.load()

        assert config.vars == {"A": "2", "B": {"c": [1]}, "KEY": "s"}
        assert config.secret_names == {"A", "KEY"}

    def test_dev_vars_of_the_environment_are_read_alone(self, project: Project) -> None:
        project.toml("[env.staging]\n")
        project.write(".dev.vars", "A=1\nB=1")
        project.write(".dev.vars.staging", "A=2")

        assert project.load(env="staging").vars == {"A": "2"}

    def test_dev_vars_are_the_fallback_of_an_environment(self, project: Project) -> None:
        project.toml("[env.staging]\n")
        project.write(".dev.vars", "A=1")

        assert project.load(env="staging").vars == {"A": "1"}

    def test_dev_vars_hide_env_files_and_are_not_expanded(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", "A=1\nB=$A")
        project.write(".env", "C=3")

        assert project.load().vars == {"A": "1", "B": "$A"}

    def test_env_files_are_merged_in_order_and_expanded(self, project: Project) -> None:
        project.toml("[env.staging]\n")
        project.write(".env", "A=1\nB=1\nC=1\nD=1\nE=$A$D")
        project.write(".env.local", "B=2\nC=2\nD=2")
        project.write(".env.staging", "C=3\nD=3")
        project.write(".env.staging.local", "D=4")

        assert project.load(env="staging").vars == {
            "A": "1",
            "B": "2",
            "C": "3",
            "D": "4",
            "E": "14",
        }

    def test_env_file_flags_replace_all_other_files(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", "A=1")
        project.write("one.env", "B=1\nC=1")
        project.write("two.env", "C=2")

        assert project.load(env_files=["one.env", "two.env"]).vars == {"B": "1", "C": "2"}

    def test_an_env_file_that_was_named_and_is_missing_is_refused(self, project: Project) -> None:
        project.toml()

        problem = project.problem(env_files=["no.env"])  # type: ignore[arg-type]
        assert problem.startswith("no.env: no such file; it was named with --env-file")

    def test_env_files_can_be_switched_off(self, project: Project) -> None:
        project.toml()
        project.write(".env", "A=1")

        process_env = {"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "FALSE"}
        assert project.load(process_env=process_env).vars == {}

    def test_a_switch_that_is_not_a_boolean_is_refused(self, project: Project) -> None:
        project.toml()

        problem = project.problem(
            process_env={"CLOUDFLARE_INCLUDE_PROCESS_ENV": "1"}  # type: ignore[arg-type]
        )
        assert (
            'Expected CLOUDFLARE_INCLUDE_PROCESS_ENV to be "true" or "false", but got "1"'
            in problem
        )

    def test_the_process_is_not_included_by_itself(self, project: Project) -> None:
        project.toml()
        project.write(".env", "B=x${A}")

        assert project.load(process_env={"A": "1"}).vars == {"B": "x"}

    def test_the_process_is_included_on_request_and_wins(self, project: Project) -> None:
        project.toml()
        project.write(".env", "A=file\nB=x${A}")
        process_env = {"CLOUDFLARE_INCLUDE_PROCESS_ENV": "true", "A": "process"}

        config = project.load(process_env=process_env)

        assert config.vars == {**process_env, "B": "xprocess"}
        assert "A" in config.secret_names

    def test_files_are_looked_for_beside_the_configuration(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", "A=1")
        project.write("src/.dev.vars", "A=2")

        assert project.load(start="src").vars == {"A": "1"}

    def test_a_dev_vars_directory_is_refused(self, project: Project) -> None:
        project.toml()
        (project.directory / ".dev.vars").mkdir()

        assert project.problem() == ".dev.vars: is a directory; expected a file"

    def test_a_line_that_is_ignored_is_a_warning_with_its_line(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", "A=1\nnonsense")

        assert project.warnings() == [".dev.vars:2: this line is not KEY=value; it is ignored"]


class TestRequiredSecrets:
    HEAD = '[vars]\nMODE = "a"\n[secrets]\nrequired = ["KEY", "TOKEN"]\n'

    def test_only_required_and_configured_names_are_taken(self, project: Project) -> None:
        project.toml(self.HEAD)
        project.write(".dev.vars", "KEY=1\nTOKEN=2\nMODE=b\nEXTRA=3")

        assert project.load().vars == {"MODE": "b", "KEY": "1", "TOKEN": "2"}

    def test_the_process_supplies_them_too(self, project: Project) -> None:
        project.toml(self.HEAD)
        project.write(".dev.vars", "KEY=1")

        config = project.load(process_env={"TOKEN": "2", "KEY": "no", "PATH": "/bin"})

        assert config.vars == {"MODE": "a", "KEY": "1", "TOKEN": "2"}

    def test_missing_ones_are_a_warning(self, project: Project) -> None:
        project.toml(self.HEAD)

        assert project.warnings() == [
            "wrangler.toml:7: Missing required secrets: KEY, TOKEN\n"
            "  Add them to .dev.vars, .env, or set as environment variables."
        ]


class TestSecrecy:
    SECRET = "hunter2-very-secret"

    def test_no_secret_is_in_the_repr_of_the_configuration(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", f"KEY={self.SECRET}")

        config = project.load(cli_vars={"OTHER": self.SECRET + "2"})

        assert config.vars["KEY"] == self.SECRET
        assert self.SECRET not in repr(config)

    @pytest.mark.parametrize(
        "text",
        [
            "{0}\n",
            "KEY='{0}\n",
            'KEY="{0}" {0}\n',
            "AI={0}\n",
            "A=\\$A\nB={0}$A\n",
            "KEY={0}\n{0} = x\n".replace("{0} = x", "? {0}"),
        ],
    )
    @pytest.mark.parametrize("name", [".dev.vars", ".env"])
    def test_no_secret_is_in_any_message(self, project: Project, text: str, name: str) -> None:
        project.toml('[ai]\nbinding = "AI"\n[secrets]\nrequired = ["KEY", "NO", "AI2"]\n')
        project.write(name, text.format(self.SECRET))

        try:
            shown = "\n".join(texts(project.load().warnings))
        except Exception as error:
            shown = str(error)

        assert shown
        assert self.SECRET not in shown

    def test_a_file_of_another_encoding_is_refused_without_its_text(self, project: Project) -> None:
        project.toml()
        project.write(".dev.vars", f"A=1\nKEY={self.SECRET}\xe9".encode("latin-1"))

        problem = project.problem()
        assert problem.startswith(".dev.vars:2: byte 0xe9 is not UTF-8")
        assert self.SECRET not in problem
