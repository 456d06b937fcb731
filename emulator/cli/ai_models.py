"""`groundfog ai models` and `run`: the catalogue, and a call as the worker would make it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from emulator.cli.options import ProjectOptions, load_project, project_options
from emulator.cli.output import say, show, show_json
from emulator.cli.table import draw_table
from emulator.config.model import Config
from emulator.errors import EmulatorError, UsageError, WorkerError
from emulator.kinds.ai import ledger_path, open_ai, settings_of
from emulator.state import State
from emulator.words import counted


@click.command()
@click.argument("search", default="")
@click.option("--task", help="Only models of this task, such as 'Text Generation'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@project_options
def models(options: ProjectOptions, search: str, task: str | None, as_json: bool) -> None:
    """List the models that are answered here; SEARCH is a part of their names."""
    from bindings.ai.catalogue import MODELS
    from bindings.ai.model_search import search_models

    found = search_models(MODELS, {"search": search, "task": task})
    if as_json:
        show_json(found)
        return
    if found:
        show(
            draw_table(("model", "task"), [(each["name"], each["task"]["name"]) for each in found])
        )
    say(counted(len(found), "model"))


@click.command()
@click.argument("model")
@click.argument("inputs")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write a file's bytes there.")
@project_options
def run(options: ProjectOptions, model: str, inputs: str, output: Path | None) -> None:
    """Run MODEL with INPUTS, JSON or the text of a prompt, and print its answer.

    It is answered as for the worker: by the stub, a rule, a cassette or an upstream.
    """
    config = load_project(options)
    state = State.locate(config, options.persist_to)
    answer = asyncio.run(_asked(config, state, model, _inputs(inputs)))
    if isinstance(answer, bytes):
        if output is None:
            raise UsageError(f"The answer is a file of {len(answer):,} bytes; name it: --output.")
        output.write_bytes(answer)
        say(f"Wrote {counted(len(answer), 'byte')} to {output}")
    else:
        show_json(answer)


def _inputs(text: str) -> Any:
    try:
        read = json.loads(text)
    except ValueError:
        return {"prompt": text}
    return read if isinstance(read, dict) else {"prompt": text}


async def _asked(config: Config, state: State, model: str, inputs: Any) -> Any:
    from bindings.ai.ledger import Ledger

    state.prepare()
    secrets = tuple(str(config.vars[name]) for name in config.secret_names if name in config.vars)
    ai = open_ai(settings_of(config), config.project_dir, secrets, Ledger(ledger_path(state)))
    try:
        answer = await ai.run(model, inputs)
        if hasattr(answer, "__aiter__"):
            return b"".join([bytes(piece) async for piece in answer])
        return answer
    except WorkerError as error:
        raise EmulatorError(error.message) from None
    finally:
        await ai.close()
