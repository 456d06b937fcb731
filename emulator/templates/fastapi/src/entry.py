"""Notes in D1, behind FastAPI. Its documentation is at /docs."""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel
from workers import asgi

app = FastAPI(title="my-worker")


class Note(BaseModel):
    text: str


def env(request: Request):
    """Return the worker's bindings."""
    return request.scope["env"]


Env = Annotated[Any, Depends(env)]


@app.post("/notes", status_code=201)
async def add(note: Note, env: Env):
    insert = env.DB.prepare("INSERT INTO notes (text) VALUES (?) RETURNING id, text")
    row = await insert.bind(note.text).first()
    return {"id": row.id, "text": row.text}


@app.get("/notes/{id}")
async def show(id: int, env: Env):
    row = await env.DB.prepare("SELECT id, text FROM notes WHERE id = ?").bind(id).first()
    if row is None:
        raise HTTPException(404, f"no note {id}")
    return {"id": row.id, "text": row.text}


Default = asgi.entrypoint(app)
