"""Reading: a log of 1 GB over HTTP."""

import subprocess
import time

import peers
import places
import processes
from client import Client
from harness import wait_for
from rounds import Bench, in_a_folder
from tables import Against, Table

REPEAT = 20
SECONDS = 600

TABLES = [
    Table(
        "Reading a log of 1 GB",
        "A command of the LLM Shell prints 6,500,000 lines of 100 bytes (0.99 GB on disk), waits "
        "6 s, "
        "and prints 100 more. Whole HTTP calls on one connection, each 20 times, in turn.",
        "calls",
        {"ms": "ms", "lines returned": "lines"},
    ),
    Table(
        "All of a log of 1 GB",
        "`GET /logs`, read to its end, beside `cat FILE | cat > /dev/null`, in turn.",
        "stream",
        {"ms": "ms", "resident memory grew by, KiB": "grown_kib"},
        [Against("copy = 1", "ms", "copied through a pipe")],
    ),
]


def measure(bench: Bench) -> dict:
    lines = bench.size(6_500_000, 1_300_000)
    return in_a_folder(lambda folder: read(bench, folder, lines))


def read(bench: Bench, folder, lines: int) -> dict:
    emit = f"{places.LIMITS}/emit --lines"
    command = f"{emit} {lines}; sleep 6; {emit} 100; exec sleep {SECONDS}"
    server = peers.Shell(folder, ["sh", "-c", command])
    # The emitter ends with a line of its own.
    count = lines + 102
    wait_for(lambda: server.client.get("/logs?lines=1")["total_lines"] == count, 120, 0.1)
    series = {"calls": calls(server.client, count), "stream": stream(bench, server)}
    server.client.call("POST", "/kill?type=SIGKILL")
    server.close()
    series["calls"].update(after_a_restart(folder, server.started["run_id"]))
    series["calls"].update(the_specification(folder, server.log(), lines // 10))
    return series


def calls(client: Client, count: int) -> dict:
    queries = {
        "the last 100 lines": "lines=100",
        "`seconds=5`": "seconds=5",
        "100 lines from the middle": f"after={count // 2}&limit=100",
    }
    seen = {what: [] for what in queries}
    for _ in range(REPEAT):
        for what, query in queries.items():
            seen[what].append(timed(client, f"/logs?{query}"))
    return seen


def timed(client: Client, path: str) -> dict:
    began = time.perf_counter()
    client.call("GET", path)
    took = time.perf_counter() - began
    # What it was is asked apart: to parse it would be the harness's time.
    return {"ms": took * 1000, "lines": client.get(path)["lines_returned"]}


def stream(bench: Bench, server) -> dict:
    pid = server.process.pid
    before = processes.status_kib(pid, "VmHWM")
    series = {"copied through a pipe": [], "ours": []}
    for _ in range(bench.size(7, 3)):
        began = time.perf_counter()
        subprocess.run(f"cat '{server.log()}' | cat > /dev/null", shell=True, check=True)
        series["copied through a pipe"].append({"ms": (time.perf_counter() - began) * 1000})
        began = time.perf_counter()
        answer = server.client.open("GET", "/logs")
        block = bytearray(1 << 20)
        while answer.readinto(block):
            pass
        took = (time.perf_counter() - began) * 1000
        grown = processes.status_kib(pid, "VmHWM") - before
        series["ours"].append({"ms": took, "grown_kib": grown})
    return series


def after_a_restart(folder, run_id: str) -> dict:
    """The server has to find the lines again, once."""
    server = peers.Shell(folder, [])
    path = f"/runs/{run_id}/logs?lines=100"
    began = time.perf_counter()
    server.client.call("GET", path)
    first = {"ms": (time.perf_counter() - began) * 1000, "lines": 100}
    again = [timed(server.client, path) for _ in range(REPEAT)]
    server.close()
    return {
        "the last 100 lines after a restart of the server, the first time": [first],
        "… and from then on": again,
    }


def the_specification(folder, log, lines: int) -> dict:
    """The call of its read over the first tenth: all of it would take ten times as much memory."""
    tenth = folder / "tenth.log"
    with open(tenth, "wb") as file:
        subprocess.run(["head", "-n", str(lines), log], stdout=file, check=True)
    code = (
        "import resource, sys, time; sys.path.insert(0, sys.argv[1]); import shell\n"
        "began = time.perf_counter(); shell.read_logs(sys.argv[2], 100, None)\n"
        "print((time.perf_counter() - began) * 1000)"
    )
    python, place = places.VENV / "python", places.HERE / "specification"
    took = float(processes.run([python, "-c", code, place, tenth]))
    return {
        "the specification's program: the last 100 lines, of a tenth of the log": [
            {"ms": took, "lines": 100}
        ]
    }
