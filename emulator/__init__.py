"""Groundfog: a local Cloudflare Workers emulator and dev server.

Read `ARCHITECTURE.md` first; `worker.py` shows how the parts are put together.
"""
