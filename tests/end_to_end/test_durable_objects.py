"""Durable Objects of Python workers: the sample, gates, ends of objects, kills, saves."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from emulator.cli.main import cli
from emulator.clock import SystemClock
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.waiting import eventually

TOML = """
name = "objects"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
[[durable_objects.bindings]]
name = "OLD"
class_name = "Old"
[[kv_namespaces]]
binding = "KV"
id = "kv"
[[migrations]]
tag = "v1"
new_sqlite_classes = ["Room"]
new_classes = ["Old"]
"""
ENTRY = """
import asyncio, json, os
from pathlib import Path
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

VERSION = 1
MADE = []


class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        MADE.append(ctx.id.name)
        self.log = []
        if ctx.id.name == "broken":
            raise ValueError("no room")

        async def prepare():
            await asyncio.sleep(0.05)
            self.log.append("prepared")

        ctx.blockConcurrencyWhile(prepare)

    async def increment(self):
        value = await self.ctx.storage.get("value") or 0
        await self.ctx.storage.put("value", value + 1)
        return value + 1

    async def first(self):
        self.log.append("first")
        return self.log

    async def blocked(self):
        async def alone():
            self.log.append("in")
            for _ in range(20):
                await self.env.KV.get("nothing")
            self.log.append("out")

        await self.ctx.blockConcurrencyWhile(alone)
        self.log.append("after")
        return self.log

    async def other(self):
        self.log.append("other")

    async def fails_inside(self):
        async def fails():
            raise RuntimeError("cannot prepare")

        await self.ctx.blockConcurrencyWhile(fails)

    async def aborts(self):
        await self.ctx.storage.put("kept", 1)
        await self.ctx.storage.sync()
        self.ctx.storage.kv.put("lost", 1)
        self.ctx.abort("enough")

    async def bookmark(self):
        return await self.ctx.storage.getCurrentBookmark()

    async def restores(self, bookmark):
        storage = self.ctx.storage
        assert bookmark == await storage.getBookmarkForTime(4_000_000_000_000)
        undo = await storage.onNextSessionRestoreBookmark(bookmark)
        await storage.sync()
        await storage.put("undo", undo)
        self.ctx.abort("restored")

    async def restores_unknown(self):
        await self.ctx.storage.onNextSessionRestoreBookmark("x")

    async def passed_on(self, stream):
        await self.ctx.storage.put("streamed", True)
        return stream

    async def slow(self):
        await asyncio.sleep(1_000)

    async def keys(self):
        return list(await self.ctx.storage.list())

    async def exits(self):
        os._exit(3)

    async def waits(self, folder):
        Path(folder, "waits").touch()
        while not Path(folder, "go").exists():
            await asyncio.sleep(0.01)
        return VERSION

    async def version(self):
        return [VERSION, len(MADE)]

    async def calls(self, function):
        count = 0

        def next_one():
            nonlocal count
            count += 1
            return count

        return [await function(20), next_one]

    async def transaction(self):
        storage = self.ctx.storage
        await storage.put("a", 1)

        async def work(txn):
            await txn.put("a", 2)
            await self.env.KV.get("nothing")
            if await txn.get("a") == 2:
                txn.rollback()

        await storage.transaction(work)
        undone = await storage.get("a")

        def fails():
            storage.kv.put("a", 3)
            storage.sql.exec("CREATE TABLE t (x)")
            raise KeyError("x")

        try:
            storage.transactionSync(fails)
        except KeyError:
            pass
        tables = storage.sql.exec("SELECT name FROM sqlite_schema WHERE name = 't'").toArray()
        return [undone, storage.kv.get("a"), tables]

    async def alarm(self, info):
        storage = self.ctx.storage
        told = await storage.get("rung") or []
        told.append([await storage.getAlarm(), info.retryCount, info.isRetry])
        await storage.put("rung", told)
        if self.ctx.id.name == "rings again" and len(told) < 3:
            await storage.setAlarm(1)
        if self.ctx.id.name == "fails" and len(told) < 3:
            raise ValueError("cannot ring")
        if self.ctx.id.name == "takes all down" and len(told) < 2:
            await storage.sync()
            os._exit(4)

    async def sockets(self):
        found = self.ctx.getWebSockets()
        return [[self.ctx.getTags(each), each.deserializeAttachment()] for each in found]

    async def webSocketMessage(self, socket, message):
        if message == "close":
            socket.close(4002, "as you wish")
        elif message == "attach":
            socket.serializeAttachment({"n": [1, None]})
        elif message == "abort":
            self.ctx.abort("no more")
        else:
            raise ValueError("cannot read")

    async def set_alarm(self, ms):
        await self.ctx.storage.setAlarm(ms)
        return await self.ctx.storage.getAlarm()

    async def rung(self):
        return [await self.ctx.storage.get("rung"), await self.ctx.storage.getAlarm()]

    async def fetch(self, request):
        if request.headers.get("Upgrade") == "websocket":
            client, server = WebSocketPair.new().object_values()
            if "plain" in request.url:
                server.accept()
                server.onmessage = lambda event: server.send(f"heard {event.data}")
            else:
                self.ctx.acceptWebSocket(server, ["a", "b", "a"])
                server.send("welcome")
            return Response(None, status=101, web_socket=client)
        if request.url.endswith("/echo"):
            return Response(request.body)
        return Response.json({"url": request.url, "text": await request.text(),
                              "id": str(self.ctx.id), "name": self.ctx.id.name})


