"""The errors of a Workers AI call, named, numbered and worded as production's.

The thrown message is `"<code>: <text>"`. Source: docs/platform/workers-ai.md, "Errors".
"""

from __future__ import annotations

from bindings.messages import shortened
from emulator.errors import WorkerError

PROBLEM_MAX_CHARS = 2_000

# Internal code -> HTTP status and production's text, for rules that give the code alone.
# Source: https://developers.cloudflare.com/workers-ai/platform/errors/.
ERRORS: dict[int, tuple[int, str]] = {
    1001: (400, "Invalid input"),
    1031: (403, "This request requires authentication"),
    3003: (400, "Request is missing headers or body"),
    3006: (413, "Request is too large"),
    3007: (408, "Request timeout"),
    3008: (408, "Request was aborted"),
    3023: (403, "Service unavailable for account"),
    3036: (
        429,
        "You have used up your daily free allocation of 10,000 neurons. Please upgrade to "
        "Cloudflare's Workers Paid plan if you would like to continue usage.",
    ),
    3039: (400, "Finetune is missing required files (model.safetensors and config.json)"),
    3040: (429, "No more data centers to forward the request to"),
    3041: (403, "The account is not allowed to access this model"),
    3042: (404, "The model name is invalid"),
    5004: (400, "Invalid data type for base64 input"),
    5005: (405, "The model does not support LoRA inference"),
    5006: (400, "Error: the input does not satisfy the model's schema"),
    5007: (400, "No such model or task"),
    5016: (403, "User has not agreed to Llama3.2 model terms"),
    5018: (403, "The account is not allowed to access this model"),
    5019: (405, "Request trying to use deprecated SDK version"),
    5024: (400, "JSON Mode couldn't be met"),
}


def http_status(code: int | None) -> int:
    """Return the HTTP status the service answers with; 500 for a code that is not documented."""
    return ERRORS.get(code or 0, (500, ""))[0]


def failure(code: int, text: str = "", name: str = "AiError") -> WorkerError:
    """Return the error that a worker catches when the service answers with an error.

    Without a text, the error has production's text for the code.
    """
    text = text or ERRORS.get(code, (500, "Internal error"))[1]
    return WorkerError(f"{code}: {text}", name=name, code=code)


def no_such_model(model: object) -> WorkerError:
    """Return production's error; `model` is the value that was given as a name."""
    return failure(5007, f"No such model {shortened(model)} or task")


def bad_input(problem: str) -> WorkerError:
    """Return the error for inputs that violate the model's schema."""
    return failure(5006, f"Error: {shortened(problem, PROBLEM_MAX_CHARS)}")


def invalid_input(problem: str) -> WorkerError:
    return failure(1001, problem, name="InvalidInput")


def bad_base64(kind: str) -> WorkerError:
    return failure(5004, f"Invalid data type for base64 input: {kind}")


def no_lora(model: str) -> WorkerError:
    return failure(5005, f"The model {model} does not support LoRA inference")


def json_mode_not_met() -> WorkerError:
    return failure(5024, "JSON Mode couldn't be met")


def internal(problem: str) -> WorkerError:
    """Return the error workerd's own client raises before it asks the service."""
    return WorkerError(problem, name="AiInternalError")


def not_emulated(what: str, instead: str) -> WorkerError:
    """Return the error for something that Cloudflare has and Groundfog does not have."""
    return WorkerError(f"Groundfog does not emulate {what}. {instead}", name="NotSupported")
