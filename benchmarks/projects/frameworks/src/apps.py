"""The smallest applications: plain ASGI, and FastAPI. A server of ASGI serves them too."""

from fastapi import FastAPI

fastapi = FastAPI()


@fastapi.get("/fastapi")
async def hello():
    return {"message": "hello"}


async def plain(scope, receive, send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": b'{"message":"hello"}'})


async def both(scope, receive, send):
    """The one application that uvicorn serves."""
    if scope["type"] == "http":
        chosen = fastapi if scope["path"] == "/fastapi" else plain
        await chosen(scope, receive, send)
