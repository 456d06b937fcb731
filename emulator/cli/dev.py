"""`groundfog dev`: its options, and the order of the start.

The forkserver is launched before almost everything of the host is imported, so that both start at
the same time. `serving.py` is imported meanwhile.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from emulator.cli.bundling_options import BundlingOptions, bundling_options
from emulator.cli.levels import Level
from emulator.runner.python.interpreter import (
    guest_interpreter,
    likely_project,
    may_run_python,
)
from emulator.runner.python.launching import launch, terminal_path

DEBUG_PORT = 5678  # debugpy's own, which editors suggest

# wrangler's options that take several values, and what a further value looks like: a path of a
# project must not be taken for one.
_VALUE, _FLAG, _ROUTE = (
    r"[A-Za-z_]\w*:.*",
    r"[a-z][a-z0-9_]+",
    r"(https?://|\*)?[\w*-]+(\.[\w-]+)+/.*",
)
_LISTS = {
    "--var": re.compile(_VALUE, re.DOTALL),
    "--compatibility-flags": re.compile(_FLAG),
    "--compatibility-flag": re.compile(_FLAG),
    "--routes": re.compile(_ROUTE),
    "--route": re.compile(_ROUTE),
}
_LEVELS = [level.name.lower() for level in Level]


class _Dev(click.Command):
    """Takes several values behind one option, as wrangler does: `--var A:1 B:2`.

    And it takes `true` and `false` for an option without a value: `--live-reload=false`.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = [each for each in self.params if isinstance(each, click.Option) and each.is_flag]
        opposites = {name: each.secondary_opts for each in flags for name in each.opts}
        try:
            return super().parse_args(ctx, list(_without_truth(spread(args), opposites)))
        except click.NoSuchOption as error:
            from emulator.cli.wrangler_only import OPTIONS

            if error.option_name in OPTIONS:
                text = f"There is no {error.option_name} here. {OPTIONS[error.option_name]}"
                raise click.UsageError(text, ctx) from error
            raise


