"""Hot reload under a real server: good saves, broken saves, config, many at once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Serve
from tests.end_to_end.projects import ENTRY, WRANGLER, edit, make_project, workflow_project
from tests.end_to_end.server import DevServer, is_running
from tests.end_to_end.test_workflows import SEQUENCE, SLOW_STEP, create, wait_for_status
from tests.waiting import eventually

HELLO = """
from workers import Response, WorkerEntrypoint
import greeting

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(f"{greeting.TEXT} {getattr(self.env, 'NAME', 'nobody')}")
"""
PLAIN = "\n".join(WRANGLER.split("\n")[:5])
BROWSER = {"accept": "text/html", "sec-fetch-mode": "navigate"}


def hello_project(folder: Path) -> Path:
    project = make_project(folder, HELLO, PLAIN)
    (project / "src" / "greeting.py").write_text("TEXT = 'hello'\n")
    return project


def test_a_save_of_any_module_is_answered_with_the_new_code(tmp_path: Path, serve: Serve) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)
    assert server.get("/").text == "hello nobody"

    edit(project, "hello", "goodbye", "src/greeting.py")

    eventually(lambda: server.get("/").text == "goodbye nobody")
    server.wait_for(r"reloaded in \d+ ms \(.*greeting\.py\)")


def test_a_broken_save_leaves_the_old_code_serving_and_shows_the_traceback(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    edit(project, "class Default", "class Default(:", "src/entry.py")
    server.wait_for("SyntaxError")

    assert server.get("/").text == "hello nobody"
    page = server.get("/", headers=BROWSER)
    assert page.status_code == 500
    assert "SyntaxError" in page.text
    assert re.search(r"<mark><i>5 </i>class Default\(:\(WorkerEntrypoint\):</mark>", page.text)

    (loads,) = re.findall(r'<body data-loads="(\d+)">', page.text)
    with ThreadPoolExecutor() as browser:  # the page waits for the next load
        waits = browser.submit(server.get, f"/cdn-cgi/groundfog/loads?other_than={loads}")
        edit(project, "class Default(:", "class Default", "src/entry.py")
        assert waits.result().json() == {"loads": int(loads) + 1}
    assert server.get("/", headers=BROWSER).text == "hello nobody"


@pytest.mark.parametrize("saved", ["", "TEXT = 1\n", ENTRY.format(run="").split("class Flow")[0]])
def test_code_without_the_classes_of_the_configuration_does_not_replace_code_that_works(
    tmp_path: Path, serve: Serve, saved: str
) -> None:
    project = workflow_project(tmp_path / "p", SEQUENCE)
    entry = project / "src" / "entry.py"
    text = entry.read_text()
    server = serve(project)

    entry.write_text(saved)
    server.wait_for(
        r'workflows\[0\]\.class_name is "Flow", but src/entry\.py defines no such class'
    )
    server.wait_for("The code that worked before still serves")

    create(server, "a", {"n": 1})
    wait_for_status(server, "a", "complete")
    assert "defines no such class" in server.get("/", headers=BROWSER).text
    entry.write_text(text)
    eventually(lambda: server.get("/", headers=BROWSER).status_code == 200)


def test_a_worker_that_lacks_a_class_from_the_start_is_reloaded_anyway(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", HELLO.replace("greeting.TEXT", "'hello'"))
    (project / "src" / "greeting.py").touch()
    server = serve(project)
    server.wait_for("defines no such class")

    edit(project, "'hello'", "'goodbye'", "src/entry.py")

    eventually(lambda: server.get("/").text == "goodbye nobody")


def test_an_empty_worker_is_named_at_the_start(tmp_path: Path, serve: Serve) -> None:
    project = make_project(tmp_path / "p", "", PLAIN)

    server = serve(project)

    assert server.get("/").status_code == 500
    server.wait_for(r"src/entry\.py defines nothing to serve: no class Default")
    (project / "src" / "entry.py").write_text(HELLO.replace("greeting.TEXT", "'hello'"))
    (project / "src" / "greeting.py").touch()
    eventually(lambda: server.get("/").text == "hello nobody")


SLOW_IMPORT = """
import pathlib, time

print("import begins", flush=True)
while not (pathlib.Path(__file__).parent.parent / "go").exists():
    time.sleep(0.005)