class Old(DurableObject):
    async def value(self):
        await self.ctx.storage.put("x", [1, {"y": None}])
        return await self.ctx.storage.get("x")

    async def set_alarm(self, ms):
        await self.ctx.storage.setAlarm(ms)

    async def sql(self):
        return self.ctx.storage.sql.exec("SELECT 1").one()

    async def bookmark(self):
        return await self.ctx.storage.getCurrentBookmark()


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.headers.get("Upgrade") == "websocket":
            return await self.env.ROOMS.getByName("sockets").fetch(request)
        asked = await request.json()
        room = getattr(self.env, asked.get("of", "ROOMS")).getByName(asked.get("name", "a"))
        try:
            return Response.json(await getattr(self, asked["do"])(room, *asked.get("args", [])))
        except Exception as error:
            return Response.json({"error": str(error)})

    async def call(self, room, method, *args):
        return await getattr(room, method)(*args)

    async def at_once(self, room, method, count):
        return await asyncio.gather(*(getattr(room, method)() for _ in range(count)))

    async def while_blocked(self, room):
        blocked = asyncio.ensure_future(room.blocked())
        await room.other()
        await blocked
        return await room.first()

    async def with_functions(self, room):
        doubled, next_one = await room.calls(lambda n: n * 2)
        return [doubled, await next_one(), await next_one()]

    async def as_client(self, room):
        url = "http://room/plain"
        socket = (await room.fetch(url, headers={"Upgrade": "websocket"})).web_socket
        heard = asyncio.get_running_loop().create_future()
        socket.onmessage = lambda event: heard.set_result(event.data)
        socket.accept()
        socket.send("hello")
        try:
            return await heard
        finally:
            socket.close()

    async def sends(self, room):
        answer = await room.fetch("http://room/path?q=1", method="POST", body="hello")
        return await answer.json()

    async def streams(self, room):
        def body():
            async def pieces():
                for n in range(64):
                    yield bytes([n]) * 65_536

            return Response(pieces()).body

        counted = [0, 0]
        answer = await room.fetch("http://room/echo", method="POST", body=body())
        for place, stream in enumerate((answer.body, await room.passed_on(body()))):
            async for piece in stream:
                counted[place] += sum(bytes(piece))
        return counted

    async def ids(self, room):
        rooms, old = self.env.ROOMS, self.env.OLD
        named, new = rooms.idFromName("a"), rooms.newUniqueId()
        same = rooms.idFromString(str(named))
        told = [str(named), named.equals(same), same.name, new.name, len(str(new))]
        for wrong in (lambda: rooms.idFromString("x"), lambda: old.idFromString(str(new)),
                      lambda: rooms.get("a"), lambda: rooms.newUniqueId(jurisdiction="eu")):
            try:
                wrong()
            except Exception as error:
                told.append(str(error))
        return told
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    (folder / "src").mkdir()
    (folder / "wrangler.toml").write_text(TOML)
    (folder / "src" / "entry.py").write_text(ENTRY)
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[DevServer]:
    with DevServer(project) as running:
        yield running


def asked(server: DevServer, do: str, *args: Any, name: str = "a", of: str = "ROOMS") -> Any:
    answer = server.post("/", json={"do": do, "args": args, "name": name, "of": of})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """The sample, whose objects are forgotten after 100 ms."""
    project = tmp_path_factory.mktemp("sample") / "p"
    shutil.copytree(FIXTURES / "durable-objects", project)
    (project / "groundfog.toml").write_text("[durable_objects]\nidle = 100\n")
    with DevServer(project) as running:
        yield running


