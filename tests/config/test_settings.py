from __future__ import annotations

import pytest

from bindings.ai.settings import AiSettings, Budget, Rule, UpstreamSettings
from bindings.vectorize.settings import IndexConfig
from emulator.config.model import Settings
from emulator.config.problems import Report
from emulator.config.source import Parsed, Source
from emulator.config.table import Table
from emulator.kinds.ai import settings_of
from emulator.kinds.registry import KINDS
from tests.config.project import Project

EMPTY = Table({}, (), Source("groundfog.toml", Parsed({}, {})), Report())
UNSET = {kind.name: kind.read_settings(EMPTY, {}) for kind in KINDS if kind.settings}
DEFAULTS = Settings(kinds=UNSET)


def settings(project: Project, text: str) -> Settings:
    project.toml()
    project.write("groundfog.toml", text)
    return project.load().settings


def problem(project: Project, text: str) -> str:
    project.toml()
    project.write("groundfog.toml", text)
    return project.problem()


def test_without_a_file_everything_has_its_default(project: Project) -> None:
    project.toml()

    assert project.load().settings == DEFAULTS


def test_an_empty_file_is_not_a_problem(project: Project) -> None:
    assert settings(project, "") == DEFAULTS


def test_every_setting_is_read(project: Project) -> None:
    text = """
[engine]
durability = "process"
concurrency = 10
[reload]
grace = "2 seconds"
[guest]
hang_timeout = 1500
[vectorize.skills]
dimensions = 768
metric = "dot-product"
metadata_indexes = { area = "string", level = "number" }
[ai]
strict = true
[[ai.rules]]
model = "@cf/meta/*"
task = "Text Generation"
prompt = '\\bbrief\\b'
json = { intent = "design" }
delay = "1 second"
[[ai.rules]]
sequence = ["a", { b = 1 }]
[[ai.rules]]
error = { code = 3040, message = "Capacity" }
[[ai.rules]]
text = ""
"""

    assert settings(project, text) == Settings(
        durability="process",
        concurrency=10,
        reload_grace_ms=2_000,
        hang_timeout_ms=1_500,
        kinds=UNSET
        | {
            "vectorize": {
                "skills": IndexConfig(768, "dot-product", {"area": "string", "level": "number"})
            },
            "ai": AiSettings(
                strict=True,
                rules=(
                    Rule(
                        model="@cf/meta/*",
                        task="Text Generation",
                        prompt="\\bbrief\\b",
                        json={"intent": "design"},
                        delay_ms=1_000,
                        where="groundfog.toml:15",
                    ),
                    Rule(sequence=("a", {"b": 1}), where="groundfog.toml:21"),
                    Rule(error={"code": 3040, "message": "Capacity"}, where="groundfog.toml:23"),
                    Rule(text="", where="groundfog.toml:25"),
                ),
            ),
        },
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[engin]\n", 'groundfog.toml:1: engin is not a known key\n  Did you mean "engine"?'),
        (
            "[engine]\ndurabilty = 'full'\n",
            'groundfog.toml:2: engine.durabilty is not a known key\n  Did you mean "durability"?',
        ),
        (
            "[reload]\nx = 1\n",
            "groundfog.toml:2: reload.x is not a known key\n  Known keys: grace.",
        ),
        (
            "[engine]\ndurability = 'ful'\n",
            'groundfog.toml:2: engine.durability is "ful"; expected "full" or "process"\n'
            '  Did you mean "full"?',
        ),
        (
            "[engine]\nconcurrency = 0\n",
            "groundfog.toml:2: engine.concurrency is 0; expected a whole number from 1 to 1000000",
        ),
        (
            "[reload]\ngrace = '5 min'\n",
            'groundfog.toml:2: reload.grace is "5 min"; expected milliseconds or "<number> <unit>"',
        ),
        ("[guest]\nhang_timeout = 0\n", "expected a duration above 0"),
        ("engine = 5\n", "groundfog.toml:1: engine is 5; expected an object"),
        ("[vectorize]\nskills = 5\n", "vectorize.skills is 5; expected an object"),
        ("[vectorize.s]\ndimension = 5\n", 'Did you mean "dimensions"?'),
        ("[vectorize.s]\ndimensions = 1537\n", "a whole number from 1 to 1536"),
        ("[vectorize.s]\nmetric = 'cosin'\n", 'Did you mean "cosine"?'),
        (
            "[vectorize.s.metadata_indexes]\na = 'text'\n",
            'vectorize.s.metadata_indexes.a is "text"; expected "string", "number" or "boolean"',
        ),
        (
            "[vectorize.s.metadata_indexes]\n" + "".join(f"a{i} = 'string'\n" for i in range(11)),
            "has 11 entries; Vectorize allows 10",
        ),
        ("[ai]\nstrict = 'yes'\n", 'ai.strict is "yes"; expected true or false'),
        ("[ai.rules]\n", "ai.rules is an object; expected an array of objects"),
        ("[[ai.rules]]\n", "ai.rules[0] has no answer; expected exactly one of"),
        ("[[ai.rules]]\ntext = 'a'\njson = 1\n", 'ai.rules[0] has "text" and "json"; expected'),
        ("[[ai.rules]]\ntext = 'a'\nanswer = 1\n", "ai.rules[0].answer is not a known key"),
        ("[[ai.rules]]\ntext = 'a'\nprompt = '('\n", "is not a regular expression: missing )"),
        ("[[ai.rules]]\ntext = 'a'\nmodel = ''\n", "ai.rules[0].model is empty"),
        ("[[ai.rules]]\ntext = 'a'\ndelay = 'soon'\n", 'ai.rules[0].delay is "soon"; expected'),
        ("[[ai.rules]]\nsequence = []\n", "ai.rules[0].sequence is not a list of answers"),
        ("[[ai.rules]]\nerror = {message = 'x'}\n", "ai.rules[0].error has no code"),
        ("[[ai.rules]]\nerror = {code = 1, message = ''}\n", "ai.rules[0].error.message is empty"),
        ("[[ai.rules]]\ntext='a'\ntask = 'Text'\n", 'task is "Text"; expected a task of the'),
        ("[[ai.rules]]\ntext='a'\ninput = 5\n", "ai.rules[0].input is 5; expected an object"),
        ("[[ai.rules]]\ntext='a'\ninput = {'a[x]' = 1}\n", 'the path "a[x]"; expected names and'),
        ("[[ai.rules]]\ntext='a'\ninput = {a = {b = 1}}\n", "expected either matches or exists"),
        ("[[ai.rules]]\ntext='a'\ninput = {a = {matches = '('}}\n", "is not a regular expression"),
        ("[[ai.rules]]\nsequence = [{error = {}}]\n", "sequence[0].error has no code"),
        (
            "[[ai.rules]]\nstream = {words = 0}\n",
            "stream.words is 0; expected a whole number from 1",
        ),
        ("[[ai.rules]]\nstream = {speed = 1}\n", "ai.rules[0].stream.speed is not a known key"),
        ("[ai]\nmode = 'rmote'\n", 'Did you mean "remote"?'),
        ("[ai]\nmode = 'record'\n", "ai.upstream does not say whom to ask"),
        ("[ai]\nupstream = 'olama'\n[ai.upstreams.ollama]\nbase_url='http://a/v1'\n", '"ollama"?'),
        ("[ai]\nupstream = 'x'\n[ai.upstreams.x]\n", "ai.upstreams.x has no base_url"),
        ("[ai.upstreams.x]\nbase_url = 'ftp://a'\n", 'is "ftp://a"; expected an http address'),
        ("[ai.upstreams.x]\nbase_url = 'http://a'\ntimeout = 0\n", "timeout is 0; expected"),
        ("[ai.upstreams.x]\nbase_url = 'http://a'\naccount_id_env = 'A'\n", "for [ai.upstreams.cl"),
        ("[ai.upstreams.x]\nbase_url = 'http://a'\nmodels = {m = 1}\n", "models.m is 1; expected"),
        ("[ai]\nmax_calls = 0\n", "ai.max_calls is 0; expected a whole number from 1"),
        ("x = \n", "groundfog.toml:1:5: TOML syntax"),
    ],
)
def test_a_wrong_setting_is_refused(project: Project, text: str, expected: str) -> None:
    assert expected in problem(project, text)


