from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from emulator.errors import EmulatorError
from emulator.runner.requests import FetchReply, FetchRequest, GuestLost, HandlerError, LoadError
from emulator.server import error_page
from tests.growth import check_growth
from tests.server.serving import Handler, ok, request, run, serving, status_of

TRACEBACK = """Traceback (most recent call last):
  File "src/entry.py", line 12, in fetch
    raise ValueError("no")
ValueError: no
"""
RAISED = HandlerError("ValueError", "no", TRACEBACK)
PLACE = '  File "src/entry.py", line 3\n'
UNLOADED = LoadError("SyntaxError", "invalid syntax", PLACE, "src/entry.py", 3)
HTML = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


def raising(error: Exception) -> Handler:
    async def handler(request: FetchRequest) -> FetchReply:
        raise error

    return handler


def answer(
    handler: Handler,
    *lines: str,
    method: str = "GET",
    load_error: LoadError | None = None,
    told: list[EmulatorError] | None = None,
) -> str:
    async def main() -> str:
        async with serving(handler, load_error=load_error) as s:
            response = await s.exchange(request(method, "/work?x=<1>", *lines))
            if told is not None:
                told.extend(s.errors)
            return response.decode()

    return run(main())


def test_a_program_gets_the_traceback_as_plain_text() -> None:
    response = answer(raising(RAISED))

    assert status_of(response.encode()) == 500
    assert "content-type: text/plain; charset=utf-8\r\n" in response
    assert response.endswith(f"\n\n{TRACEBACK}")


def test_a_browser_gets_a_page_with_the_error_and_the_place_emphasised() -> None:
    response = answer(raising(RAISED), HTML)

    assert "content-type: text/html; charset=utf-8\r\n" in response
    assert "<h1>ValueError: no</h1>" in response
    assert "<b>File &quot;src/entry.py&quot;, line 12</b>" in response


def test_the_place_in_a_javascript_stack_is_emphasised() -> None:
    error = HandlerError("TypeError", "x", "TypeError: x\n    at fetch (src/index.ts:7:11)\n")

    assert "<b>(src/index.ts:7:11)</b>" in answer(raising(error), HTML)


def test_hostile_text_from_user_code_stays_text() -> None:
    hostile = "</pre></title><script>alert('1')</script><img src=x onerror=\"a&b\">"
    error = HandlerError(hostile, hostile, f'File "{hostile}", line 1\n{hostile}')

    page = answer(raising(error), HTML).split("\r\n\r\n", 1)[1]

    tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z0-9]+)", page)}
    assert tags == {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "p", "pre"),
        *("details", "summary", "button", "script"),
    }
    assert 'onerror="' not in page


@pytest.mark.parametrize("unit", ["a", ":", "a:1:", "1", ":1", 'File "', "file://", "(", "a:1:1 "])
def test_marking_places_costs_in_step_with_the_traceback(unit: str) -> None:
    def page(text: str) -> str:
        return error_page.as_html(error_page.Report("Error", "", text), False)

    check_growth(page, lambda size: (unit * size)[:size] + "\0", 5_000)


def test_text_that_utf_8_cannot_carry_is_shown_escaped() -> None:
    error = HandlerError("Error", "half \ud800 a pair", "")

    assert "half \\ud800 a pair" in answer(raising(error))


def test_the_page_allows_itself_nothing_but_its_own_style_and_script() -> None:
    response = answer(raising(RAISED), HTML)

    policy = re.search(r"content-security-policy: (.*)\r\n", response)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    for kind, tag in (("style", "style"), ("script", "script")):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", response, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert "http://" not in response and "src=" not in response.split("\r\n\r\n", 1)[1]


def test_without_scripts_a_page_about_a_handler_that_raised_does_not_reload_itself() -> None:
    assert "http-equiv" not in answer(raising(RAISED), HTML)


def test_a_page_about_code_that_does_not_load_reloads_itself() -> None:
    assert 'http-equiv="refresh"' in answer(raising(UNLOADED), HTML)


def test_a_form_that_was_posted_is_not_sent_again_by_a_reload() -> None:
    assert "http-equiv" not in answer(raising(UNLOADED), HTML, method="POST")


def test_an_error_page_for_head_has_no_body() -> None:
    assert answer(raising(RAISED), method="HEAD").endswith("\r\n\r\n")


