"""What a changed configuration changes in a worker that runs, and what waits for the next start."""

from __future__ import annotations

from emulator.config.model import Config
from emulator.terminal import Terminal


def accepted(config: Config, before: Config, terminal: Terminal) -> bool:
    """Tell what is new about a configuration; return whether the worker can go on with it."""
    for problem in config.warnings:
        if problem not in before.warnings:
            terminal.warning(str(problem))
    if config.is_python != before.is_python:
        text = f"main is {config.main.name} now, in another language"
        terminal.error(f"{text}; it takes effect at the next start of groundfog dev")
        return False
    if config.name != before.name:
        text = f"name is {config.name} now; other workers know it by that from the next start"
        terminal.warning(f"{text} of groundfog dev")
    if _of_the_start(config) != _of_the_start(before):
        terminal.warning(
            "durability, clock, ip and port take effect at the next start of groundfog dev"
        )
    return True


def _of_the_start(config: Config) -> tuple[object, ...]:
    return config.settings.durability, config.settings.clock, config.dev
