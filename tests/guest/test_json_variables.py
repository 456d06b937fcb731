"""JSON variables: JavaScript objects, as deployed. Expected values: Pyodide 0.28.2's own."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bindings.d1.database import D1
from emulator.guest.python import conversion
from emulator.guest.python.sdk.js import JSON
from emulator.guest.python.sdk.jsproxy import proxied
from emulator.guest.python.sdk.pyodide.ffi import JsArray, JsProxy, jsnull
from emulator.guest.python.sdk.workers import Response
from emulator.guest.python.sdk.workers.rpc import python_from_rpc
from tests.guest.test_bindings import Echo, seen

LIMITS = {"small": 1, "big": [10, 20], "nothing": None, "from": "y", "deep": {"a": {"b": 1}}}


@pytest.fixture
def limits() -> Any:
    """What `env.LIMITS` is."""
    return proxied(copy.deepcopy(LIMITS), "env.LIMITS")


@pytest.fixture
def hosts() -> Any:
    """What `env.HOSTS` is."""
    return proxied(["a.example", "b.example"], "env.HOSTS")


def test_properties_are_attributes_and_numbers_and_null_are_javascripts(limits: Any) -> None:
    assert (limits.small, limits.deep.a.b, limits.from_) == (1, 1, "y")
    assert limits.nothing is jsnull
    assert getattr(limits, "absent", "default") == "default"
    assert hasattr(limits, "small") and not hasattr(limits, "items")


def test_to_py_gives_dicts_and_lists(limits: Any, hosts: Any) -> None:
    given = limits.to_py()
    assert given == {**LIMITS, "nothing": jsnull}
    assert type(given) is dict
    assert hosts.to_py() == ["a.example", "b.example"]
    assert limits.big.to_py() == [10, 20]
    assert isinstance(limits.to_py(depth=1)["deep"], JsProxy)


def test_they_are_proxies_and_arrays_by_type(limits: Any, hosts: Any) -> None:
    kinds = [isinstance(each, kind) for each in (limits, hosts) for kind in (JsProxy, JsArray)]
    assert kinds == [True, False, True, True]
    assert [limits.constructor.name, hosts.constructor.name] == ["Object", "Array"]
    assert repr(type(hosts)) == "<class 'pyodide.ffi.JsProxy'>"
    assert [str(limits), f"{hosts}", limits.typeof] == [
        "[object Object]",
        "a.example,b.example",
        "object",
    ]


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it["small"],
        lambda it: "small" in it,
        lambda it: len(it),
        lambda it: list(it),
        lambda it: dict(it),
        lambda it: copy.deepcopy(it),
    ],
)
def test_an_object_is_no_mapping_and_says_what_to_write(
    limits: Any, use: Callable[[Any], Any]
) -> None:
    with pytest.raises(TypeError, match=r"use its attributes, or env\.LIMITS\.deep\.to_py\(\)"):
        use(limits.deep)


def test_an_absent_property_says_what_there_is(limits: Any) -> None:
    with pytest.raises(AttributeError, match="items: env.LIMITS has small, big, nothing, from"):
        limits.items()


def test_neither_is_json_to_pythons_json_module(limits: Any, hosts: Any) -> None:
    for each in (limits, hosts):
        with pytest.raises(TypeError, match="Object of type JsProxy is not JSON serializable"):
            json.dumps(each)


def test_javascript_writes_them_as_json(limits: Any) -> None:
    text = '{"small":1,"big":[10,20],"nothing":null,"from":"y","deep":{"a":{"b":1}}}'
    response = Response.json(limits)
    assert asyncio.run(response.text()) == JSON.stringify(limits)
    assert JSON.stringify(limits) == text
    assert response.headers["content-type"] == "application/json"


def test_an_array_is_a_sequence(hosts: Any) -> None:
    assert (hosts[0], hosts[-1], len(hosts), hosts.length) == ("a.example", "b.example", 2, 2)
    assert "a.example" in hosts and hosts.includes("b.example")
    assert [list(hosts), sorted(hosts), list(reversed(hosts))[0]] == [
        ["a.example", "b.example"],
        ["a.example", "b.example"],
        "b.example",
    ]
    assert (hosts.index("b.example"), hosts.count("x"), hosts.join("+")) == (
        1,
        0,
        "a.example+b.example",
    )
    assert isinstance(hosts[0:1], JsArray) and hosts[1:].to_py() == ["b.example"]
    assert [(hosts + ["c"]).to_py(), (hosts * 2).length, bool(hosts[5:])] == [
        ["a.example", "b.example", "c"],
        4,
        False,
    ]
    with pytest.raises(TypeError, match="list indices must be integers or slices"):
        hosts["x"]
    with pytest.raises(IndexError):
        hosts[5]


def test_equal_is_what_is_the_same_object(limits: Any, hosts: Any) -> None:
    assert limits.big == limits.big
    assert limits.big != [10, 20]
    assert hosts != limits
    with pytest.raises(TypeError, match="unhashable type"):
        hash(limits)


def test_they_can_be_changed(limits: Any, hosts: Any) -> None:
    limits.small = {"now": [1, None]}
    del limits.big
    hosts.append("c")
    hosts[0] = limits.small
    assert limits.small.to_py() == {"now": [1, jsnull]}
    assert not hasattr(limits, "big")
    assert hosts.pop() == "c" and hosts[0].now[0] == 1
    with pytest.raises(AttributeError):
        del limits.big


def test_pyodides_views_of_an_object(limits: Any) -> None:
    assert limits.object_keys().to_py() == list(LIMITS)
    assert limits.object_values()[1] == limits.big
    assert limits.object_entries().to_py()[0] == ["small", 1]
    assert limits.big.object_entries().to_py() == [["0", 10], ["1", 20]]
    assert limits.as_object_map()["small"] == 1 and dict(limits.as_object_map())["from"] == "y"
    assert limits.as_py_json()["deep"]["a"]["b"] == 1
    assert isinstance(limits.as_object_map()["deep"], JsProxy)
    with pytest.raises(TypeError):
        limits.as_object_map()["deep"]["a"]


def test_they_cross_as_what_they_hold(limits: Any, hosts: Any) -> None:
    expected = {"it": [LIMITS], "hosts": ["a.example", "b.example"]}
    assert conversion.copy({"it": [limits], "hosts": hosts}) == expected
    assert python_from_rpc(limits)["nothing"] is None


def test_a_response_of_one_is_refused_by_its_javascript_name(limits: Any, hosts: Any) -> None:
    for each, kind in ((limits, "Object"), (hosts, "Array")):
        with pytest.raises(TypeError, match=f"Unsupported type in Response: {kind}"):
            Response(each)


def test_env_hands_them_out_and_bindings_take_them(tmp_path: Path) -> None:
    code = """
