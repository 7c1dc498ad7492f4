#!/usr/bin/env python3
"""Requests a second and their 99th percentile, ours beside three other servers, by wrk.

    make bench-http
    python3 benches/http/wrk.py --ours target/release/llm-shell \
        --tiny-http target/release/examples/tiny_http_reference \
        --axum PATH/axum-reference --fastapi "PYTHON benches/http/fastapi_reference.py" \
        [--rounds 3] [--seconds 2] [--connections 4,16,64]

All servers run at once and idle but one; each round asks each of them in turn, so that what else
the machine does falls on all alike. Prints Markdown tables of medians over the rounds. Ours has a
command running, and is there twice: with its access log, as it comes, to /dev/null, and with
RUST_LOG=warn. A server that is not given is left out. Needs wrk.
"""

import argparse
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import ask, end, free_port, wait_for

SCENES = [("/status", True), ("/health", True), ("/health", False)]
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Contender:
    """One server, started at once."""

    def __init__(self, name, command, folder, log=None):
        self.name = name
        self.port = free_port()
        environment = {**os.environ, "LLM_SHELL_PORT": str(self.port)}
        environment.pop("RUST_LOG", None)
        if log:
            environment["RUST_LOG"] = log
        is_ours = name.startswith("ours")
        self.process = subprocess.Popen(
            [*command, *([] if is_ours else [str(self.port)])],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.wait_until_ready()
        if is_ours:
            self.start_command()

    def wait_until_ready(self):
        try:
            wait_for(self.answers, 20, rest=0.05)
        except TimeoutError:
            raise SystemExit(f"{self.name} does not answer") from None

    def answers(self):
        try:
            return ask(self.port, "GET", "/health", timeout=2).status < 400
        except OSError:
            return False

    def start_command(self):
        ask(self.port, "POST", "/start", {"command": "sleep 600"}, timeout=5)

    def end(self):
        end(self.process)


def measure(contender, path, keep_alive, connections, seconds):
    """Requests a second, and the 99th percentile in milliseconds."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if not keep_alive:
        command += ["-H", "Connection: close"]
    url = f"http://127.0.0.1:{contender.port}{path}"
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{contender.name} {path}: {output}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
    return rate, float(number) * UNITS[unit]


def measure_scene(contenders, path, keep_alive, options):
    """The medians of (rate, p99) by contender and connections."""
    found = {}
    for _ in range(options.rounds):
        for connections in options.connections:
            for contender in contenders:
                figures = measure(contender, path, keep_alive, connections, options.seconds)
                found.setdefault((contender.name, connections), []).append(figures)
    return {
        key: tuple(map(statistics.median, zip(*list_, strict=True))) for key, list_ in found.items()
    }


def print_scene(contenders, medians, path, keep_alive, options):
    kept = "connections kept" if keep_alive else "a connection each"
    heads = [f"{count}: req/s | p99 ms | ours is" for count in options.connections]
    print(f"\n**GET {path}, {kept}**\n\n| server | {' | '.join(heads)} |")
    print("|---" * (1 + 3 * len(heads)) + "|")
    for contender in contenders:
        cells = [contender.name]
        for connections in options.connections:
            rate, p99 = medians[contender.name, connections]
            ratio = medians[contenders[0].name, connections][0] / rate
            cells += [f"{rate:,.0f}", f"{p99:.2f}", f"{ratio:.2f} ×"]
        print(f"| {' | '.join(cells)} |", flush=True)


def start_all(options, folder):
    commands = [
        ("ours", [options.ours], None),
        ("ours, RUST_LOG=warn", [options.ours], "warn"),
        ("tiny_http 0.12, 4 workers", options.tiny_http and [options.tiny_http], None),
        ("axum 0.8", options.axum and [options.axum], None),
        ("FastAPI, uvicorn", options.fastapi and shlex.split(options.fastapi), None),
    ]
    contenders = []
    for name, command, log in commands:
        if command:
            absolute = [os.path.abspath(word) if "/" in word else word for word in command]
            # A log directory has one server.
            own = tempfile.mkdtemp(dir=folder)
            contenders.append(Contender(name, absolute, own, log))
    return contenders


def arguments():
    parser = argparse.ArgumentParser(description="Our server beside others, by wrk.")
    parser.add_argument("--ours", required=True)
    for other in ["--tiny-http", "--axum", "--fastapi"]:
        parser.add_argument(other)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", default="4,16,64")
    options = parser.parse_args()
    options.connections = [int(count) for count in options.connections.split(",")]
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        contenders = start_all(options, folder)
        try:
            for path, keep_alive in SCENES:
                medians = measure_scene(contenders, path, keep_alive, options)
                print_scene(contenders, medians, path, keep_alive, options)
        finally:
            for contender in contenders:
                contender.end()


if __name__ == "__main__":
    main()
