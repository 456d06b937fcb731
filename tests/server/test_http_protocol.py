"""What `HttpProtocol` needs of uvicorn. When one of these fails, uvicorn changed: read its source
and repair `emulator/server/http/protocol.py` before you believe anything else here."""

from __future__ import annotations

import inspect

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from emulator.server.http.protocol import HttpProtocol

# What we override, with the parameters that uvicorn's own code calls it with.
OVERRIDDEN = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "on_message_begin": ["self"],
    "on_url": ["self", "url"],
    "on_header": ["self", "name", "value"],
    "on_headers_complete": ["self"],
    "on_message_complete": ["self"],
    "send_400_response": ["self", "msg"],
    "_unsupported_upgrade_warning": ["self"],
}


@pytest.mark.parametrize("name", sorted(OVERRIDDEN))
def test_uvicorn_still_has_the_callback_that_we_override(name: str) -> None:
    theirs = getattr(HttpToolsProtocol, name)

    assert list(inspect.signature(theirs).parameters) == OVERRIDDEN[name]
    assert getattr(HttpProtocol, name) is not theirs


def test_nothing_else_of_uvicorn_is_overridden_by_accident() -> None:
    ours = {name for name in vars(HttpProtocol) if callable(getattr(HttpProtocol, name))}
    theirs = {name for name in dir(HttpToolsProtocol) if not name.startswith("__")}

    assert ours & theirs == set(OVERRIDDEN)


@pytest.mark.parametrize(
    ("owner", "attributes"),
    [
        (
            HttpToolsProtocol,
            ["cycle", "pipeline", "flow", "headers", "url", "scope", "parser", "loop", "transport"],
        ),
        (
            RequestResponseCycle,
            [
                "disconnected",
                "response_started",
                "response_complete",
                "keep_alive",
                "waiting_for_100_continue",
                "message_event",
            ],
        ),
    ],
)
def test_uvicorn_still_keeps_the_state_that_we_read(owner: type, attributes: list[str]) -> None:
    source = inspect.getsource(owner)

    assert [
        name
        for name in attributes
        if f"self.{name} = " not in source and f"self.{name}: " not in source
    ] == []


def test_uvicorn_still_calls_what_reads_on_after_an_upgrade_that_is_ignored() -> None:
    source = inspect.getsource(HttpToolsProtocol.data_received)

    assert "except httptools.HttpParserUpgrade" in source
    assert "self._unsupported_upgrade_warning()" in source


def test_uvicorn_still_calls_send_400_response_for_what_the_parser_refuses() -> None:
    assert "self.send_400_response(" in inspect.getsource(HttpToolsProtocol.data_received)
