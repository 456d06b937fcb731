"""`groundfog dev --local-protocol https`, by clients that trust its certificate alone."""

from __future__ import annotations

import json
import ssl
import stat
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from emulator.certificate import Certificate, Https
from emulator.cli.main import cli
from emulator.cli.remote import RemoteApi
from emulator.cli.workflows.api import Unreachable
from emulator.errors import UsageError
from emulator.state import RunningServer
from tests.end_to_end.projects import WRANGLER, edit, make_project
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project

PYTHON = """
from js import WebSocketPair
from workers import Response, WorkerEntrypoint, WorkflowEntrypoint


class Flow(WorkflowEntrypoint):
    async def run(self, event, step):
        return 1


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.headers.get("upgrade") != "websocket":
            return Response(request.url)
        client, server = WebSocketPair.new().object_values()
        server.accept()
        server.send(request.url)
        return Response(None, status=101, web_socket=client)
"""
TYPESCRIPT = """
export default {
  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket") return new Response(request.url);
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.send(request.url);
    return new Response(null, { status: 101, webSocket: client });
  },
};
"""


def check(server: DevServer, folder: Path) -> None:
    """Ask over https and wss, as a person's programs would, by a name of this machine."""
    told = json.loads((folder / ".groundfog" / "dev.json").read_text())
    assert told["protocol"] == "https"
    trusting = ssl.create_default_context(cafile=told["certificate"])
    place = f"localhost:{told['port']}"
    assert server.url == f"https://{place}"
    with httpx.Client(verify=trusting, base_url=server.url, trust_env=False) as client:
        assert client.get("/a?b=1").text == f"https://{place}/a?b=1"
        for name in ("127.0.0.1", "shop.localhost"):
            extensions = {"sni_hostname": name}
            headers = {"host": name}
            answer = client.get("/", headers=headers, extensions=extensions)
            assert answer.text == f"https://{name}/"
        loads = "/cdn-cgi/groundfog/loads?other_than=0"
        own, plain = {"origin": f"https://{place}"}, {"origin": f"http://{place}"}
        assert client.get(loads, headers=own).json() == {"loads": 1}
        assert client.get(loads, headers=plain).status_code == 403
    with connect(f"wss://{place}/socket", ssl=trusting) as socket:
        assert socket.recv() == f"https://{place}/socket"


def test_a_python_worker_and_the_commands_speak_https(tmp_path: Path) -> None:
    made = make_project(tmp_path / "p", PYTHON, WRANGLER.partition("[[d1")[0])
    with DevServer(made, "--local-protocol", "https") as server:
        check(server, made)
        port = int(server.url.rpartition(":")[2])
        key = made / ".groundfog" / "https" / "key.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        listed = CliRunner().invoke(cli, ["workflows", "list", "--cwd", str(made)])
        assert listed.exit_code == 0 and "Flow" in listed.stdout
        kept = key.read_bytes()
        other = Https().certificate(tmp_path / "other")
        impostor = RunningServer(0, "127.0.0.1", port, "token", None, str(other.path))
        with pytest.raises(Unreachable, match="does not answer with the certificate"):
            RemoteApi(impostor).ask("GET")
    edit(made, "[[workflows]]", '[dev]\nlocal_protocol = "https"\n[[workflows]]', "wrangler.toml")
    with DevServer(made) as server:
        check(server, made)
        assert key.read_bytes() == kept


def test_a_typescript_worker_speaks_https_even_before_it_loads(tmp_path: Path) -> None:
    made = project(tmp_path / "p", TYPESCRIPT.replace("};\n", "}};\n"))
    with dev(made, "--local-protocol", "https") as server:
        trusting = ssl.create_default_context(cafile=made / ".groundfog" / "https" / "cert.pem")
        answer = httpx.get(server.url, verify=trusting, trust_env=False)
        assert answer.status_code == 500 and "src/index.ts" in answer.text
    (made / "src" / "index.ts").write_text(TYPESCRIPT)
    with dev(made, "--local-protocol", "https") as server:
        check(server, made)


def test_a_certificate_of_ones_own_is_used_and_must_fit(tmp_path: Path) -> None:
    mine, other = (Https(("shop.example",)).certificate(tmp_path / name) for name in "ab")
    assert mine.context().get_ca_certs() == []
    made = make_project(tmp_path / "p", PYTHON, WRANGLER.partition("[[d1")[0])
    options = ["--local-protocol=https", "--allowed-host=shop.example"]
    paths = [f"--https-cert-path={mine.path}", f"--https-key-path={mine.key_path}"]
    with DevServer(made, *options, *paths) as server:
        trusting = ssl.create_default_context(cafile=mine.path)
        port = server.url.rpartition(":")[2]
        with httpx.Client(verify=trusting, trust_env=False) as client:
            answer = client.get(
                f"https://127.0.0.1:{port}/",
                headers={"host": "shop.example"},
                extensions={"sni_hostname": "shop.example"},
            )
        assert answer.text == "https://shop.example/"
    with pytest.raises(UsageError, match="no certificate and its key"):
        Https(given=Certificate(mine.path, other.key_path)).certificate(tmp_path)
    with pytest.raises(UsageError, match="absent"):
        Https(given=Certificate(mine.path, tmp_path / "absent")).certificate(tmp_path)


def test_a_certificate_is_kept_until_it_lacks_a_name_or_may_be_read_by_others(
    tmp_path: Path,
) -> None:
    first = Https().certificate(tmp_path).path.read_bytes()
    assert Https().certificate(tmp_path).path.read_bytes() == first
    named = Https(("shop.example", "192.0.2.7")).certificate(tmp_path)
    second = named.path.read_bytes()
    assert second != first
    assert Https(("shop.example",)).certificate(tmp_path).path.read_bytes() == second
    named.key_path.chmod(0o644)
    assert Https().certificate(tmp_path).path.read_bytes() != second
    named.path.write_text("damaged")
    assert Https().certificate(tmp_path).path.read_bytes().startswith(b"-----BEGIN CERTIFICATE")
