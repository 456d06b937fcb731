"""The workers of one `groundfog dev`: what each is, and where it keeps its state.

The first one owns the port that the person asked for. Each of the others listens on a free port of
its own, for commands; workers call it by service bindings.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from emulator.cli.bundling_options import bundled_so, check_language
from emulator.cli.dev_arguments import DevArguments
from emulator.config.load import load_config
from emulator.config.model import Config
from emulator.config.vars_section import parse_var_flags
from emulator.errors import UsageError
from emulator.json_types import Json
from emulator.kinds.registry import kind_named
from emulator.runner.python.interpreter import guest_interpreter
from emulator.session import Project
from emulator.state import State

WORKERS = "workers"  # in a state directory: that of a worker beside the first one


@dataclass(frozen=True, slots=True)
class Member:
    """One of the workers. arguments: those that concern it. interpreter: of its guests."""

    arguments: DevArguments
    project: Project
    interpreter: Path

    @property
    def name(self) -> str:
        """Its name, by which the others call it."""
        return self.project.config.name


def read_members(arguments: DevArguments) -> list[Member]:
    """Read the configuration of each worker. Raises EmulatorError."""
    members: list[Member] = []
    for its in _each(arguments):
        reread = partial(_read_config, its, parse_var_flags(its.cli_vars))
        config = reread()
        _check(config, its, members)
        state = State.locate(config, its.persist_to)
        if any(state.directory == each.project.state.directory for each in members):
            state = State(state.directory / WORKERS / config.name)
        interpreter = guest_interpreter(config.project_dir, its.python, Path(sys.executable))
        members.append(Member(its, Project(config, reread, state), interpreter))
    return members


def _each(arguments: DevArguments) -> Iterator[DevArguments]:
    yield arguments
    for directory, config_path in arguments.others:
        yield replace(
            arguments,
            directory=directory,
            config_path=config_path,
            ip="localhost",
            port=0,
            debug=None,
            inspector_port=None,
            script=None,
            name=None,
            local_protocol="http",
            https_key_path=None,
            https_cert_path=None,
            compatibility_date=None,
            compatibility_flags=(),
            is_first=False,
        )


def _check(config: Config, arguments: DevArguments, before: list[Member]) -> None:
    """Raise UsageError for a worker that cannot run beside those before it, or not like this."""
    _refuse_what_is_not_in_workerd(config)
    if arguments.debug is not None and not config.is_python:
        raise UsageError(
            f"--debug is for Python workers, and main is {config.main.name} ({config.path.name})."
            "\n  For this one, write --inspector-port=9229."
        )
    if arguments.inspector_port is not None and config.is_python:
        raise UsageError(
            f"--inspector-port is for TypeScript and JavaScript workers, and main is"
            f" {config.main.name} ({config.path.name}).\n  For this one, write --debug."
        )
    if arguments.is_first:
        check_language(config, arguments.bundling)
    _check_certificate(config, arguments)
    for other in before:
        if other.name == config.name:
            raise UsageError(
                f"Two workers are called {config.name}: {other.project.config.path} and"
                f" {config.path}. Workers call each other by name; give one of them another name."
            )


def _check_certificate(config: Config, arguments: DevArguments) -> None:
    given = [arguments.https_key_path, arguments.https_cert_path]
    is_https = (arguments.local_protocol or config.dev.local_protocol) == "https"
    if any(given) and not is_https:
        raise UsageError("A certificate is for HTTPS: add --local-protocol https.")
    if any(given) and not all(given):
        raise UsageError(
            "A certificate of your own has two files: give both --https-key-path and"
            " --https-cert-path."
        )


def _refuse_what_is_not_in_workerd(config: Config) -> None:
    kinds = [(bound, kind_named(bound.kind)) for bound in config.bindings]
    absent = sorted(
        {
            kind.section
            for bound, kind in kinds
            if kind is not None
            and not kind.trigger
            and (not bound.name or kind.is_front)  # another one raises an error when it is used
            and kind.workerd is None
        }
    )
    if not config.is_python and absent:
        raise UsageError(
            f"{config.path.name}: main is {config.main.name}, and this version of Groundfog has"
            f" {' and '.join(absent)} for Python workers only. Remove this from the configuration."
        )


def _cli_keys(arguments: DevArguments) -> dict[str, Json]:
    """Return the keys of the configuration that the command line has in place of the file."""
    keys: dict[str, Json] = {}
    if arguments.script is not None:
        keys["main"] = str(arguments.script.absolute())
    if arguments.name:
        keys["name"] = arguments.name
    if arguments.compatibility_date:
        keys["compatibility_date"] = arguments.compatibility_date
    if arguments.compatibility_flags:
        keys["compatibility_flags"] = list(arguments.compatibility_flags)
    return keys


def _read_config(arguments: DevArguments, cli_vars: dict[str, str]) -> Config:
    config = load_config(
        arguments.directory,
        config_path=arguments.config_path,
        environment=arguments.environment,
        cli_vars=cli_vars,
        env_files=arguments.env_files,
        process_env=os.environ,
        cli_keys=_cli_keys(arguments),
    )
    settings = config.settings
    if arguments.clock is not None:
        settings = replace(settings, clock=replace(settings.clock, mode=arguments.clock))
    if arguments.on_divergence is not None:
        settings = replace(settings, on_divergence=arguments.on_divergence)
    return bundled_so(replace(config, settings=settings), arguments.bundling)
