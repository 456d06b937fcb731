"""The producer in a real guest, on a real broker: every call as workerd's own client has it."""

from __future__ import annotations

import json
from pathlib import Path

from bindings.queues.broker import Broker
from bindings.queues.queue import Queue
from emulator.clock import SystemClock
from tests.bindings.queues.calls import CALLS
from tests.guest.test_bindings import seen

EACH = """
ODD = {"bytes": b"\\x00\\xff", "number": 5}
out = []
for method, args, odd, _ in CALLS:
    try:
        sent = await getattr(env.Q, method)(*([ODD[odd]] if odd else []), *args)
        out.append(sent.metadata.metrics.backlogCount)
    except JsException as error:
        out.append(f"{error.name}: {error.message}")
out.append(await env.Q.send({"when": 1}, contentType="v8", delaySeconds=5) and 0)
out.append((await env.Q.metrics()).backlogCount)
"""


def test_every_call_is_kept_or_refused_as_by_workerd(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "q.sqlite", SystemClock().now_ms, "NORMAL")
    code = f"import json\nCALLS = json.loads({json.dumps(CALLS)!r})\n{EACH}"

    found = seen(tmp_path, code, {"Q": Queue(broker, "jobs")})

    expected = [wanted for *_, wanted in CALLS if isinstance(wanted, str)]
    assert [each for each in found if isinstance(each, str)] == expected
    assert found[-1] == 9
