"""A thousand services that sleep: started, left alone, asked about, ended."""

import os
import statistics
import time

import peers
import places
import processes
from harness import wait_for
from rounds import Bench, Contender, alternate
from tables import Against, Table

SETTLE_SECONDS = 3
UP_SECONDS_MAX = 60

TABLES = [
    Table(
        "1,000 idle services",
        "`sleep 100000` a thousand times, each with its log. All up: a thousand processes exist. "
        "PSS and idle CPU: of all processes of the supervisor, for 10 s. All ended: from the "
        "request to the supervisor until no `sleep` is left.",
        "services",
        {
            "all up, s": "up_s",
            "PSS MiB": "pss_mib",
            "processes": "processes",
            "idle CPU %": "idle_percent",
            "all ended, s": "ended_s",
        },
        [Against("all up, prototype = 1", "up_s", "prototype: one thread, pipes and pidfds")],
    ),
    Table(
        "Status of 1,000 services",
        "Ours: `GET /supervisor/status` with a new sample of all trees, and again within a "
        "second, which shares it. What the sample costs is the difference.",
        "asked",
        {
            "first answer after exec, s": "first_answer_s",
            "a new sample, ms": "fresh_ms",
            "shared, ms": "shared_ms",
            "the sample, ms": "sample_ms",
            "PSS MiB after that": "pss_mib",
            "threads": "threads",
            "descriptors": "files",
        },
    ),
]


class Prototype(peers.Peer):
    """The least that keeps them; see limits/. It does not end them."""

    def launch(self):
        return processes.start(
            [
                places.LIMITS / "supervise",
                "--count",
                self.count,
                "--folder",
                self.folder,
                "--",
                *self.command,
            ],
            self.folder,
        )


def measure(bench: Bench) -> dict:
    count, idle = bench.size(1000, 300), bench.size(10, 4)
    few = 1
    contenders = [
        Contender("ours", peers.Astra),
        Contender("prototype: one thread, pipes and pidfds", Prototype),
        Contender("supervisord", peers.Supervisord, few),
        Contender("circus", peers.Circus, few),
        Contender("the specification's program", peers.SpecificationAstra, few),
        Contender("runit with `svlogd -tt`", peers.Runit, few),
        Contender("s6 with `s6-log t`", peers.S6, few),
    ]
    services = alternate(
        bench.size(5, 2), contenders, lambda peer, folder: live(peer, folder, count, idle)
    )
    asked = [round_.pop("asked") for round_ in services["ours"]]
    return {"services": services, "asked": {"ours": asked}}


def live(peer, folder, count: int, idle: int) -> dict:
    began = time.monotonic()
    server = peer(folder, ["sleep", "100000"], count)
    first_answer = None
    if peer is peers.Astra:
        server.answers()
        first_answer = time.monotonic() - began
    wait_for(lambda: sleeping(server) >= count, UP_SECONDS_MAX, 0.02)
    figures = {"up_s": time.monotonic() - began}
    time.sleep(SETTLE_SECONDS)
    pids = server.pids()
    before = processes.cpu_seconds_fine(pids)
    time.sleep(idle)
    used = processes.cpu_seconds_fine(pids) - before
    figures |= {
        "idle_percent": used / idle * 100,
        "pss_mib": processes.pss_mib(pids),
        "processes": len(pids),
    }
    if peer is peers.Astra:
        figures["asked"] = {"first_answer_s": first_answer, **ask(server)}
    if peer is not Prototype:
        figures["ended_s"] = end(server)
    return figures


def end(server) -> float | None:
    """How long it took until nothing slept any more, if it did."""
    began = time.monotonic()
    server.close()
    try:
        wait_for(lambda: not processes.named(os.getpid(), "sleep"), 30)
    except TimeoutError:
        return None
    return time.monotonic() - began


def sleeping(server) -> int:
    below = processes.descendants(server.process.pid)
    if len(below) < server.count:
        return 0
    return sum(processes.name(pid) == "sleep" for pid in below)


def ask(server) -> dict:
    client = server.answers()
    fresh, shared = [], []
    for _ in range(5):
        time.sleep(1.1)
        for times in (fresh, shared):
            began = time.perf_counter()
            client.call("GET", "/supervisor/status")
            times.append((time.perf_counter() - began) * 1000)
    fresh_ms, shared_ms = statistics.median(fresh), statistics.median(shared)
    pid = server.process.pid
    return {
        "fresh_ms": fresh_ms,
        "shared_ms": shared_ms,
        "sample_ms": fresh_ms - shared_ms,
        "pss_mib": processes.pss_mib([pid]),
        "threads": len(os.listdir(f"/proc/{pid}/task")),
        "files": len(os.listdir(f"/proc/{pid}/fd")),
    }