def room(server: DevServer, name: str, who: str) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws')}/rooms/{name}?as={who}")


def test_a_chat_room_passes_messages_on_when_it_was_forgotten(sample: DevServer) -> None:
    with room(sample, "tea", "ann") as ann, room(sample, "tea", "bob") as bob:
        ann.send("hello")
        assert [ann.recv(5), bob.recv(5)] == ["ann: hello", "ann: hello"]
        time.sleep(0.3)  # nothing tells that an object was forgotten
        bob.send("still here?")
        assert [ann.recv(5), bob.recv(5)] == ["bob: still here?"] * 2
        bob.send(b"abc")
        assert bob.recv(5) == b"cba"
        ann.send("ping")
        assert ann.recv(5) == "pong"
        bob.close(4001, "bye")
        assert ann.recv(5) == "bob left: 4001 bye"


def test_the_sample_counts_and_keeps_lists_over_a_kill(sample: DevServer) -> None:
    for _ in range(3):
        sample.post("/counters/one")
    sample.post("/counters/two")
    for item in ("tea", "milk"):
        sample.post("/lists/home", json={"item": item})
    sample.kill()
    with DevServer(sample.project) as server:
        values = [server.get(f"/counters/{name}").json() for name in ("one", "two", "none")]
        assert values == [3, 1, 0]
        assert server.get("/lists/home").json() == ["tea", "milk"]


def test_calls_of_one_object_are_calls_of_one_instance(server: DevServer) -> None:
    assert asked(server, "at_once", "increment", 50) == list(range(1, 51))


def test_events_wait_for_the_constructor_s_section(server: DevServer) -> None:
    assert asked(server, "call", "first", name="gate") == ["prepared", "first"]


def test_no_event_goes_on_while_a_section_runs(server: DevServer) -> None:
    log = asked(server, "while_blocked", name="blocked")
    assert log[:3] == ["prepared", "in", "out"]
    assert sorted(log[3:-1]) == ["after", "other"]


def test_a_section_that_raises_resets_the_object(server: DevServer) -> None:
    asked(server, "call", "first", name="reset")
    assert "cannot prepare" in asked(server, "call", "fails_inside", name="reset")["error"]
    assert asked(server, "call", "first", name="reset") == ["prepared", "first"]


def test_a_constructor_that_raises_fails_the_call_and_is_tried_again(server: DevServer) -> None:
    for _ in range(2):
        assert "no room" in asked(server, "call", "first", name="broken")["error"]


def test_an_object_that_aborts_keeps_what_was_committed(server: DevServer) -> None:
    assert asked(server, "call", "aborts", name="aborted") == {"error": "Error: enough"}
    assert asked(server, "call", "keys", name="aborted") == ["kept"]


def test_an_object_is_as_at_a_bookmark_after_it_was_made_anew(server: DevServer) -> None:
    assert asked(server, "call", "increment", name="restored") == 1
    bookmark = asked(server, "call", "bookmark", name="restored")
    assert asked(server, "call", "increment", name="restored") == 2
    answer = asked(server, "call", "restores", bookmark, name="restored")
    assert answer == {"error": "Error: restored"}
    assert asked(server, "call", "keys", name="restored") == ["value"]
    assert asked(server, "call", "increment", name="restored") == 2
    assert "not a bookmark" in asked(server, "call", "restores_unknown")["error"]
    assert "point-in-time recovery" in asked(server, "call", "bookmark", of="OLD")["error"]


def test_a_worker_that_exits_in_an_object_loses_nothing(server: DevServer) -> None:
    asked(server, "call", "increment", name="exits")
    body = {"do": "call", "args": ["exits"], "name": "exits"}
    assert server.post("/", json=body).status_code == 500
    assert asked(server, "call", "increment", name="exits") == 2


def test_functions_cross_in_both_directions(server: DevServer) -> None:
    assert asked(server, "with_functions") == [40, 1, 2]


def test_transactions_undo_keys_and_tables(server: DevServer) -> None:
    assert asked(server, "call", "transaction", name="transaction") == [1, 1, []]


def test_a_request_reaches_the_object_with_its_body(server: DevServer) -> None:
    told = asked(server, "sends", name="fetched")
    assert (told["url"], told["text"], told["name"]) == (
        "http://room/path?q=1",
        "hello",
        "fetched",
    )


def socket(server: DevServer, path: str) -> ClientConnection:
    return connect(f"{server.url.replace('http', 'ws')}{path}")


