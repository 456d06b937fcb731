"""The workers of one test item: opened for it, judged after it, closed."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from groundfog.testing import mocking, options
from groundfog.testing.aio.worker import AsyncWorker
from groundfog.testing.errors import (
    CrashFound,
    HostLost,
    UnexpectedRequest,
    UnseenError,
    UnusedMock,
    WorkerLoadError,
)
from groundfog.testing.host_process import HostProcess
from groundfog.testing.opened import Opened
from groundfog.testing.session import Groundfog
from groundfog.testing.surviving import Survival, Wanted
from groundfog.testing.sync.worker import Worker

_SECTION = "groundfog"
_FAILED_LOADS = pytest.StashKey[dict[str, str]]()


def new_session(
    config: pytest.Config,
    folders: pytest.TempPathFactory,
    stash: pytest.StashKey[HostProcess],
) -> Groundfog:
    """Return what opens workers in this process; the host is started when it is first needed."""

    def host() -> HostProcess:
        found = config.stash.get(stash, None)
        if found is None or found.link.is_lost:
            found = config.stash[stash] = HostProcess()
        return found

    base = config.inipath.parent if config.inipath is not None else config.rootpath
    defaults = {
        name: value
        for name in ("project", "environment", "clock")
        if (value := config.getini(f"groundfog_{name}"))
    }
    session = Groundfog(base, state=folders.mktemp("groundfog"), defaults=defaults)
    session.use_host(host)
    return session


class TestWorkers:
    """The worker of one test, in both faces."""

    __test__ = False  # pytest takes classes of this name for tests

    def __init__(
        self, request: pytest.FixtureRequest, given: Mapping[str, Any], session: Groundfog
    ) -> None:
        self._item: pytest.Item = request.node
        self._session = session
        opened = self._open(given)
        if isinstance(opened, str):  # said here, so that no traceback of ours is shown
            pytest.fail(opened, pytrace=False)
        self._opened = opened
        self._report: pytest.TestReport | None = None

    @functools.cached_property
    def worker(self) -> Worker:
        """The face without an event loop."""
        return Worker(self._opened)

    @functools.cached_property
    def async_worker(self) -> AsyncWorker:
        """The face for event loops."""
        return AsyncWorker(self._opened.other_face())

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the fixture and of the marks, and those of the command line."""
        marks = [dict(mark.kwargs) for mark in self._item.iter_markers("worker")]
        for mark in self._item.iter_markers("worker"):
            if mark.args:
                raise options.BadOption(
                    f"The mark worker has options with names only: worker(project={mark.args[0]!r})"
                )
        config = self._item.config
        forced: dict[str, Any] = {}
        if config.getoption("--worker-env"):
            forced["environment"] = config.getoption("--worker-env")
        if config.getoption("--worker-real-time"):
            forced["clock"] = "real"
        return options.merge(given, *reversed(marks), forced)

    def _open(self, given: Mapping[str, Any]) -> Opened | str:
        """Open the worker; return why it cannot be, when it cannot.

        One that does not load is one error for its module, not fifty.
        """
        failed = self._item.config.stash.setdefault(_FAILED_LOADS, {})
        where = str(self._item.path)
        try:
            wanted = self._options(given)
            where = f"{where} {sorted(wanted.items(), key=str)!r}"
            if where in failed:
                return f"the worker does not load: see {failed[where]}"
            if wanted.get("ai") == "replay":
                wanted = self._with_cassette(wanted)
            return self._session.open(wanted)
        except WorkerLoadError as error:
            failed[where] = self._item.nodeid
            return str(error)
        except options.BadOption as error:
            return str(error)

    def _with_cassette(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return options with a cassette of this test's own, and recorded as `--ai-record` says."""
        path = wanted.get("cassette")
        if path is None:
            name = re.sub(r"[^\w.-]+", "-", self._item.name).strip("-")
            tests = self._item.path
            path = tests.parent / "cassettes" / tests.stem / f"{name}.json"
        how = self._item.config.getoption("--ai-record")
        if how == "all":
            Path(path).unlink(missing_ok=True)
        modes = {"all": "record", "new_episodes": "extend"}
        mode = modes.get(how, "replay")
        if how == "once" and not os.path.exists(path):
            mode = "record"
        return {**wanted, "ai": mode, "cassette": path}

    # --- after the test

    def reported(self, report: pytest.TestReport) -> None:
        """A phase of the test is over: add what the worker did to its report, if it failed."""
        if report.when == "call":
            self._report = report
        shown = self._item.config.getoption("--worker-logs")
        wanted = shown == "all" or (shown == "failed" and report.failed)
        if report.when != "call" or not wanted or self._opened.closed:
            return
        try:
            text = self.ask("debug")
        except HostLost as lost:
            text = str(lost)
        if text:
            report.sections.append((_SECTION, text))

    def end(self) -> None:
        """Judge what the test has left, and close the worker."""
        failed = self._report is not None and self._report.failed
        opened = self._opened
        if opened.closed:
            return
        try:
            if not failed:
                self._judge()
        finally:
            self._close(keep=failed and bool(self._item.config.getoption("--worker-keep")))

    def _judge(self) -> None:
        errors, self._opened.link.errors = self._opened.link.errors, []
        if errors:
            raise errors[0]
        self._judge_declared()
        if errored := self.ask("errored"):
            first = errored[0]
            raise UnseenError(
                f"{first['workflow']} / {first['id']} ended with an error, and the test has not"
                f" looked at it. If it should, ask for its get_error().\n{first['timeline']}"
            )
        self._judge_unfinished()

    def _judge_declared(self) -> None:
        """Fail for mocks, rules and faults that never came, and requests that nothing was for."""
        strict = self._opened.strict
        outbound = self.ask("outbound.judged")
        if outbound["unexpected"]:
            raise UnexpectedRequest("\n".join(outbound["unexpected"]))
        mocking.refuse_unused(self.ask("mocks.unused"))
        unused = [
            *(outbound["unused"] if strict.get("outbound", True) else ()),
            *(self.ask("ai.unused") if strict.get("ai", True) else ()),
            *self.ask("faults.unused"),
        ]
        if unused:
            raise UnusedMock(f"This was declared and never came: {'; '.join(unused)}.")

    def _judge_unfinished(self) -> None:
        what = self._item.config.getini("groundfog_unfinished")
        if what == "ignore":
            return
        if what not in ("warn", "fail"):
            raise options.BadOption(
                f"groundfog_unfinished is {what!r}; expected ignore, warn or fail."
            )
        if left := self.ask("unfinished"):
            text = f"The test leaves instances unfinished: {', '.join(left)}."
            if what == "fail":
                pytest.fail(text, pytrace=False)
            warnings.warn(text, stacklevel=2)

    def _close(self, keep: bool) -> None:
        opened = self._opened
        opened.closed = True
        try:
            self.ask("close", keep=keep)
        except HostLost:
            return
        if keep:
            state = opened.about["state"]
            text = f"The state is kept. Look at it: groundfog dev --persist-to {state}"
            if self._report is not None:
                self._item.add_report_section("teardown", _SECTION, text)

    def survival(self, mark: pytest.Mark) -> Survival:
        """Return what runs the test again; its function has not been called yet."""
        item = self._item
        seed = item.config.getoption("randomly_seed", None) or item.nodeid
        try:
            wanted = Wanted.of(mark.args, mark.kwargs, str(seed))
        except ValueError as error:
            pytest.fail(str(error), pytrace=False)
        self._opened.need_python("survives_crash")
        self.ask("checkpoint")
        return Survival(
            self.ask,
            item.runtest,
            wanted,
            lambda name: f"pytest '{item.nodeid}' --worker-crash-at {name}",
            item.config.getoption("--worker-crash-at") or "",
        )

    def survive(self, survival: Survival) -> None:
        """Run the test again and again; what is found is shown without code of ours."""
        try:
            survival.go_on()
        except CrashFound as found:
            text = str(found)
        else:
            return
        pytest.fail(text, pytrace=False)

    def ask(self, what: str, **args: Any) -> Any:
        """Ask the host something about the worker."""
        return self._opened.link.ask(self._opened.number, what, **args)
