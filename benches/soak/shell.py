"""What clients of the LLM Shell do, and what must hold of every run."""

import contextlib
import json
import re
import time

from lines import NOTICE, check_run
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

# Names of runs beside the foreground command, and of sessions.
NAMES = ["a", "b", "c", "d", "e", "f"]
SESSIONS = ["one", "two"]
VERBS = ["kill", "kill?type=SIGKILL", "restart?timeout=0.2", "signal?type=CONT"]

DROPPED = "lines told as dropped, because the disk was full"
EXECS = "commands of sessions checked"
LOST = "runs told as lost, because the server was killed"


class Shell:
    mode = "shell"

    def __init__(self, served):
        self.served = served
        self.checked = set()
        counts = ["runs checked", "lines checked", DROPPED, LOST, EXECS]
        self.seen = dict.fromkeys(counts, 0)
        self.wrong = []

    def prepare(self):
        pass

    def act(self, random):
        """One random request."""
        choice = random.random()
        if choice < 0.3:
            command = random.choice(COMMANDS)
            count = random.choice(COUNTS[:4] if command == SLOW else COUNTS)
            body = {"command": command.format(n=count)}
            if random.random() < 0.2:
                body["wait"] = 0.3
            if random.random() < 0.5:
                return self.served.ask("POST", "/start", body)
            if random.random() < 0.7:
                body["name"] = random.choice(NAMES)
            return self.served.ask("POST", "/runs", body)
        if choice < 0.38:
            run = random.choice(NAMES)
            if random.random() < 0.2:
                return self.served.ask("GET", f"/runs/wait?run={run}&for=any&wait=0.2")
            return self.served.ask("POST", f"/runs/{run}/{random.choice(VERBS)}")
        if choice < 0.44:
            return self.act_in_session(random)
        if choice < 0.55:
            return self.served.ask("POST", *random.choice(WRITES))
        return self.served.ask("GET", random.choice(READS))

    def act_in_session(self, random):
        """A command in a session: its exit code and its output must be its own."""
        session = random.choice(SESSIONS)
        number, code = random.randrange(10**6), random.randrange(256)
        body = {"command": f"echo {number}; (exit {code})", "wait": 10}
        status, answer = self.served.ask("POST", f"/runs/{session}/exec", body)
        if status != 200:
            shell = random.choice(["sh", "bash"])
            return self.served.ask(
                "POST", "/runs", {"session": True, "shell": shell, "name": session}
            )
        done = json.loads(answer)
        is_disturbed = done["running"] or done["session_ended"]
        # A notice of lines that an earlier command has lost stands before the next line.
        lines = done["output"]["content"].split("\n")
        printed = [line for line in lines if not NOTICE.fullmatch(line)]
        given = (done["exit_code"], "\n".join(printed))
        if not (is_disturbed or self.served.is_full or given == (code, str(number))):
            self.wrong.append(f"session {session}: {given} and not {code}, {number}")
        self.seen[EXECS] += not is_disturbed
        return status, answer

    def processes(self):
        listed = self.served.get("/runs?status=running&limit=100")
        return [run["process_pid"] for run in listed["runs"]] if listed else []

    def check(self):
        """Holds every run that has ended since the last look to its lines."""
        listed = self.served.get("/runs?limit=100")
        for run in listed["runs"] if listed else []:
            is_new = run["status"] != "running" and run["run_id"] not in self.checked
            if is_new and " " in run["command"]:
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
                self.end_all()
            if not self.served.living():
                return
            time.sleep(0.2)

    def end_all(self):
        """Ends every run with what it has left behind, and has the server forget their managers."""
        self.served.ask("POST", "/kill?type=SIGKILL")
        listed = self.served.get("/runs?limit=1000")
        for run in listed["runs"] if listed else []:
            if run["status"] == "running" or run["leftover_pids"]:
                self.served.ask("POST", f"/runs/{run['run_id']}/kill?type=SIGKILL")
        self.served.ask("POST", "/runs", {"command": "true ' 1 0'", "wait": 5})
