"""Where `wrangler dev` keeps the data of one object: a SQLite file whose name is made of its id.

Source: docs/platform/d1.md, "Where wrangler keeps a local database".
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path


def object_file(state: Path, folder: str, namespace: str, local_id: str) -> Path:
    """Return the file of `local_id` below wrangler's folder `state`.

    `".wrangler/state"`, `"d1"`, `"miniflare-D1DatabaseObject"`, `"1234-abc"` ->
    `.wrangler/state/v3/d1/miniflare-D1DatabaseObject/cceb6ea7….sqlite`.
    """
    key = sha256(namespace.encode()).digest()
    base = hmac.digest(key, local_id.encode(), "sha256")[:16]
    check = hmac.digest(key, base, "sha256")[:16]
    return state / "v3" / folder / namespace / f"{(base + check).hex()}.sqlite"
