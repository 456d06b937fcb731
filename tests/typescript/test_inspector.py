"""`--inspector-port`: a debugger halts TypeScript, keeps its breakpoints, and stops no clock."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.end_to_end.projects import make_project
from tests.end_to_end.server import DevServer
from tests.end_to_end.terminal import OnTerminal
from tests.typescript.debugger import Debugger
from tests.typescript.projects import dev, edit, flow_project, tools
from tests.typescript.test_workflows import create, wait_for
from tests.waiting import eventually

# The step may take a second, and the worker may be silent for one: a halt lasts longer.
RUN = """
async run(event: any, step: any): Promise<any> {
  const config = { timeout: "1 second", retries: { limit: 0, delay: 0 } };
  return step.do("counts", config, async () => {
    const one: number = event.payload.one;
    return one + 1;
  });
}
"""
HELD_S = 1.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    folder = flow_project(tmp_path_factory.mktemp("inspected"), RUN)
    (folder / "groundfog.toml").write_text('[guest]\nhang_timeout = "1 second"\n')
    with dev(folder, "--inspector-port", "0") as running:
        yield running


def port_of(server: DevServer) -> int:
    return int(server.wait_for(r"Debugger on 127\.0\.0\.1:(\d+)")[1])


def attached(server: DevServer) -> tuple[Debugger, dict[str, Any]]:
    """Return a debugger, and what it is told of the user's code."""
    debugger = Debugger(port_of(server))
    debugger.ask("Runtime.enable")
    debugger.ask("Debugger.enable")
    return debugger, users_script(debugger)


def users_script(debugger: Debugger) -> dict[str, Any]:
    while True:
        script = debugger.event("Debugger.scriptParsed")
        if script["url"] == "main":
            return script


def line_of(debugger: Debugger, script: dict[str, Any], text: str) -> int:
    source = debugger.ask("Debugger.getScriptSource", scriptId=script["scriptId"])["scriptSource"]
    return next(n for n, line in enumerate(source.splitlines()) if text in line)


def test_a_breakpoint_halts_for_as_long_as_one_likes_and_is_kept_over_a_save(
    server: DevServer,
) -> None:
    debugger, script = attached(server)
    with debugger:
        line = line_of(debugger, script, "return one + 1")
        set_ = debugger.ask("Debugger.setBreakpointByUrl", url="main", lineNumber=line)
        create(server, "a", {"one": 41})
        halted = debugger.event("Debugger.paused")
        assert halted["hitBreakpoints"] == [set_["breakpointId"]]
        frame = halted["callFrames"][0]["callFrameId"]
        end = time.monotonic() + HELD_S
        eventually(lambda: time.monotonic() > end)
        value = debugger.ask("Debugger.evaluateOnCallFrame", callFrameId=frame, expression="one")
        assert value["result"]["value"] == 41
        edit(server.project, "one + 1", "one + 2")
        server.wait_for("reloaded in")

        debugger.ask("Debugger.resume")

        assert wait_for(server, "a", "complete", "errored")["output"] == 42  # on its old code
        debugger.event("Runtime.executionContextsCleared")
        again = debugger.event("Debugger.breakpointResolved")
        assert again["breakpointId"] == set_["breakpointId"]
        create(server, "b", {"one": 41})
        debugger.event("Debugger.paused")
    # It has left: the code goes on.
    assert wait_for(server, "b", "complete", "errored")["output"] == 43
    assert "did not respond" not in server.output


def test_the_source_map_leads_to_the_users_files(server: DevServer) -> None:
    debugger, script = attached(server)
    with debugger:
        kind, _, encoded = script["sourceMapURL"].partition("base64,")
        found = json.loads(base64.b64decode(encoded))

    assert kind.startswith("data:application/json")
    root = found.get("sourceRoot", "")
    assert f"{server.project.as_uri()}/src/index.ts" in [root + each for each in found["sources"]]


def test_only_names_of_this_machine_and_devtools_are_answered(server: DevServer) -> None:
    url = f"http://127.0.0.1:{port_of(server)}/json"
    [target] = httpx.get(url).json()
    assert target["title"] == "under-test"
    assert target["webSocketDebuggerUrl"] == f"ws://127.0.0.1:{port_of(server)}/worker"
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 403
    assert httpx.get(url, headers={"Origin": "https://evil.example"}).status_code == 403
    with pytest.raises(InvalidStatus):
        Debugger(port_of(server), origin="https://evil.example")
    with Debugger(port_of(server), origin="devtools://devtools") as first:
        first.ask("Runtime.enable")
        with Debugger(port_of(server)) as second, pytest.raises(Exception, match="1013"):
            second.ask("Runtime.enable")


def test_a_key_shows_the_address_again_and_the_terminal_is_left_as_it_was(tmp_path: Path) -> None:
    folder = flow_project(tmp_path / "project", RUN)
    tools_of = {"GROUNDFOG_TOOLS": tools()}
    with OnTerminal(folder, "--inspector-port", "0", env=tools_of) as terminal:
        terminal.client().close()
        eventually(lambda: not terminal.echoes)
        terminal.type("d")
        terminal.wait_for(r"Debugger on 127\.0\.0\.1:\d+")
        terminal.end()
        assert terminal.echoes


def test_python_workers_have_another_option(tmp_path: Path) -> None:
    server = DevServer(make_project(tmp_path / "project", ""), "--inspector-port", "0")

    assert server.wait_for_exit() != 0
    assert "For this one, write --debug" in server.output
    server.stop()
