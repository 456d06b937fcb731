"""Entry of the host process of a test process: `INTERPRETER -I …/boot.py <socket>`.

It is run by its path, so it is there whatever `groundfog`, `emulator` or `bindings` mean to the
user's project.
"""

import os
import runpy
import sys

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Load our own packages, and serve."""
    load_own = runpy.run_path(os.path.join(PACKAGE, "__main__.py"))["load_own"]
    for name in ("emulator", "bindings"):
        load_own(name)
    from emulator.testing.host import main as serve

    serve(int(sys.argv[1]))


if __name__ == "__main__":
    main()
