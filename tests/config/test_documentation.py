"""docs/configuration.md says what the code does: keys, bindings, an example that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.config import ai_rules, ai_section, keys, settings
from emulator.config.binding_kinds import UNSUPPORTED_KINDS
from tests.config.project import Project

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
SETTINGS = [
    *(f"engine.{key}" for key in settings.ENGINE_KEYS),
    *(f"clock.{key}" for key in settings.CLOCK_KEYS),
    *(f"reload.{key}" for key in settings.RELOAD_KEYS),
    *(f"guest.{key}" for key in settings.GUEST_KEYS),
    *(f"workflows.{key}" for key in settings.WORKFLOWS_KEYS),
    *(f"vectorize.INDEX.{key}" for key in settings.INDEX_KEYS),
    *(f"ai.{key}" for key in ai_section.AI_KEYS),
    *(f"ai.upstreams.NAME.{key}" for key in ai_section.UPSTREAM_KEYS),
    *ai_rules.RULE_KEYS,
]


@pytest.mark.parametrize("key", SETTINGS)
def test_every_key_of_groundfog_toml_has_a_row(key: str) -> None:
    assert f"\n| `{key}` | " in PAGE


def test_every_section_of_groundfog_toml_has_keys_on_the_page() -> None:
    assert {name.split(".")[0] for name in SETTINGS if "." in name} == set(settings.SECTIONS)


@pytest.mark.parametrize("kind", UNSUPPORTED_KINDS, ids=lambda kind: kind.config_key)
def test_every_binding_that_is_not_emulated_has_a_row(kind: object) -> None:
    assert f"\n| `{kind.config_key}` | {kind.friendly} |\n" in PAGE  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", sorted(keys.EMULATED - {"$schema", "env"} | keys.NOT_EMULATED))
def test_every_key_that_changes_something_is_mentioned(key: str) -> None:
    assert f"`{key}`" in PAGE or f"`{key}." in PAGE


def test_the_example_is_accepted(project: Project) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    project.toml()
    project.write("groundfog.toml", example)

    read = project.load().settings

    assert (read.durability, read.ai_rules[0].delay_ms) == ("process", 200)
