"""The listening sockets: addresses, port, and the message when a port is in use.

They listen before anything slow starts. So a port in use is noticed at once, and an early client
waits instead of being refused.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterable

from emulator.errors import EmulatorError, UsageError

DEFAULT_PORT = 8787
# How many ports are tried when none was asked for.
PORTS_TO_TRY = 100
BACKLOG = 1024


class PortInUse(EmulatorError):
    """Another program listens on the port; the message has the address and what to do."""

    def __init__(self, ip: str, port: int) -> None:
        super().__init__(
            f"{_shown(ip)}:{port} is already in use by another program, perhaps another "
            f"`groundfog dev` or `wrangler dev`\n  "
            f"(lsof -nP -iTCP:{port} -sTCP:LISTEN shows which). Stop it, or choose another port: "
            f"--port {port + 1 if port < 65535 else port - 1}, or --port 0 for any free one."
        )
        self.port = port


def bind(ip: str, port: int, explicit: bool, *, shared: bool = False) -> list[socket.socket]:
    """Return sockets that listen on `ip` ("localhost", "*" or an address), all on one port.

    With `explicit`, exactly `port` (0: any free one); else `port` or the first free one after it.
    "localhost" is 127.0.0.1 and, where the machine has it, ::1, because clients may try either.
    With `shared`, this user's programs may open more sockets on the port later.
    Raises PortInUse, UsageError for an `ip` that is not an address, EmulatorError otherwise.
    Source: docs/platform/hosting.md, "The address".
    """
    addresses = _addresses(ip)
    taken: PortInUse | None = None
    for candidate in _candidates(port, explicit):
        try:
            return _bind_all(addresses, candidate, shared)
        except PortInUse as error:
            taken = error
            if explicit and port:
                raise
    raise EmulatorError(
        f"No port from {port} up is free on {ip} (the last one tried: {taken and taken.port}). "
        "Choose one: --port N, or --port 0 for any free one."
    )


def _candidates(port: int, explicit: bool) -> Iterable[int]:
    if port == 0:
        # The port that one address gets may be in use on the other; then try again.
        return [0] * PORTS_TO_TRY
    return [port] if explicit else range(port, min(port + PORTS_TO_TRY, 65536))


def _addresses(ip: str) -> list[str]:
    if ip == "localhost":
        return ["127.0.0.1", "::1"] if has_ipv6_loopback() else ["127.0.0.1"]
    if ip == "*":
        return ["0.0.0.0"]
    try:
        return [str(ipaddress.ip_address(ip))]
    except ValueError:
        raise UsageError(
            f'--ip is "{ip}"; expected "localhost", "*" (all interfaces) or an IP address.'
        ) from None


def _bind_all(addresses: list[str], port: int, shared: bool) -> list[socket.socket]:
    """Bind every address to one port; port 0 means the free port that the first address gets."""
    sockets: list[socket.socket] = []
    try:
        for address in addresses:
            sockets.append(_listen(address, port, shared))
            port = port or sockets[0].getsockname()[1]
    except BaseException:
        for open_socket in sockets:
            open_socket.close()
        raise
    return sockets


def _listen(ip: str, port: int, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it, a restart would wait until the closed connections of the last server expire.
        # On Windows the option means something else: to share a port that is in use.
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((ip, port))
        if shared and hasattr(socket, "SO_REUSEPORT"):
            # After `bind`: before it, the port of another program that shares would seem free.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Only a listening socket owns its port: two sockets that are only bound may share it.
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _explained(error, ip, port) from error
    return listener


def _explained(error: OSError, ip: str, port: int) -> EmulatorError:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(ip, port)
    if error.errno == errno.EACCES:
        return EmulatorError(
            f"{_shown(ip)}:{port} may only be used by the administrator. Choose a port from 1024: "
            f"--port {DEFAULT_PORT}."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return EmulatorError(
            f'--ip is "{ip}", which is not an address of this machine. Use an address that it has, '
            '"localhost", or "*" for all.'
        )
    return EmulatorError(f"Cannot listen on {_shown(ip)}:{port}: {error.strerror}.")


def has_ipv6_loopback() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _shown(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