def _without_truth(args: list[str], opposites: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield a command line with `--flag`, the option that is its opposite or nothing, as it says.

    opposites: by the name of each option without a value.
    """
    for word in args:
        name, equals, truth = word.partition("=")
        if not equals or name not in opposites or truth not in ("true", "false"):
            yield word
        elif truth == "true":
            yield name
        else:
            yield from opposites[name][:1]


def spread(args: list[str]) -> list[str]:
    """Return a command line with an option before each of its values.

    `["--var", "A:1", "B:2"]` gives `["--var", "A:1", "--var", "B:2"]`.
    """
    found: list[str] = []
    option = ""
    for word in args:
        if word.startswith("-"):
            option = word if word in _LISTS else ""
        elif option and found[-1] != option and _LISTS[option].fullmatch(word):
            found.append(option)
        elif option and found[-1] != option:
            option = ""
        found.append(word)
    return found


@click.command(cls=_Dev)
@click.argument(
    "places",
    nargs=-1,
    metavar="[DIRECTORY | SCRIPT]...",
    type=click.Path(path_type=Path),  # relative to --cwd, so it is looked for later
)
@click.option(
    "--cwd",
    default=".",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Run as if started in this folder.",
)
@click.option(
    "--config",
    "-c",
    "config_paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Config file; several run several workers.",
)
@click.option("--env", "-e", "environment", help="Environment of the configuration to use.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes any free one.")
@click.option("--ip", help="Address to listen on; loopback only unless you say otherwise.")
@click.option("--var", "cli_vars", multiple=True, help="KEY:VALUE for env; several may follow.")
@click.option(
    "--env-file", "env_files", multiple=True, type=click.Path(path_type=Path), help="A .env file."
)
@click.option("--persist-to", type=click.Path(path_type=Path), help="State directory [.groundfog].")
@click.option("--python", type=click.Path(path_type=Path), help="Python that runs the worker.")
@click.option("--clock", type=click.Choice(["real", "virtual"]), help="Time for workflows [real].")
@click.option(
    "--on-divergence",
    type=click.Choice(["hold", "warn", "fail"]),
    help="When code does not fit what an instance has done [hold].",
)
@click.option("--compatibility-date", help="In place of the configuration's.")
@click.option(
    "--compatibility-flags",
    "--compatibility-flag",
    "compatibility_flags",
    multiple=True,
    help="In place of the configuration's.",
)
@click.option("--host", help="The host that the worker sees in its requests.")
@click.option("--routes", "--route", "routes", multiple=True, help="The first one is the --host.")
@click.option(
    "--local-protocol",
    type=click.Choice(["http", "https"]),
    help="https makes a certificate for this machine [http].",
)
@click.option(
    "--https-key-path", type=click.Path(path_type=Path), help="Key of your own certificate."
)
@click.option(
    "--https-cert-path", type=click.Path(path_type=Path), help="A certificate of your own, in PEM."
)
@click.option("--test-scheduled", is_flag=True, help="Call the cron handler at /__scheduled.")
@click.option("--live-reload", is_flag=True, help="Pages load themselves again after a save.")
@click.option("--name", help="In place of the configuration's.")
@click.option("--latest", is_flag=True, expose_value=False, hidden=True)
@click.option("--local", "-l", is_flag=True, expose_value=False, hidden=True)
@click.option("--profile", expose_value=False, hidden=True)
@click.option("--allowed-host", "allowed_hosts", multiple=True, help="Another Host to accept.")
@click.option("--migrate", is_flag=True, help="Apply pending D1 migrations at the start.")
@click.option(
    "--debug",
    is_flag=False,
    flag_value=str(DEBUG_PORT),
    type=click.IntRange(0, 65535),
    metavar="[PORT]",
    help=f"Let an editor's debugger attach, on 127.0.0.1 [{DEBUG_PORT}].",
)
@click.option(
    "--inspector-port",
    type=click.IntRange(0, 65535),
    help="Let DevTools and editors debug TypeScript, on 127.0.0.1; 0 takes any free port.",
)
@bundling_options
@click.option("--log-level", type=click.Choice(_LEVELS), default="info", show_default=True)
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--show-interactive-dev-session/--no-show-interactive-dev-session",
    default=None,
    help="Let single keys act on a terminal [on].",
)
@click.option("--log-time/--no-log-time", default=True, help="Begin each line with its time.")
def dev(
    places: tuple[Path, ...],
    cwd: Path,
    config_paths: tuple[Path, ...],
    python: Path | None,
    log_level: str,
    allowed_hosts: tuple[str, ...],
    **options: object,
) -> None:
    """Run the worker in DIRECTORY, or SCRIPT, and reload it whenever a file is saved.

    With several, the first one owns the port, and they call each other by service bindings.
    """
    began = time.perf_counter()
    os.chdir(cwd)
    for place in places:
        if not place.exists():
            raise click.UsageError(f"{place} does not exist.")
    script = places[0] if len(places) == 1 and places[0].is_file() else None
    (directory, config_path), *others = _places(() if script else places, config_paths)
    project = likely_project(directory, config_path)
    launched = None
    if may_run_python(project, config_path):
        launched = launch(guest_interpreter(project, python, Path(sys.executable)), terminal_path())
    try:
        gc.disable()  # imports make no garbage, and looking for it takes 5 % of their time
        # A thread that decodes megabytes, for example rows of D1, may keep the interpreter for this
        # long while the event loop waits for it.
        sys.setswitchinterval(0.001)
        from emulator.cli.dev_arguments import DevArguments
        from emulator.cli.serving import run

        bundling = {name: options.pop(name) for name in BundlingOptions._fields}
        arguments = DevArguments(
            directory=directory,
            script=script,
            config_path=config_path,
            others=tuple(others),
            level=Level[log_level.upper()],
            allowed_hosts=frozenset(allowed_hosts),
            began=began,
            bundling=BundlingOptions(**bundling),  # type: ignore[arg-type]
            python=python,
            **options,  # type: ignore[arg-type]
        )
        run(arguments, launched)
    finally:
        if launched is not None:
            launched.discard()


def _places(
    directories: tuple[Path, ...], config_paths: tuple[Path, ...]
) -> list[tuple[Path, Path | None]]:
    """Return the directory and the configuration, if it was named, of each worker."""
    for each in directories:
        if not each.is_dir():
            raise click.UsageError(f"{each} is a file. One script runs alone: groundfog dev {each}")
    if len(directories) > 1 and config_paths:
        raise click.UsageError(
            "Name the workers either by their directories or by --config, not by both."
        )
    if len(directories) > 1:
        return [(directory, None) for directory in directories]
    directory = directories[0] if directories else Path(".")
    return [(directory, path) for path in config_paths] or [(directory, None)]
