"""The endpoints that act on services: their answers and effects."""

import threading
from typing import Any

from checks import Checks
from shapes import acted, refused
from system import Answer, System


def restart(system: System, checks: Checks) -> None:
    before = system.service("tts")
    answer = system.call("POST", "/restart", {"name": "tts"})
    acted(checks, "restart", answer, "restarting", "tts")
    checks.eventually("tts runs again", lambda: system.service("tts")["status"] == "running")
    answer = system.call("POST", "/restart?wait=30", {"name": "tts"})
    acted(checks, "a restart that is waited for", answer, "running", "tts")
    after = system.service("tts")
    checks.check("it is another process", after["pid"] != before["pid"], after)
    checks.same("both are counted", after["restart_count"], before["restart_count"] + 2)
    key = {"Idempotency-Key": "once"}
    answers = [
        system.call("POST", "/restart?wait=30", {"name": "tts"}, headers=key) for _ in range(2)
    ]
    checks.same("the same key: the same answer", answers[0].text, answers[1].text)
    checks.same(
        "and one restart", system.service("tts")["restart_count"], after["restart_count"] + 1
    )
    unknown = system.call("POST", "/restart", {"name": "nobody"})
    refused(checks, "restart of an unknown service", unknown, 404, "the nearest of 7 are memory")
    refused(checks, "restart of nothing", system.call("POST", "/restart", {}), 400, "name")
    refused(
        checks,
        "an unknown field",
        system.call("POST", "/restart", {"name": "tts", "now": True}),
        400,
        "now",
    )
    refused(checks, "no JSON", system.call("POST", "/restart", b"{"), 400, "line", "column")
    wrong = system.call("GET", "/restart")
    refused(checks, "a wrong method", wrong, 405)
    checks.same("which allows POST", wrong.headers["Allow"], "POST")


def restarts_at_once(system: System, checks: Checks) -> None:
    def one() -> None:
        system.call("POST", "/restart?wait=30", {"name": "tts"})

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    checks.eventually(
        "twenty restarts at once: it runs", lambda: system.service("tts")["status"] == "running"
    )
    checks.same("once", len(processes_of(system, "services.tts")), 1)


def processes_of(system: System, word: str) -> list[int]:
    """Returns the processes of the system with this argument."""

    def arguments(pid: int) -> list[str]:
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                return file.read().split("\0")
        except OSError:
            return []

    return [pid for pid in system.living() if word in arguments(pid)]


def stop_and_start(system: System, checks: Checks) -> None:
    indexer = {"name": "indexer"}
    acted(checks, "stop", system.call("POST", "/stop", indexer), "stopping", "indexer")
    checks.eventually("it is stopped", lambda: system.service("indexer")["status"] == "stopped")
    stopped = system.service("indexer")
    checks.same("it has no process", stopped["pid"], None)
    checks.same("and ended as it should", stopped["exit_code"], 0)
    refused(checks, "stop again", system.call("POST", "/stop", indexer), 409, "indexer")
    acted(checks, "start", system.call("POST", "/start", indexer), "starting", "indexer")
    checks.eventually("it runs", lambda: system.service("indexer")["status"] == "running")
    refused(checks, "start again", system.call("POST", "/start", indexer), 409, "indexer")


