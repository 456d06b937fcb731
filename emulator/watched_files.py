"""The files that the code in use was read from: which are watched, and as what a load saw them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import sha256
from pathlib import Path

from emulator import watch
from emulator.config.model import Config
from emulator.user_code import UserCode


class WatchedFiles:
    """Belongs to one worker. configuration: the files that its configuration was read from."""

    def __init__(self, code: UserCode, configuration: Iterable[Path]) -> None:
        self._code = code
        self.configuration = set(configuration)
        self._seen: watch.Snapshot | None = None  # before the last load

    def see(self) -> None:
        """A load begins: what differs from now on is a change."""
        self._seen = watch.snapshot(self._code.roots(), self._single())

    def see_new(self, looked_ns: int) -> None:
        """Take files that are watched since the build as they are now.

        Those that were written since `looked_ns` count as changed: the build may have read them
        before.
        """
        before = self._seen or {}
        now = watch.snapshot(self._code.roots(), self._single())
        self._seen = {
            path: before.get(path, state if state[0] < looked_ns else watch.NO_STATE)
            for path, state in now.items()
        }

    async def saved_again(self) -> None:
        """Return when one of them has been saved since the call."""
        await watch.saved_again(self._code.roots(), self._single())

    def changes(self, warn: Callable[[str], None]) -> AsyncIterator[frozenset[Path]]:
        """Yield what was changed together, for ever."""
        return watch.changes(self._code.roots, self._single, self._seen, warn)

    def of_code(self, changed: frozenset[Path]) -> frozenset[Path]:
        """Return those of `changed` that the configuration was not read from."""
        return changed - self.of_configuration()

    def of_configuration(self) -> frozenset[Path]:
        """Return the files of the configuration, as changes name them."""
        return frozenset(path.resolve() for path in self.configuration)

    def version(self, config: Config, of_guest: str = "") -> str:
        """Return what is equal for equal code; of_guest: what only the guest can tell of it.

        "": ask again with that. Variables can send the same code another way.
        """
        env = repr((sorted(config.vars.items()), config.compatibility_flags))
        if not of_guest:
            return self._code.version(env)
        return sha256(f"{of_guest} {env}".encode("utf-8", "backslashreplace")).hexdigest()

    def _single(self) -> set[Path]:
        return self.configuration.union(self._code.files())