TEXT = "old"
"""


def test_a_save_during_the_first_import_is_seen(tmp_path: Path, serve: Serve) -> None:
    project = hello_project(tmp_path / "p")
    (project / "src" / "greeting.py").write_text(SLOW_IMPORT)
    server = DevServer(project)
    server.wait_for("import begins")

    (project / "src" / "greeting.py").write_text("TEXT = 'new'\n")
    (project / "go").touch()

    with server:
        eventually(lambda: server.get("/").text == "new nobody")


def test_a_configuration_saved_during_the_first_import_is_seen(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    (project / "src" / "greeting.py").write_text(SLOW_IMPORT)
    server = DevServer(project)
    server.wait_for("import begins")

    (project / "wrangler.toml").write_text(PLAIN + '\n[vars]\nNAME = "ada"\n')
    (project / "go").touch()

    with server:
        eventually(lambda: server.get("/").text == "old ada")


SLOW_MIGRATION = """
CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)
SELECT count(*) AS c FROM n;
"""


def test_a_configuration_saved_before_the_first_import_is_seen(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    (project / "wrangler.toml").write_text(WRANGLER.replace("[[workflows]]", "[x]"))
    (project / "migrations").mkdir()
    (project / "migrations" / "0001_slow.sql").write_text(SLOW_MIGRATION)
    server = DevServer(project, "--migrate")
    server.wait_for("Groundfog runs")

    edit(project, "[[d1", '[vars]\nNAME = "ada"\n\n[[d1', "wrangler.toml")

    with server:
        eventually(lambda: server.get("/").text == "hello ada")


def test_a_start_on_unchanged_files_is_followed_by_no_reload(tmp_path: Path, serve: Serve) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    edit(project, "hello", "goodbye", "src/greeting.py")

    server.wait_for(r"reloaded in \d+ ms \(.*greeting\.py\)")
    assert server.output.count("reloaded in") == 1


def test_a_worker_that_never_loaded_answers_with_its_traceback_until_it_is_repaired(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    (project / "src" / "greeting.py").write_text("TEXT = nowhere\n")
    server = serve(project)

    response = server.get("/")
    assert response.status_code == 500
    assert "NameError: name 'nowhere' is not defined" in response.text
    assert "src/greeting.py" in response.text or "greeting.py" in response.text

    edit(project, "nowhere", "'mended'", "src/greeting.py")
    eventually(lambda: server.get("/").text == "mended nobody")


def test_a_change_of_the_configuration_reloads_and_a_broken_one_changes_nothing(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    edit(project, "name = ", '[vars]\nNAME = "ada" oops\n', "wrangler.toml")
    server.wait_for(r"wrangler\.toml:\d+")
    assert server.get("/").text == "hello nobody"

    (project / "wrangler.toml").write_text(PLAIN + '\n[vars]\nNAME = "ada"\n')
    eventually(lambda: server.get("/").text == "hello ada")


def test_a_secret_file_that_appears_is_read_and_its_value_is_never_printed(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    (project / ".dev.vars").write_text("NAME=hunter2-secret\n")

    eventually(lambda: server.get("/").text == "hello hunter2-secret")
    assert "hunter2-secret" not in server.output


def test_fifty_saves_in_a_row_end_in_one_generation_of_the_last_code(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    for number in range(50):
        (project / "src" / "greeting.py").write_text(f"TEXT = 'save {number}'\n")

    eventually(lambda: server.get("/").text == "save 49 nobody")
    eventually(lambda: len(server.guest_pids()) == 1)


def test_no_request_fails_while_code_is_saved_again_and_again(tmp_path: Path, serve: Serve) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)

    for number in range(5):
        (project / "src" / "greeting.py").write_text(f"TEXT = 'save {number}'\n")

        def newest(number: int = number) -> bool:
            response = server.get("/")
            assert response.status_code == 200, response.text
            return response.text == f"save {number} nobody"

        eventually(newest)


SLOW = """
import asyncio
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if "slow" in request.url:
            print("slow request begins")
            await asyncio.sleep(1)
        return Response("version 1")
