"""What a test process and its host say to each other, beside binding calls. Standard library only.

Frames and binding calls are those of the runner protocol, so `env` of a test is the code that is
`env` in a worker. What is asked has a name, such as `"fetch"`; arguments and answers are values in
tagged JSON. The test process loads this module under the private name `_groundfog`.
"""

from __future__ import annotations

from ..protocol.message import Message, message


@message
class Ask(Message):
    """test -> host: do this, and answer. `worker` 0: it is about none."""

    type = "ask"
    id: int
    worker: int
    what: str
    payload: bytes = b""


@message
class Answer(Message):
    """host -> test: it is done."""

    type = "answer"
    id: int
    payload: bytes = b""


@message
class Refusal(Message):
    """host -> test: it cannot be done. `kind` says which error the test gets."""

    type = "refusal"
    id: int
    kind: str
    text: str
    payload: bytes = b""


@message
class Tell(Message):
    """test -> host: do this; nobody waits for it. What is told before a question counts for it."""

    type = "tell"
    worker: int
    what: str
    payload: bytes = b""


@message
class Request(Message):
    """host -> test: call the function with this number, which the test has given."""

    type = "request"
    id: int
    function: int
    payload: bytes = b""


@message
class Returned(Message):
    """test -> host: what the function returned; `name` and `message` of what it raised."""

    type = "returned"
    id: int
    name: str = ""
    message: str = ""
    payload: bytes = b""
