"""The LLM Shell as its specification draws it, in the simplest form: `shell.py PORT`.

FastAPI, a Popen with the shell, a thread that reads lines and writes each with its stamp as JSON,
and reads that parse the whole file. What the comparison does not ask for is left out.
"""

import json
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel


class StartRequest(BaseModel):
    command: str


class ProcessStatus(BaseModel):
    process_pid: int
    command: str
    status: str
    created_at: str
    stopped_at: str | None
    exit_code: int | None
    log_file: str


class Run:
    """One command and the thread that writes its log."""

    def __init__(self, command: str):
        self.command, self.created_at, self.stopped_at = command, stamp(), None
        Path("logs").mkdir(exist_ok=True)
        self.log_file = f"logs/{datetime.now(UTC):%Y-%m-%d_%H-%M-%S}.log"
        self.process = subprocess.Popen(
            command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self.write_log, daemon=True).start()

    def write_log(self):
        with open(self.log_file, "a", encoding="utf-8") as log:
            while line := self.process.stdout.readline():
                entry = {"timestamp": stamp(), "line": line.decode("utf-8").rstrip("\r\n")}
                log.write(json.dumps(entry, ensure_ascii=False) + "\n")
                log.flush()

    def status(self) -> dict:
        exit_code = self.process.poll()
        if exit_code is not None and self.stopped_at is None:
            self.stopped_at = stamp()
        return {
            "process_pid": self.process.pid,
            "command": self.command,
            "status": "running" if exit_code is None else "exited",
            "created_at": self.created_at,
            "stopped_at": self.stopped_at,
            "exit_code": exit_code,
            "log_file": self.log_file,
        }


def stamp() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat() + "Z"


def read_logs(log_file: str, lines: int | None, seconds: int | None) -> dict:
    with open(log_file, encoding="utf-8") as log:
        entries = [json.loads(line) for line in log]
    chosen = entries
    if seconds is not None:
        cut = (datetime.now(UTC) - timedelta(seconds=seconds)).replace(tzinfo=None)
        chosen = [
            each for each in entries if datetime.fromisoformat(each["timestamp"].rstrip("Z")) >= cut
        ]
    elif lines:
        chosen = entries[-lines:]
    return {
        "log_file": log_file,
        "total_lines": len(entries),
        "lines_returned": len(chosen),
        "content": "\n".join(each["line"] for each in chosen),
    }


@asynccontextmanager
async def lifespan(_app: FastAPI):
    yield
    if run and run.process.poll() is None:
        run.process.terminate()
        run.process.wait(5)


app = FastAPI(title="LLM Shell", lifespan=lifespan)
run: Run | None = None


@app.post("/start", status_code=201, response_model=ProcessStatus)
async def start(request: StartRequest):
    global run
    if run and run.process.poll() is None:
        raise HTTPException(409, "Process already running")
    run = Run(request.command)
    return run.status()


@app.get("/status", response_model=ProcessStatus)
async def status():
    return started().status()


@app.get("/logs")
async def logs(lines: int | None = None, seconds: int | None = None):
    return read_logs(started().log_file, lines, seconds)


def started() -> Run:
    if run is None:
        raise HTTPException(404, "No process started")
    return run


if __name__ == "__main__":
    # The specification runs uvicorn at the level info, and so with its access log.
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
