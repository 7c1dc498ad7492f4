#!/usr/bin/env python3
"""A hundred LLM Shells on one machine: at rest, asked for their health, each with a command; then
as services of one Astra, which asks each for its health every 10 s.

Prints the tables of docs/SCALE.md. They listen on loopback, in folders of their own.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Server, free_ports, wait_for

HEADERS = {"Authorization": "Bearer token-of-contract"}
SHELLS = 100
IDLE_SECONDS = 20
PROBE_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    binary = parser.parse_args().binary.resolve()
    with tempfile.TemporaryDirectory() as folder:
        shells, supervised = pathlib.Path(folder, "shells"), pathlib.Path(folder, "astra")
        shells.mkdir()
        measure(binary, shells)
        supervised.mkdir()
        measure_supervised(binary, supervised)


def measure(binary: pathlib.Path, folder: pathlib.Path) -> None:
    began = time.monotonic()
    shells = [start(binary, folder / str(number)) for number in range(SHELLS)]
    try:
        for shell in shells:
            shell.wait_until_listening()
            shell.get("/health", headers=HEADERS)
        table = [("all of them answer", f"{time.monotonic() - began:.2f} s")]
        pids = [shell.pid for shell in shells]
        table += cost("idle", pids)
        spent = cpu_seconds(pids)
        time.sleep(IDLE_SECONDS)
        spent = cpu_seconds(pids) - spent
        table.append((f"CPU of all while idle for {IDLE_SECONDS} s", f"{spent / IDLE_SECONDS:.3%}"))
        spent = cpu_seconds(pids)
        for _ in range(PROBE_ROUNDS):
            for shell in shells:
                shell.get("/health", headers=HEADERS)
        each = (cpu_seconds(pids) - spent) / (PROBE_ROUNDS * SHELLS)
        table.append(("CPU of one question for the health", f"{each * 1000:.2f} ms"))
        for shell in shells:
            shell.post("/start", {"command": "echo started; exec sleep 100000"}, headers=HEADERS)
        table += cost("each with a command", pids)
        logs = sum(file.stat().st_size for file in folder.glob("*/logs/**/*") if file.is_file())
        table.append(("log of each, with its one line, and its ledger", f"{logs // SHELLS} bytes"))
        began = time.monotonic()
        for shell in shells:
            shell.process.send_signal(signal.SIGTERM)
        for shell in shells:
            shell.process.wait(60)
        table.append(("all of them ended", f"{time.monotonic() - began:.2f} s"))
    finally:
        for shell in shells:
            shell.kill()
    show(table)


def measure_supervised(binary: pathlib.Path, folder: pathlib.Path) -> None:
    (folder / "token").write_text("token-of-contract\n")
    services = {}
    for number, port in enumerate(free_ports(SHELLS)):
        serve = [
            "serve",
            "--port",
            str(port),
            "--token-file",
            "token",
            "--log-dir",
            f"logs-{number}",
        ]
        check = {"url": f"http://127.0.0.1:{port}/health", "restart_on_failure": True}
        services[f"shell-{number}"] = {"cmd": [str(binary), *serve], "health_check": check}
    (folder / "services.json").write_text(json.dumps(services))
    began = time.monotonic()
    astra = Server([binary, "astra", "--config", "services.json", "--port", "0"], folder)
    try:
        astra.wait_until_listening()
        wait_for(lambda: running(astra) == SHELLS, rest=0.02)
        table = [("all of them healthy", f"{time.monotonic() - began:.2f} s")]
        table += cost("Astra", [astra.pid])
        spent = cpu_seconds([astra.pid])
        time.sleep(IDLE_SECONDS)
        spent = cpu_seconds([astra.pid]) - spent
        table.append(
            (f"CPU of Astra, with its looks, over {IDLE_SECONDS} s", f"{spent / IDLE_SECONDS:.2%}")
        )
        began = time.monotonic()
        astra.end(seconds=60)
        table.append(("all of them ended", f"{time.monotonic() - began:.2f} s"))
    finally:
        astra.end(seconds=60)
    print()
    show(table)


def show(table: list[tuple[str, str]]) -> None:
    for what, seen in table:
        print(f"| {what} | {seen} |")


def running(astra: Server) -> int:
    return astra.get("/supervisor/status")["system"]["running_services"]


def start(binary: pathlib.Path, folder: pathlib.Path) -> Server:
    folder.mkdir()
    (folder / "token").write_text("token-of-contract\n")
    return Server([binary, "serve", "--port", "0", "--token-file", "token"], folder)


def cost(when: str, pids: list[int]) -> list[tuple[str, str]]:
    """What the servers take, their commands not counted: the mean of all."""
    sums = {"Pss": 0, "Rss": 0, "Private_Dirty": 0}
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in sums:
                sums[name] += int(value.split()[0])
    pss, rss, dirty = (f"{kibibytes / 1024 / len(pids):.2f}" for kibibytes in sums.values())
    threads = sum(len(os.listdir(f"/proc/{pid}/task")) for pid in pids) / len(pids)
    files = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids) / len(pids)
    return [
        (f"{when}: memory of each, PSS, RSS, private dirty", f"{pss}, {rss}, {dirty} MiB"),
        (f"{when}: threads, descriptors of each", f"{threads:.1f}, {files:.1f}"),
    ]


def cpu_seconds(pids: list[int]) -> float:
    """What all of them have spent, threads that have ended included: clock_getcpuclockid(3)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


if __name__ == "__main__":
    main()
