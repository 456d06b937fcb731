"""Cloudflare's REST API, as far as it is served here: v4 paths and the local explorer's."""
