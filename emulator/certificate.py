"""The certificate of a server that speaks HTTPS: one that a person has, or one made on the spot.

It is made once for a state directory and kept there, so that a person can trust it once. Nobody
else signs it, and only this user can read its key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.clock import SystemClock
from emulator.disk import make_folder, refusal, replace_file
from emulator.errors import UsageError

if TYPE_CHECKING:
    import ssl

    from cryptography import x509

FOLDER = "https"  # in a state directory
NAME = "Groundfog on this machine"
LOCAL_NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")
DAY_MS = 86_400_000
VALID_DAYS = 397  # browsers accept no more
RENEW_DAYS = 14  # before its end, another one is made


class Certificate(Struct, frozen=True):
    """Two files in PEM: a certificate, perhaps with those that lead to its issuer, and its key."""

    path: Path
    key_path: Path

    def context(self) -> ssl.SSLContext:
        """Return what a server needs. Raises UsageError for files that do not fit."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.path, self.key_path, password=_no_password)
        except ssl.SSLError as error:
            reason = (error.reason or "not in PEM").replace("_", " ").lower()
            text = f"{self.path} and {self.key_path} are no certificate and its key: {reason}"
            raise UsageError(f"{text}. Give both in PEM, the key without a password.") from error
        except OSError as error:
            wrong = self.path if not self.path.exists() else self.key_path
            raise UsageError(refusal(wrong, "cannot be read", error)) from error
        return context

    def texts(self) -> tuple[str, str]:
        """Return certificate and key as they are in the files. Raises UsageError."""
        self.context()  # which says what does not fit
        return self.path.read_text(encoding="ascii"), self.key_path.read_text(encoding="ascii")


class Https(Struct, frozen=True):
    """What HTTPS is spoken with. names: of this server, besides those that are always local.

    given: the person's own certificate, in place of one that is made.
    """

    names: tuple[str, ...] = ()
    given: Certificate | None = None

    def certificate(self, directory: Path) -> Certificate:
        """Return the certificate; `directory`: of the state. Raises UsageError, OSError."""
        if self.given is not None:
            self.given.context()
            return self.given
        found = Certificate(
            directory.absolute() / FOLDER / "cert.pem", directory.absolute() / FOLDER / "key.pem"
        )
        names = tuple(dict.fromkeys((*LOCAL_NAMES, *self.names)))
        if not _is_good(found, names):
            _make(found, names)
        return found


def _no_password() -> str:
    """A key with a password must not ask for it at the terminal."""
    return ""


def _is_good(found: Certificate, names: Iterable[str]) -> bool:
    """Whether a certificate is there, for these names, and not about to end."""
    from cryptography import x509

    try:
        found.context()
        read = x509.load_pem_x509_certificate(found.path.read_bytes())
        told = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (UsageError, ValueError, OSError, x509.ExtensionNotFound):
        return False
    ends_ms = read.not_valid_after_utc.timestamp() * 1000
    is_private = found.key_path.stat().st_mode & 0o077 == 0
    lasts = ends_ms - SystemClock().now_ms() > RENEW_DAYS * DAY_MS
    return is_private and lasts and set(_general(names)) <= set(told)


def _make(wanted: Certificate, names: Iterable[str]) -> None:
    """Write a new key and a certificate for it. Raises OSError."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        + ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_general(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    unlocked = serialization.NoEncryption()
    make_folder(wanted.path.parent)
    replace_file(
        wanted.key_path,
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unlocked),
        synced=False,
    )
    replace_file(wanted.path, certificate.public_bytes(pem), synced=False)


def _general(names: Iterable[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name.strip("[]"))))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
