"""`groundfog` and `python -m groundfog`: the command, whatever lies in the folder it is typed in.

Kept to syntax that older Pythons read, so that they can say why they will not do.
"""

import importlib.util
import os
import sys

OLDEST_PYTHON = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Run the command."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        sys.exit(
            "Groundfog needs Python {}.{} or later; {} is Python {}.".format(
                *OLDEST_PYTHON, sys.executable, sys.version.split()[0]
            )
        )
    _leave_current_folder()
    for name in ("emulator", "bindings"):
        load_own(name)
    from emulator.cli.main import main as run

    run()


def _leave_current_folder() -> None:
    """Take the current folder, which `python -m` puts first, off the import path.

    It is the user's: a `click.py` in it is not the one we mean.
    """
    if sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]


def load_own(name: str) -> None:
    """Import our package `name`, also where PYTHONPATH leads to another of that name."""
    folder = os.path.join(ROOT, name)
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
