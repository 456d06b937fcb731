"""The errors of a Workers AI call, named, numbered and worded as production's.

Source: workerd src/cloudflare/internal/ai-api.ts (the thrown message is `"<code>: <text>"`),
developers.cloudflare.com/workers-ai/platform/errors.
"""

from __future__ import annotations

from emulator.errors import WorkerError


def failure(code: int, text: str, name: str = "AiError") -> WorkerError:
    """Return the error a worker catches for an answer of the service that is not a result."""
    return WorkerError(f"{code}: {text}", name=name, code=code)


def no_such_model(model: str) -> WorkerError:
    return failure(5007, f"No such model {model} or task")


def bad_input(problem: str) -> WorkerError:
    """Return the error for inputs that violate the model's schema."""
    return failure(5006, f"Error: {problem}")


def invalid_input(problem: str) -> WorkerError:
    return failure(1001, problem, name="InvalidInput")


def json_mode_not_met() -> WorkerError:
    return failure(5024, "JSON Mode couldn't be met")


def not_emulated(what: str, instead: str) -> WorkerError:
    """Return the error for what Cloudflare has and Groundfog does not have yet."""
    return WorkerError(f"Groundfog does not emulate {what} yet. {instead}", name="NotSupported")
