"""Databases that Hyperdrive leads to: here a server that says everything again, in capitals."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.kinds.hyperdrive import Database
from tests.config.project import Project
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project

HEAD = """\
name = "app"
main = "src/entry.py"
compatibility_date = "2026-04-01"
compatibility_flags = ["python_workers"]
"""
DB = '\n[[hyperdrive]]\nbinding = "STORE"\nid = "1"\n'
PYTHON = """
import socket
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        db = self.env.STORE
        with socket.create_connection((db.host, db.port)) as connection:
            connection.sendall(b"select")
            answer = connection.recv(100).decode()
        return Response.json([db.user, db.password, db.database, db.connectionString, answer])
"""
TYPESCRIPT = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const { user, password, database, connectionString } = env.STORE;
    const socket = env.STORE.connect();
    const writer = socket.writable.getWriter();
    await writer.write(new TextEncoder().encode("select"));
    const { value } = await socket.readable.getReader().read();
    const answer = new TextDecoder().decode(value);
    await socket.close();
    return Response.json([user, password, database, connectionString, answer]);
  },
};
"""


class _Capitals(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(self.request.recv(100).upper())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Capitals) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_worker_reaches_its_database(tmp_path: Path, address: str, language: str) -> None:
    folder = tmp_path / "worker"
    if language == "python":
        made = Project(folder)
        made.toml(DB, head=HEAD)
        made.write("src/entry.py", PYTHON)
    else:
        project(folder, TYPESCRIPT, DB)
    url = f"postgres://ann:p%40ss@{address}/shop?sslmode=disable"
    environment = {"CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_STORE": url}
    server = (
        DevServer(folder, env=environment) if language == "python" else dev(folder, env=environment)
    )
    with server:
        user, password, database, found, answer = server.get("/").json()
        assert (user, password, database, answer) == ("ann", "p@ss", "shop", "SELECT")
        assert found.startswith("postgres") and found.endswith("/shop?sslmode=disable")
        assert f"env.STORE   Hyperdrive Config   postgres://{address}/shop" in server.output
        assert "p@ss" not in server.output and "p%40ss" not in server.output


def test_without_a_connection_string_its_use_says_what_to_set(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.toml(DB, head=HEAD)
    made.write("src/entry.py", PYTHON)
    assert "hyperdrive[0] has no local database; using env.STORE" in made.warnings()[0]
    with DevServer(tmp_path) as server:
        answer = server.get("/").text
        assert "which has no connection string on this machine. Set the variable" in answer
        assert "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_STORE" in answer


def url_of(made: Project, **variables: str) -> str:
    (bound,) = made.load(process_env=variables).bound(Database)
    return bound.record.url


def test_variables_come_before_the_configuration(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.toml(f'{DB}localConnectionString = "mysql://a:b@one/c"\n')
    assert url_of(made) == "mysql://a:b@one/c"
    old = {"WRANGLER_HYPERDRIVE_LOCAL_CONNECTION_STRING_STORE": "mysql://a:b@two/c"}
    assert url_of(made, **old) == "mysql://a:b@two/c"
    new = {"CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_STORE": "mysql://a:b@three/c"}
    assert url_of(made, **old, **new) == "mysql://a:b@three/c"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("//a:b@host/c", "You must specify the database protocol"),
        ("sqlite://a:b@host/c", "Only PostgreSQL-compatible or MySQL-compatible"),
        ("postgres://a:b@/c", "You must provide a hostname"),
        ("postgres://a:b@host", "You must provide a database name"),
        ("postgres://:b@host/c", "You must provide a username"),
        ("postgres://a@host/c", "You must provide a password"),
        ("postgres://a:b@host:x/c", "Invalid URL"),
        ("postgres://a:b@host:99999/c", "Invalid URL"),
        ("postgres://a:b@[::1/c", "Invalid URL"),
    ],
)
def test_a_wrong_connection_string_is_named(tmp_path: Path, url: str, told: str) -> None:
    made = Project(tmp_path)
    made.toml(f'{DB}localConnectionString = "{url}"\n')
    problem = made.problem()
    assert f"hyperdrive[0].localConnectionString: {told}" in problem
    assert "a:b" not in problem


def test_the_parts_of_a_connection_string() -> None:
    database = Database("postgresql://a:b@[::1]/my%20db")
    assert (database.port, database.name) == (5432, "my db")
    assert Database("mysql://a:b@host/c").port == 3306
    assert "b@" not in repr(database)
