"""The same applications as a Worker."""

from apps import both
from workers import asgi

Default = asgi.entrypoint(both)
