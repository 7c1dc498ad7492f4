#!/usr/bin/env python3
"""Kills the server at random moments and looks at what is left: `kills.py [--rounds 200]`.

Each round starts the release binary on the same log directory, has a command print numbered lines
as fast as it can, kills the server with SIGKILL after a random time, and checks that the log holds
those lines from the first on without a gap, a repetition or a garbled one; only the last may be
torn. The next round's server must end what was left of the command and tell the run as lost.
Prints a Markdown table. Needs the standard library alone; everything it starts it ends by its pid.
"""

import argparse
import json
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Server, living

RELEASE = pathlib.Path(__file__).resolve().parents[2] / "target/release/llm-shell"
COMMAND = "setsid sleep 600 & seq -f 'line %.0f' 1 1000000000"


def start(binary, folder):
    """Starts a server; gives it, and how long it took to its first answer."""
    server = Server([binary, "--port", "0"], folder).wait_until_listening(rest=0.001)
    server.get("/health")
    return server, time.monotonic() - server.begun


def check_log(path):
    """How many whole lines the log holds, whether its last is torn, and what is wrong."""
    content = path.read_bytes()
    lines = content.split(b"\n")
    torn = lines.pop() != b""
    wrong = 0
    for number, line in enumerate(lines, 1):
        try:
            wrong += json.loads(line)["line"] != f"line {number}"
        except ValueError:
            wrong += 1
    return len(lines), torn, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, default=RELEASE)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    binary, rounds = options.binary.resolve(), options.rounds
    random.seed(7)
    count = dict.fromkeys(["lines", "torn", "wrong", "alive", "lost", "outlived", "miscounted"], 0)
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        folder = os.path.realpath(folder)
        os.environ["LLM_SHELL_LOG_KEEP_RUNS"] = "3"
        previous = None
        for _ in range(rounds + 1):
            server, took = start(binary, folder)
            if previous is not None:
                slowest = max(slowest, took)
                count["alive"] += len([pid for pid in living(folder) if pid != server.pid])
                run = server.get(f"/runs/{previous['run_id']}")
                count["lost"] += run["ended_by"] == "lost" and run["status"] == "killed"
                lines, torn, wrong = check_log(pathlib.Path(folder, run["log_file"]))
                page = server.get(f"/runs/{previous['run_id']}/logs?lines=1")
                count["miscounted"] += page["total_lines"] != lines
                count["lines"] += lines
                count["torn"] += torn
                count["wrong"] += wrong
            previous = server.post("/start", {"command": COMMAND})
            time.sleep(random.uniform(0, 0.15))
            server.kill()
            count["outlived"] += len(living(folder)) > 0
        server, _ = start(binary, folder)
        server.end()
        count["alive"] += len(living(folder))
    print("| what | seen |\n|---|---|")
    print(f"| times the server was killed | {rounds} |")
    print(f"| lines in the logs | {count['lines']:,} |")
    print(f"| lines missing, doubled or garbled before the last | {count['wrong']} |")
    print(f"| logs whose last line was torn | {count['torn']} |")
    print(f"| logs whose lines GET /runs/{{id}}/logs counted differently | {count['miscounted']} |")
    print(f"| times that a part of the command outlived the server | {count['outlived'] - 1} |")
    print(f"| processes left when the next server answered | {count['alive']} |")
    print(f"| runs reported as killed, ended by `lost` | {count['lost']} |")
    print(
        "| slowest start to first answer, including ending leftover processes "
        f"| {slowest * 1000:.0f} ms |"
    )


if __name__ == "__main__":
    main()