def test_streams_pass_through_an_object_in_both_directions(server: DevServer) -> None:
    assert asked(server, "streams") == [sum(range(64)) * 65_536] * 2


def test_a_socket_that_an_object_accepts_stays_with_its_instance(server: DevServer) -> None:
    with socket(server, "/plain") as client:
        client.send("one")
        assert client.recv(5) == "heard one"
    assert asked(server, "as_client") == "heard hello"


def test_a_socket_that_was_handed_over_has_tags_and_an_attachment(server: DevServer) -> None:
    with socket(server, "/") as client:
        assert client.recv(5) == "welcome"
        client.send("attach")
        wanted = [[["a", "b"], {"n": [1, None]}]]
        eventually(lambda: asked(server, "call", "sockets", name="sockets") == wanted)
        client.send("fail")
        server.wait_for("webSocketMessage of Room sockets failed")
        client.send("close")
        with pytest.raises(ConnectionClosed, match="4002"):
            client.recv(5)
    eventually(lambda: asked(server, "call", "sockets", name="sockets") == [])


def test_sockets_end_with_an_object_that_aborts(server: DevServer) -> None:
    with socket(server, "/") as client:
        assert client.recv(5) == "welcome"
        client.send("abort")
        with pytest.raises(ConnectionClosed):
            client.recv(5)


def test_ids_are_workerd_s_and_belong_to_one_namespace(server: DevServer) -> None:
    told = asked(server, "ids")
    assert told[1:5] == [True, None, None, 64]
    assert "must be 64 hex digits" in told[5]
    assert "not valid for this namespace" in told[6]
    assert "DurableObjectId" in told[7]
    assert "Jurisdiction restrictions" in told[8]


def test_the_older_storage_has_keys_and_no_sql(server: DevServer) -> None:
    assert asked(server, "call", "value", of="OLD") == [1, {"y": None}]
    assert "new_sqlite_classes" in asked(server, "call", "sql", of="OLD")["error"]


def test_a_name_that_is_no_method_is_workerd_s_error(server: DevServer) -> None:
    for name in ("nothing", "_hidden", "ctx", "alarm"):
        assert "error" in asked(server, "call", name)


def rung(server: DevServer, name: str) -> Any:
    return asked(server, "call", "rung", name=name)


def test_an_alarm_rings_once_and_is_not_seen_while_it_does(server: DevServer) -> None:
    assert asked(server, "call", "set_alarm", 5, name="rings") == 5
    eventually(lambda: rung(server, "rings")[0])
    assert rung(server, "rings") == [[[None, 0, False]], None]


def test_an_alarm_that_its_handler_sets_rings_again(server: DevServer) -> None:
    asked(server, "call", "set_alarm", 5, name="rings again")
    eventually(lambda: len(rung(server, "rings again")[0] or ()) == 3)


def test_a_class_without_a_handler_cannot_set_an_alarm(server: DevServer) -> None:
    assert "must have an alarm()" in asked(server, "call", "set_alarm", 5, of="OLD")["error"]


def test_alarms_wait_for_the_clock_and_outlive_a_kill_and_failures(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "wrangler.toml").write_text(TOML)
    (tmp_path / "src" / "entry.py").write_text(ENTRY)
    (tmp_path / "groundfog.toml").write_text('[clock]\nmode = "virtual"\n')
    later = SystemClock().now_ms() + 86_400_000
    with DevServer(tmp_path) as server:
        for name in ("fails", "takes all down"):
            assert asked(server, "call", "set_alarm", later, name=name) == later
        server.kill()
    with DevServer(tmp_path) as server:
        advance = ["clock", "advance", "--cwd", str(tmp_path)]
        assert CliRunner().invoke(cli, [*advance, "1 day"]).exit_code == 0
        eventually(lambda: len(rung(server, "takes all down")[0] or ()) >= 1)
        server.wait_for("alarm of Room fails failed")
        assert CliRunner().invoke(cli, [*advance, "1 hour"]).exit_code == 0
        eventually(lambda: len(rung(server, "fails")[0]) == 3)
        assert rung(server, "fails") == [[[None, n, n > 0] for n in range(3)], None]
        assert rung(server, "takes all down") == [[[None, 0, False], [None, 1, True]], None]


CALLER_TOML = """
name = "caller"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Room"
script_name = "objects"
[[durable_objects.bindings]]
name = "GONE"
class_name = "Room"
script_name = "gone"
"""
CALLER = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        told = [await self.env.ROOMS.getByName("shared").increment()]
        try:
            await self.env.GONE.getByName("shared").increment()
        except Exception as error:
            told.append(str(error))
        return Response.json(told)
