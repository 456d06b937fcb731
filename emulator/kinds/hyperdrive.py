"""Hyperdrive: `[[hyperdrive]]`, a real database that is reached from this machine.

Source: docs/platform/configuration.md, "Bindings".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from msgspec import Struct

from emulator.config.model import Bound, Unsupported
from emulator.config.table import Table
from emulator.json_types import Json
from emulator.kinds.kind import Kind, Section

if TYPE_CHECKING:
    from emulator.kinds.places import Places
    from emulator.runner.workerd.capnp import Value

NAME = "hyperdrive"
VARIABLE = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_"
OLD_VARIABLE = "WRANGLER_HYPERDRIVE_LOCAL_CONNECTION_STRING_"
_EXAMPLE = 'with binding = "DB" and id = "…" below it.'
_PORTS = {"postgres": 5432, "postgresql": 5432, "mysql": 3306}
_PLAIN = ("disable", "disabled", "false", "0", "prefer", "preferred", "allow")


class Database(Struct, frozen=True):
    """Where a database is, from its connection string, which has the password."""

    url: str

    @property
    def parts(self) -> SplitResult:
        """The parts of the connection string."""
        return urlsplit(self.url)

    @property
    def port(self) -> int:
        """The port, or the usual one."""
        return self.parts.port or _PORTS[self.parts.scheme]

    @property
    def name(self) -> str:
        """The database on the server."""
        return unquote(self.parts.path.removeprefix("/"))

    def __repr__(self) -> str:
        return f"Database({self.parts.hostname}:{self.port}/{self.name}, {hash(self.url)})"


def _read(section: Section) -> list[Bound[Any]]:
    found: list[Bound[Any]] = []
    for item in section.items(_EXAMPLE):
        binding = section.name(item, "DB")
        item.string("id", required=True, example="…")
        given = item.string("localConnectionString")
        if not binding:
            continue
        variable, url = _from_environment(binding, section.process_env)
        url = url or given or ""
        if not url:
            found.append(_missing(item, binding))
            continue
        problem = _problem(url)
        if problem:
            where = variable or item.name("localConnectionString")
            item.error("localConnectionString", f"{where}: {problem}")
        else:
            found.append(Bound(binding, NAME, Database(url)))
    return found


def _from_environment(binding: str, process_env: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable that has the connection string, and that; `""`: none has it."""
    for prefix in (VARIABLE, OLD_VARIABLE):
        if url := process_env.get(f"{prefix}{binding}"):
            return f"{prefix}{binding}", url
    return "", ""


def _missing(item: Table, binding: str) -> Bound[Unsupported]:
    fix = (
        f"Set the variable {VARIABLE}{binding}, or localConnectionString of the binding, to the "
        "address of a local database: postgres://user:password@localhost:5432/name."
    )
    item.warn(
        None, f"{item.name()} has no local database; using env.{binding} raises an error", fix
    )
    lacks = "has no connection string on this machine"
    return Bound(binding, f"{NAME}.missing", Unsupported("Hyperdrive Config", fix, lacks))


def _problem(url: str) -> str:
    """Return what is wrong with a connection string, as wrangler says it; "" if it is right."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"Invalid URL: {error}."
    if not parts.scheme:
        return "You must specify the database protocol - e.g. 'postgresql'/'mysql'."
    if parts.scheme not in _PORTS:
        return "Only PostgreSQL-compatible or MySQL-compatible databases are currently supported."
    if not parts.hostname or port == 0:
        return (
            "You must provide a hostname or IP address in your connection string - e.g. "
            "'user:password@database-hostname.example.com:5432/databasename'"
        )
    if parts.path in ("", "/"):
        return "You must provide a database name as the path component - e.g. /postgres"
    for name, value in (("username", parts.username), ("password", parts.password)):
        if not value:
            example = "'user:password@database.example.com:port/databasename'"
            return f"You must provide a {name} - e.g. {example}"
    return ""


def _told(record: Database) -> dict[str, Json]:
    parts = record.parts
    return {
        "members": {
            "connectionString": record.url,
            "host": parts.hostname,
            "port": record.port,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": record.name,
        }
    }


def _in_workerd(record: Database, service: str) -> dict[str, Value]:
    parts = record.parts
    return {
        "hyperdrive": {
            "designator": service,
            "database": record.name,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "scheme": parts.scheme,
        }
    }


def _tcp(record: Database) -> str:
    host = record.parts.hostname or ""
    return f"[{host}]:{record.port}" if ":" in host else f"{host}:{record.port}"


def _shown(record: Database) -> str:
    query = {key.lower(): values[-1] for key, values in parse_qs(record.parts.query).items()}
    mode = query.get("sslmode") or query.get("ssl-mode") or "disable"
    secure = "" if mode.lower() in _PLAIN else f", {mode}"
    return f"{record.parts.scheme}://{_tcp(record)}/{record.name}{secure}"


def _open(record: Database, places: Places) -> NoReturn:
    raise AssertionError("a database is asked by the worker itself")


KIND = Kind(
    name=NAME,
    typed="Hyperdrive",
    section="hyperdrive",
    friendly="Hyperdrive Config",
    keys=frozenset({"binding", "id", "localConnectionString", "remote"}),
    read=_read,
    open=_open,
    shown=_shown,
    told=_told,
    workerd=_in_workerd,
    tcp=_tcp,
)
