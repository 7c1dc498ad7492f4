"""What clients of the LLM Shell do, and what must hold of every run."""

import contextlib
import json
import re
import time

from lines import check_run
from served import Gone

# Each prints numbered lines; some leave something behind that has to be found again.
COMMANDS = [
    "seq -f 'line %.0f' 1 {n}",
    "seq -f 'line %.0f' 1 {n}; sleep 0.3",
    "setsid sleep 600 & seq -f 'line %.0f' 1 {n}",
    "(setsid sleep 600 &) ; seq -f 'line %.0f' 1 {n}; sleep 600",
    "trap '' TERM; seq -f 'line %.0f' 1 {n}; sleep 600",
    "i=0; while [ $i -lt {n} ]; do i=$((i+1)); echo line $i; sleep 0.01; done",
    "for i in 1 2 3 4 5; do (sh -c : &); done; seq -f 'line %.0f' 1 {n}",
]
COUNTS = [0, 1, 10, 300, 5_000, 40_000]
SLOW = COMMANDS[5]
READS = [
    "/status",
    "/status?wait=0.2",
    "/logs",
    "/logs?lines=5",
    "/logs?seconds=1",
    "/logs?lines=0",
    "/logs?lines=20&grep=7",
    "/runs",
    "/runs?limit=5",
    "/health",
    "/metrics",
    "/openapi.json",
    "/logs?format=text&lines=50",
    "/logs?follow=true&wait=0.2",
    "/nothing",
    "/logs?lines=x",
    "/",
]
WRITES = [
    ("/kill", None),
    ("/kill?type=SIGKILL", None),
    ("/restart?timeout=0.2", None),
    ("/restart", None),
    ("/start", b"{"),
    ("/start", b'{"command": ""}'),
]

DROPPED = "lines told as dropped, because the disk was full"
LOST = "runs told as lost, because the server was killed"


class Shell:
    mode = "shell"

    def __init__(self, served):
        self.served = served
        self.checked = set()
        self.seen = dict.fromkeys(["runs checked", "lines checked", DROPPED, LOST], 0)
        self.wrong = []

    def prepare(self):
        pass

    def act(self, random):
        """One random request."""
        choice = random.random()
        if choice < 0.35:
            command = random.choice(COMMANDS)
            count = random.choice(COUNTS[:4] if command == SLOW else COUNTS)
            body = {"command": command.format(n=count)}
            if random.random() < 0.2:
                body["wait"] = 0.3
            return self.served.ask("POST", "/start", body)
        if choice < 0.5:
            return self.served.ask("POST", *random.choice(WRITES))
        return self.served.ask("GET", random.choice(READS))

    def processes(self):
        status = self.served.get("/status")
        return [status["process_pid"]] if status and status["status"] == "running" else []

    def check(self):
        """Holds every run that has ended since the last look to its lines."""
        listed = self.served.get("/runs?limit=100")
        for run in listed["runs"] if listed else []:
            if run["status"] != "running" and run["run_id"] not in self.checked:
                self.check_one(run)

    def check_one(self, run):
        path = f"/runs/{run['run_id']}"
        status, body = self.served.ask("GET", f"{path}/logs?lines=0&format=text")
        # Asked for behind the log: what is dropped later is not held against the log before.
        told = self.served.get(path)
        if status != 200 or told is None:
            return  # it was old enough to be dropped
        self.checked.add(run["run_id"])
        total = int(re.search(r"(?:' 1 |-lt )(\d+)", run["command"])[1])
        is_whole = run["ended_by"] == "itself" and run["exit_code"] == 0
        lines = body.decode().split("\n")
        lines = lines[:-1] if lines[-1] == "" else lines
        dropped = told.get("log_dropped_lines") or 0
        found = check_run(lines, total, dropped, is_whole)
        self.seen["runs checked"] += 1
        self.seen["lines checked"] += len(lines)
        self.seen[DROPPED] += dropped
        self.seen[LOST] += run["ended_by"] == "lost"
        self.wrong += [f"run {run['run_id']} ({json.dumps(run)}): {what}" for what in found]

    def settle(self):
        """Ends what runs, and waits until nothing does."""
        for _ in range(20):
            with contextlib.suppress(Gone):
                self.served.ask("POST", "/kill?type=SIGKILL")
            if not self.served.living():
                return
            time.sleep(0.2)
