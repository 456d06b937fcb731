"""mTLS certificates: `[[mtls_certificates]]`, and `[mtls.NAME]` of groundfog.toml.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from emulator.config.model import Bound, Config
from emulator.config.problems import quoted
from emulator.config.table import Table
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from bindings.binding import Binding
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "mtls_certificates"
_EXAMPLE = 'with binding = "CERT" and certificate_id = "…" below it.'
_KEYS = ("certificate", "key", "ca")


class LocalFiles(Struct, frozen=True):
    """The files in PEM of one certificate, relative to the project; "": none."""

    certificate: str = ""
    key: str = ""
    ca: str = ""


class MtlsRecord(Struct, frozen=True):
    """One `[[mtls_certificates]]` entry."""

    files: LocalFiles


def _read(section: Section) -> list[Bound[MtlsRecord]]:
    found = []
    for item in section.items(_EXAMPLE):
        name = section.name(item, "CERT")
        item.string("certificate_id", required=True, example="…")
        if name:
            files = (section.settings or {}).get(name, LocalFiles())
            if not files.certificate:
                text = f"no certificate for {name} is on this machine; requests go without one"
                fix = f'Write [mtls.{name}] with certificate = "…" and key = "…" in groundfog.toml.'
                item.warn(None, text, fix)
            found.append(Bound(name, NAME, MtlsRecord(files)))
    return found


def _read_settings(mtls: Table, process_env: Mapping[str, str]) -> dict[str, LocalFiles]:
    found = {}
    for name in mtls.data:
        table = mtls.table(name, f'Write [mtls.{name}] with certificate = "…" below it.')
        if table is None:
            continue
        table.unknown_keys(_KEYS, table.report.error)
        files = LocalFiles(*(table.string(key) or "" for key in _KEYS))
        if bool(files.certificate) != bool(files.key):
            text = f"{table.name()} needs both certificate and key"
            table.error(None, text, "Name two files in PEM.")
        found[name] = files
    return found


def _review(config: Config, settings: Table) -> None:
    """Warn about files for a binding that is not there."""
    used = {bound.name for bound in config.bound(MtlsRecord)}
    for name in settings.data:
        if name not in used:
            text = f"no [[mtls_certificates]] has binding {quoted(name)}; its files are unused"
            settings.warn(name, text)


def _open(record: MtlsRecord, places: Places) -> Binding:
    from bindings.network.certificate import CertificateFetcher, Files

    def named(name: str) -> Path | None:
        return places.project_dir / name if name else None

    files = record.files
    return CertificateFetcher(Files(named(files.certificate), named(files.key), named(files.ca)))


def _in_workerd(record: MtlsRecord, service: str) -> dict[str, Value]:
    return {"service": service}


KIND = Kind(
    name=NAME,
    typed="Fetcher",
    section="mtls_certificates",
    friendly="mTLS Certificate",
    keys=frozenset({"binding", "certificate_id", "remote"}),
    read=_read,
    open=_open,
    shown=lambda record: record.files.certificate or "no certificate",
    settings="mtls",
    setting_keys=tuple(f"mtls.NAME.{key}" for key in _KEYS),
    header="mtls.CERT",
    read_settings=_read_settings,
    review=_review,
    workerd=_in_workerd,
    http="bindings.network.http:answer",
    http_streams=True,
)
