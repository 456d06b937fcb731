"""`env.CERT.fetch()`: requests to elsewhere, with which this machine shows a certificate.

Source: docs/platform/services.md, "mTLS certificates".
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from msgspec import Struct

from bindings.network.network import Network
from emulator.errors import WorkerError


class Files(Struct, frozen=True):
    """A certificate and its key in PEM, and who signs servers; None: nothing, and the system's."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a client needs. Raises WorkerError for files that do not fit."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            named = ", ".join(str(each) for each in (self.certificate, self.key) if each)
            why = getattr(error, "strerror", None) or str(error)
            raise WorkerError(f"The certificate cannot be used ({named}): {why}") from None
        return context


class CertificateFetcher:
    """A binding whose requests show a certificate."""

    kind = "mtls_certificates"

    def __init__(self, files: Files) -> None:
        self._files = files
        self._network: Network | None = None

    async def call(self, method: str, args: list[Any]) -> Any:
        """Run `fetch(method, url, headers, body)`, as `Network.call` does. Raises WorkerError."""
        if method != "fetch":
            text = f'The RPC receiver does not implement the method "{method}".'
            raise WorkerError(text, name="TypeError")
        if self._network is None:
            self._network = Network(tls=self._files.context())
        verb, url, headers, body = args
        if not any(name.lower() == "accept-encoding" for name, _ in headers):
            headers = [*headers, ["accept-encoding", "identity"]]
        request = {"method": verb, "url": url, "headers": headers, "body": body, "length": None}
        return await self._network.call("fetch", [request])

    async def close(self) -> None:
        """Nothing is open: requests end with the calls that they belong to."""
