"""Remembers texts by key, on disk; e-mail addresses in them are masked unless told otherwise."""

import os
import re
import sqlite3
from contextlib import closing
from typing import Any

from services.http_service import Refusal, Request, serve
from services.settings import DATABASE

MASK_PII = os.environ.get("MEMORY_MASK_PII", "true") != "false"
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def run(statement: str, *values: str) -> list[tuple[Any, ...]]:
    """Runs one statement in a transaction of its own; gives its rows."""
    with closing(sqlite3.connect(DATABASE, timeout=5)) as database, database:
        return database.execute(statement, values).fetchall()


def health(_: Request) -> dict[str, Any]:
    ((count,),) = run("SELECT count(*) FROM memories")
    return {"status": "healthy", "memories": count, "mask_pii": MASK_PII}


def remember(request: Request) -> dict[str, str]:
    key, value = request.names["key"], request.field("value")
    if MASK_PII:
        value = EMAIL.sub("[e-mail]", value)
    run(
        "INSERT INTO memories VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value,
    )
    return {"key": key, "value": value}


def recall(request: Request) -> dict[str, str]:
    key = request.names["key"]
    rows = run("SELECT value FROM memories WHERE key = ?", key)
    if not rows:
        raise Refusal(404, f"Nothing is remembered as {key}: put it there first.")
    return {"key": key, "value": rows[0][0]}


def forget(request: Request) -> dict[str, str]:
    recalled = recall(request)
    run("DELETE FROM memories WHERE key = ?", request.names["key"])
    return recalled


def keys(_: Request) -> dict[str, list[str]]:
    return {"keys": [key for (key,) in run("SELECT key FROM memories ORDER BY key")]}


if __name__ == "__main__":
    serve(
        "memory",
        {
            "GET /health": health,
            "GET /memories": keys,
            "GET /memories/{key}": recall,
            "PUT /memories/{key}": remember,
            "DELETE /memories/{key}": forget,
        },
        default_port=7050,
    )
