from __future__ import annotations

import pytest

from emulator.config import keys
from emulator.kinds.registry import KINDS
from tests.config.project import Project, texts

WORKFLOW = 'binding = "W"\nname = "w"\nclass_name = "W"\n'


def test_an_environment_adds_its_name_to_the_workers(project: Project) -> None:
    project.toml("[env.staging]\n")

    assert project.load(env="staging").name == "app-staging"


def test_an_environments_own_name_is_taken_as_it_is(project: Project) -> None:
    project.toml('[env.staging]\nname = "other"\n')

    assert project.load(env="staging").name == "other"


def test_inheritable_keys_are_inherited_and_overridden_as_a_whole(project: Project) -> None:
    project.toml('[env.staging]\ncompatibility_flags = ["python_workers", "b"]\n')

    config = project.load(env="staging")

    assert config.compatibility_flags == ("python_workers", "b")
    assert config.compatibility_date == "2025-01-01"


def test_bindings_of_the_top_level_are_not_seen_and_warned_about(project: Project) -> None:
    project.toml('[ai]\nbinding = "AI"\n[env.staging]\n')

    config = project.load(env="staging")

    assert config.bindings == ()
    assert texts(config.warnings) == [
        'wrangler.toml:5: "ai" exists at the top level, but not on "env.staging". This is not what '
        'you probably want, since "ai" is not inherited by environments.\n'
        '  Please add "ai" to "env.staging".'
    ]


def test_vars_missing_in_an_environment_are_listed(project: Project) -> None:
    project.toml('[vars]\nA = "1"\nB = "2"\nC = "3"\n[env.staging.vars]\nB = "4"\n')

    config = project.load(env="staging")

    assert config.vars == {"B": "4"}
    assert 'The following vars exist at the top level, but not on "env.staging.vars": A, C.' in (
        str(config.warnings[0])
    )


def test_a_workflow_missing_in_an_environment_is_named(project: Project) -> None:
    project.toml(
        f"[[workflows]]\n{WORKFLOW}"
        '[[env.staging.workflows]]\nbinding = "V"\nname = "v"\nclass_name = "V"\n'
    )

    config = project.load(env="staging")

    assert [bound.name for bound in config.bindings] == ["V"]
    assert str(config.warnings[0]).startswith(
        'wrangler.toml:5: There is a workflows binding with name "W" at the top level, but not on '
        '"env.staging".'
    )


def test_problems_inside_an_environment_have_their_full_key_and_line(project: Project) -> None:
    project.toml("[env.staging.ai]\nbinding = 5\n")

    assert project.problem(env="staging") == (
        "wrangler.toml:6: env.staging.ai.binding is 5; expected a string"
    )


def test_an_unknown_environment_lists_the_known_ones(project: Project) -> None:
    project.toml("[env.staging]\n[env.production]\n")

    assert project.problem(env="stagin") == (
        'wrangler.toml:5: No environment found in configuration with name "stagin".\n'
        '  Did you mean "staging"? The available configured environment names are: '
        '["staging", "production"].'
    )


def test_an_environment_without_any_in_the_file_is_a_warning(project: Project) -> None:
    project.toml()

    config = project.load(env="staging")

    assert config.name == "app-staging"
    assert "the top level is used" in str(config.warnings[0])


@pytest.mark.parametrize("name", ["../x", "a b", "a/b", "."])
def test_an_environment_name_that_is_not_a_file_name_is_refused(
    project: Project, name: str
) -> None:
    project.toml()

    assert "expected letters, digits" in project.problem(env=name)


def test_cloudflare_env_chooses_the_environment(project: Project) -> None:
    project.toml("[env.staging]\n")

    assert project.load(process_env={"CLOUDFLARE_ENV": "staging"}).environment == "staging"


def test_the_flag_beats_cloudflare_env(project: Project) -> None:
    project.toml("[env.staging]\n[env.production]\n")

    config = project.load(env="production", process_env={"CLOUDFLARE_ENV": "staging"})

    assert config.environment == "production"


def test_an_empty_flag_chooses_the_top_level(project: Project) -> None:
    project.toml("[env.staging]\n")

    config = project.load(env="", process_env={"CLOUDFLARE_ENV": "staging"})

    assert (config.environment, config.name) == (None, "app")


def test_an_unknown_key_is_a_warning_with_the_nearest_known_one(project: Project) -> None:
    project.toml("[[workflow]]\n")

    assert project.warnings() == [
        'wrangler.toml:5: workflow is not a known key; it is ignored\n  Did you mean "workflows"?'
    ]


def test_an_unknown_key_in_any_environment_is_a_warning(project: Project) -> None:
    project.toml("[env.staging]\ncompatability_date = 'x'\n")

    assert project.warnings() == [
        "wrangler.toml:6: env.staging.compatability_date is not a known key; it is ignored\n"
        '  Did you mean "compatibility_date"?'
    ]


def test_a_top_level_key_in_an_environment_is_a_warning(project: Project) -> None:
    project.toml("[env.staging.dev]\nport = 1\n")

    assert project.warnings() == [
        'wrangler.toml:5: env.staging.dev is ignored: "dev" is allowed at the top level only\n'
        "  Move it above the first [table]."
    ]


@pytest.mark.parametrize("key", keys.REMOVED)
def test_removed_keys_are_refused_with_what_to_do(project: Project, key: str) -> None:
    project.toml(f"{key} = true\n")

    assert f"wrangler.toml:5: {key} is no longer supported\n  " in project.problem()


def test_an_environment_that_is_not_a_table_is_refused(project: Project) -> None:
    project.toml("[env]\nstaging = 5\n")

    assert project.problem(env="staging") == "wrangler.toml:6: env.staging is 5; expected an object"


def test_every_documented_key_has_one_rule_of_inheritance() -> None:
    assert not keys.INHERITABLE & keys.NOT_INHERITABLE
    assert not keys.TOP_LEVEL_ONLY & keys.IN_ENVIRONMENT


def test_every_documented_key_is_read_or_silent_or_named() -> None:
    known = keys.EMULATED | keys.SILENT | keys.NOT_EMULATED | keys.BUNDLING
    assert known | {"pages_build_output_dir"} == keys.TOP_LEVEL
    assert {kind.section for kind in KINDS} < keys.NOT_EMULATED
    assert not keys.EMULATED & keys.SILENT


def test_what_other_environments_have_is_known_with_its_place(project: Project) -> None:
    project.toml(
        '[vars]\nA = "1"\n[ai]\nbinding = "AI"\n'
        '[[d1_databases]]\nbinding = "DB"\ndatabase_name = "d"\n'
        '[env.staging]\n[env.staging.vars]\nA = "2"\n'
        '[env.live.vars]\nB = "2"\n[[env.live.queues.producers]]\nbinding = "Q"\nqueue = "q"\n'
    )

    assert project.load(env="staging").elsewhere == {
        "AI": "wrangler.toml:8, at the top level",
        "DB": "wrangler.toml:10, at the top level",
        "B": "wrangler.toml:16, in [env.live]",
        "Q": "wrangler.toml:18, in [env.live]",
    }
    assert project.load().elsewhere == {
        "B": "wrangler.toml:16, in [env.live]",
        "Q": "wrangler.toml:18, in [env.live]",
    }


def test_a_project_with_one_environment_has_nothing_elsewhere(project: Project) -> None:
    project.toml('[vars]\nA = "1"\n')

    assert project.load().elsewhere == {}
