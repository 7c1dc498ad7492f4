#!/usr/bin/env python3
"""Many runs at once: `many.py --binary B [--seconds 300] [--runs 64] [--seed S]`.

Keeps that many runs alive, kills and restarts them at random, and then holds the log of each that
is still kept to its lines: each once, in order, all of a run that ended by itself; and no process
may be left. Prints a Markdown table, and ends with 1 where something was not as it must be. Needs
the standard library alone; everything that it starts it ends by its pid.
"""

import argparse
import json
import pathlib
import random
import re
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from lines import check_run
from served import Served

COMMANDS = [
    "seq -f 'line %.0f' 1 {n}",
    "seq -f 'line %.0f' 1 {n}; sleep 5",
    "(setsid sleep 600 &); seq -f 'line %.0f' 1 {n}; sleep 600",
    "trap '' TERM; seq -f 'line %.0f' 1 {n}; sleep 600",
    "i=0; while [ $i -lt {n} ]; do i=$((i+1)); echo line $i; sleep 0.01; done",
]
COUNTS = [0, 1, 100, 5_000]
VERBS = ["kill", "kill?type=SIGKILL", "restart?timeout=0.1"]


class Many:
    def __init__(self, served, runs, chance):
        self.served, self.runs, self.chance = served, runs, chance
        self.counts = dict.fromkeys(["started", "killed or restarted", "runs checked", "lines"], 0)
        self.wrong, self.most = [], 0
        self.checked = set()

    def live(self):
        return self.served.get(f"/runs?status=running&limit={2 * self.runs}")["runs"]

    def fill(self, missing):
        for _ in range(missing):
            command = self.chance.choice(COMMANDS).format(n=self.chance.choice(COUNTS))
            status, body = self.served.ask("POST", "/runs", {"command": command})
            self.counts["started"] += status == 201
            if status not in (201, 429):
                self.wrong.append(f"start: {status} {body[:200]!r}")

    def disturb(self, live):
        for run in self.chance.sample(live, min(len(live), 6)):
            path = f"/runs/{run['run_id']}/{self.chance.choice(VERBS)}"
            status, body = self.served.ask("POST", path)
            self.counts["killed or restarted"] += status == 200
            # It may have ended, or been replaced, since it was listed.
            if status not in (200, 400, 404, 409, 429):
                self.wrong.append(f"{path}: {status} {body[:200]!r}")

    def check(self):
        for run in self.served.get("/runs?limit=1000")["runs"]:
            if run["status"] != "running" and run["run_id"] not in self.checked:
                self.check_one(run)

    def check_one(self, run):
        path = f"/runs/{run['run_id']}/logs?lines=0&format=text"
        status, body = self.served.ask("GET", path)
        if status != 200:
            return  # it was old enough to be dropped
        self.checked.add(run["run_id"])
        lines = body.decode().split("\n")
        lines = lines[:-1] if lines[-1] == "" else lines
        total = int(re.search(r"(?:' 1 |-lt )(\d+)", run["command"])[1])
        is_whole = run["ended_by"] == "itself" and run["exit_code"] == 0
        found = check_run(lines, total, run["log_dropped_lines"], is_whole)
        self.wrong += [f"run {json.dumps(run)}: {what}" for what in found]
        self.counts["runs checked"] += 1
        self.counts["lines"] += len(lines)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            live = self.live()
            self.most = max(self.most, len(live))
            self.fill(self.runs - len(live))
            self.disturb(self.live())
            self.check()
        for run in self.live():
            self.served.ask("POST", f"/runs/{run['run_id']}/kill?type=SIGKILL")
        for run in self.served.get("/runs?limit=1000")["runs"]:
            if run["leftover_pids"]:
                self.served.ask("POST", f"/runs/{run['run_id']}/kill?type=SIGKILL")
        self.check()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binary", required=True)
    arguments.add_argument("--seconds", type=float, default=300)
    arguments.add_argument("--runs", type=int, default=64)
    arguments.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-") as folder:
        served = Served(given.binary, folder, "shell")
        many = Many(served, given.runs, random.Random(given.seed))
        try:
            served.start()
            many.run(given.seconds)
            left = served.living()
        finally:
            if served.process.poll() is None:
                served.end()
            served.remove()
    print(f"seed {given.seed}, {given.seconds:.0f} s\n\n| what | measured |\n|---|---|")
    for what, count in [("most runs at once", many.most), *many.counts.items()]:
        print(f"| {what} | {count:,} |")
    print(f"| lines lost, doubled or out of order | {len(many.wrong)} |")
    print(f"| processes left | {len(left)} |")
    for wrong in many.wrong[:20] + left[:20]:
        print(wrong, file=sys.stderr)
    sys.exit(1 if many.wrong or left else 0)


if __name__ == "__main__":
    main()
