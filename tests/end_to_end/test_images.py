"""The sample that makes small pictures, and the same in TypeScript."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.bindings.images.test_images import picture
from tests.end_to_end.projects import FIXTURES
from tests.end_to_end.server import DevServer
from tests.typescript.projects import dev, project

INDEX = """
export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const bytes = await request.arrayBuffer();
    const stream = () => new Response(bytes).body!;
    try {
      if (new URL(request.url).pathname === "/info") {
        return Response.json(await env.IMAGES.info(stream()));
      }
      const small = env.IMAGES.input(stream()).transform({ width: 20 });
      const result = await env.IMAGES.input(stream())
        .transform({ width: 80 })
        .draw(small, { top: 0, left: 0 })
        .output({ format: "image/webp" });
      return result.response();
    } catch (error: any) {
      return new Response(error.message, { status: 400 });
    }
  },
};
"""


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_a_worker_makes_small_pictures(tmp_path: Path, language: str) -> None:
    folder = tmp_path / "images"
    if language == "python":
        shutil.copytree(FIXTURES / "images", folder)
    else:
        project(folder, INDEX, '\n[images]\nbinding = "IMAGES"\n')
    server = DevServer(folder) if language == "python" else dev(folder)
    with server:
        large = picture(400, 200)
        found = server.post("/info", content=large).json()
        assert found == {
            "format": "image/png",
            "fileSize": len(large),
            "width": 400,
            "height": 200,
        }
        small = server.post("/?width=80", content=large)
        assert small.headers["content-type"] == "image/webp"
        assert Image.open(io.BytesIO(small.content)).size == (80, 40)
        told = "IMAGES_TRANSFORM_ERROR 9520: ERROR: Unsupported image type unknown"
        refused = server.post("/", content=b"nothing")
        assert refused.status_code == 400 and told in refused.text
