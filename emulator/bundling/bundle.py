"""What bundling makes, and the error that says why it could not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct

from emulator.errors import EmulatorError

MAIN = "main"

ModuleKind = Literal["esm", "commonjs", "text", "data", "wasm", "json"]


class Module(Struct, frozen=True):
    """One module as workerd gets it. `name` is what imports in other modules say, without `./`."""

    name: str
    kind: ModuleKind
    content: bytes


class Bundle(Struct, frozen=True):
    """A project, ready for workerd.

    main: the name of the main module, always "main"; it is `modules[0]`.
    source_map: of the main module, version 3; None with `no_bundle`. See `source_maps.py`.
    inputs: absolute paths of everything to watch: what the bundle depends on, and files that
    esbuild would look at. A folder among them stands for all files below it that matter
    (`watch.matters`).
    service_worker: whether the main module is a script that calls `addEventListener`.
    warnings: as esbuild shows them, with place and code.
    """

    main: str
    modules: tuple[Module, ...]
    source_map: bytes | None
    inputs: frozenset[Path]
    service_worker: bool
    warnings: tuple[str, ...]


class BundleError(EmulatorError):
    """The code cannot be bundled; the text is what esbuild shows: place, message and code.

    inputs: as in `Bundle`, for the code that does not build. When one of them changes, another try
    may succeed. file, line: the first place that the text names, relative to the project; "" and 0
    when it names none.
    """

    def __init__(
        self, text: str, inputs: frozenset[Path] = frozenset(), file: str = "", line: int = 0
    ) -> None:
        super().__init__(text)
        self.inputs = inputs
        self.file = file
        self.line = line
