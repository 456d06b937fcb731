"""The models: what each does, how it is spoken to, and its sizes. Data only.

Source: developers.cloudflare.com/workers-ai/models, workerd types/defines/ai.d.ts (AiModels).
Context windows change; dimensions do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Task(StrEnum):
    """The catalogue's names of what a model does."""

    TEXT_GENERATION = "Text Generation"
    TEXT_EMBEDDINGS = "Text Embeddings"
    TEXT_CLASSIFICATION = "Text Classification"
    TRANSLATION = "Translation"
    SUMMARIZATION = "Summarization"
    IMAGE_CLASSIFICATION = "Image Classification"
    OBJECT_DETECTION = "Object Detection"
    IMAGE_TO_TEXT = "Image-to-Text"
    TEXT_TO_IMAGE = "Text-to-Image"
    SPEECH_RECOGNITION = "Automatic Speech Recognition"
    TEXT_TO_SPEECH = "Text-to-Speech"


class Api(StrEnum):
    """Which inputs and which answer a model has."""

    GENERATION = "generation"  # {prompt | messages} → {response, usage}
    CHAT = "chat"  # OpenAI chat completions
    RESPONSES = "responses"  # OpenAI responses
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    SENTIMENT = "sentiment"
    TRANSLATION = "translation"
    SUMMARIZATION = "summarization"
    NOT_EMULATED = "not emulated"


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `context` is in tokens, 0 when it has none."""

    name: str
    task: Task
    api: Api
    context: int = 0
    dimensions: int = 0
    pooling: str = ""  # what an embedding model uses unless asked
    max_texts: int = 100


def _generation(name: str, context: int, api: Api = Api.GENERATION) -> Model:
    return Model(name, Task.TEXT_GENERATION, api, context)


def _embeddings(
    name: str, dimensions: int, context: int, pooling: str = "", max_texts: int = 100
) -> Model:
    return Model(
        name, Task.TEXT_EMBEDDINGS, Api.EMBEDDINGS, context, dimensions, pooling, max_texts
    )


def _not_emulated(task: Task, *names: str) -> tuple[Model, ...]:
    return tuple(Model(name, task, Api.NOT_EMULATED) for name in names)


MODELS: tuple[Model, ...] = (
    _embeddings("@cf/baai/bge-small-en-v1.5", 384, 512, "mean"),
    _embeddings("@cf/baai/bge-base-en-v1.5", 768, 512, "mean"),
    _embeddings("@cf/baai/bge-large-en-v1.5", 1024, 512, "mean"),
    _embeddings("@cf/baai/bge-m3", 1024, 60_000, "cls"),
    _embeddings("@cf/google/embeddinggemma-300m", 768, 2048),
    _embeddings("@cf/qwen/qwen3-embedding-0.6b", 1024, 8192, max_texts=32),
    _embeddings("@cf/pfnet/plamo-embedding-1b", 2048, 4096),
    Model("@cf/baai/bge-reranker-base", Task.TEXT_CLASSIFICATION, Api.RERANK, 512),
    Model("@cf/huggingface/distilbert-sst-2-int8", Task.TEXT_CLASSIFICATION, Api.SENTIMENT),
    Model("@cf/meta/m2m100-1.2b", Task.TRANSLATION, Api.TRANSLATION),
    Model("@cf/ai4bharat/indictrans2-en-indic-1B", Task.TRANSLATION, Api.TRANSLATION),
    Model("@cf/facebook/bart-large-cnn", Task.SUMMARIZATION, Api.SUMMARIZATION, 1024),
    _generation("@cf/meta/llama-3.1-8b-instruct", 7968),
    _generation("@cf/meta/llama-3.1-8b-instruct-fp8", 32_000),
    _generation("@cf/meta/llama-3.1-8b-instruct-awq", 8192),
    _generation("@cf/meta/llama-3.1-8b-instruct-fast", 128_000),
    _generation("@cf/meta/llama-3-8b-instruct", 7968),
    _generation("@cf/meta/llama-3-8b-instruct-awq", 8192),
    _generation("@cf/meta/llama-3.2-1b-instruct", 60_000),
    _generation("@cf/meta/llama-3.2-3b-instruct", 80_000),
    _generation("@cf/meta/llama-3.2-11b-vision-instruct", 128_000),
    _generation("@cf/meta/llama-3.3-70b-instruct-fp8-fast", 24_000),
    _generation("@cf/meta/llama-4-scout-17b-16e-instruct", 131_000),
    _generation("@cf/meta/llama-guard-3-8b", 131_072),
    _generation("@cf/mistral/mistral-7b-instruct-v0.1", 2824),
    _generation("@cf/mistral/mistral-7b-instruct-v0.2-lora", 15_000),
    _generation("@cf/mistralai/mistral-small-3.1-24b-instruct", 128_000),
    _generation("@cf/google/gemma-3-12b-it", 80_000),
    _generation("@cf/google/gemma-4-26b-a4b-it", 256_000, Api.CHAT),
    _generation("@cf/qwen/qwen2.5-coder-32b-instruct", 32_768),
    _generation("@cf/qwen/qwq-32b", 24_000),
    _generation("@cf/qwen/qwen3-30b-a3b-fp8", 32_768),
    _generation("@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", 80_000),
    _generation("@hf/nousresearch/hermes-2-pro-mistral-7b", 24_000),
    _generation("@cf/openai/gpt-oss-120b", 128_000, Api.RESPONSES),
    _generation("@cf/openai/gpt-oss-20b", 128_000, Api.RESPONSES),
    _generation("@cf/ibm-granite/granite-4.0-h-micro", 131_000),
    _generation("@cf/zai-org/glm-4.7-flash", 131_072, Api.CHAT),
    _generation("@cf/moonshotai/kimi-k2.5", 256_000, Api.CHAT),
    _generation("@cf/moonshotai/kimi-k2.6", 256_000, Api.CHAT),
    _generation("@cf/nvidia/nemotron-3-120b-a12b", 256_000, Api.CHAT),
    *_not_emulated(Task.IMAGE_CLASSIFICATION, "@cf/microsoft/resnet-50"),
    *_not_emulated(Task.OBJECT_DETECTION, "@cf/facebook/detr-resnet-50"),
    *_not_emulated(
        Task.IMAGE_TO_TEXT, "@cf/llava-hf/llava-1.5-7b-hf", "@cf/unum/uform-gen2-qwen-500m"
    ),
    *_not_emulated(
        Task.TEXT_TO_IMAGE,
        "@cf/black-forest-labs/flux-1-schnell",
        "@cf/black-forest-labs/flux-2-dev",
        "@cf/black-forest-labs/flux-2-klein-4b",
        "@cf/black-forest-labs/flux-2-klein-9b",
        "@cf/stabilityai/stable-diffusion-xl-base-1.0",
        "@cf/bytedance/stable-diffusion-xl-lightning",
        "@cf/lykon/dreamshaper-8-lcm",
        "@cf/leonardo/phoenix-1.0",
        "@cf/leonardo/lucid-origin",
    ),
    *_not_emulated(
        Task.SPEECH_RECOGNITION,
        "@cf/openai/whisper",
        "@cf/openai/whisper-tiny-en",
        "@cf/openai/whisper-large-v3-turbo",
        "@cf/deepgram/nova-3",
        "@cf/deepgram/flux",
    ),
    *_not_emulated(
        Task.TEXT_TO_SPEECH,
        "@cf/myshell-ai/melotts",
        "@cf/deepgram/aura-1",
        "@cf/deepgram/aura-2-en",
        "@cf/deepgram/aura-2-es",
    ),
)

BY_NAME = {model.name: model for model in MODELS}
