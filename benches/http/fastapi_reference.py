"""What the same two routes are on FastAPI: for wrk.py. Needs fastapi and uvicorn[standard]."""

import sys
import time

import uvicorn
from fastapi import FastAPI

BEGAN = time.time()
app = FastAPI()


@app.get("/health")
def health():
    return {"status": "healthy", "version": "0.1.0", "uptime": int(time.time() - BEGAN)}


@app.get("/status")
def status():
    return {
        "process_pid": 4242,
        "command": "sleep 600",
        "status": "running",
        "created_at": "2026-01-02T03:04:05.678901Z",
        "stopped_at": None,
        "exit_code": None,
        "log_file": "logs/2026-01-02_03-04-05.log",
        "signal": None,
        "ended_by": None,
        "run_id": "0123456789abcdef",
        "uptime": round(time.time() - BEGAN, 3),
        "cpu_percent": 0.0,
        "memory_mb": 1.3,
        "idle": None,
        "pty": False,
        "stdin_open": False,
        "cwd": "/home/ann",
        "leftover_pids": [],
        "log_dropped_lines": 0,
    }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False)