def overrides(system: System, checks: Checks) -> None:
    def masks() -> Any:
        return system.call("GET", "/health", service="memory").json["mask_pii"]

    system.call("POST", "/stop?wait=30", {"name": "memory"})
    config = {"env": {"MEMORY_MASK_PII": "false"}}
    answer = system.call("POST", "/start?wait=30", {"name": "memory", "config": config})
    acted(checks, "start with an environment", answer, "running", "memory")
    checks.same("it is in force", masks(), False)
    system.call("POST", "/restart?wait=30", {"name": "memory"})
    checks.same("a plain restart forgets it", masks(), True)
    extra = {"name": "extra", "config": {"cmd": ["sleep", "600"], "start_seconds": 0.1}}
    answer = system.call("POST", "/start?wait=30", extra)
    acted(checks, "start of a new name with a command", answer, "running", "extra")
    answer = system.call("POST", "/stop?wait=30", {"name": "extra"})
    acted(checks, "stop of it", answer, "stopped", "extra")
    answer = system.call("POST", "/start", {"name": "tts2", "config": {"evn": {}}})
    checks.same("an unknown name without a command is refused", answer.status // 100, 4)


def reload(system: System, checks: Checks) -> None:
    def pid(name: str) -> Any:
        return system.service(name)["pid"]

    def post(body: dict[str, str]) -> Answer:
        return system.call("POST", "/reload?wait=30", body)

    tts, brain = pid("tts"), pid("brain")
    post({"name": "tts", "type": "config"})
    checks.same("reload without a change restarts nothing", pid("tts"), tts)
    answer = system.call("POST", "/reload", {"name": "tts", "type": "code"})
    acted(checks, "reload of the code", answer, "reloading", "tts")
    checks.eventually(
        "it runs again",
        lambda: pid("tts") not in (None, tts) and system.service("tts")["status"] == "running",
    )
    tts = pid("tts")
    system.edit(lambda services: services["tts"]["env"].update(SPEED="2"))
    answer = post({"name": "tts", "type": "config"})
    acted(checks, "reload of a changed service", answer, "running", "tts")
    checks.check("restarts it", pid("tts") not in (None, tts))
    system.edit(lambda services: services.update(nap={"cmd": ["sleep", "600"]}))
    system.edit(lambda services: services["rag"]["health_check"].update(interval=0.2, timeout=0.5))
    rag = pid("rag")
    checks.same("reload of the whole file: 200", post({"type": "config"}).status, 200)
    checks.check("it starts what is new", pid("nap"))
    checks.same("it leaves alone what did not change", pid("brain"), brain)
    checks.same("a change of checks restarts nothing", pid("rag"), rag)
    system.edit(lambda services: services.pop("nap"))
    post({"type": "config"})
    checks.eventually("and stops what is gone", lambda: not processes_of(system, "600"))
    good = (system.folder / "astra_services.json").read_text()
    (system.folder / "astra_services.json").write_text('{\n "tts": {"comand": []}\n}')
    refused(checks, "a broken file", post({"type": "config"}), 400, ":2:", "tts.comand")
    (system.folder / "astra_services.json").write_text(good)
    checks.same("and everything goes on", pid("brain"), brain)
    refused(checks, "a wrong type", post({"name": "tts", "type": "all"}), 400, "config", "code")


def bulk(system: System, checks: Checks) -> None:
    trio = ["brain", "memory", "rag"]
    body = {"action": "restart", "services": trio, "parallel": True}
    answer = system.call("POST", "/bulk", body)
    checks.same("bulk: 200", answer.status, 200)
    checks.shape(
        "bulk: its shape",
        answer.json,
        {"status": "processing", "operations": [{"service": str, "status": "restarting"}]},
    )
    checks.same(
        "an operation for each", {one["service"] for one in answer.json["operations"]}, set(trio)
    )
    checks.eventually(
        "all three run again",
        lambda: all(system.service(name)["status"] == "running" for name in trio),
        40,
    )
    body = {"action": "restart", "services": ["tts", "nobody", "indexer"], "parallel": False}
    answer = system.call("POST", "/bulk?wait=60", body)
    seen = {one["service"]: one["status"] for one in answer.json["operations"]}
    expected = {"tts": "running", "nobody": "error", "indexer": "running"}
    checks.same("one by one, and an unknown one stops nothing", seen, expected)
    failed = next(one for one in answer.json["operations"] if one["service"] == "nobody")
    checks.check("it says why", failed.get("detail"), failed)
    answer = system.call("POST", "/bulk", {"action": "dance", "services": ["tts"]})
    refused(checks, "an unknown action", answer, 400, "restart")


ACTIONS = [restart, restarts_at_once, stop_and_start, overrides, reload, bulk]
