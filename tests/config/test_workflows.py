from __future__ import annotations

import pytest
from msgspec.structs import replace

from emulator.config.model import Bound, Config
from emulator.engine.model.definition import Definition, Retention
from emulator.kinds.workflow import NAME_RULE, ForeignWorkflow, Workflow
from emulator.kinds.workflow_classes import check_exports
from tests.config.project import Project, texts


def workflow(name: str = '"orders"', more: str = "", binding: str = "ORDERS") -> str:
    return f'[[workflows]]\nbinding = "{binding}"\nname = {name}\nclass_name = "Orders"\n{more}'


def test_a_workflow_is_read(project: Project) -> None:
    project.toml(workflow(more="limits = { steps = 100 }\n"))

    read = Workflow(Definition("orders", "Orders", 100), where="wrangler.toml:8")
    assert project.load().bindings == (Bound("ORDERS", "workflow", read),)


def test_the_retention_of_a_workflow_is_read(project: Project) -> None:
    more = 'default_retention = { success_retention = "2 days", error_retention = 5000 }\n'
    project.toml(workflow(more=more))

    (read,) = project.load().bound(Workflow)

    assert read.record.definition.retention == Retention(172_800_000, 5000)


@pytest.mark.parametrize("value", ['"2 d"', "-1", "true", '"soon"', "[]"])
def test_a_retention_that_is_not_a_duration_is_refused(project: Project, value: str) -> None:
    project.toml(workflow(more=f"default_retention = {{ error_retention = {value} }}\n"))

    problem = project.problem()

    assert "workflows[0].default_retention.error_retention is " in problem
    assert "expected milliseconds or" in problem


def test_more_than_production_keeps_is_warned_about(project: Project) -> None:
    project.toml(workflow(more='default_retention = { success_retention = "90 days" }\n'))

    assert "Cloudflare keeps at most 30 days" in str(project.load().warnings[0])


@pytest.mark.parametrize("name", ["a", "_x", "9", "A-b_c", "x" * 64])
def test_documented_names_are_accepted(project: Project, name: str) -> None:
    project.toml(workflow(f'"{name}"'))

    assert project.load().bindings[0].record.name == name


@pytest.mark.parametrize("name", ["-a", "a b", "a.b", "é", "x" * 65, "a\\n"])
def test_other_names_are_refused_with_the_rule(project: Project, name: str) -> None:
    project.toml(workflow(f'"{name}"'))

    problem = project.problem()
    assert problem.startswith("wrangler.toml:7: workflows[0].name is ")
    assert NAME_RULE in problem


def test_two_workflows_with_one_name_are_refused(project: Project) -> None:
    project.toml(workflow() + workflow(binding="OTHER"))

    assert project.problem() == (
        'wrangler.toml:11: workflows[1].name is "orders", which workflows[0] is called already '
        "(wrangler.toml:7)\n  Give each workflow a name of its own: it is where its instances are "
        "kept."
    )


def test_missing_fields_are_reported_together(project: Project) -> None:
    project.toml("[[workflows]]\n")

    assert [text.split(";")[0] for text in project.problems()] == [
        "wrangler.toml:5: workflows[0] has no binding",
        "wrangler.toml:5: workflows[0] has no name",
        "wrangler.toml:5: workflows[0] has no class_name",
    ]


@pytest.mark.parametrize("steps", ["0", "-1", "1.5", '"many"', "true"])
def test_a_step_limit_must_be_a_positive_whole_number(project: Project, steps: str) -> None:
    project.toml(workflow(more=f"limits = {{ steps = {steps} }}\n"))

    assert "workflows[0].limits.steps is" in project.problem()


def test_a_step_limit_above_production_is_a_warning(project: Project) -> None:
    project.toml(workflow(more="limits = { steps = 25001 }\n"))

    config = project.load()

    assert config.bindings[0].record.definition.step_limit == 25_001
    assert "Cloudflare allows at most 25,000" in str(config.warnings[0])


def test_an_unknown_key_under_limits_is_a_warning(project: Project) -> None:
    project.toml(workflow(more="limits = { step = 5 }\n"))

    assert "workflows[0].limits.step is not a known key" in project.warnings()[0]


def test_the_concurrency_of_a_workflow_is_read(project: Project) -> None:
    project.toml(workflow(more="concurrency = { limit = 10 }\n"))

    config = project.load()

    assert (config.bindings[0].record.definition.concurrency, config.warnings) == (10, ())


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", '"many"', "true"])
def test_a_concurrency_limit_must_be_a_positive_whole_number(project: Project, limit: str) -> None:
    project.toml(workflow(more=f"concurrency = {{ limit = {limit} }}\n"))

    problem = project.problem()

    assert "wrangler.toml:9: workflows[0].concurrency.limit is" in problem
    assert "expected a whole number from 1 to" in problem


def test_a_concurrency_that_is_only_a_number_is_refused(project: Project) -> None:
    project.toml(workflow(more="concurrency = 10\n"))

    assert "Write concurrency = { limit = 10 }." in project.problem()


