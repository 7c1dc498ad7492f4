"""Serves the page with the service panel, and tells it where the supervisor is."""

import json
import mimetypes
import os
from pathlib import Path

from services.http_service import Content, Refusal, Request, serve

PAGES = Path("web/dist").resolve()
ASTRA_URL = os.environ.get("ASTRA_URL", "http://127.0.0.1:7031")


def health(_: Request) -> dict[str, str]:
    return {"status": "healthy", "pages": "built" if PAGES.is_dir() else "not built"}


def config(_: Request) -> Content:
    return Content("text/javascript", f"window.ASTRA_URL = {json.dumps(ASTRA_URL)};\n".encode())


def page(request: Request) -> Content:
    path = PAGES / request.names.get("name", "index.html")
    if path.parent != PAGES or not path.is_file():
        raise Refusal(404, "There is no such page: build them with `npm run build` in web.")
    kind, _ = mimetypes.guess_type(path.name)
    return Content(kind or "application/octet-stream", path.read_bytes())


if __name__ == "__main__":
    serve(
        "web",
        {
            "GET /health": health,
            "GET /config.js": config,
            "GET /": page,
            "GET /{name}": page,
        },
        default_port=3000,
    )
