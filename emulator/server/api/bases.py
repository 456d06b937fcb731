"""The two bases of the API: production's, and that of wrangler's local explorer.

Source: docs/platform/workflows-rest.md, "REST" and "The local explorer".
"""

from __future__ import annotations

V4 = "/client/v4/accounts/{account}"
EXPLORER = "/cdn-cgi/local/explorer/api"
BASES = (V4, EXPLORER)