"""


def test_a_request_in_flight_ends_on_the_code_it_began_with(tmp_path: Path, serve: Serve) -> None:
    import threading

    project = make_project(tmp_path / "p", SLOW, PLAIN)
    server = serve(project)
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(server.get("/slow").text))
    slow.start()
    server.wait_for("slow request begins")

    edit(project, "version 1", "version 2")
    eventually(lambda: server.get("/").text == "version 2")

    slow.join()
    assert answers == ["version 1"]


def test_ctrl_c_ends_everything_and_leaves_no_process(tmp_path: Path, serve: Serve) -> None:
    server = serve(hello_project(tmp_path / "p"))
    guests = server.guest_pids()
    assert guests

    assert server.stop() == 0

    eventually(lambda: not any(map(is_running, guests)))


HANGING = "print('import begins', flush=True)\nwhile True: pass\n"


def test_ctrl_c_ends_a_server_whose_worker_hangs_while_it_is_imported(tmp_path: Path) -> None:
    project = hello_project(tmp_path / "p")
    (project / "src" / "greeting.py").write_text(HANGING)
    server = DevServer(project)
    server.wait_for("import begins")
    guests = server.guest_pids()

    assert server.stop() == 0

    assert "Ready" not in server.output
    eventually(lambda: not any(map(is_running, guests)))


def test_a_save_that_mends_a_hanging_import_is_not_kept_waiting(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    server = serve(project)
    (project / "src" / "greeting.py").write_text(HANGING)
    server.wait_for("import begins")

    (project / "src" / "greeting.py").write_text("TEXT = 'mended'\n")

    eventually(lambda: server.get("/").text == "mended nobody")
    assert "still being imported" not in server.output
    eventually(lambda: len(server.guest_pids()) == 1)


def test_a_worker_that_ends_while_it_is_imported_is_reported_with_how_it_ended(
    tmp_path: Path, serve: Serve
) -> None:
    project = hello_project(tmp_path / "p")
    (project / "src" / "greeting.py").write_text("import os\nos._exit(3)\n")

    server = serve(project)

    server.wait_for(r"error: guest 1 exited with status 3 while importing src/entry\.py")


def test_kill_9_of_the_host_leaves_no_process(tmp_path: Path, serve: Serve) -> None:
    server = serve(hello_project(tmp_path / "p"))
    guests = server.guest_pids()
    assert guests

    server.kill()

    eventually(lambda: not any(map(is_running, guests)))


LOOPING = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        while "loop" in request.url:
            pass
        return Response("alive")
"""


def test_a_changed_setting_of_groundfog_toml_takes_effect_at_once(
    tmp_path: Path, serve: Serve
) -> None:
    project = make_project(tmp_path / "p", LOOPING, PLAIN)
    server = serve(project)

    (project / "groundfog.toml").write_text('[guest]\nhang_timeout = "1 second"\n')
    server.wait_for(r"reloaded in \d+ ms \(.*groundfog\.toml\)")

    assert server.get("/loop").status_code == 500
    assert server.get("/").text == "alive"


def test_a_raised_concurrency_limit_of_a_workflow_takes_effect_with_the_save(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", SLOW_STEP.replace("sleep(1.0)", "sleep(60)"))
    edit(project, "[[workflows]]", "[[workflows]]\nconcurrency.limit = 1", "wrangler.toml")
    server = serve(project)
    create(server, "a")
    create(server, "b")
    wait_for_status(server, "a", "running")
    assert server.get("/status/b").json()["status"] == "queued"

    edit(project, "concurrency.limit = 1", "concurrency.limit = 2", "wrangler.toml")

    wait_for_status(server, "b", "running")


def test_a_step_that_outlives_the_grace_is_cut_off_and_runs_again_on_the_new_code(
    tmp_path: Path, serve: Serve
) -> None:
    project = workflow_project(tmp_path / "p", SLOW_STEP.replace("sleep(1.0)", "sleep(5.0)"))
    (project / "groundfog.toml").write_text('[reload]\ngrace = "1 second"\n')
    server = serve(project)
    create(server, "s")
    eventually(lambda: server.get("/counts").json().get("slow") == 1)

    path = project / "src" / "entry.py"
    text = path.read_text().replace("sleep(5.0)", "sleep(0.1)")
    path.write_text(text.replace("version 1", "version 2"))

    done = wait_for_status(server, "s", "complete")
    assert done["output"] == "version 2"
    assert server.get("/counts").json() == {"before": 1, "slow": 2}
    server.wait_for("slow was cut off by a reload, which costs it no retry")
