"""`pyodide.webloop`: the class of the loop, whose methods some tests replace."""

from __future__ import annotations

from ...loop.web_loop import WebLoop as WebLoop
