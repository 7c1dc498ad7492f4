"""The way on to the supervisor: its status, and a restart of one service."""

import os
from typing import Any

import httpx
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

ASTRA_URL = os.environ.get("ASTRA_URL", "http://127.0.0.1:7031")
ASTRA_TOKEN = os.environ.get("ASTRA_TOKEN")
HEADERS = {"Authorization": f"Bearer {ASTRA_TOKEN}"} if ASTRA_TOKEN else {}

router = APIRouter(prefix="/supervisor")


async def ask(request: Request, method: str, path: str, body: Any = None) -> JSONResponse:
    """The supervisor's answer as it is, its refusals too; 503 when there is none."""
    client: httpx.AsyncClient = request.app.state.client
    url = f"{ASTRA_URL}/supervisor{path}"
    try:
        answer = await client.request(method, url, json=body, headers=HEADERS)
        return JSONResponse(answer.json(), answer.status_code)
    except (httpx.HTTPError, ValueError) as error:
        reason = str(error) or type(error).__name__
        detail = f"Supervisor unavailable at {ASTRA_URL} ({reason}): start it, or set ASTRA_URL."
        raise HTTPException(503, detail) from error


@router.get("/status")
async def supervisor_status(request: Request) -> JSONResponse:
    return await ask(request, "GET", "/status")


@router.post("/restart")
async def supervisor_restart(request: Request, body: dict[str, str]) -> JSONResponse:
    if not body.get("name"):
        raise HTTPException(400, 'Service name required: send {"name": "tts"}.')
    return await ask(request, "POST", "/restart", {"name": body["name"]})