await env.AI.run("m", env.INPUTS, env.OPTIONS)
await env.FLOW.create(env.OPTIONS)
await env.INDEX.query(env.VECTOR, env.OPTIONS)
blob = await env.DB.prepare("SELECT hex(?) AS h").bind(env.VECTOR).first("h")
out = [env.VECTOR.to_py(), env.INPUTS.prompt, str(env.COUNT), str(env.NOTHING), env.TEXT, blob]
try:
    env.DB.prepare("SELECT ?").bind(env.INPUTS)
except JsException as error:
    out.append(error.message)
"""
    variables = {
        "INPUTS": {"prompt": "hi", "more": None},
        "OPTIONS": {"id": "a", "topK": 2},
        "VECTOR": [1, 2],
        "COUNT": 2.0,
        "NOTHING": None,
        "TEXT": "plain",
    }
    ai, index, flow = Echo("ai"), Echo("vectorize"), Echo("workflow", {"id": "a"})
    bindings: Any = {"AI": ai, "INDEX": index, "FLOW": flow, "DB": D1(tmp_path / "d1.sqlite")}
    refused = "D1_TYPE_ERROR: Type 'object' not supported for value '[object Object]'"
    assert seen(tmp_path, code, bindings, variables=variables) == [
        [1, 2],
        "hi",
        "2",
        "jsnull",
        "plain",
        "0102",
        refused,
    ]
    assert ai.calls == [("run", ["m", variables["INPUTS"], variables["OPTIONS"]])]
    assert flow.calls == [("create", [variables["OPTIONS"]])]
    assert index.calls == [("query", [[1, 2], variables["OPTIONS"]])]
