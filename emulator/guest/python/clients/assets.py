"""The client of assets: `env.ASSETS.fetch`. Source: docs/platform/assets.md, "The binding"."""

from __future__ import annotations

from .fetcher import _FetcherWrapper

CLIENT = _FetcherWrapper
