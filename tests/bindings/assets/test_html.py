"""Which file a path means, for each way of `html_handling`: the documented table, row by row."""

from __future__ import annotations

import pytest

from bindings.assets.html import intent_of

FILES: tuple[str, ...] = (
    "/index.html",
    "/file.html",
    "/folder/index.html",
    "/both.html",
    "/both/index.html",
)
FILES += ("/plain", "/nested/404.html", "/404.html", "/deep/a.html", "/script.js")

AUTO, FORCE, DROP = "auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash"

# Path, and what it means: a file that is served, or "-> path", or None.
TABLE: dict[str, dict[str, str | None]] = {
    AUTO: {
        "/": "/index.html",
        "/index": "-> /",
        "/index.html": "-> /",
        "/file": "/file.html",
        "/file/": "-> /file",
        "/file.html": "-> /file",
        "/file/index": "-> /file",
        "/file/index.html": "-> /file",
        "/folder": "-> /folder/",
        "/folder/": "/folder/index.html",
        "/folder.html": "-> /folder/",
        "/folder/index": "-> /folder/",
        "/folder/index.html": "-> /folder/",
        "/both": "/both.html",
        "/both/": "/both/index.html",
        "/both.html": "-> /both",
        "/both/index": "-> /both/",
        "/both/index.html": "-> /both/",
        "/plain": "/plain",
        "/script.js": "/script.js",
        "/missing": None,
    },
    FORCE: {
        "/": "/index.html",
        "/index": "-> /",
        "/index.html": "-> /",
        "/file": "-> /file/",
        "/file/": "/file.html",
        "/file.html": "-> /file/",
        "/file/index": "-> /file/",
        "/file/index.html": "-> /file/",
        "/folder": "-> /folder/",
        "/folder/": "/folder/index.html",
        "/folder.html": "-> /folder/",
        "/folder/index.html": "-> /folder/",
        "/both": "-> /both/",
        "/both/": "/both/index.html",
        "/both.html": "/both.html",
        "/plain": "/plain",
        "/missing/": None,
    },
    DROP: {
        "/": "/index.html",
        "/index": "-> /",
        "/index.html": "-> /",
        "/file": "/file.html",
        "/file/": "-> /file",
        "/file.html": "-> /file",
        "/file/index.html": "-> /file",
        "/folder": "/folder/index.html",
        "/folder/": "-> /folder",
        "/folder.html": "-> /folder",
        "/folder/index": "-> /folder",
        "/folder/index.html": "-> /folder",
        "/both": "/both.html",
        "/both/": "-> /both",
        "/both/index.html": "/both/index.html",
        "/missing": None,
    },
    "none": {
        "/": None,
        "/index.html": "/index.html",
        "/file": None,
        "/file.html": "/file.html",
        "/folder/": None,
        "/folder/index.html": "/folder/index.html",
    },
}
ROWS = [(way, path, meant) for way, rows in TABLE.items() for path, meant in rows.items()]


def meaning(path: str, handling: str, not_found: str = "none") -> str | None:
    found = intent_of(path, handling, not_found, FILES.__contains__)
    if found is None:
        return None
    if found.redirect is not None:
        return f"-> {found.redirect}"
    return found.file if found.status == 200 else f"{found.status} {found.file}"


@pytest.mark.parametrize(("handling", "path", "meant"), ROWS)
def test_a_path_means_what_the_table_says(handling: str, path: str, meant: str | None) -> None:
    assert meaning(path, handling) == meant


@pytest.mark.parametrize("handling", TABLE)
def test_no_redirect_leads_to_another_redirect_or_to_nothing(handling: str) -> None:
    for path in TABLE[AUTO]:
        meant = meaning(path, handling) or ""
        if meant.startswith("-> "):
            assert str(meaning(meant[3:], handling)).startswith("/"), path


@pytest.mark.parametrize(
    ("not_found", "path", "meant"),
    [
        ("single-page-application", "/missing", "/index.html"),
        ("single-page-application", "/missing/deep.js", "/index.html"),
        ("404-page", "/missing", "404 /404.html"),
        ("404-page", "/nested/missing", "404 /nested/404.html"),
        ("404-page", "/nested/a/b/", "404 /nested/404.html"),
        ("404-page", "/deep/missing", "404 /404.html"),
        ("404-page", "/file", "/file.html"),
    ],
)
def test_what_is_not_found_is_handled(not_found: str, path: str, meant: str) -> None:
    assert meaning(path, AUTO, not_found) == meant