"""


def test_objects_of_another_worker_of_the_session_are_called(tmp_path: Path) -> None:
    for name, toml, entry in (("caller", CALLER_TOML, CALLER), ("objects", TOML, ENTRY)):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "wrangler.toml").write_text(toml)
        (tmp_path / name / "src" / "entry.py").write_text(entry)
    with DevServer(tmp_path / "caller", str(tmp_path / "objects")) as server:
        server.get("/")
        value, error = server.get("/").json()
        assert value == 2
        assert "worker gone, which is not started" in error
    assert len(list((tmp_path / "objects" / ".groundfog" / "do").glob("*/*.sqlite"))) == 1


HEIR_TOML = """
name = "heir"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
[[durable_objects.bindings]]
name = "ROOMS"
class_name = "Parlour"
[[kv_namespaces]]
binding = "KV"
id = "kv"
[[migrations]]
tag = "v1"
transferred_classes = [{ from = "Room", from_script = "objects", to = "Parlour" }]
"""
HEIR = ENTRY.replace("class Room(", "class Parlour(").replace(
    "class Old(DurableObject)", "class Old"
)


def test_a_transferred_class_takes_its_objects_along(tmp_path: Path) -> None:
    for name, toml, entry in (("objects", TOML, ENTRY), ("heir", HEIR_TOML, HEIR)):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "wrangler.toml").write_text(toml)
        (tmp_path / name / "src" / "entry.py").write_text(entry)
    with DevServer(tmp_path / "objects") as before:
        assert asked(before, "call", "increment") == 1
        id = asked(before, "ids")[0]
    (tmp_path / "objects" / "wrangler.toml").write_text(
        TOML.split("[[durable_objects")[0] + TOML[TOML.index("[[kv_") :].split("[[migr")[0]
    )
    with DevServer(tmp_path / "heir", str(tmp_path / "objects")) as server:
        server.wait_for("the objects of Parlour were transferred from objects")
        assert asked(server, "call", "increment") == 2
        assert asked(server, "call", "set_alarm", 4_000_000_000_000) == 4_000_000_000_000
    assert not (tmp_path / "objects" / ".groundfog" / "do" / "objects-Room").exists()
    assert f"{id[:8]}" in told(tmp_path / "heir", "list")


def told(project: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["do", *words, "--cwd", str(project)])
    assert done.exit_code == code, done.output
    return done.output


def test_commands_show_objects_their_storage_and_their_alarms(
    server: DevServer, project: Path
) -> None:
    asked(server, "call", "increment", name="shown")
    asked(server, "call", "set_alarm", 4_000_000_000_000, name="shown")
    (found,) = [
        each
        for each in json.loads(told(project, "list", "Room", "--json"))
        if each["name"] == "shown"
    ]
    assert (found["keys"], found["tables"], found["alarm_ms"]) == (1, {}, 4_000_000_000_000)
    assert "shown" in told(project, "list")
    assert "value" in told(project, "storage", "Room", "shown")
    assert json.loads(told(project, "storage", "Room", found["id"][:20], "--json")) == {
        "keys": {"value": 1},
        "tables": {},
    }
    assert "2096-10-02T07:06:40.000+00:00" in told(project, "alarm", "Room", "shown")
    assert "no object with storage" in told(project, "alarm", "Room", "nobody", code=1)
    assert "There are: Room, Old" in told(project, "list", "Nothing", code=1)


def test_a_save_moves_idle_objects_and_a_busy_one_when_it_is_done_or_after_3_s(
    server: DevServer, project: Path, tmp_path: Path
) -> None:
    asked(server, "call", "increment", name="idle")
    with ThreadPoolExecutor(2) as thread:
        cut = thread.submit(asked, server, "call", "slow", name="cut")
        busy = thread.submit(asked, server, "call", "waits", str(tmp_path), name="busy")
        eventually(lambda: (tmp_path / "waits").exists())
        (project / "src" / "entry.py").write_text(ENTRY.replace("VERSION = 1", "VERSION = 2"))
        server.wait_for("reloaded")
        assert asked(server, "call", "version", name="idle") == [2, 1]
        assert asked(server, "call", "increment", name="idle") == 2
        (tmp_path / "go").touch()
        assert busy.result() == 1
        assert "reset because its code was updated" in cut.result()["error"]
    assert [asked(server, "call", "version", name=name)[0] for name in ("busy", "cut")] == [2, 2]