def test_a_lost_guest_is_explained() -> None:
    error = GuestLost("guest 7 exited with signal 9")

    response = answer(raising(error))

    assert status_of(response.encode()) == 500 and "guest 7 exited with signal 9" in response


def test_the_terminal_is_told_of_what_user_code_raised() -> None:
    told: list[EmulatorError] = []

    answer(raising(RAISED), told=told)

    assert told == [RAISED]


def test_the_terminal_is_not_told_again_of_code_that_did_not_load() -> None:
    told: list[EmulatorError] = []

    answer(raising(UNLOADED), told=told)

    assert told == []


@pytest.mark.parametrize("lines", [[HTML], []])
def test_without_any_generation_everyone_gets_the_load_error(lines: list[str]) -> None:
    response = answer(raising(UNLOADED), *lines)

    assert status_of(response.encode()) == 500
    assert "(src/entry.py:3)" in response and "Nothing is served" in response


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("GET", [HTML]),
        ("GET", [HTML, "Sec-Fetch-Mode: navigate"]),
        ("POST", [HTML, "Sec-Fetch-Mode: navigate"]),
    ],
)
def test_a_browser_is_shown_a_failed_save_while_the_old_code_serves(
    method: str, lines: list[str]
) -> None:
    response = answer(ok, *lines, method=method, load_error=UNLOADED)

    assert status_of(response.encode()) == 500 and "from the code saved before" in response


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        ("GET", []),
        ("GET", ["Accept: application/json"]),
        ("GET", [HTML, "Sec-Fetch-Mode: cors"]),
        ("POST", [HTML]),
    ],
)
def test_programs_are_still_served_by_the_old_code_after_a_failed_save(
    method: str, lines: list[str]
) -> None:
    assert status_of(answer(ok, *lines, method=method, load_error=UNLOADED).encode()) == 200


def page_of(project: Path, traceback: str, method: str = "GET") -> str:
    """The page about a handler that raised, for a browser with a session."""
    headers = [(b"accept", b"text/html"), (b"cookie", b"session=secret"), (b"x-shown", b"<yes>")]
    error = HandlerError("ValueError", "no", traceback)
    serving = error_page.Serving(project, 7)
    raw, body = error_page.answer(error, method, "/?q=<1>", headers, serving, still_serving=False)
    return body.decode()


def source(project: Path, name: str = "src/entry.py") -> Path:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# line {number}" for number in range(1, 21)]
    lines[11] = '    raise ValueError("<no>")'
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_page_shows_the_source_the_request_and_a_link_to_the_editor(tmp_path: Path) -> None:
    path = source(tmp_path)
    traceback = f'  File "{path}", line 12, in f\n    raise ValueError("<no>")\nValueError: no\n'

    page = page_of(tmp_path, traceback)

    assert f'<a href="vscode://file{path}:12">src/entry.py:12</a>' in page
    assert "<mark><i>12 </i>    raise ValueError(&quot;&lt;no&gt;&quot;)</mark>" in page
    assert "# line 7\n" in page and "# line 6\n" not in page
    assert "GET /?q=&lt;1&gt;\naccept: text/html\ncookie: (hidden)\nx-shown: &lt;yes&gt;" in page
    assert "secret" not in page


@pytest.mark.parametrize("name", ["../outside.py", ".env/entry.py", "secrets.txt"])
def test_a_traceback_with_text_of_others_shows_no_file_but_sources(
    tmp_path: Path, name: str
) -> None:
    path = source(tmp_path / "p", name)

    page = page_of(
        tmp_path / "p", f'  File "{path}", line 12, in f\n    raise ValueError("<no>")\n'
    )

    assert "# line 11" not in page and "<mark>" not in page


def test_a_file_that_has_changed_since_is_not_shown(tmp_path: Path) -> None:
    path = source(tmp_path)

    assert "<mark>" not in page_of(tmp_path, f'  File "{path}", line 12, in f\n    other()\n')


@pytest.mark.parametrize(("method", "loads"), [("GET", "7"), ("POST", "")])
def test_only_a_page_that_was_got_waits_for_the_next_load(
    tmp_path: Path, method: str, loads: str
) -> None:
    assert f'<body data-loads="{loads}">' in page_of(tmp_path, "", method)
