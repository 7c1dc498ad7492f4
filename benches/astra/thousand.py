"""A thousand sleeping services: started, listed, left alone for 20 s, stopped.

Prints the table of docs/RELIABILITY.md. The server listens on loopback, in a folder of its own.
"""

import os
import pathlib
import signal
import time

from server import measure, start, status, url_of, wait_for

SERVICES = 1000
IDLE_SECONDS = 20


def run(binary: pathlib.Path, folder: pathlib.Path) -> None:
    services = {f"s{n:04}": {"cmd": ["sleep", "100000"], "start_seconds": 0} for n in range(SERVICES)}
    began = time.monotonic()
    server = start(binary, folder, services)
    try:
        url = url_of(folder)
        first_answer = time.monotonic() - began
        wait_for(lambda: running(url) == SERVICES)
        all_up = time.monotonic() - began
        memory, threads, files = cost(server.pid)
        spent = cpu_seconds(server.pid)
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(server.pid) - spent) / IDLE_SECONDS * 100
        fresh = sorted(timed(lambda: status(url), 1.1) for _ in range(5))[2]
        shared = sorted(timed(lambda: status(url), 0) for _ in range(5))[2]
        memory_after = cost(server.pid)[0]
        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        stopped = time.monotonic() - began
    finally:
        server.kill()
        server.wait()
    for what, seen in [
        ("first answer", f"{first_answer:.2f} s"),
        ("all up", f"{all_up:.2f} s"),
        ("memory (PSS), threads, descriptors", f"{memory:.1f} MiB, {threads}, {files}"),
        (f"CPU while idle for {IDLE_SECONDS} s", f"{idle:.3f} %"),
        ("the list, with a new sample of all trees", f"{fresh * 1000:.0f} ms"),
        ("the list, with the sample of under a second ago", f"{shared * 1000:.0f} ms"),
        ("memory (PSS) after that", f"{memory_after:.1f} MiB"),
        ("all stopped", f"{stopped:.2f} s"),
    ]:
        print(f"| {what} | {seen} |")


def running(url: str) -> int:
    return status(url)["system"]["running_services"]


def timed(call, rest: float) -> float:
    time.sleep(rest)
    began = time.monotonic()
    call()
    return time.monotonic() - began


def cost(pid: int) -> tuple[float, int, int]:
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kibibytes = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024, len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    measure(__doc__, run)
