#!/usr/bin/env python3
"""Reads a log of 1 GB over HTTP: `reading.py [--lines 6500000] [--repeat 20]`.

Starts the release binary, has a command print lines of 100 bytes, and measures whole HTTP calls on
one connection: the last 100 lines, the last 5 seconds, 100 lines from the middle, and all of it
streamed, beside the file copied through a pipe; then the same once more after a restart of the
server, which has to find the lines again. Prints a Markdown table of medians, and how the server's
resident memory grew. Needs the standard library alone; everything it starts it ends by its pid.
"""
import argparse
import http.client
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

RELEASE = pathlib.Path(__file__).resolve().parents[2] / "target/release/llm-shell"


def start(binary, folder):
    server = subprocess.Popen(
        [binary, "--port", "0", "--log-max-bytes", "8000000000"],
        cwd=folder, stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        if "listening on" in line:
            return server, http.client.HTTPConnection("127.0.0.1", int(line.rsplit(":", 1)[1]))
    raise SystemExit("the server did not start")


def stop(server):
    server.terminate()
    server.wait()
    server.stderr.close()


def call(connection, path, body=None):
    data = None if body is None else json.dumps(body)
    connection.request("GET" if data is None else "POST", path, body=data)
    return connection.getresponse().read()


def median_ms(repeat, act):
    times = []
    for _ in range(repeat):
        begun = time.perf_counter()
        act()
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def drain(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    while answer.read(1 << 20):
        pass


def resident_kib(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, default=RELEASE)
    parser.add_argument("--lines", type=int, default=6_500_000)
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    binary = options.binary.resolve()
    with tempfile.TemporaryDirectory() as folder:
        server, connection = start(binary, folder)
        line = "x" * 99
        command = f"yes {line} | head -n {options.lines}; sleep 600"
        run = json.loads(call(connection, "/start", {"command": command}))
        while json.loads(call(connection, "/logs?lines=1"))["total_lines"] < options.lines:
            time.sleep(0.2)
        log = pathlib.Path(folder, run["log_file"])
        print(f"A log of {log.stat().st_size / 1e9:.2f} GB, {options.lines:,} lines.\n")
        print("| what | ms |\n|---|---|")
        middle = options.lines // 2
        queries = [
            ("the last 100 lines", "lines=100"),
            ("the last 5 seconds, none of them young enough", "seconds=0.000001"),
            ("100 lines from the middle", f"after={middle}&limit=100"),
        ]
        before = resident_kib(server)
        for what, query in queries:
            took = median_ms(options.repeat, lambda: call(connection, f"/logs?{query}"))
            print(f"| {what} | {took:.2f} |")
        ratios, wholes = [], []
        for _ in range(3):
            copied = median_ms(1, lambda: subprocess.run(
                f"cat '{log}' | cat > /dev/null", shell=True, check=True))
            wholes.append(median_ms(1, lambda: drain(connection, "/logs")))
            ratios.append(wholes[-1] / copied)
        print(f"| all of it, streamed | {statistics.median(wholes):.0f} |")
        ratio = statistics.median(ratios)
        print(f"| … beside the file copied through a pipe | {ratio:.2f} times as long |")
        print(f"| … resident memory grew by | {resident_kib(server) - before} KiB |")
        call(connection, "/kill", {})
        stop(server)
        server, connection = start(binary, folder)
        path = f"/runs/{run['run_id']}/logs?lines=100"
        first = median_ms(1, lambda: call(connection, path))
        again = median_ms(options.repeat, lambda: call(connection, path))
        print(f"| the last 100 lines after a restart, the first time: one scan | {first:.0f} |")
        print(f"| … and from then on | {again:.2f} |")
        stop(server)


if __name__ == "__main__":
    main()