def test_settings_are_beside_the_wrangler_file(project: Project) -> None:
    project.toml()
    project.write("groundfog.toml", "[engine]\nconcurrency = 3\n")

    assert project.load(start="src").settings.concurrency == 3


def test_settings_of_an_index_nobody_binds_are_a_warning(project: Project) -> None:
    project.toml('[[vectorize]]\nbinding = "V"\nindex_name = "skills"\n')
    project.write("groundfog.toml", "[vectorize.skils]\ndimensions = 8\n")

    assert project.warnings() == [
        'groundfog.toml:1: no [[vectorize]] binding has index_name "skils"; its settings are '
        'unused\n  Did you mean "skills"?'
    ]


def test_a_groundfog_toml_that_is_a_directory_says_so(project: Project) -> None:
    project.toml()
    (project.directory / "groundfog.toml").mkdir()

    assert project.problem() == "groundfog.toml: is a directory; expected a file"


def test_an_upstream_is_read_and_announced(project: Project) -> None:
    project.toml()
    text = """
[ai]
mode = "record"
upstream = "ollama"
cassette = "tests/ai.json"
max_calls = 10
[ai.upstreams.ollama]
base_url = "http://localhost:11434/v1"
api_key_env = "OLLAMA_KEY"
timeout = "5 seconds"
models = { "@cf/meta/*" = "llama3.2" }
"""
    project.write("groundfog.toml", text)

    config = project.load(process_env={"OLLAMA_KEY": "secret"})

    ollama = UpstreamSettings(
        "ollama",
        "http://localhost:11434/v1",
        "secret",
        timeout_ms=5_000,
        models={"@cf/meta/*": "llama3.2"},
    )
    assert settings_of(config) == AiSettings("record", ollama, "tests/ai.json", Budget(10))
    assert str(config.warnings[0]).startswith(
        'groundfog.toml:3: ai.mode is "record": calls of env.AI leave this machine for '
        "http://localhost:11434/v1"
    )


def test_cloudflare_needs_no_section_of_its_own(project: Project) -> None:
    project.toml()
    project.write("groundfog.toml", '[ai]\nmode = "remote"\nupstream = "cloudflare"\n')
    process_env = {"CLOUDFLARE_API_TOKEN": "secret", "CLOUDFLARE_ACCOUNT_ID": "acc"}

    found = settings_of(project.load(process_env=process_env)).upstream

    assert found == UpstreamSettings("cloudflare", api_key="secret", account_id="acc")


def test_a_rule_may_only_change_how_the_usual_answer_comes(project: Project) -> None:
    found = settings(
        project,
        '[[ai.rules]]\ninput = { "messages[-1].role" = "user" }\n'
        'stream = { words = 3, bytes = 9, delay = "1 second" }\n',
    )

    assert found.kinds["ai"].rules == (
        Rule(
            input={"messages[-1].role": "user"},
            stream_words=3,
            stream_bytes=9,
            stream_delay_ms=1_000,
            where="groundfog.toml:1",
        ),
    )
