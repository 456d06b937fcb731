"""The files of a project: a configuration, or a report of what is wrong with them."""

from __future__ import annotations

import json
from random import Random

from emulator.clock import VirtualClock
from emulator.config.load import load_config
from emulator.config.problems import InvalidConfig
from emulator.cron import Cron, InvalidCron
from emulator.durations import InvalidDuration, parse_duration_ms
from tests.fuzz.core import Broken, Target
from tests.fuzz.mutation import changed_bytes, changed_json, json_bytes, json_value, text

_WRANGLER = {
    "name": "app",
    "main": "src/entry.py",
    "compatibility_date": "2026-04-01",
    "compatibility_flags": ["python_workers"],
    "vars": {"A": "b", "N": 1, "J": {"a": [1, None]}},
    "dev": {"ip": "localhost", "port": 8787},
    "ai": {"binding": "AI"},
    "d1_databases": [{"binding": "DB", "database_name": "db", "database_id": "x"}],
    "vectorize": [{"binding": "V", "index_name": "skills"}],
    "workflows": [
        {
            "binding": "FLOW",
            "name": "flow",
            "class_name": "Flow",
            "limits": {"steps": 100},
            "concurrency": {"limit": 3},
            "schedules": ["0 9 * * *"],
            "default_retention": {"success_retention": "2 days"},
        }
    ],
    "kv_namespaces": [{"binding": "KV", "id": "1"}],
    "env": {"staging": {"name": "app-staging", "vars": {"A": "c"}}},
    "secrets": {"required": ["TOKEN"]},
}
_TOML = b"""name = "app"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]

[vars]
A = "b"
J = { a = [1, 2.5, true], when = 1979-05-27T07:32:00Z }

[[workflows]]
binding = "FLOW"
name = "flow"
class_name = "Flow"
schedules = ["*/5 * * * *"]
concurrency = { limit = 10 }

[[d1_databases]]
binding = "DB"
database_name = "db"
database_id = "db"

[env.staging]
vars = { A = "c" }
"""
_SETTINGS = b"""[engine]
durability = "process"
concurrency = 3

[clock]
mode = "virtual"
start = 2026-01-01T00:00:00Z

[reload]
grace = "5 seconds"

[vectorize.skills]
dimensions = 8
metric = "cosine"
metadata_indexes = { area = "string" }
visibility_lag = 100

[ai]
mode = "stub"
upstream = "local"
cassette = "calls.json"
max_calls = 3

[ai.upstreams.local]
base_url = "http://localhost:11434/v1"
models = { "@cf/*" = "llama" }

[[ai.rules]]
model = "@cf/meta/*"
prompt = '\\bbrand\\b'
json = { intent = "branding" }
delay = 200
"""
_DOTENV = b"""# comment
A=plain
export B = "quoted \\n ${A}"
C='single' # after
D=`back
tick`
E=${F:-default}
F=$E
"""
_TOKENS = (
    *b"[ ] [[ ]] { } = . , ' \" \\ # // /* */ : $ ${A} env vars __proto__ true inf nan 0x".split(),
    *(b'"""', b"'''", b"1979-05-27", b"99:99:99", b"1e999", b"9" * 400, b"\n", b"\r", b"\x00"),
    *(b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"[" * 300, b"{a=" * 300, b"a." * 300),
    *(b'"\\ud800"', b"\\u0000"),
)
_FILES = (
    *("wrangler.toml", "wrangler.json", "wrangler.jsonc"),
    *("groundfog.toml", ".dev.vars", ".env"),
)


class Configuration(Target):
    """An input is the name of a file, a line end, and what the file holds."""

    name = "config"
    about = "wrangler.toml, .json and .jsonc, groundfog.toml, .dev.vars and .env"

    def make(self, random: Random) -> bytes:
        name = random.choice(_FILES)
        if name in ("wrangler.json", "wrangler.jsonc"):
            value = _WRANGLER
            for _ in range(random.choice((0, 1, 1, 2, 4))):
                value = changed_json(random, value)
            data = json.dumps(value, indent=random.choice((None, 1))).encode()
            if random.random() < 0.4:
                data = changed_bytes(random, data, _TOKENS)
        elif name == "wrangler.toml" and random.random() < 0.3:
            keys = random.sample(sorted(_WRANGLER), 3)
            data = b"".join(
                f"{key} = {json.dumps(changed_json(random, _WRANGLER[key]))}\n".encode()
                for key in keys
            )
        else:
            start = {"wrangler.toml": _TOML, "groundfog.toml": _SETTINGS}.get(name, _DOTENV)
            data = changed_bytes(random, start, _TOKENS)
        return name.encode() + b"\n" + data

    def check(self, data: bytes) -> None:
        first, _, content = data.partition(b"\n")
        name = first.decode("latin-1")
        if name not in _FILES:
            return  # made too small
        for other in _FILES:
            (self.folder / other).unlink(missing_ok=True)
        (self.folder / "src").mkdir(exist_ok=True)
        (self.folder / "src" / "entry.py").touch()
        if not name.startswith("wrangler"):
            (self.folder / "wrangler.toml").write_bytes(_TOML)
        (self.folder / name).write_bytes(content)
        for environment in ("", "staging"):
            try:
                config = load_config(
                    self.folder, environment=environment, process_env={}, clock=VirtualClock()
                )
            except InvalidConfig as error:
                if not str(error).strip():
                    raise Broken("an error that says nothing") from error
            else:
                [str(problem) for problem in config.warnings]


class Texts(Target):
    """An input is JSON: a duration or a schedule."""

    name = "texts"
    about = "durations and schedules, as users write them anywhere"

    def make(self, random: Random) -> bytes:
        pieces = "5 1.5 -1 1e9 seconds minute day * / , - L W MON JAN # 0 59 31 ? @daily".split()
        pieces += [" ", " ", "9" * 30, text(random)]
        given = "".join(random.choice(pieces) for _ in range(random.randint(1, 9)))
        value = given if random.random() < 0.8 else json_value(random, 1)
        return json_bytes(value)

    def check(self, data: bytes) -> None:
        try:
            value = json.loads(data)
        except ValueError:
            return  # made too small
        try:
            parse_duration_ms(value)
        except InvalidDuration:
            pass
        if isinstance(value, str):
            try:
                Cron.parse(value).next_after_ms(1_767_225_600_000)
            except InvalidCron:
                pass
