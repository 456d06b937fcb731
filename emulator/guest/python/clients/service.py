"""The client of a service binding. Source: docs/platform/services.md, "Calls"."""

from __future__ import annotations

from .fetcher import _FetcherWrapper

CLIENT = _FetcherWrapper
