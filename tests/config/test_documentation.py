"""docs/configuration.md says what the code does: keys, bindings, an example that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.config import groundfog_toml, keys
from emulator.config.not_emulated import OTHER_KINDS
from emulator.kinds import ai_rules, ai_settings
from emulator.kinds.ai import settings_of
from emulator.kinds.kind import Kind
from emulator.kinds.registry import KINDS
from tests.config.project import Project

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
SETTINGS = [
    *(f"engine.{key}" for key in groundfog_toml.ENGINE_KEYS),
    *(f"clock.{key}" for key in groundfog_toml.CLOCK_KEYS),
    *(f"reload.{key}" for key in groundfog_toml.RELOAD_KEYS),
    *(f"guest.{key}" for key in groundfog_toml.GUEST_KEYS),
    *(f"workflows.{key}" for key in groundfog_toml.WORKFLOWS_KEYS),
    *(f"faults.{key}" for key in groundfog_toml.FAULT_KEYS),
    *(key for kind in KINDS for key in kind.setting_keys),
    # A start does not import these two modules, so that their kind does not list the keys.
    *(f"ai.{key}" for key in ai_settings.AI_KEYS),
    *(f"ai.upstreams.NAME.{key}" for key in ai_settings.UPSTREAM_KEYS),
    *ai_rules.RULE_KEYS,
]
_CHANGING = keys.EMULATED - {"$schema", "env"} | keys.NOT_EMULATED | keys.BUNDLING


@pytest.mark.parametrize("key", SETTINGS)
def test_every_key_of_groundfog_toml_has_a_row(key: str) -> None:
    assert f"\n| `{key}` | " in PAGE


def test_every_section_of_groundfog_toml_has_keys_on_the_page() -> None:
    assert {name.split(".")[0] for name in SETTINGS if "." in name} == {
        *groundfog_toml.SECTIONS,
        *(kind.settings for kind in KINDS if kind.settings),
    }


@pytest.mark.parametrize("kind", OTHER_KINDS, ids=lambda kind: kind.config_key)
def test_every_binding_that_is_not_emulated_has_a_row(kind: object) -> None:
    assert f"\n| `{kind.config_key}` | {kind.friendly} |" in PAGE  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_a_row_that_names_its_keys(kind: Kind) -> None:
    rows = re.findall(rf"\n\| `{re.escape(kind.section_key)}` \| (.*) \|", PAGE)
    assert len(rows) == 1, "one row in the table of docs/configuration.md, What is used"
    assert f"`{kind.name_key}`" in rows[0]


def test_no_kind_is_listed_as_emulated_and_as_not_emulated() -> None:
    assert {kind.section for kind in KINDS} & {other.section for other in OTHER_KINDS} == set()


@pytest.mark.parametrize("key", sorted(_CHANGING))
def test_every_key_that_changes_something_is_mentioned(key: str) -> None:
    assert f"`{key}`" in PAGE or f"`{key}." in PAGE


def test_the_example_is_accepted(project: Project) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    project.toml()
    project.write("groundfog.toml", example)

    config = project.load()

    assert (config.settings.durability, settings_of(config).rules[0].delay_ms) == ("process", 200)
