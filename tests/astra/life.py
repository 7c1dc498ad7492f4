"""The life cycle of the example: services that answer, crash, hang and end with the supervisor."""

import json
import os
import signal
import time
from typing import Any

from checks import Checks
from shapes import UP, acted
from system import System

JSON = {"Content-Type": "application/json"}


def start_up(system: System, checks: Checks) -> None:
    checks.eventually(
        "all services are up",
        lambda: all(system.service(name)["status"] == "running" for name in UP),
        40,
    )
    services = system.call("GET", "/status").json["services"]
    checks.same(
        "the one-shot has ended by itself",
        (services["migrate"]["status"], services["migrate"]["exit_code"]),
        ("exited", 0),
    )
    done = services["migrate"]["stopped_at"]
    for name in ("memory", "rag"):
        checks.check(f"{name} was started after it", services[name]["started_at"] >= done)
    for name in ("memory", "rag"):
        checks.check(
            f"brain was started after {name}",
            services["brain"]["started_at"] > services[name]["started_at"],
        )
    ports = {name: services[name]["port"] for name in system.ports if name != "astra"}
    checks.same(
        "ports are read off the commands",
        ports,
        {name: port for name, port in system.ports.items() if name != "astra"},
    )
    order = system.run(system.binary, "check", "astra_services.json")
    checks.same("check finds no fault", order.returncode, 0)
    checks.check(
        "check prints the start order",
        in_order(order.stdout, ["migrate", "memory", "brain", "web"]),
        order.stdout + order.stderr,
    )


def in_order(text: str, words: list[str]) -> bool:
    """Whether the words first occur in this order."""
    places = [text.find(word) for word in words]
    return -1 not in places and places == sorted(places)


def services(system: System, checks: Checks) -> None:
    inbox = system.folder / "data/inbox"
    (inbox / "quokka.md").write_text("A quokka lives on an island and is not shy at all.\n")
    found: Any = checks.eventually(
        "the indexer takes in a document, and rag finds it",
        lambda: system.call("GET", "/search?q=quokka", service="rag").json["passages"],
    )
    checks.same("in the right one", found[0]["document"] if found else None, "quokka")
    question = {"question": "Where does a quokka live?"}
    for source in ("quokka", "memory"):
        answer = system.call("POST", "/ask", question, service="brain", headers=JSON)
        checks.same(f"brain answers from {source}", answer.json.get("source"), source)
    speech = system.call("POST", "/speak", {"text": "hello"}, service="tts")
    checks.check("tts makes a WAV", speech.text.startswith("RIFF"), speech.text[:20])
    config = system.call("GET", "/config.js", service="web")
    checks.check("web knows where the supervisor is", system.url in config.text, config.text)
    page = system.call("GET", "/", service="web")
    checks.check("and has the page", "config.js" in page.text, page.text)


def crash(system: System, checks: Checks) -> None:
    before = {name: system.service(name) for name in ("memory", "brain")}
    os.kill(before["memory"]["pid"], signal.SIGKILL)
    waiting: Any = checks.eventually(
        "a killed service waits for its restart",
        lambda: (
            system.service("memory") if system.service("memory")["status"] == "backoff" else None
        ),
        2,
    )
    if waiting:
        end = (waiting["exit_code"], waiting["signal"])
        checks.same("its end is reported", end, (-9, "SIGKILL"))
        checks.check("and when it is started again", waiting["next_restart_at"], waiting)
    checks.eventually("it runs again", lambda: system.service("memory")["status"] == "running")
    after = system.service("memory")
    checks.check("as another process", after["pid"] != before["memory"]["pid"])
    checks.same("that is counted", after["restart_count"], before["memory"]["restart_count"] + 1)
    checks.same("the others go on", system.service("brain")["pid"], before["brain"]["pid"])


