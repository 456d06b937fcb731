"""A real browser: Chromium from the system's packages, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.waiting import DEADLINE_S

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@contextmanager
def opened_page() -> Iterator[Page]:
    """Yield an empty page of a new browser; the test fails if a script of a page does.

    The test is skipped on a machine without Chromium.
    """
    program = os.environ.get("GROUNDFOG_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), ""
    )
    if not program:
        pytest.skip(f"there is none of {', '.join(NAMES)}, and GROUNDFOG_CHROMIUM names no other")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
            page = context.new_page()
            page.set_default_timeout(DEADLINE_S * 1000)
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            yield page
            assert errors == []
        finally:
            browser.close()
