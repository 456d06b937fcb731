"""Who may ask what: Host on every request; Origin, method and token on control routes.

The decisions are pure functions from headers to a `Refusal` or None. `AccessCheck` calls them
before anything else sees a request. They prevent two attacks. Any web page can make a browser send
requests to this port, so control routes accept only our own pages. And it can rebind its own name
to 127.0.0.1, so an unknown name is refused on every route. `docs/http.md` is for users.

In a workerd process, `guest/javascript/front.js` lets pass what these rules plainly allow, by
`front_rules`; it sends every other request here.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from emulator.errors import UsageError
from emulator.server.headers import INTERNAL_PREFIXES, RawHeaders, value_of, without_internal
from emulator.server.http.body_limit import (
    BODY_TOO_LARGE,
    REQUEST_BODY_MAX_BYTES,
    run_with_body_limit,
)
from emulator.server.refusal import Refusal

# These paths and everything below them are ours; user code never sees them.
CONTROL_PREFIXES = ("/cdn-cgi/", "/client/v4/")
_CONTROL_ROOTS = ("/cdn-cgi", "/client/v4")
# No OPTIONS: it would be a CORS preflight, and there is no CORS. GET and HEAD change nothing.
CONTROL_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})

# The names that always mean this machine, as nearly every request has them.
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
# "name", "name:port", "[address]", "[address]:port". The port is not compared: rebinding is about
# names, and a forwarded port (ssh -L, a container) may differ from ours.
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?\Z")


class Access(Struct, frozen=True):
    """What this server accepts.

    allowed_hosts: names in addition to the local ones, lower case, no port; IPv6 in brackets.
    bind_is_loopback: False when other machines can connect; then control routes need `token`.
    any_address: accept any IP address as Host, for a wildcard `--ip`. A client with an address in
    its Host header used an address, so no name was rebound.
    """

    allowed_hosts: frozenset[str] = frozenset()
    bind_is_loopback: bool = True
    any_address: bool = False
    token: str | None = None

    @classmethod
    def for_bind(cls, ip: str, token: str | None, allowed_hosts: frozenset[str]) -> Access:
        """Return what a server accepts that listens on `ip` ("localhost", "*" or an address)."""
        if ip == "localhost":
            return cls(allowed_hosts=_lower(allowed_hosts), token=token)
        address = ipaddress.ip_address("0.0.0.0" if ip == "*" else ip)
        own = f"[{address}]" if address.version == 6 else str(address)
        return cls(
            allowed_hosts=_lower(allowed_hosts | {own}),
            bind_is_loopback=address.is_loopback,
            any_address=address.is_unspecified,
            token=token,
        )


def checked_host(name: str) -> str:
    """Return a name for `Access.allowed_hosts`. Raises UsageError if it cannot be a host."""
    host = f"[{name}]" if _is_ipv6(name) else name.lower()
    match = _HOST.match(host)
    if match is not None and match["name"] == host and not host.startswith("."):
        return host
    if "*" in name or name.startswith("."):
        hint = "Name each host by itself; there are no wildcards."
    elif match is not None and match["name"] != host:
        hint = f"Leave the port out: {match['name']}"
    elif "//" in name:
        hint = f"Give the host alone: {urlsplit(name).hostname}"
    else:
        hint = "It has characters that no host has."
    raise UsageError(f'--allowed-host is "{name}"; expected a host such as dev.example.com. {hint}')


def exposure(access: Access, ip: str) -> str | None:
    """Return a warning about a server that other machines can reach, or None."""
    if access.bind_is_loopback:
        return None
    where = "this machine in any of its networks" if access.any_address else ip
    return (
        f"listening on {ip}: every machine that reaches {where} can use the worker, and so the"
        " data of its bindings. Control routes (/cdn-cgi/, /client/v4/) need the token of"
        " dev.json in the state directory. For this machine only: --ip localhost"
    )


def front_rules(access: Access) -> dict[str, Any]:
    """Return what is let pass to a TypeScript worker (`front.js`).

    What it does not plainly allow, it sends here, where the reason is said.
    """
    return {
        "host": _HOST.pattern.replace("(?P<", "(?<").replace("\\Z", "$"),
        "names": sorted(_LOCAL_HOSTS | access.allowed_hosts),
        "any_address": access.any_address,
        "control_prefixes": list(CONTROL_PREFIXES),
        "control_roots": list(_CONTROL_ROOTS),
        "internal_prefixes": [prefix.decode("ascii") for prefix in INTERNAL_PREFIXES],
        "body_max_bytes": REQUEST_BODY_MAX_BYTES,
        "no_host": "The Host header is not a name or address of this server.\n",
        "no_answer": "Groundfog has ended before it answered. It may have done what was asked.\n",
        "too_large": f"{BODY_TOO_LARGE.reason}\n",
    }


def is_control_path(path: str) -> bool:
    """Return whether `path` (decoded, as ASGI's `path`) is ours, and not for user code."""
    return path.startswith(CONTROL_PREFIXES) or path in _CONTROL_ROOTS


def host_problem(access: Access, hosts: list[bytes]) -> Refusal | None:
    """Return why a request with these Host headers is refused, or None. It must have one."""
    if len(hosts) != 1:
        return Refusal(400, f"The request has {len(hosts)} Host headers; expected exactly one.")
    host = hosts[0].decode("latin-1").lower()
    match = _HOST.match(host)
    if match is None:
        return Refusal(400, f'The Host header "{host}" is not a host name or address.')
    if _host_is_allowed(access, match["name"]):
        return None
    return Refusal(
        403,
        f'Host "{match["name"]}" is not one of this server\'s names, so the request was refused '
        "(protection against DNS rebinding). Use http://localhost, or start Groundfog with this "
        "name: --allowed-host NAME.",
    )


def origin_problem(host: bytes, headers: RawHeaders, scheme: str = "http") -> Refusal | None:
    """Return why a control request is refused because of its origin, or None.

    A page of ours has the same scheme, name and port as its request. Programs send no such headers.
    """
    own = scheme.encode("ascii") + b"://" + host.lower()
    for name, value in headers:
        if name == b"origin" and value.lower() != own:
            shown = value.decode("latin-1")
            return Refusal(403, f'A page from "{shown}" may not use this server\'s control routes.')
        if name == b"sec-fetch-site" and value not in (b"same-origin", b"none"):
            return Refusal(
                403, "A page from another site may not use this server's control routes."
            )
    return None


def token_problem(access: Access, headers: RawHeaders) -> Refusal | None:
    """Return why a control request without the session's token is refused, or None."""
    if access.bind_is_loopback:
        return None
    given = [value for name, value in headers if name == b"authorization"]
    expected = None if access.token is None else b"Bearer " + access.token.encode("utf-8")
    if expected and len(given) == 1 and hmac.compare_digest(given[0], expected):
        return None
    return Refusal(
        401,
        "This server listens beyond this machine, so its control routes need the session's token: "
        'send "Authorization: Bearer <token>" with the token from dev.json in the state directory.',
    )


def control_problem(
    access: Access, method: str, headers: RawHeaders, scheme: str = "http"
) -> Refusal | None:
    """Return why a control request from an allowed host is refused, or None."""
    if method not in CONTROL_METHODS:
        return Refusal(405, f"{method} is not a method of this server's control routes.")
    host = value_of(headers, b"host") or b""
    return origin_problem(host, headers, scheme) or token_problem(access, headers)


class AccessCheck:
    """ASGI middleware before all routes: refuses, removes internal headers, limits the body."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: RawHeaders = scope["headers"]
        refusal = self._problem(scope, headers)
        if refusal is not None:
            await refusal.send(send)
            return
        scope["headers"] = without_internal(headers)
        if value_of(headers, b"transfer-encoding") is None:
            await self._app(scope, receive, send)
        else:
            await run_with_body_limit(self._app, scope, receive, send)

    def _problem(self, scope: Scope, headers: RawHeaders) -> Refusal | None:
        hosts = [value for name, value in headers if name == b"host"]
        problem = host_problem(self._access, hosts) or _length_problem(headers)
        if problem is None and is_control_path(scope["path"]):
            problem = control_problem(self._access, scope["method"], headers, scope["scheme"])
        return problem


def _host_is_allowed(access: Access, name: str) -> bool:
    if name in _LOCAL_HOSTS or name in access.allowed_hosts or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or access.any_address


def _length_problem(headers: RawHeaders) -> Refusal | None:
    length = value_of(headers, b"content-length")
    if length is None or int(length) <= REQUEST_BODY_MAX_BYTES:
        return None
    return BODY_TOO_LARGE


def _is_ipv6(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).version == 6
    except ValueError:
        return False


def _lower(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
