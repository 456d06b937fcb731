"""Every target, by name."""

from __future__ import annotations

from tests.fuzz.core import Target
from tests.fuzz.engine import Engines
from tests.fuzz.frames import Frames
from tests.fuzz.values import Values

TARGETS: dict[str, type[Target]] = {target.name: target for target in (Frames, Values, Engines)}
