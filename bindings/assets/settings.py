"""What the configuration says of assets; `assets.py` acts on it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

HTML_HANDLING = ("auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none")
NOT_FOUND_HANDLING = ("none", "single-page-application", "404-page")


class AssetSettings(Struct, frozen=True):
    """The `assets` section.

    base_path: below which path the folder is, `"/"` or `"/app/"`. worker_first: True, False or
    patterns, of which those that begin with `!` name paths for assets. navigation_first: whether
    not_found_handling answers navigations of a browser before the worker does. alone: there is no
    worker behind them.
    """

    directory: Path
    html_handling: str = "auto-trailing-slash"
    not_found_handling: str = "none"
    worker_first: bool | tuple[str, ...] = False
    base_path: str = "/"
    navigation_first: bool = True
    alone: bool = False
