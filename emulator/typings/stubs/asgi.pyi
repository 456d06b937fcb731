from workers.asgi import Options, entrypoint, fetch, request_to_scope, websocket

__all__ = ["Options", "entrypoint", "fetch", "request_to_scope", "websocket"]
