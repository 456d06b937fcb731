"""A table of a configuration file, read one typed key at a time.

Every getter reports a wrong type with its line and returns None, so that its caller goes on and
finds the other problems too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from emulator.config.problems import Report, listed, nearest, quoted
from emulator.config.source import KeyPath, Source, key_name
from emulator.json_types import Json


class Table(Struct, frozen=True):
    """The `data` at `path` in `source`; problems go to `report`."""

    data: dict[str, Json]
    path: KeyPath
    source: Source
    report: Report

    def where(self, key: str | None = None) -> str:
        """Return `"wrangler.toml:14"` for `key`, or for the table itself."""
        return self.source.where(self.path if key is None else (*self.path, key))

    def name(self, key: str | None = None) -> str:
        """Return what messages call `key`, or the table: `workflows[0].name`."""
        return key_name(self.path if key is None else (*self.path, key))

    def error(self, key: str | None, text: str, fix: str = "") -> None:
        """Report a problem at `key`'s line."""
        self.report.error(self.where(key), text, fix)

    def warn(self, key: str | None, text: str, fix: str = "") -> None:
        """Report a warning at `key`'s line."""
        self.report.warn(self.where(key), text, fix)

    def string(self, key: str, *, required: bool = False, example: str = "") -> str | None:
        """Return a text of at least one character, or None when absent or wrong."""
        value = self.data.get(key)
        if value is None:
            if required:
                fix = f'Add {key} = "{example}".' if example else ""
                self.error(None, f"{self.name()} has no {key}; expected a string", fix)
            return None
        if not isinstance(value, str):
            self._wrong(key, value, "a string")
            return None
        if not value and required:
            self.error(key, f"{self.name(key)} is empty; expected at least one character")
            return None
        return value

    def boolean(self, key: str) -> bool | None:
        """Return true or false, or None when absent or wrong."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._wrong(key, value, "true or false")
        return None

    def integer(self, key: str, lowest: int, highest: int) -> int | None:
        """Return a whole number within the bounds, or None when absent or wrong."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value == int(value) and lowest <= value <= highest:
                return int(value)
        self._wrong(key, value, f"a whole number from {lowest} to {highest}")
        return None

    def choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        """Return one of `choices`, or None when absent or something else."""
        value = self.data.get(key)
        if value is None or value in choices:
            return value
        close = nearest(value, choices) if isinstance(value, str) else None
        hint = f'Did you mean "{close}"?' if close else ""
        self._wrong(key, value, listed([f'"{choice}"' for choice in choices], "or"), hint)
        return None

    def strings(self, key: str) -> tuple[str, ...]:
        """Return an array of strings, empty when absent or wrong."""
        value = self.data.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            hint = f"Write {key} = [{quoted(value)}]." if isinstance(value, str) else ""
            self._wrong(key, value, "an array of strings", hint)
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str):
                path = (*self.path, key, index)
                found = f"{key_name(path)} is {quoted(item)}; expected a string"
                self.report.error(self.source.where(path), found)
        return tuple(item for item in value if isinstance(item, str))

    def table(self, key: str, example: str = "") -> Table | None:
        """Return the table at `key`, or None when absent or wrong. `example` shows how it looks."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self._wrong(key, value, "an object", example)
            return None
        return Table(value, (*self.path, key), self.source, self.report)

    def tables(self, key: str, example: str = "") -> list[Table]:
        """Return the tables of the list at `key`; those that are not tables are reported."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self._wrong(key, value, "an array of objects", example)
            return []
        result = []
        for index, item in enumerate(value):
            path = (*self.path, key, index)
            if isinstance(item, dict):
                result.append(Table(item, path, self.source, self.report))
            else:
                found = f"{key_name(path)} is {quoted(item)}; expected an object"
                self.report.error(self.source.where(path), found, example)
        return result

    def unknown_keys(
        self, known: Iterable[str], found: Callable[[str, str, str], None] | None = None
    ) -> None:
        """Report every key that is not in `known`, naming the nearest one that is.

        `found(where, text, fix)` is called for each; by default it gives a warning.
        """
        known = frozenset(known)
        for key in self.data:
            if key not in known:
                close = nearest(key, known)
                hint = f'Did you mean "{close}"?' if close else ""
                text = f"{self.name(key)} is not a known key; it is ignored"
                if found is None:
                    self.warn(key, text, hint)
                else:
                    hint = hint or f"Known keys: {', '.join(sorted(known))}."
                    found(self.where(key), text.removesuffix("; it is ignored"), hint)

    def _wrong(self, key: str, value: Json, expected: str, fix: str = "") -> None:
        self.error(key, f"{self.name(key)} is {quoted(value)}; expected {expected}", fix)
