"""The sample `tails`: what events of Python and JavaScript workers did, heard in both languages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev
from tests.waiting import eventually

KEY = {"x-api-key": "s3"}
ID = "aA1bB2cC3dD4eE5fF6gG7hH8"


def heard(server: DevServer, by: str, what: str) -> dict[str, Any]:
    """Return what a consumer has heard of one event, once it has."""

    def find() -> dict[str, Any] | None:
        items = server.get(f"/heard/{by}").json()
        found = [each for each in items if what in (each.get("url", ""), *each.values())]
        return found[-1] if found else None

    return eventually(find)


def test_consumers_in_both_languages_hear_of_events_in_both(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "tails", tmp_path / "tails")
    names = ("stock", "logger", "audit")
    with dev(folder / "shop", *(str(folder / name) for name in names)) as server:
        assert server.get(f"/tea?id={ID}", headers=KEY).text == "tea"
        assert server.get("/fails").status_code == 500
        assert server.get("/counter").text == "2"
        assert server.get("/stock").text == "7"
        assert server.get("/stock?fails").status_code == 500
        cron = {"cron": "0 9 * * *"}
        assert server.get("/cdn-cgi/handler/scheduled", params=cron).text == "ok"
        host = server.client.headers.get("host") or server.url
        for by in ("logger", "audit"):
            assert heard(server, by, f"{host}/tea?id=REDACTED") == {
                "worker": "shop",
                "outcome": "ok",
                "model": "stateless",
                "logs": [
                    ["log", "one line"],
                    ["log", "and another"],
                    ["warn", "to standard error"],
                    ["error", "broken", {"part": 7}],
                    ["log", "after the response"],
                ],
                "exceptions": [],
                "url": f"{host}/tea?id=REDACTED",
                "secret": "REDACTED",
                "unredacted": "s3",
                "status": 201,
            }
            failed = heard(server, by, f"{host}/fails")
            ((name, message),) = failed["exceptions"]
            assert (failed["outcome"], name) == ("exception", "PythonError")
            assert message.startswith("Traceback") and message.endswith("ValueError: no tea")
            added = heard(server, by, "add")
            assert (added["model"], added["logs"]) == ("durableObject", [["log", "adding 2"]])
            assert heard(server, by, "0 9 * * *")["logs"] == [["log", "at nine"]]
            of_stock = heard(server, by, "stock")
            assert of_stock["exceptions"] == [["RangeError", "out of tea"]]
    assert "error: tail" not in server.output


def test_a_consumer_that_fails_or_does_not_run_is_told_of(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "tails", tmp_path / "tails")
    entry = folder / "logger" / "src" / "entry.py"
    entry.write_text(entry.read_text().replace("for item in events:", "for item in events.no:"))
    with dev(folder / "shop", str(folder / "logger")) as server:
        for _ in range(2):
            assert server.get("/tea").text == "tea"
        server.wait_for(r"error: tail consumer logger failed\nTraceback[^$]*events.no")
        server.wait_for(r"error: tail consumer audit does not run.* groundfog dev shop audit")
    assert server.output.count("tail consumer audit does not run") == 1
