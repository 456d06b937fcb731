"""Workflows over HTTP: Cloudflare's API in both its dialects, and what only Groundfog has."""
