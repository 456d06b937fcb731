"""Workflows over HTTP: Cloudflare's API in both dialects, and the routes of Groundfog only."""
