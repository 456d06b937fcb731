"""Entry of the forkserver process: `INTERPRETER -u …/boot.py <control fd> <terminal>`.

Loads our own modules under the private name `_groundfog` and takes our folders off `sys.path`.
Has only syntax that older Pythons parse, so that they can say why they are too old.
"""

import importlib
import os
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
EMULATOR_DIR = os.path.dirname(os.path.dirname(HERE))
PRIVATE_NAME = "_groundfog"
OLDEST_PYTHON = (3, 11)


def main() -> None:
    """Check the interpreter, hide ourselves, serve."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        sys.exit(
            "Groundfog needs Python {}.{} or later for the worker; {} is Python {}.".format(
                *OLDEST_PYTHON, sys.executable, sys.version.split()[0]
            )
        )
    hide_our_folders()
    package = types.ModuleType(PRIVATE_NAME)
    package.__path__ = [EMULATOR_DIR]
    sys.modules[PRIVATE_NAME] = package
    forkserver = importlib.import_module(PRIVATE_NAME + ".guest.python.forkserver")
    forkserver.serve(int(sys.argv[1]), sys.argv[2])


def hide_our_folders() -> None:
    """Take our source tree off the import path: `emulator` and `bindings` are the user's names.

    A folder that holds other people's packages too (site-packages) stays; the user's own folder
    precedes it.
    """
    root = os.path.dirname(EMULATOR_DIR)
    ours = {HERE} if os.path.basename(root) in ("site-packages", "dist-packages") else {HERE, root}
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or os.curdir) not in ours]
    # An editable installation has no folder, but a finder with a table of names.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not _maps_our_names(finder)]


def _maps_our_names(finder: object) -> bool:
    module = sys.modules.get(getattr(finder, "__module__", ""))
    mapping = getattr(module, "MAPPING", None)
    return isinstance(mapping, dict) and mapping.get("emulator") == EMULATOR_DIR


if __name__ == "__main__":
    main()
