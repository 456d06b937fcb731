"""Certificates that workers show to servers, in Python and TypeScript."""

from __future__ import annotations

import shutil
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.config.project import Project
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project

CERT = '\n[[mtls_certificates]]\nbinding = "CERT"\ncertificate_id = "1"\n'
FILES = '[mtls.CERT]\ncertificate = "own.pem"\nkey = "own.key"\nca = "own.pem"\n'
PYTHON = """
from urllib.parse import parse_qs, urlsplit
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = parse_qs(urlsplit(request.url).query)["url"][0]
        try:
            answer = await self.env.CERT.fetch(url, method="POST", body=await request.text())
            return Response(await answer.text(), status=answer.status)
        except Exception as error:
            return Response(str(error), status=500)
"""
TYPESCRIPT = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const url = new URL(request.url).searchParams.get("url")!;
    try {
      return await env.CERT.fetch(url, { method: "POST", body: await request.text() });
    } catch (error: any) {
      return new Response(error.message, { status: 500 });
    }
  },
};
"""


def write_certificate(folder: Path) -> None:
    """Write a certificate of "shop" that signs itself, for 127.0.0.1."""
    import ipaddress

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "own.pem").write_bytes(made.public_bytes(pem))
    (folder / "own.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class _Who(BaseHTTPRequestHandler):
    """Answers with the name in the client's certificate, and the body of the request."""

    def do_POST(self) -> None:
        shown = self.connection.getpeercert()
        name = shown["subject"][0][0][1] if shown else "nobody"
        if self.headers.get("transfer-encoding"):
            size = int(self.rfile.readline(), 16)
        else:
            size = int(self.headers.get("content-length", "0"))
        text = f"{name}: {self.rfile.read(size).decode()}".encode()
        self.send_response(201)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    write_certificate(folder)
    return folder


@pytest.fixture(scope="module")
def url(certificate: Path) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate / "own.pem")
    context.load_cert_chain(certificate / "own.pem", certificate / "own.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = HTTPServer(("127.0.0.1", 0), _Who)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/who?x=1"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_worker_shows_its_certificate(
    tmp_path: Path, certificate: Path, url: str, language: str
) -> None:
    folder = tmp_path / "worker"
    if language == "python":
        made = Project(folder)
        made.toml(CERT, head=made_head())
        made.write("src/entry.py", PYTHON)
    else:
        project(folder, TYPESCRIPT, CERT)
    (folder / "groundfog.toml").write_text(FILES)
    for name in ("own.pem", "own.key"):
        shutil.copy(certificate / name, folder / name)
    server = DevServer(folder) if language == "python" else dev(folder)
    with server:
        answer = server.post("/", params={"url": url}, content="tea")
        assert (answer.status_code, answer.text) == (201, "shop: tea")
        lost = server.post("/", params={"url": "https://127.0.0.1:1/"}, content="tea")
        assert lost.status_code == 500
        assert "Network connection lost." in lost.text


def made_head() -> str:
    return (
        'name = "app"\nmain = "src/entry.py"\ncompatibility_date = "2026-04-01"\n'
        'compatibility_flags = ["python_workers"]\n'
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("", "no certificate for CERT is on this machine; requests go without one"),
        ('[mtls.OTHER]\ncertificate = "a"\nkey = "b"\n', 'has binding "OTHER"'),
    ],
)
def test_missing_files_are_a_warning(tmp_path: Path, settings: str, told: str) -> None:
    made = Project(tmp_path)
    made.toml(CERT)
    made.write("groundfog.toml", settings)
    assert any(told in warning for warning in made.warnings())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('[mtls.CERT]\ncertificate = "a"\n', "needs both certificate and key"),
        ('[mtls.CERT]\ncertificate = "a"\nkey = "b"\nkeys = "c"\n', "keys"),
        ('mtls = "a"\n', "mtls"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: str, told: str) -> None:
    made = Project(tmp_path)
    made.toml(CERT)
    made.write("groundfog.toml", settings)
    assert told in made.problem()


def test_files_that_are_no_certificate_are_named_at_the_call(tmp_path: Path, url: str) -> None:
    made = Project(tmp_path)
    made.toml(CERT, head=made_head())
    made.write("src/entry.py", PYTHON)
    made.write("groundfog.toml", FILES)
    made.write("own.pem", "nothing")
    made.write("own.key", "nothing")
    with DevServer(tmp_path) as server:
        answer = server.post("/", params={"url": url}, content="tea")
        assert answer.status_code == 500 and "The certificate cannot be used" in answer.text