@pytest.mark.parametrize(
    ("value", "schedules"),
    [
        ('"0 9 * * *"', ("0 9 * * *",)),
        ('["0 9 * * MON-FRI", "59 23 LW * *"]', ("0 9 * * MON-FRI", "59 23 LW * *")),
        ('["0 9 * * *", "0 9 * * *"]', ("0 9 * * *",)),
    ],
)
def test_schedules_are_a_string_or_a_list(
    project: Project, value: str, schedules: tuple[str, ...]
) -> None:
    project.toml(workflow(more=f"schedules = {value}\n"))

    assert project.load().bindings[0].record.schedules == schedules


def test_every_bad_schedule_is_refused_with_what_is_wrong(project: Project) -> None:
    project.toml(workflow(more='schedules = ["0 9 * * 0", "* * 30 2 *", "0 9 * * *"]\n'))

    assert [text.split("\n")[0] for text in project.problems()] == [
        'wrangler.toml:9: workflows[0].schedules has "0 9 * * 0": weekday "0"; expected 1 to 7 or '
        "SUN to SAT",
        'wrangler.toml:9: workflows[0].schedules has "* * 30 2 *": it never fires; no month it '
        "names has such a day",
    ]


def test_more_schedules_than_an_account_may_have_are_a_warning(project: Project) -> None:
    many = ", ".join(f'"{n % 60} {n // 60} * * *"' for n in range(101))
    project.toml(workflow(more=f"schedules = [{many}]\n"))

    assert "101 schedules; Cloudflare allows 100 per account" in str(project.load().warnings[0])


@pytest.mark.parametrize("value", ['""', "[]", '[""]'])
def test_empty_schedules_are_refused(project: Project, value: str) -> None:
    project.toml(workflow(more=f"schedules = {value}\n"))

    assert "workflows[0].schedules is empty; expected at least one" in project.problem()


def test_remote_workflows_are_refused(project: Project) -> None:
    project.toml(workflow(more="remote = true\n"))

    assert "do not support accessing remote resources" in project.problem()


def test_a_workflow_may_be_of_another_worker(project: Project) -> None:
    project.toml(workflow(more='script_name = "billing"\n'))

    config = project.load()

    assert config.bindings == (Bound("ORDERS", "workflow", ForeignWorkflow("billing", "orders")),)
    assert config.warnings == ()


def test_a_script_name_that_is_our_own_changes_nothing(project: Project) -> None:
    project.toml(workflow(more='script_name = "app"\n'))

    config = project.load()

    assert (len(config.bound(Workflow)), config.warnings) == (1, ())


def test_limits_for_a_workflow_of_another_worker_are_refused(project: Project) -> None:
    project.toml(workflow(more='script_name = "billing"\nlimits = { steps = 5 }\n'))

    assert 'says that the worker "billing" defines this workflow' in project.problem()


def test_a_script_name_of_another_type_is_the_one_problem(project: Project) -> None:
    project.toml(workflow(more="script_name = 5\nlimits = { steps = 5 }\n"))

    assert "workflows[0].script_name is 5; expected a string" in project.problem()


class TestCheckExports:
    @pytest.fixture
    def config(self, project: Project) -> Config:
        project.toml(workflow())
        return project.load()

    def test_a_class_that_exists_is_not_a_problem(self, config: Config) -> None:
        assert check_exports(config, {"Orders": "src/entry.py:3"}, {}) == ()

    def test_the_one_class_there_is_is_named(self, config: Config) -> None:
        problems = check_exports(config, {"OrderWorkflow": "src/entry.py:8"}, {})

        assert texts(problems) == [
            'wrangler.toml:8: workflows[0].class_name is "Orders", but src/entry.py defines no '
            "such class.\n  It defines OrderWorkflow (src/entry.py:8). Rename one of the two."
        ]

    def test_the_nearest_of_several_is_proposed(self, config: Config) -> None:
        exports = {"Order": "src/entry.py:8", "Billing": "src/entry.py:20"}

        (problem,) = check_exports(config, exports, {})

        assert problem.fix == (
            'It defines Billing (src/entry.py:20) and Order (src/entry.py:8). Did you mean "Order"?'
        )

    def test_no_workflow_class_at_all_says_so(self, config: Config) -> None:
        (problem,) = check_exports(config, {}, {})

        assert "It defines no workflow class at all." in problem.fix

    def test_a_class_that_is_not_a_workflow_says_what_to_derive_it_from(
        self, config: Config
    ) -> None:
        (problem,) = check_exports(config, {}, {"Orders": "src/entry.py:5"})

        assert "that class is not a subclass of WorkflowEntrypoint" in problem.text
        assert "It stands at src/entry.py:5." in problem.fix

    def test_every_workflow_is_checked(self, config: Config) -> None:
        two = replace(config, bindings=config.bindings * 2)

        assert len(check_exports(two, {}, {})) == 2
