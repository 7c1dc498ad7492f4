"""Services that are killed at random, a thousand times, while others ask for their status.

Prints the table of docs/RELIABILITY.md. The server listens on loopback, in a folder of its own.
"""

import argparse
import contextlib
import functools
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Server, wait_for

SERVICES = 20
KILLS = 1000
CLIENTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    binary = parser.parse_args().binary.resolve()
    with tempfile.TemporaryDirectory() as folder:
        measure(binary, pathlib.Path(folder))


def measure(binary: pathlib.Path, folder: pathlib.Path) -> None:
    policy = {"mode": "always", "max_restarts": 100000, "backoff_seconds": 0}
    service = {"cmd": ["sleep", "100000"], "start_seconds": 0, "restart_policy": policy}
    services = {f"s{number}": service for number in range(SERVICES)}
    (folder / "astra_services.json").write_text(json.dumps(services))
    server = Server([binary, "astra", "--port", "0"], folder)
    try:
        server.wait_until_listening(rest=0.05)
        wait_for(lambda: all_up(server), rest=0.05)
        stop, asked = threading.Event(), [0] * CLIENTS
        clients = [
            threading.Thread(target=ask, args=(server, stop, asked, n)) for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        seen = kill_at_random(server)
        stop.set()
        for client in clients:
            client.join()
        final = wait_for(lambda: all_up(server), rest=0.05)
        children = children_of(server.pid)
        restarts = sum(each["restart_count"] for each in final.values())
        zombies = sum(state(child) == "Z" for child in children)
    finally:
        server.end(seconds=60)
    left = [pid for pid in children if pathlib.Path(f"/proc/{pid}").exists()]
    for what, number in [
        ("services", SERVICES),
        ("kills of a service's process", seen["kills"]),
        ("restarts told in the end", restarts),
        ("answers to others meanwhile", sum(asked)),
        ("times that there were more processes than services", seen["doubled"]),
        ("services that were not up in the end", SERVICES - len(final)),
        ("processes in the end", len(children)),
        ("zombies in the end", zombies),
        ("processes left after the end of the supervisor", len(left)),
        ("kill to the next process, median and slowest of all", times(seen["times"])),
    ]:
        print(f"| {what} | {number} |")


def kill_at_random(server: Server) -> dict:
    """Kills a service that is up, waits until it has another process, and counts."""
    seen = {"kills": 0, "doubled": 0, "times": []}
    while seen["kills"] < KILLS:
        name, before = random.choice(list(status(server)["services"].items()))
        if not before["pid"]:
            continue
        began = time.monotonic()
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(functools.partial(has_other_pid, server, name, before["pid"]), rest=0.001)
        seen["times"].append(time.monotonic() - began)
        seen["kills"] += 1
        living = [pid for pid in children_of(server.pid) if state(pid) not in ("Z", None)]
        seen["doubled"] += len(living) > SERVICES
    return seen


def status(server: Server, service: str = "") -> dict:
    """The status of one service, or of all."""
    return server.get(f"/supervisor/status/{service}".rstrip("/"))


def has_other_pid(server: Server, service: str, before: int) -> bool:
    return status(server, service)["pid"] not in (None, before)


def ask(server: Server, stop: threading.Event, asked: list[int], client: int) -> None:
    while not stop.is_set():
        status(server)
        asked[client] += 1


def times(seconds: list[float]) -> str:
    in_order = sorted(seconds)
    return f"{in_order[len(in_order) // 2] * 1000:.1f} ms, {in_order[-1] * 1000:.1f} ms"


def all_up(server: Server) -> dict | None:
    services = status(server)["services"]
    return services if all(each["status"] == "running" for each in services.values()) else None


def children_of(pid: int) -> list[int]:
    children = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        # A thread may have ended since.
        with contextlib.suppress(OSError):
            children += [int(child) for child in (task / "children").read_text().split()]
    return children


def state(pid: int) -> str | None:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


if __name__ == "__main__":
    main()
