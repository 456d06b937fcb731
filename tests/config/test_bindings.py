from __future__ import annotations

import pytest

from bindings.ai.settings import AiSettings
from bindings.d1.migration_files import Migrations
from emulator.config.model import Bound, Unsupported
from emulator.kinds.d1 import Database
from emulator.kinds.vectorize import VectorIndex
from tests.config.project import Project


def test_a_d1_database_is_read(project: Project) -> None:
    project.toml(
        '[[d1_databases]]\nbinding = "DB"\ndatabase_name = "shop"\ndatabase_id = "1-2"\n'
        'migrations_dir = "db/m"\nmigrations_table = "m"\n'
    )

    assert project.load().bindings == (
        Bound("DB", "d1", Database("1-2", "shop", Migrations(project.directory / "db/m", "m"))),
    )


def test_a_d1_database_needs_a_binding_only(project: Project) -> None:
    project.toml('[[d1_databases]]\nbinding = "DB"\n')

    assert project.load().bindings == (
        Bound("DB", "d1", Database("DB", "DB", Migrations(project.directory / "migrations"))),
    )


def test_the_preview_id_is_the_local_id_before_the_database_id(project: Project) -> None:
    project.toml('[[d1_databases]]\nbinding = "DB"\ndatabase_id = "a"\npreview_database_id = "b"\n')

    assert project.load().bindings[0].record.local_id == "b"


def test_a_pattern_of_migrations_is_read_without_its_folder(project: Project) -> None:
    project.toml(
        '[[d1_databases]]\nbinding = "DB"\nmigrations_dir = "db/"\n'
        'migrations_pattern = "db/*/migration.sql"\n'
    )

    assert project.load().bindings[0].record.migrations.pattern == "*/migration.sql"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('migrations_pattern = "m/*.sql"', "is given without migrations_dir"),
        (
            'migrations_dir = "m"\nmigrations_pattern = "x/*.sql"',
            'is "x/*.sql"; expected one that begins with migrations_dir, such as "m/*.sql"',
        ),
    ],
)
def test_a_pattern_outside_the_folder_is_refused(project: Project, keys: str, message: str) -> None:
    project.toml(f'[[d1_databases]]\nbinding = "DB"\n{keys}\n')

    assert message in project.problem()


def test_a_vectorize_index_is_read(project: Project) -> None:
    project.toml('[[vectorize]]\nbinding = "V"\nindex_name = "skills"\n')

    assert project.load().bindings == (Bound("V", "vectorize", VectorIndex("skills")),)


def test_the_ai_binding_is_read(project: Project) -> None:
    project.toml('[ai]\nbinding = "AI"\n')

    assert project.load().bindings == (Bound("AI", "ai", AiSettings()),)


def test_ai_as_an_array_is_refused(project: Project) -> None:
    project.toml('[[ai]]\nbinding = "AI"\n')

    assert project.problem() == (
        "wrangler.toml:5: ai is an array; expected an object\n"
        '  Write [ai] with binding = "AI" below it: a single object, not a list.'
    )


def test_d1_databases_as_an_object_is_refused(project: Project) -> None:
    project.toml('[d1_databases]\nbinding = "DB"\n')

    assert project.problem().startswith(
        "wrangler.toml:5: d1_databases is an object; expected an array of objects\n"
        "  Write [[d1_databases]] with"
    )


def test_the_proposal_for_an_environment_names_it(project: Project) -> None:
    project.toml('[env.staging.vectorize]\nbinding = "DB"\n')

    assert "Write [[env.staging.vectorize]] with" in project.problem(env="staging")


def test_an_item_that_is_not_an_object_is_refused(project: Project) -> None:
    project.toml(head="", text='vectorize = ["x"]\n' + 'main = "src/entry.py"\n')

    assert 'wrangler.toml:1: vectorize[0] is "x"; expected an object' in project.problems()[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[d1_databases]]\n", "d1_databases[0] has no binding; expected a string"),
        ('[[d1_databases]]\nbinding = ""\n', "d1_databases[0].binding is empty"),
        (
            '[[d1_databases]]\nbinding = "D"\ndatabase_id = 5\n',
            "d1_databases[0].database_id is 5; expected a string",
        ),
        ('[[vectorize]]\nbinding = "V"\n', "vectorize[0] has no index_name; expected a string"),
        (
            '[[vectorize]]\nbinding = "V"\nindex_name = "' + "é" * 33 + '"\n',
            "expected at most 64 bytes",
        ),
        ("[ai]\n", "ai has no binding; expected a string"),
        ('[ai]\nbinding = "AI"\nremote = "no"\n', 'ai.remote is "no"; expected true or false'),
    ],
)
def test_a_wrong_or_missing_field_is_refused(project: Project, text: str, problem: str) -> None:
    project.toml(text)

    assert problem in project.problem()


@pytest.mark.parametrize(
    "text",
    [
        '[ai]\nbinding = "B"\nremote = true\n',
        '[[vectorize]]\nbinding = "B"\nindex_name = "x"\nremote = true\n',
        '[[d1_databases]]\nbinding = "B"\nremote = true\n',
    ],
)
def test_remote_true_warns_that_it_is_emulated_here(project: Project, text: str) -> None:
    project.toml(text)

    (warning,) = project.warnings()
    assert "remote is true, but this" in warning
    assert "is emulated on this machine; nothing is sent to Cloudflare" in warning


