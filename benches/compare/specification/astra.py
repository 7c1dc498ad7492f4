"""Astra as its specification draws it, in the simplest form: `astra.py PORT`.

FastAPI, an asyncio child and a task for each service of astra_services.json, which looks once a
second whether its process has ended, and psutil for the numbers. The specification has nobody read
the output; here a task writes it to a file, because a service that prints more than a pipe holds
would stand still.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import psutil
import uvicorn
from fastapi import FastAPI


class Service:
    """One service of the file: its process, and how often it was started again."""

    def __init__(self, name: str, config: dict):
        self.name, self.config, self.restarts = name, config, 0

    async def start(self):
        self.started_at = datetime.now()
        self.process = await asyncio.create_subprocess_exec(
            *self.config["cmd"], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        self.tasks = [asyncio.create_task(self.write_log()), asyncio.create_task(self.monitor())]

    async def write_log(self):
        with open(f"logs/{self.name}.log", "a", encoding="utf-8") as log:
            while line := await self.process.stdout.readline():
                log.write(f"[{datetime.now():%Y-%m-%d %H:%M:%S}] {line.decode()}")
                log.flush()

    async def monitor(self):
        while self.process.returncode is None:
            await asyncio.sleep(1)
        policy = self.config.get("restart_policy", {})
        if self.restarts < policy.get("max_restarts", 3):
            self.restarts += 1
            await asyncio.sleep(policy.get("backoff_seconds", 5))
            await self.start()

    def status(self) -> dict:
        if self.process.returncode is not None:
            return {"status": "exited", "restart_count": self.restarts}
        process = psutil.Process(self.process.pid)
        return {
            "status": "running",
            "pid": self.process.pid,
            "uptime": (datetime.now() - self.started_at).seconds,
            "cpu_percent": process.cpu_percent(),
            "memory_mb": process.memory_info().rss / 1024 / 1024,
            "restart_count": self.restarts,
        }

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 10)


services: dict[str, Service] = {}


@asynccontextmanager
async def lifespan(_app: FastAPI):
    Path("logs").mkdir(exist_ok=True)
    for name, config in json.loads(Path("astra_services.json").read_text()).items():
        services[name] = Service(name, config)
        await services[name].start()
    yield
    await asyncio.gather(*(each.stop() for each in services.values()))


app = FastAPI(title="Astra Supervisor", lifespan=lifespan)


@app.get("/supervisor/status")
async def status():
    seen = {name: service.status() for name, service in services.items()}
    running = [each for each in seen.values() if each["status"] == "running"]
    return {
        "services": seen,
        "system": {
            "total_services": len(seen),
            "running_services": len(running),
            "total_memory_mb": sum(each["memory_mb"] for each in running),
            "total_cpu_percent": sum(each["cpu_percent"] for each in running),
        },
    }


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="info")
