#!/usr/bin/env python3
"""A hundred LLM Shells on one machine: at rest, asked for their health, each with a command; then
as services of one Astra, which asks each for its health every 10 s.

Prints the tables of docs/SCALE.md. They listen on loopback, in folders of their own.
"""

import argparse
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

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
        ports = [port_of(folder / str(number)) for number in range(SHELLS)]
        for port in ports:
            ask(port, "GET", "/health")
        table = [("all of them answer", f"{time.monotonic() - began:.2f} s")]
        pids = [shell.pid for shell in shells]
        table += cost("at rest", pids)
        spent = cpu_seconds(pids)
        time.sleep(IDLE_SECONDS)
        spent = cpu_seconds(pids) - spent
        table.append((f"CPU of all while idle for {IDLE_SECONDS} s", f"{spent / IDLE_SECONDS:.3%}"))
        spent = cpu_seconds(pids)
        for _ in range(PROBE_ROUNDS):
            for port in ports:
                ask(port, "GET", "/health")
        each = (cpu_seconds(pids) - spent) / (PROBE_ROUNDS * SHELLS)
        table.append(("CPU of one question for the health", f"{each * 1000:.2f} ms"))
        for port in ports:
            ask(port, "POST", "/start", {"command": "echo started; exec sleep 100000"})
        table += cost("each with a command", pids)
        logs = sum(file.stat().st_size for file in folder.glob("*/logs/**/*") if file.is_file())
        table.append(("log of each, with its one line, and its ledger", f"{logs // SHELLS} bytes"))
        began = time.monotonic()
        for shell in shells:
            shell.send_signal(signal.SIGTERM)
        for shell in shells:
            shell.wait(60)
        table.append(("all of them ended", f"{time.monotonic() - began:.2f} s"))
    finally:
        for shell in shells:
            shell.kill()
            shell.wait()
    show(table)


def measure_supervised(binary: pathlib.Path, folder: pathlib.Path) -> None:
    (folder / "token").write_text("token-of-contract\n")
    services = {}
    for number, port in enumerate(free_ports()):
        serve = ["serve", "--port", str(port), "--token-file", "token", "--log-dir", f"logs-{number}"]
        check = {"url": f"http://127.0.0.1:{port}/health", "restart_on_failure": True}
        services[f"shell-{number}"] = {"cmd": [str(binary), *serve], "health_check": check}
    (folder / "services.json").write_text(json.dumps(services))
    began = time.monotonic()
    command = [binary, "astra", "--config", "services.json", "--port", "0"]
    with (folder / "messages").open("w") as messages:
        astra = subprocess.Popen(command, cwd=folder, stderr=messages)
    try:
        port = port_of(folder)
        while running(port) < SHELLS:
            if time.monotonic() - began > 60:
                raise SystemExit("it took longer than a minute")
            time.sleep(0.02)
        table = [("all of them healthy", f"{time.monotonic() - began:.2f} s")]
        table += cost("Astra", [astra.pid])
        spent = cpu_seconds([astra.pid])
        time.sleep(IDLE_SECONDS)
        spent = cpu_seconds([astra.pid]) - spent
        table.append((f"CPU of Astra, with its looks, over {IDLE_SECONDS} s", f"{spent / IDLE_SECONDS:.2%}"))
        began = time.monotonic()
        astra.send_signal(signal.SIGTERM)
        astra.wait(60)
        table.append(("all of them ended", f"{time.monotonic() - began:.2f} s"))
    finally:
        if astra.poll() is None:
            astra.send_signal(signal.SIGTERM)
            astra.wait(60)
    print()
    show(table)


def show(table: list[tuple[str, str]]) -> None:
    for what, seen in table:
        print(f"| {what} | {seen} |")


def free_ports() -> list[int]:
    """Ports that nobody has at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(SHELLS)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def running(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/supervisor/status", timeout=60) as answer:
        return json.load(answer)["system"]["running_services"]


def start(binary: pathlib.Path, folder: pathlib.Path) -> subprocess.Popen:
    folder.mkdir()
    (folder / "token").write_text("token-of-contract\n")
    command = [binary, "serve", "--port", "0", "--token-file", "token"]
    with (folder / "messages").open("w") as messages:
        return subprocess.Popen(command, cwd=folder, stderr=messages)


def port_of(folder: pathlib.Path) -> int:
    """Where the shell of this folder listens, as soon as it does; a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = (folder / "messages").read_text().partition("listening on http://127.0.0.1:")[2]
        if found.endswith("\n"):
            return int(found.split()[0])
        time.sleep(0.01)
    raise SystemExit("it took longer than a minute")


def ask(port: int, method: str, path: str, body: dict | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": "Bearer token-of-contract", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status >= 400:
        raise SystemExit(f"{method} {path}: {answer.status}")


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
        (f"{when}: memory of each, PSS, RSS, private and written", f"{pss}, {rss}, {dirty} MiB"),
        (f"{when}: threads, descriptors of each", f"{threads:.1f}, {files:.1f}"),
    ]


def cpu_seconds(pids: list[int]) -> float:
    """What all of them have spent, threads that have ended included: clock_getcpuclockid(3)."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


if __name__ == "__main__":
    main()
