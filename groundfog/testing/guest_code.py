"""Our code that also runs in guests, under the private name `_groundfog`.

`emulator` and `bindings` are names of the user's project in a test process, as in a guest.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any

PRIVATE_NAME = "_groundfog"
_EMULATOR = os.path.join(os.path.dirname(__file__), "..", "..", "emulator")


def module(name: str) -> Any:
    """Return one of our modules that need the standard library only: `"protocol.values"`."""
    if PRIVATE_NAME not in sys.modules:
        package = types.ModuleType(PRIVATE_NAME)
        package.__path__ = [os.path.abspath(_EMULATOR)]
        sys.modules[PRIVATE_NAME] = package
    return importlib.import_module(f"{PRIVATE_NAME}.{name}")
