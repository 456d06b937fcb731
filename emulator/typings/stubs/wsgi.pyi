from workers.wsgi import Options, build_environ, entrypoint, fetch

__all__ = ["Options", "build_environ", "entrypoint", "fetch"]
