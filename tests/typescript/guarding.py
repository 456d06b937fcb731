"""`python -m tests.typescript.guarding STORIES SEED`: stories of the guard in workerd, 100 at once.

`GROUNDFOG_WRANGLER` must name a folder with wrangler. A story that breaks a promise is printed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.typescript.guard_stories import violations

AT_ONCE = 100


def main() -> int:
    """Play; return the exit code: 1 when a promise was broken."""
    stories, seed = int(sys.argv[1]), int(sys.argv[2])
    broken = 0
    for first in range(0, stories, AT_ONCE):
        with tempfile.TemporaryDirectory() as folder:
            found = violations(Path(folder, "project"), seed, min(AT_ONCE, stories - first))
        broken += len(found)
        for each in found:
            print(f"seed {seed}: {each}", flush=True)
        seed += 1
    print(f"{stories} stories, {broken} broken promises; next seed {seed}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
