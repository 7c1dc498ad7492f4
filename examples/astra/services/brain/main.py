"""Brain's application: its health, its questions, and the way on to the supervisor."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from services.brain import questions, supervisor
from services.settings import log_to_stdout

log_to_stdout()
logging.getLogger("httpx").setLevel(logging.WARNING)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One pool of connections for as long as brain runs."""
    async with httpx.AsyncClient(timeout=10) as client:
        app.state.client = client
        yield


app = FastAPI(title="Astra Brain", version="1.0.0", lifespan=lifespan)
app.include_router(questions.router)
app.include_router(supervisor.router)


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}
