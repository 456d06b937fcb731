"""A connection to a server of which the certificate itself is known, whoever has signed it."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from pathlib import Path

_FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class PinnedConnection(http.client.HTTPConnection):
    """HTTPS with nobody but the holder of the key that belongs to a certificate, a file in PEM."""

    def __init__(self, host: str, port: int, timeout_s: int, certificate: str) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._certificate = certificate

    def connect(self) -> None:
        """Connect, before anything is sent. Raises OSError if somebody else answers."""
        super().connect()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # it is compared below, instead
        plain: socket.socket = self.sock
        secure = context.wrap_socket(plain)
        self.sock = secure
        first = _FIRST.search(Path(self._certificate).read_text(encoding="ascii"))
        if first is None or secure.getpeercert(True) != ssl.PEM_cert_to_DER_cert(first[0]):
            self.close()
            raise OSError(f"it does not answer with the certificate in {self._certificate}")
