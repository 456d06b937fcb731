"""Groundfog: a local Cloudflare Workers emulator and dev server.

Read `ARCHITECTURE.md` first; `wiring.py` shows how the parts are put together.
"""
