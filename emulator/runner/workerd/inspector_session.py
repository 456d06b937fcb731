"""One debugger's conversation with the code that serves, over any number of generations.

What the debugger has set stays: its breakpoints and what it has enabled are set again in each
generation, as a browser does for a page that is loaded anew. The debugger is told that everything
of the old one is gone. While code is halted, the session stays with its generation.
Source: https://chromedevtools.github.io/devtools-protocol/v8/.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from emulator.runner.debugging import Debugging
from emulator.runner.guest import Guest
from emulator.runner.guest_source import Inspected
from emulator.runner.workerd.configuration import USER

LOOK_S = 0.1  # how often to look whether another generation serves
OWN_IDS = 1_000_000_000  # and above: of what we set again ourselves
GONE = {"code": -32000, "message": "The worker was loaded anew before it could answer."}

Message = dict[str, Any]


class InspectorSession:
    """One debugger, `client`. debugging: hears of halts. serving: the guest that serves."""

    def __init__(
        self,
        client: ServerConnection,
        debugging: Debugging,
        serving: Callable[[], Guest | None],
    ) -> None:
        self._client = client
        self._debugging = debugging
        self._serving = serving
        self._asked: asyncio.Queue[str] = asyncio.Queue()
        self._settings = Settings()
        self._open: set[int] = set()  # ids that the debugger waits for
        self._halted: Guest | None = None

    async def run(self) -> None:
        """Go on until the debugger leaves."""
        reading = asyncio.create_task(self._read())
        try:
            first = True
            while not reading.done():
                guest = self._serving()
                if guest is None or guest.inspected is None:
                    await asyncio.wait([reading], timeout=LOOK_S)
                    continue
                if not first:
                    await self._tell({"method": "Runtime.executionContextsCleared", "params": {}})
                first = False
                await self._converse(guest, guest.inspected, reading)
        except ConnectionClosed:
            pass  # the debugger has left
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._goes_on()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self._client:
                self._asked.put_nowait(message if isinstance(message, str) else message.decode())

    async def _converse(
        self, guest: Guest, inspected: Inspected, reading: asyncio.Task[None]
    ) -> None:
        """Talk with one generation until it ends, or another one serves."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                runtime = await stack.enter_async_context(_runtime(inspected.port))
            except (OSError, InvalidHandshake):  # it has just ended
                await asyncio.wait([reading], timeout=LOOK_S)
                return
            ways = [
                asyncio.create_task(self._pass_to(runtime)),
                asyncio.create_task(self._pass_from(runtime, guest, inspected)),
            ]
            try:
                while self._halted is not None or self._serving() is guest:
                    done, _ = await asyncio.wait(
                        [reading, *ways], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    if done:
                        break
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                self._goes_on()
        if not reading.done():
            await self._leave_open()

    async def _pass_to(self, runtime: ClientConnection) -> None:
        for message in self._settings.again():
            await runtime.send(json.dumps(message))
        while True:
            text = await self._asked.get()
            message = json.loads(text)
            self._open.add(message.get("id", 0))
            self._settings.asked(message)
            await runtime.send(text)

    async def _pass_from(
        self, runtime: ClientConnection, guest: Guest, inspected: Inspected
    ) -> None:
        async for text in runtime:
            message = json.loads(text)
            number = message.get("id", 0)
            if number >= OWN_IDS:
                await self._tell_resolved(message.get("result", {}))
                continue
            self._open.discard(number)
            match message.get("method"):
                case None:
                    self._settings.answered(message)
                case "Debugger.paused":
                    self._halts(guest, inspected, message["params"])
                case "Debugger.resumed":
                    self._goes_on()
                case "Debugger.scriptParsed" if inspected.is_main(message["params"]["url"]):
                    message["params"]["sourceMapURL"] = _as_url(inspected.source_map)
                    text = json.dumps(message)
            await self._client.send(text)

    async def _tell_resolved(self, result: Message) -> None:
        """Tell where a breakpoint that was set again is now, as for a page that is loaded anew."""
        for location in result.get("locations", []):
            params = {"breakpointId": result["breakpointId"], "location": location}
            await self._tell({"method": "Debugger.breakpointResolved", "params": params})

    async def _leave_open(self) -> None:
        """Answer what the generation that is left will never answer."""
        for number in sorted(self._open):
            await self._tell({"id": number, "error": GONE})
        self._open.clear()

    async def _tell(self, message: Message) -> None:
        await self._client.send(json.dumps(message))

    # --- halts

    def _halts(self, guest: Guest, inspected: Inspected, params: Message) -> None:
        if self._halted is None:
            self._halted = guest
            self._debugging.begin(guest)
        guest.halts.where = inspected.place(params["callFrames"])

    def _goes_on(self) -> None:
        guest, self._halted = self._halted, None
        if guest is not None:
            self._debugging.end(guest)


class Settings:
    """What a debugger has enabled and set, to be said again to the next generation."""

    def __init__(self) -> None:
        self._said: dict[str, Message] = {}  # by method, a breakpoint by method and parameters
        self._breakpoints: dict[int | str, str] = {}  # id of the request, then of the breakpoint

    def asked(self, message: Message) -> None:
        """The debugger asks for something."""
        method = str(message.get("method"))
        domain, _, name = method.partition(".")
        if method == "Debugger.setBreakpointByUrl":
            key = f"{method} {json.dumps(message.get('params'), sort_keys=True)}"
            self._breakpoints[message["id"]] = key
            self._said[key] = message
        elif method == "Debugger.removeBreakpoint":
            removed = self._breakpoints.pop(message["params"]["breakpointId"], "")
            self._said.pop(removed, None)
        elif name == "disable":
            self._said = {
                key: said for key, said in self._said.items() if not key.startswith(f"{domain}.")
            }
        elif name == "enable" or (
            name.startswith("set") and "scriptId" not in json.dumps(message.get("params", {}))
        ):
            self._said[method] = message

    def answered(self, message: Message) -> None:
        """The code that is debugged has answered."""
        key = self._breakpoints.pop(message["id"], None)
        if key is None:
            return
        if "result" in message:
            self._breakpoints[message["result"]["breakpointId"]] = key
        else:
            self._said.pop(key, None)

    def again(self) -> list[Message]:
        """Return all of it, what is enabled first."""
        said = sorted(self._said.values(), key=lambda each: not each["method"].endswith(".enable"))
        return [{**each, "id": OWN_IDS + number} for number, each in enumerate(said)]


def _runtime(port: int) -> connect:
    """Return a connection to be opened, with the inspector of the user's worker."""
    address = f"ws://127.0.0.1:{port}/{USER}"
    return connect(address, proxy=None, compression=None, max_size=None, ping_interval=None)


def _as_url(source_map: bytes) -> str:
    encoded = base64.b64encode(source_map).decode("ascii")
    return f"data:application/json;charset=utf-8;base64,{encoded}"