def hang(system: System, checks: Checks) -> None:
    """The checks of rag are quick since the reload of the file."""
    pid = system.service("rag")["pid"]
    os.kill(pid, signal.SIGSTOP)
    checks.eventually(
        "a hung service is restarted by its health check",
        lambda: (
            system.service("rag")["pid"] not in (None, pid)
            and system.service("rag")["status"] == "running"
        ),
    )


def proxy(system: System, checks: Checks) -> None:
    status = system.call("GET", "/supervisor/status", service="brain")
    checks.same("brain passes on the status: 200", status.status, 200)
    checks.check("of all services", set(status.json["services"]) >= UP, status.text)
    answer = system.call(
        "POST", "/supervisor/restart", {"name": "tts"}, service="brain", headers=JSON
    )
    acted(checks, "brain passes on a restart", answer, "restarting", "tts")
    answer = system.call(
        "POST", "/supervisor/restart", {"name": "nobody"}, service="brain", headers=JSON
    )
    checks.same("and a refusal", answer.status, 404)
    checks.check("with its sentence", "memory" in answer.json["detail"], answer.text)
    answer = system.call("POST", "/supervisor/restart", {}, service="brain", headers=JSON)
    checks.same("without a name: 400", answer.status, 400)
    checks.eventually("tts runs again", lambda: system.service("tts")["status"] == "running")


def launcher(system: System, checks: Checks) -> None:
    def run(expected: int, word: str, *arguments: str) -> None:
        done = system.run(system.python, "launcher.py", *arguments)
        line = f"launcher.py {' '.join(arguments)}"
        printed = done.stdout + done.stderr
        checks.check(
            f"{line}: exit code {expected}, {word}",
            done.returncode == expected and word in printed,
            f"{done.returncode}: {printed}",
        )

    run(0, "services run", "status")
    run(0, '"pid"', "status", "tts")
    run(0, "tts: running", "restart", "tts")
    run(0, "tts: stopped", "stop", "tts")
    run(1, "Refused", "stop", "tts")
    run(0, "tts: running", "start", "tts")
    run(0, "tts: ", "reload", "tts")
    run(0, "tts: running", "reload", "tts", "--type", "code")
    run(0, "memory: running", "bulk", "restart", "memory", "rag", "--one-by-one")
    run(1, "nobody: error", "bulk", "restart", "nobody", "tts")
    run(0, "listens", "logs", "memory", "--lines", "50")
    run(0, "memory: healthy", "health", "memory")
    run(0, "supervisor: healthy", "health")
    run(0, '"threads"', "metrics")
    run(1, "Refused", "restart", "nobody")
    run(2, "usage", "dance")
    run(2, "cannot be reached", "--url", "http://127.0.0.1:9", "status")


def killed_supervisor(system: System, checks: Checks) -> None:
    before = {name: system.service(name)["pid"] for name in UP}
    system.end(signal.SIGKILL)
    answer = system.call("GET", "/supervisor/status", service="brain")
    checks.same("without a supervisor brain answers 503", answer.status, 503)
    checks.check("and says so", "Supervisor unavailable" in answer.json["detail"], answer.text)
    system.start()
    checks.eventually(
        "a new supervisor brings everything up",
        lambda: all(system.service(name)["status"] == "running" for name in UP),
        40,
    )
    left = [name for name, pid in before.items() if pid in system.living()]
    checks.same("and leaves nothing of the old", left, [])


def shutdown(system: System, checks: Checks) -> None:
    begun = time.monotonic()
    checks.same("SIGTERM ends the supervisor with exit code 0", system.end(), 0)
    checks.check("soon", time.monotonic() - begun < 15, time.monotonic() - begun)
    checks.same("no process is left", system.living(), [])
    lines = [
        json.loads(line)["line"]
        for path in sorted((system.folder / "logs/astra/memory").glob("*.log"))[-1:]
        for line in path.read_text().splitlines()
    ]
    checks.check("the last words are in the log", "memory has ended" in lines[-1], lines[-3:])


LIFE = [services, crash, hang, proxy, launcher, killed_supervisor, shutdown]
