"""The client that shows a certificate. Source: docs/platform/services.md, "mTLS certificates"."""

from __future__ import annotations

from .fetcher import _FetcherWrapper

CLIENT = _FetcherWrapper
