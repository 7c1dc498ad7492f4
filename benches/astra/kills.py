"""Services that are killed at random, a thousand times, while others ask for their status.

Prints the table of docs/RELIABILITY.md. The server listens on loopback, in a folder of its own.
"""

import os
import pathlib
import random
import signal
import threading
import time

from server import measure, start, status, url_of, wait_for

SERVICES = 20
KILLS = 1000
CLIENTS = 4


def run(binary: pathlib.Path, folder: pathlib.Path) -> None:
    policy = {"mode": "always", "max_restarts": 100000, "backoff_seconds": 0}
    service = {"cmd": ["sleep", "100000"], "start_seconds": 0, "restart_policy": policy}
    services = {f"s{number}": service for number in range(SERVICES)}
    server = start(binary, folder, services)
    try:
        url = url_of(folder)
        wait_for(lambda: all_up(url))
        stop, asked = threading.Event(), [0] * CLIENTS
        clients = [threading.Thread(target=ask, args=(url, stop, asked, n)) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        seen = kill_at_random(url, server.pid)
        stop.set()
        for client in clients:
            client.join()
        final = wait_for(lambda: all_up(url))
        children = children_of(server.pid)
        restarts = sum(each["restart_count"] for each in final.values())
        zombies = sum(state(child) == "Z" for child in children)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
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


def kill_at_random(url: str, server: int) -> dict:
    """Kills a service that is up, waits until it has another process, and counts."""
    seen = {"kills": 0, "doubled": 0, "times": []}
    while seen["kills"] < KILLS:
        name, before = random.choice(list(status(url)["services"].items()))
        if not before["pid"]:
            continue
        began = time.monotonic()
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: status(url, name)["pid"] not in (None, before["pid"]), 0.001)
        seen["times"].append(time.monotonic() - began)
        seen["kills"] += 1
        living = [pid for pid in children_of(server) if state(pid) not in ("Z", None)]
        seen["doubled"] += len(living) > SERVICES
    return seen


def ask(url: str, stop: threading.Event, asked: list[int], client: int) -> None:
    while not stop.is_set():
        status(url)
        asked[client] += 1


def times(seconds: list[float]) -> str:
    in_order = sorted(seconds)
    return f"{in_order[len(in_order) // 2] * 1000:.1f} ms, {in_order[-1] * 1000:.1f} ms"


def all_up(url: str) -> dict | None:
    services = status(url)["services"]
    return services if all(each["status"] == "running" for each in services.values()) else None


def children_of(pid: int) -> list[int]:
    children = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            children += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass  # a thread that has ended since
    return children


def state(pid: int) -> str | None:
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


if __name__ == "__main__":
    measure(__doc__, run)
