"""The endpoints that report on services: status codes and shapes, also of streams."""

import json
import threading
import time
import urllib.request
from collections.abc import Callable

from checks import Checks
from shapes import METRICS, NUMBER, SERVICE, STATUS, UP, refused
from system import System


def status(system: System, checks: Checks) -> None:
    for prefix in ("/supervisor", "/api/supervisor"):
        answer = system.call("GET", "/status", prefix=prefix)
        checks.same(f"{prefix}/status: 200", answer.status, 200)
        checks.shape(f"{prefix}/status: its shape", answer.json, STATUS)
    for _ in range(2):
        # Usage is sampled at most once a second: each answer has another sample.
        time.sleep(1.1)
        services = system.call("GET", "/status").json["services"]
        without = [name for name in sorted(UP) if services[name]["memory_mb"] == 0]
        checks.same("what runs uses memory", without, [])
    checks.same("six of seven run", answer.json["system"]["running_services"], 6)
    checks.shape("/status/tts: its shape", system.call("GET", "/status/tts").json, SERVICE)
    unknown = system.call("GET", "/status/nobody")
    refused(checks, "the status of an unknown service", unknown, 404, "the nearest of 7 are memory")


def logs(system: System, checks: Checks) -> None:
    answer = system.call("GET", "/logs/memory?lines=5")
    checks.shape(
        "logs: their shape",
        answer.json,
        {"service": "memory", "logs": [str], "total_lines": int, "next": int},
    )
    checks.check("five lines at most", len(answer.json["logs"]) <= 5)
    stamped = all(
        line[0] + line[5] + line[11] + line[20:22] == "[- ] " for line in answer.json["logs"]
    )
    checks.check("each with its time in brackets", stamped and answer.json["logs"], answer.text)
    after = system.call("GET", f"/logs/memory?after={answer.json['next']}&wait=0").json
    checks.same("nothing is after the last", after["logs"], [])
    unknown = system.call("GET", "/logs/nobody")
    refused(checks, "logs of an unknown service", unknown, 404, "the nearest of 7 are memory")
    refused(checks, "less than no lines", system.call("GET", "/logs/tts?lines=-1"), 400, "lines")
    found: list[str] = []
    thread = reader(system, "/logs/tts?follow=true&lines=0", found.append)
    for _ in range(2):
        system.call("POST", "/restart?wait=30", {"name": "tts"})
    checks.eventually(
        "a followed log goes on over restarts",
        lambda: sum("tts listens" in line for line in found) >= 2,
    )
    checks.check("it goes on still", thread.is_alive())


def reader(
    system: System, path: str, take: Callable[[str], None], headers: dict[str, str] | None = None
) -> threading.Thread:
    """Reads a stream in its own thread until it ends; returns when its head was received."""
    request = urllib.request.Request(f"{system.url}/supervisor{path}", headers=headers or {})
    stream = urllib.request.urlopen(request, timeout=60)

    def read() -> None:
        with stream:
            for line in stream:
                take(line.decode().rstrip("\n"))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def health(system: System, checks: Checks) -> None:
    answer = system.call("GET", "/health/memory")
    checks.shape(
        "health of memory",
        answer.json,
        {
            "service": "memory",
            "status": "healthy",
            "response_time": NUMBER,
            "checks": {"http_endpoint": "ok", "database": "ok"},
        },
    )
    checks.shape(
        "health of tts",
        system.call("GET", "/health/tts").json,
        {"service": "tts", "status": "healthy", "checks": {"port": "ok"}},
    )
    checks.shape(
        "health of a worker without checks",
        system.call("GET", "/health/indexer").json,
        {"service": "indexer", "status": "unknown", "checks": {}, "response_time": None},
    )
    database, away = system.folder / "data/memory.db", system.folder / "data/memory.away"
    database.rename(away)
    answer = system.call("GET", "/health/memory")
    checks.shape(
        "health of memory without its database",
        answer.json,
        {
            "status": "unhealthy",
            "checks": {"http_endpoint": "HTTP 500", "database": str},
            "error": str,
        },
    )
    away.replace(database)
    checks.shape(
        "and with it again", system.call("GET", "/health/memory").json, {"status": "healthy"}
    )
    refused(checks, "health of an unknown service", system.call("GET", "/health/nobody"), 404)
    checks.shape("the supervisor's own", system.call("GET", "/health").json, {"status": "healthy"})


def metrics(system: System, checks: Checks) -> None:
    checks.eventually(
        "everything runs", lambda: all(system.service(name)["status"] == "running" for name in UP)
    )
    answer = system.call("GET", "/metrics")
    checks.shape(
        "metrics: their shape",
        answer.json,
        {"timestamp": str, "services": dict.fromkeys(sorted(UP), METRICS)},
    )
    checks.same("of one that is not up", answer.json["services"]["migrate"], {"status": "exited"})
    answer = system.call("GET", "/metrics", prefix="")
    checks.same("metrics for Prometheus: 200", answer.status, 200)
    checks.check("with the service as label", 'service="brain"' in answer.text, answer.text[:500])


def events(system: System, checks: Checks) -> None:
    found: list[str] = []
    reader(system, "/events", found.append, {"Accept": "text/event-stream"})
    system.call("POST", "/restart?wait=30", {"name": "tts"})
    checks.eventually(
        "events report tts",
        lambda: any(
            line.startswith("data:") and "tts" in line and "running" in line for line in found
        ),
    )
    data = [line.removeprefix("data:") for line in found if line.startswith("data:")]
    checks.check("each is JSON", all(isinstance(json.loads(text), dict) for text in data), data)
    checks.check("and has a number", any(line.startswith("id:") for line in found), found)


def signals_and_input(system: System, checks: Checks) -> None:
    after = system.call("GET", "/logs/rag?lines=1").json["next"]
    answer = system.call("POST", "/signal/rag?type=SIGHUP")
    checks.same("a signal: 200", answer.status, 200)
    heard = system.call("GET", f"/logs/rag?after={after}&wait=10").json["logs"]
    checks.check("rag heard it", any("indexed" in line for line in heard), heard)
    answer = system.call("POST", "/stdin/tts", {"data": "hello\n"})
    refused(checks, "input to a service without any", answer, 409)


def browsers(system: System, checks: Checks) -> None:
    answer = system.call("GET", "/status", headers={"Origin": "http://localhost:3000"})
    checks.same(
        "the page's origin is allowed",
        answer.headers["Access-Control-Allow-Origin"],
        "http://localhost:3000",
    )
    foreign = {"Origin": "http://localhost:3001"}
    answer = system.call("POST", "/restart", {"name": "tts"}, headers=foreign)
    refused(checks, "another origin", answer, 403)


VIEWS = [status, logs, health, metrics, events, signals_and_input, browsers]
