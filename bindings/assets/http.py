"""The requests of `env.ASSETS.fetch` in workerd: a request's parts in, a response's parts out."""

from __future__ import annotations

from collections.abc import Mapping

from bindings.assets.assets import Assets
from bindings.http import StreamedAnswer


async def answer(
    assets: Assets, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> StreamedAnswer:
    """Answer with an asset, or with status 404. `target` is a path with its query."""
    url = f"http://{headers.get('host', 'assets')}{target}"
    return await assets.fetch(method, url, list(headers.items()))
