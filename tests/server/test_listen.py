from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from emulator.errors import EmulatorError, UsageError
from emulator.server.http import listen
from emulator.server.http.listen import PortInUse, bind


@contextmanager
def occupied(ip: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Give a port that somebody else listens on."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with closing(socket.socket(family)) as other:
        other.bind((ip, port))
        other.listen()
        yield int(other.getsockname()[1])


def ports(sockets: list[socket.socket]) -> set[int]:
    found = {int(each.getsockname()[1]) for each in sockets}
    for each in sockets:
        each.close()
    return found


def test_port_0_is_a_free_port() -> None:
    assert min(ports(bind("127.0.0.1", 0, explicit=True))) > 0


def test_a_port_in_use_that_was_asked_for_is_an_error_that_says_what_to_do() -> None:
    with occupied() as port, pytest.raises(PortInUse) as caught:
        bind("127.0.0.1", port, explicit=True)

    message = str(caught.value)
    assert f"127.0.0.1:{port} is already in use" in message
    assert "--port 0" in message


def test_without_a_wish_the_next_free_port_is_taken() -> None:
    with occupied() as port:
        (found,) = ports(bind("127.0.0.1", port, explicit=False))

    assert port < found <= port + listen.PORTS_TO_TRY


def test_when_no_port_is_free_the_error_names_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "PORTS_TO_TRY", 1)

    with occupied() as port, pytest.raises(EmulatorError, match=f"No port from {port} up is free"):
        bind("127.0.0.1", port, explicit=False)


def test_a_bound_port_is_owned_at_once() -> None:
    first = bind("127.0.0.1", 0, explicit=True)
    port = first[0].getsockname()[1]

    with pytest.raises(PortInUse):
        bind("127.0.0.1", port, explicit=True)
    ports(first)


@pytest.mark.skipif(not listen.has_ipv6_loopback(), reason="this machine has no ::1")
def test_localhost_is_both_families_on_one_port() -> None:
    sockets = bind("localhost", 0, explicit=True)

    assert [each.family for each in sockets] == [socket.AF_INET, socket.AF_INET6]
    assert len(ports(sockets)) == 1


@pytest.mark.skipif(not listen.has_ipv6_loopback(), reason="this machine has no ::1")
def test_a_port_that_another_program_has_on_ipv6_is_not_shared_with_it() -> None:
    with occupied("::1") as port, pytest.raises(PortInUse, match=r"\[::1\]"):
        bind("localhost", port, explicit=True)


@pytest.mark.parametrize("ip", ["example.com", "1.2.3", "", "localhost:80"])
def test_an_ip_that_is_not_an_address_is_refused_without_asking_a_name_server(ip: str) -> None:
    with pytest.raises(UsageError, match=f'--ip is "{ip}"'):
        bind(ip, 0, explicit=True)


def test_an_address_of_another_machine_is_explained() -> None:
    with pytest.raises(EmulatorError, match="not an address of this machine"):
        bind("192.0.2.1", 0, explicit=True)
