"""The JSON schemas of the inputs, for every kind of model. Data only.

They are what the service checks, without titles and descriptions. `validation.py` reads them.
Source: https://github.com/cloudflare/cloudflare-docs/tree/production/src/content/workers-ai-models
(`schema.input`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bindings.ai import moondream
from bindings.ai.catalogue import Api, Model

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": "string", "minLength": 1}
PROMPT: Schema = {"type": "string", "minLength": 1, "maxLength": 131_072}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BYTES: Schema = {"type": "array", "items": {"type": "number"}}
BYTES_OR_TEXT: Schema = {"oneOf": [BYTES, {"type": "string"}]}
UPLOAD: Schema = {
    "type": "object",
    "properties": {"body": {}, "contentType": STRING},
    "required": ["body", "contentType"],
}


def _object(required: str, properties: Mapping[str, Schema], **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required.split(),
        **more,
    }


def _between(low: float, high: float, kind: str = "number") -> Schema:
    return {"type": kind, "minimum": low, "maximum": high}


def _texts(most: int) -> Schema:
    return {"oneOf": [TEXT, {"type": "array", "items": TEXT, "maxItems": most}]}


_MESSAGES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": STRING,
            "content": {"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]},
        },
        "required": ["role"],
    },
}
_FUNCTION: Schema = {
    "type": "object",
    "properties": {"name": STRING, "description": STRING, "parameters": {"type": "object"}},
    "required": ["name"],
}
_TOOLS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "oneOf": [
            {
                "properties": {
                    "name": STRING,
                    "description": STRING,
                    "parameters": {"type": "object"},
                },
                "required": ["name", "description", "parameters"],
            },
            {
                "properties": {"type": STRING, "function": _FUNCTION},
                "required": ["type", "function"],
            },
        ],
    },
}
_FUNCTIONS: Schema = {
    "type": "array",
    "items": _object("name code", {"name": STRING, "code": STRING}),
}
_RESPONSE_FORMAT: Schema = {
    "type": "object",
    "properties": {"type": {"enum": ["text", "json_object", "json_schema"]}},
}
_SAMPLING: dict[str, Schema] = {
    "raw": BOOLEAN,
    "stream": BOOLEAN,
    "max_tokens": {"type": "integer", "minimum": 1},
    "temperature": _between(0, 5),
    "top_p": _between(0, 2),
    "top_k": _between(1, 50, "integer"),
    "seed": _between(1, 9_999_999_999, "integer"),
    "repetition_penalty": _between(0, 2),
    "frequency_penalty": _between(-2, 2),
    "presence_penalty": _between(-2, 2),
    "response_format": _RESPONSE_FORMAT,
    "lora": STRING,
}
_PROMPTED: Schema = {
    "properties": {"prompt": PROMPT, "image": BYTES_OR_TEXT, **_SAMPLING},
    "required": ["prompt"],
}
_CONVERSATION: Schema = {
    "properties": {
        "messages": _MESSAGES,
        "image": BYTES_OR_TEXT,
        "functions": _FUNCTIONS,
        "tools": _TOOLS,
        **_SAMPLING,
    },
    "required": ["messages"],
}
# OpenAI's own ranges; the chat and responses models have them.
_OPENAI: dict[str, Schema] = {
    "stream": BOOLEAN,
    "max_tokens": {"type": "integer", "minimum": 1},
    "max_completion_tokens": {"type": "integer", "minimum": 1},
    "max_output_tokens": {"type": "integer", "minimum": 1},
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "frequency_penalty": _between(-2, 2),
    "presence_penalty": _between(-2, 2),
    "seed": INTEGER,
    "response_format": _RESPONSE_FORMAT,
    "reasoning_effort": STRING,
    "tools": {"type": "array", "items": {"type": "object"}},
}
_CONTEXTS: Schema = {
    "type": "array",
    "items": _object("text", {"text": TEXT}),
}
_SPEECH: dict[str, Schema] = {
    "task": {"type": "string", "enum": ["transcribe", "translate"]},
    "language": STRING,
    "vad_filter": BOOLEAN,
    "initial_prompt": STRING,
    "prefix": STRING,
    "beam_size": INTEGER,
    "condition_on_previous_text": BOOLEAN,
}
_AURA_ENCODINGS = ["linear16", "flac", "mulaw", "alaw", "mp3", "opus", "aac"]

SCHEMAS: dict[Api, Schema] = {
    Api.GENERATION: {"type": "object", "oneOf": [_PROMPTED, _CONVERSATION]},
    Api.GUARD: _object(
        "messages",
        {
            "messages": _MESSAGES,
            "max_tokens": {"type": "integer", "minimum": 1},
            "temperature": _between(0, 5),
            "response_format": {"type": "object"},
        },
    ),
    Api.CHAT: {
        "type": "object",
        "oneOf": [
            {"properties": {"prompt": PROMPT, **_OPENAI}, "required": ["prompt"]},
            {"properties": {"messages": _MESSAGES, **_OPENAI}, "required": ["messages"]},
        ],
    },
    Api.RESPONSES: {
        "type": "object",
        "oneOf": [
            {
                "properties": {
                    "input": {"oneOf": [TEXT, {"type": "array", "items": {"type": "object"}}]},
                    "instructions": STRING,
                    **_OPENAI,
                },
                "required": ["input"],
            },
            {"properties": {"messages": _MESSAGES, **_OPENAI}, "required": ["messages"]},
            {"properties": {"prompt": PROMPT, **_OPENAI}, "required": ["prompt"]},
        ],
    },
    Api.EMBEDDINGS: _object(
        "text", {"text": _texts(100), "pooling": {"type": "string", "enum": ["mean", "cls"]}}
    ),
    Api.M3: {
        "type": "object",
        "oneOf": [
            {
                "properties": {"query": TEXT, "contexts": _CONTEXTS, "truncate_inputs": BOOLEAN},
                "required": ["contexts"],
            },
            {
                "properties": {"text": _texts(100), "truncate_inputs": BOOLEAN},
                "required": ["text"],
            },
        ],
    },
    Api.QWEN_EMBEDDINGS: _object(
        "",
        {
            "queries": _texts(32),
            "documents": _texts(32),
            "text": _texts(32),
            "instruction": STRING,
        },
    ),
    Api.RERANK: _object(
        "query contexts",
        {"query": TEXT, "contexts": _CONTEXTS, "top_k": {"type": "integer", "minimum": 1}},
    ),
    Api.SIMILARITY: _object(
        "source sentences", {"source": TEXT, "sentences": {"type": "array", "items": TEXT}}
    ),
    Api.SENTIMENT: _object("text", {"text": TEXT}),
    Api.TRANSLATION: _object(
        "text target_lang", {"text": TEXT, "source_lang": STRING, "target_lang": STRING}
    ),
    Api.INDIC_TRANSLATION: _object(
        "text target_language", {"text": _texts(100), "target_language": STRING}
    ),
    Api.SUMMARIZATION: _object(
        "input_text", {"input_text": TEXT, "max_length": {"type": "integer", "minimum": 0}}
    ),
    Api.IMAGE_CLASSIFICATION: {"oneOf": [BYTES, _object("image", {"image": BYTES_OR_TEXT})]},
    Api.OBJECT_DETECTION: {"oneOf": [BYTES, _object("image", {"image": BYTES_OR_TEXT})]},
    Api.IMAGE_TO_TEXT: {
        "oneOf": [
            BYTES,
            _object(
                "image",
                {
                    "image": BYTES_OR_TEXT,
                    "prompt": STRING,
                    "raw": BOOLEAN,
                    "max_tokens": {"type": "integer", "minimum": 1},
                    "temperature": NUMBER,
                },
            ),
        ]
    },
    Api.MOONDREAM: moondream.INPUT,
    Api.DIFFUSION: _object(
        "prompt",
        {
            "prompt": TEXT,
            "negative_prompt": STRING,
            "height": _between(256, 2048, "integer"),
            "width": _between(256, 2048, "integer"),
            "image": BYTES,
            "image_b64": STRING,
            "mask": BYTES,
            "num_steps": {"type": "integer", "maximum": 20},
            "strength": NUMBER,
            "guidance": NUMBER,
            "seed": INTEGER,
        },
    ),
    Api.FLUX: _object(
        "prompt",
        {
            "prompt": {"type": "string", "minLength": 1, "maxLength": 2048},
            "steps": {"type": "integer", "maximum": 8},
            "seed": INTEGER,
        },
    ),
    Api.FLUX_2: _object("multipart", {"multipart": UPLOAD}),
    Api.LEONARDO: _object(
        "prompt",
        {
            "prompt": TEXT,
            "guidance": _between(0, 10),
            "seed": {"type": "integer", "minimum": 0},
            "height": _between(0, 2500, "integer"),
            "width": _between(0, 2500, "integer"),
            "num_steps": _between(1, 50, "integer"),
            "steps": _between(1, 50, "integer"),
            "negative_prompt": STRING,
        },
    ),
    Api.WHISPER: {"oneOf": [BYTES, _object("audio", {"audio": BYTES})]},
    Api.WHISPER_TURBO: {
        "type": "object",
        "oneOf": [
            {"properties": {"audio": {"type": "string"}, **_SPEECH}, "required": ["audio"]},
            {"properties": {"audio": UPLOAD, **_SPEECH}, "required": ["audio"]},
        ],
    },
    Api.NOVA: _object(
        "audio",
        {
            "audio": UPLOAD,
            "language": STRING,
            "detect_language": BOOLEAN,
            "diarize": BOOLEAN,
            "punctuate": BOOLEAN,
            "smart_format": BOOLEAN,
            "sentiment": BOOLEAN,
            "mode": {"type": "string", "enum": ["general", "medical", "finance"]},
        },
    ),
    Api.TURN: {
        "type": "object",
        "oneOf": [
            {
                "properties": {
                    "audio": UPLOAD,
                    "dtype": {"type": "string", "enum": ["uint8", "float32", "float64"]},
                },
                "required": ["audio"],
            },
            {
                "properties": {
                    "audio": {"type": "string"},
                    "dtype": {"type": "string", "enum": ["uint8", "float32", "float64"]},
                },
                "required": ["audio"],
            },
        ],
    },
    Api.MELOTTS: _object("prompt", {"prompt": TEXT, "lang": STRING}),
    Api.AURA: _object(
        "text",
        {
            "text": TEXT,
            "speaker": STRING,
            "encoding": {"type": "string", "enum": _AURA_ENCODINGS},
            "container": {"type": "string", "enum": ["none", "wav", "ogg"]},
            "sample_rate": NUMBER,
            "bit_rate": NUMBER,
        },
    ),
}


def input_schema(model: Model) -> Schema:
    """Return the schema of a model's inputs; `{}` for a model that is used by WebSocket."""
    return SCHEMAS.get(model.api, {})


def takes_upload(model: Model, key: str) -> bool:
    """Return whether the input `key` of a model may be `{body, contentType}`."""
    schema = input_schema(model)
    choices = schema.get("oneOf", [schema])
    return any(choice.get("properties", {}).get(key) is UPLOAD for choice in choices)
