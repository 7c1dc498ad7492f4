"""Answers questions: looks in memory first, then in the documents, and remembers what it found."""

import logging
import os
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

MEMORY_URL = os.environ.get("MEMORY_URL", "http://127.0.0.1:7050")
RAG_URL = os.environ.get("RAG_URL", "http://127.0.0.1:7060")

router = APIRouter()


class Question(BaseModel):
    """What a person asks."""

    question: str = Field(min_length=1, max_length=500)


class Answer(BaseModel):
    """The passage that fits best, and where it is from: `memory`, a document, or nowhere."""

    question: str
    answer: str | None
    source: str | None


@router.post("/ask")
async def ask(request: Request, asked: Question) -> Answer:
    question = asked.question
    memory = f"{MEMORY_URL}/memories/{quote(question.lower(), safe='')}"
    remembered = await call(request, "memory", "GET", memory)
    if remembered.status_code == 200:
        return Answer(question=question, answer=remembered.json()["value"], source="memory")
    params = {"q": question, "limit": "1"}
    found = await call(request, "rag", "GET", f"{RAG_URL}/search", params=params)
    passages = found.json()["passages"] if found.status_code == 200 else []
    if not passages:
        return Answer(question=question, answer=None, source=None)
    text, document = passages[0]["text"], passages[0]["document"]
    await call(request, "memory", "PUT", memory, json={"value": text})
    logging.info("answered from %s", document)
    return Answer(question=question, answer=text, source=document)


async def call(
    request: Request, service: str, method: str, url: str, **more: Any
) -> httpx.Response:
    """Another service's answer. Raises 503 with its name when it is away."""
    client: httpx.AsyncClient = request.app.state.client
    try:
        return await client.request(method, url, **more)
    except httpx.HTTPError as error:
        detail = f"{service} is away ({error}): see GET /supervisor/status, then restart it."
        raise HTTPException(503, detail) from error