def test_an_unknown_key_of_a_binding_is_a_warning(project: Project) -> None:
    project.toml('[[vectorize]]\nbinding = "V"\nindex_name = "x"\nindexname = "y"\n')

    assert project.warnings() == [
        "wrangler.toml:8: vectorize[0].indexname is not a known key; it is ignored\n"
        '  Did you mean "index_name"?'
    ]


class TestUniqueNames:
    def test_two_kinds_with_one_name_are_refused_at_the_second(self, project: Project) -> None:
        project.toml(
            '[[d1_databases]]\nbinding = "X"\n[[artifacts]]\nbinding = "X"\nnamespace = "1"\n'
        )

        problem = project.problem()
        assert problem.startswith(
            "wrangler.toml:8: X assigned to D1 Database and Artifacts bindings."
        )
        assert "Bindings must have unique names" in problem
        assert "wrangler.toml:6" in problem

    def test_one_kind_twice_is_refused(self, project: Project) -> None:
        project.toml('[[d1_databases]]\nbinding = "X"\n[[d1_databases]]\nbinding = "X"\n')

        assert "X assigned to multiple D1 Database bindings." in project.problem()

    def test_a_variable_with_a_bindings_name_is_refused(self, project: Project) -> None:
        project.toml('[vars]\nAI = "x"\n[ai]\nbinding = "AI"\n')

        assert "AI assigned to AI and Environment Variable bindings." in project.problem()

    def test_a_required_secret_with_a_variables_name_is_refused(self, project: Project) -> None:
        project.toml('[vars]\nKEY = "x"\n[secrets]\nrequired = ["KEY"]\n')

        assert "KEY assigned to Environment Variable and Secret bindings." in project.problem()

    def test_names_of_an_environment_are_compared_with_their_own_kind_only(
        self, project: Project
    ) -> None:
        project.toml('[ai]\nbinding = "X"\n[env.a.vars]\nX = "1"\n')

        assert project.load(env="a").vars == {"X": "1"}


class TestUnsupported:
    def test_everything_not_emulated_is_named_in_one_warning(self, project: Project) -> None:
        project.toml(
            '[[artifacts]]\nbinding = "REPOS"\nnamespace = "1"\n[browser]\nbinding = "CHROME"\n'
            '[site]\nbucket = "public"\n[dev]\nupstream_protocol = "https"\n'
        )

        assert project.warnings() == [
            "wrangler.toml: not emulated yet: artifacts (line 5), browser (line 8), "
            "site (line 10), dev.upstream_protocol (line 13)\n"
            "  The worker runs without. Using env.CHROME and env.REPOS raises an error that "
            "says so."
        ]

    def test_every_binding_of_it_is_listed(self, project: Project) -> None:
        project.toml(
            '[[unsafe.bindings]]\nname = "JOBS"\ntype = "jobs"\n'
            '[[vpc_services]]\nbinding = "VPC"\nservice_id = "1"\n'
            '[media]\nbinding = "MEDIA"\n'
        )

        found = project.load().bound(Unsupported)
        assert {(bound.name, bound.kind, bound.record.friendly) for bound in found} == {
            ("JOBS", "unsafe.bindings", "Unsafe"),
            ("VPC", "vpc_services", "VPC Service"),
            ("MEDIA", "media", "Media"),
        }

    def test_what_only_matters_for_deploying_is_silent(self, project: Project) -> None:
        project.toml(
            'account_id = "1"\nworkers_dev = true\nroutes = ["a.example/*"]\nminify = true\n'
            '[observability]\nenabled = true\n[placement]\nmode = "smart"\n[limits]\ncpu_ms = 5\n'
        )

        assert project.warnings() == []

    def test_an_empty_section_asks_for_nothing(self, project: Project) -> None:
        project.toml("artifacts = []\n[site]\nexclude = []\n")

        assert project.warnings() == []

    def test_binding_in_place_of_name_is_explained(self, project: Project) -> None:
        project.toml('[[unsafe.bindings]]\nbinding = "ROOM"\ntype = "room"\n')

        assert project.problem() == (
            'wrangler.toml:6: unsafe.bindings[0] has "binding"; expected "name" for a '
            'Unsafe binding\n  Rename the key to "name".'
        )

    @pytest.mark.parametrize(
        "text",
        ["[artifacts]\nbinding = 'K'\n", "[[browser]]\nbinding = 'B'\n", "unsafe = []\n"],
    )
    def test_a_wrong_shape_is_refused_as_wrangler_does(self, project: Project, text: str) -> None:
        project.toml(text)

        assert "; expected an " in project.problem()


@pytest.mark.parametrize(
    ("toml", "name", "friendly"),
    [
        ('[[k2]]\nbinding = "K"\nstream = "s"\n', "K", "K2 Stream"),
    ],
)
def test_a_kind_that_is_new_at_cloudflare_is_a_binding_that_is_named(
    project: Project, toml: str, name: str, friendly: str
) -> None:
    project.toml(toml)

    config = project.load()

    (bound,) = config.bound(Unsupported)
    assert (bound.name, bound.record.friendly) == (name, friendly)
    assert [str(each) for each in config.warnings if "not a known key" in str(each)] == []


def test_where_in_the_world_data_is_kept_means_nothing_here(project: Project) -> None:
    project.toml(
        '[[workflows]]\nbinding = "W"\nname = "w"\nclass_name = "W"\njurisdiction = "eu"\n'
        '[[d1_databases]]\nbinding = "DB"\njurisdiction = "eu"\n'
    )

    assert [str(each) for each in project.load().warnings if "jurisdiction" in str(each)] == []
