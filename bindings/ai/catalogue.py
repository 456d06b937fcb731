"""The models: what each does, the shape of its inputs and answer, and its sizes. Data only.

Source: https://developers.cloudflare.com/workers-ai/models/;
https://github.com/cloudflare/workerd/blob/main/types/defines/ai.d.ts (AiModels).
Context windows change; dimensions do not.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

PNG, JPEG, JSON = "image/png", "image/jpeg", "application/json"


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
    VOICE_ACTIVITY = "Voice Activity Detection"


class Api(StrEnum):
    """Which inputs and which answer a model has."""

    GENERATION = "generation"  # {prompt | messages} → {response, usage}
    GUARD = "guard"  # {messages} → {response: "safe" | "unsafe\\nS1", usage}
    CHAT = "chat"  # OpenAI chat completions
    RESPONSES = "responses"  # OpenAI responses
    EMBEDDINGS = "embeddings"  # {text} → {shape, data}
    M3 = "m3"  # {text}, {contexts} or {query, contexts}
    QWEN_EMBEDDINGS = "qwen embeddings"  # {queries | documents | text}
    RERANK = "rerank"
    SIMILARITY = "similarity"  # {source, sentences} → [score]
    SENTIMENT = "sentiment"
    TRANSLATION = "translation"
    INDIC_TRANSLATION = "indic translation"  # {text, target_language} → {translations}
    SUMMARIZATION = "summarization"
    IMAGE_CLASSIFICATION = "image classification"
    OBJECT_DETECTION = "object detection"
    IMAGE_TO_TEXT = "image to text"
    MOONDREAM = "moondream"  # {task, image, question} → {answer | caption | points | objects}
    DIFFUSION = "diffusion"  # → the bytes of a picture
    LEONARDO = "leonardo"  # → the bytes of a picture, or {image: base64}
    FLUX = "flux"  # → {image: base64}
    FLUX_2 = "flux 2"  # {multipart} → {image: base64}
    WHISPER = "whisper"  # {audio: bytes} → {text, words, vtt}
    WHISPER_TURBO = "whisper turbo"  # {audio: base64 or upload} → {transcription_info, segments}
    NOVA = "nova"  # {audio: upload} → Deepgram's results
    TURN = "turn"  # {audio} → {is_complete, probability}
    MELOTTS = "melotts"  # {prompt} → {audio: base64}
    AURA = "aura"  # {text} → the bytes of a sound
    WEBSOCKET = "websocket"  # used by WebSocket only


class Model(Struct, frozen=True):
    """One model. `context` is in tokens, 0 when it has none."""

    name: str
    task: Task
    api: Api
    context: int = 0
    dimensions: int = 0
    pooling: str = ""  # what an embedding model uses unless asked
    media: str = ""  # content type of the file it makes
    has_lora: bool = False


def _generation(
    name: str, context: int, api: Api = Api.GENERATION, *, has_lora: bool = False
) -> Model:
    return Model(name, Task.TEXT_GENERATION, api, context, has_lora=has_lora)


def _embeddings(
    name: str, dimensions: int, context: int, pooling: str = "", api: Api = Api.EMBEDDINGS
) -> Model:
    return Model(name, Task.TEXT_EMBEDDINGS, api, context, dimensions, pooling)


def _picture(name: str, api: Api, media: str) -> Model:
    return Model(name, Task.TEXT_TO_IMAGE, api, media=media)


MODELS: tuple[Model, ...] = (
    _embeddings("@cf/baai/bge-small-en-v1.5", 384, 512, "mean"),
    _embeddings("@cf/baai/bge-base-en-v1.5", 768, 512, "mean"),
    _embeddings("@cf/baai/bge-large-en-v1.5", 1024, 512, "mean"),
    _embeddings("@cf/baai/bge-m3", 1024, 60_000, "cls", Api.M3),
    _embeddings("@cf/google/embeddinggemma-300m", 768, 2048),
    _embeddings("@cf/qwen/qwen3-embedding-0.6b", 1024, 8192, api=Api.QWEN_EMBEDDINGS),
    _embeddings("@cf/pfnet/plamo-embedding-1b", 2048, 4096),
    Model("@cf/baai/bge-reranker-base", Task.TEXT_CLASSIFICATION, Api.RERANK, 512),
    Model("@cf/huggingface/distilbert-sst-2-int8", Task.TEXT_CLASSIFICATION, Api.SENTIMENT),
    Model("@cf/meta/m2m100-1.2b", Task.TRANSLATION, Api.TRANSLATION),
    Model("@cf/ai4bharat/indictrans2-en-indic-1B", Task.TRANSLATION, Api.INDIC_TRANSLATION),
    Model("@cf/facebook/bart-large-cnn", Task.SUMMARIZATION, Api.SUMMARIZATION, 1024),
    _generation("@cf/meta/llama-3.1-8b-instruct", 7968),
    _generation("@cf/meta/llama-3.1-8b-instruct-fp8", 32_000),
    _generation("@cf/meta/llama-3.1-8b-instruct-awq", 8192),
    _generation("@cf/meta/llama-3.1-8b-instruct-fast", 128_000),
    _generation("@cf/meta/llama-3-8b-instruct", 7968),
    _generation("@cf/meta/llama-3-8b-instruct-awq", 8192),
    _generation("@cf/meta/llama-3.2-1b-instruct", 60_000),
    _generation("@cf/meta/llama-3.2-3b-instruct", 80_000),
    _generation("@cf/meta/llama-3.2-11b-vision-instruct", 128_000, has_lora=True),
    _generation("@cf/meta/llama-3.3-70b-instruct-fp8-fast", 24_000),
    _generation("@cf/meta/llama-4-scout-17b-16e-instruct", 131_000),
    _generation("@cf/meta/llama-guard-3-8b", 131_072, Api.GUARD, has_lora=True),
    _generation("@cf/mistral/mistral-7b-instruct-v0.1", 2824, has_lora=True),
    _generation("@cf/mistral/mistral-7b-instruct-v0.2-lora", 15_000, has_lora=True),
    _generation("@cf/mistralai/mistral-small-3.1-24b-instruct", 128_000),
    _generation("@cf/google/gemma-3-12b-it", 80_000, has_lora=True),
    _generation("@cf/google/gemma-4-26b-a4b-it", 256_000, Api.CHAT),
    _generation("@cf/qwen/qwen2.5-coder-32b-instruct", 32_768, has_lora=True),
    _generation("@cf/qwen/qwq-32b", 24_000, has_lora=True),
    _generation("@cf/qwen/qwen3-30b-a3b-fp8", 32_768),
    _generation("@cf/qwen/qwen3.8-27b", 262_144, Api.CHAT),
    _generation("@cf/deepseek-ai/deepseek-r1-distill-qwen-32b", 80_000),
    _generation("@cf/deepseek-ai/deepseek-v4-flash-0731", 1_048_576, Api.CHAT),
    _generation("@cf/deepseek-ai/deepseek-v4-pro-0813", 1_048_576, Api.CHAT),
    _generation("@hf/nousresearch/hermes-2-pro-mistral-7b", 24_000),
    _generation("@cf/openai/gpt-oss-120b", 128_000, Api.RESPONSES),
    _generation("@cf/openai/gpt-oss-20b", 128_000, Api.RESPONSES),
    _generation("@cf/ibm-granite/granite-4.0-h-micro", 131_000),
    _generation("@cf/zai-org/glm-4.7-flash", 131_072, Api.CHAT),
    _generation("@cf/zai-org/glm-5.2", 262_144, Api.CHAT),
    _generation("@cf/zai-org/glm-5.3", 1_048_576, Api.CHAT),
    _generation("@cf/zai-org/glm-5.3-flash", 1_048_576, Api.CHAT),
    _generation("@cf/moonshotai/kimi-k2.5", 256_000, Api.CHAT),
    _generation("@cf/moonshotai/kimi-k2.6", 256_000, Api.CHAT),
    _generation("@cf/moonshotai/kimi-k2.7-code", 262_144, Api.CHAT),
    _generation("@cf/nvidia/nemotron-3-120b-a12b", 256_000, Api.CHAT),
    Model("@hf/sentence-transformers/all-minilm-l6-v2", Task.TEXT_EMBEDDINGS, Api.SIMILARITY),
    Model("@cf/microsoft/resnet-50", Task.IMAGE_CLASSIFICATION, Api.IMAGE_CLASSIFICATION),
    Model("@cf/facebook/detr-resnet-50", Task.OBJECT_DETECTION, Api.OBJECT_DETECTION),
    Model("@cf/llava-hf/llava-1.5-7b-hf", Task.IMAGE_TO_TEXT, Api.IMAGE_TO_TEXT),
    Model("@cf/unum/uform-gen2-qwen-500m", Task.IMAGE_TO_TEXT, Api.IMAGE_TO_TEXT),
    Model("@cf/moondream/moondream3.1-9B-A2B", Task.IMAGE_TO_TEXT, Api.MOONDREAM),
    _picture("@cf/black-forest-labs/flux-1-schnell", Api.FLUX, JPEG),
    _picture("@cf/black-forest-labs/flux-2-dev", Api.FLUX_2, JPEG),
    _picture("@cf/black-forest-labs/flux-2-klein-4b", Api.FLUX_2, JPEG),
    _picture("@cf/black-forest-labs/flux-2-klein-9b", Api.FLUX_2, JPEG),
    _picture("@cf/stabilityai/stable-diffusion-xl-base-1.0", Api.DIFFUSION, PNG),
    _picture("@cf/bytedance/stable-diffusion-xl-lightning", Api.DIFFUSION, PNG),
    _picture("@cf/lykon/dreamshaper-8-lcm", Api.DIFFUSION, PNG),
    _picture("@cf/leonardo/phoenix-1.0", Api.LEONARDO, JPEG),
    _picture("@cf/leonardo/lucid-origin", Api.LEONARDO, JSON),
    Model("@cf/openai/whisper", Task.SPEECH_RECOGNITION, Api.WHISPER),
    Model("@cf/openai/whisper-tiny-en", Task.SPEECH_RECOGNITION, Api.WHISPER),
    Model("@cf/openai/whisper-large-v3-turbo", Task.SPEECH_RECOGNITION, Api.WHISPER_TURBO),
    Model("@cf/deepgram/nova-3", Task.SPEECH_RECOGNITION, Api.NOVA),
    Model("@cf/deepgram/flux", Task.SPEECH_RECOGNITION, Api.WEBSOCKET),
    Model("@cf/nvidia/nemotron-speech-streaming-en-0.6b", Task.SPEECH_RECOGNITION, Api.WEBSOCKET),
    Model("@cf/pipecat-ai/smart-turn-v2", Task.VOICE_ACTIVITY, Api.TURN),
    Model("@cf/myshell-ai/melotts", Task.TEXT_TO_SPEECH, Api.MELOTTS, media=JSON),
    Model("@cf/deepgram/aura-1", Task.TEXT_TO_SPEECH, Api.AURA, media="audio/mpeg"),
    Model("@cf/deepgram/aura-2-en", Task.TEXT_TO_SPEECH, Api.AURA, media="audio/mpeg"),
    Model("@cf/deepgram/aura-2-es", Task.TEXT_TO_SPEECH, Api.AURA, media="audio/mpeg"),
)

BY_NAME = {model.name: model for model in MODELS}
