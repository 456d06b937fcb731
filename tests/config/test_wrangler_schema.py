"""Every key of the official configuration schema is known here, held against wrangler's own."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from emulator.config import keys
from emulator.config.not_emulated import OTHER_KINDS, Other
from emulator.kinds.registry import KINDS
from tests.end_to_end.wrangler import wrangler_folder

pytestmark = pytest.mark.wrangler

REMOVED_FROM_WRANGLER = {"websearch"}  # a project may still have it


@cache
def schema() -> dict[str, Any]:
    file = wrangler_folder() / "node_modules" / "wrangler" / "config-schema.json"
    definitions: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["definitions"]
    return definitions


def properties(node: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of an object, or of the objects in a list."""
    while "properties" not in node:
        if "$ref" in node:
            node = schema()[node["$ref"].rpartition("/")[2]]
        elif node.get("type") == "array":
            node = node["items"]
        else:
            choices = node.get("anyOf", [])
            found = [each for each in choices if each.keys() & {"$ref", "properties", "items"}]
            if not found:
                return {}
            node = found[0]
    found_properties: dict[str, Any] = node["properties"]
    return found_properties


def test_every_key_of_wrangler_is_known() -> None:
    known = keys.TOP_LEVEL | keys.REMOVED.keys()

    assert properties(schema()["RawConfig"]).keys() - known == set()
    assert properties(schema()["RawEnvironment"]).keys() - known - keys.TOP_LEVEL_ONLY == set()


def test_no_key_is_known_that_wrangler_does_not_have() -> None:
    theirs = properties(schema()["RawConfig"]).keys()

    assert keys.TOP_LEVEL - theirs == REMOVED_FROM_WRANGLER


@pytest.mark.parametrize("kind", OTHER_KINDS, ids=lambda kind: kind.config_key)
def test_every_key_of_a_binding_of_another_kind_is_known(kind: Other) -> None:
    if kind.optional is None or kind.section in REMOVED_FROM_WRANGLER:
        return
    section = properties(schema()["RawConfig"])[kind.section]
    theirs = properties(properties(section)[kind.key] if kind.key else section)

    assert theirs.keys() - {kind.name_key, *kind.required, *kind.optional} == set()


def test_every_section_with_bindings_is_emulated_or_named() -> None:
    sections = properties(schema()["RawEnvironment"])
    found = set()
    for name, section in sections.items():
        if name == "previews":  # what previews have in place of these
            continue
        try:
            members = properties(section)
        except KeyError:  # a list of names
            continue
        inner = [properties(each) for each in members.values() if each.get("type") == "array"]
        if any("binding" in each for each in [members, *inner]):
            found.add(name)
    named = {kind.section for kind in KINDS} | {kind.section for kind in OTHER_KINDS}

    assert found - named == set()
    assert len(found) > 25


EMULATED = [*((kind.section, kind.inner, kind.keys) for kind in KINDS), ("dev", "", keys.DEV)]


@pytest.mark.parametrize(("section", "inner", "known"), EMULATED)
def test_every_key_of_an_emulated_section_is_known(
    section: str, inner: str, known: frozenset[str]
) -> None:
    theirs = properties(schema()["RawConfig"])[section]
    assert properties(properties(theirs)[inner] if inner else theirs).keys() - known == set()
