"""Status: requests a second with 16 connections that are kept."""

import re
import time

import peers
import processes
from client import wait_until_it_answers
from rounds import Bench, Contender, alternate
from tables import Against, Table

CONNECTIONS = 16
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
ASTRA_SERVICES = 7
SLEEP = ["sleep", "100000"]
ALL_PROCESSES = (
    '<?xml version="1.0"?><methodCall>'
    "<methodName>supervisor.getAllProcessInfo</methodName></methodCall>"
)

_COLUMNS = {"requests/s": "rate", "p99 ms": "p99_ms"}
TABLES = [
    Table(
        "Status of a command, 16 connections",
        "`wrk -t1 -c16 --latency` on `GET /status` while a command sleeps. All servers write "
        "their access log, one line per request, to /dev/null.",
        "shell",
        _COLUMNS,
        [Against("the specification's = 1", "rate", "the specification's program")],
    ),
    Table(
        "Status of seven services, 16 connections",
        "The same on `GET /supervisor/status`, and on XML-RPC `getAllProcessInfo`; `pm2 jlist` is "
        "the program itself, run repeatedly.",
        "astra",
        _COLUMNS,
        [Against("the specification's = 1", "rate", "the specification's program")],
    ),
]


def measure(bench: Bench) -> dict:
    rounds, seconds = bench.size(5, 2), bench.size(4, 2)
    shell = [
        Contender("ours", peers.Shell),
        Contender("the specification's program", peers.SpecificationShell),
    ]
    astra = [
        Contender("ours", peers.Astra),
        Contender("the specification's program", peers.SpecificationAstra),
        Contender("supervisord", peers.Supervisord),
        Contender("`pm2 jlist`", peers.Pm2, 1),
    ]

    def ask_shell(peer, folder):
        return wrk(peer(folder, SLEEP), "/status", seconds)

    return {
        "shell": alternate(rounds, shell, ask_shell),
        "astra": alternate(rounds, astra, lambda peer, folder: ask_astra(peer, folder, seconds)),
    }


def ask_astra(peer, folder, seconds: int) -> dict:
    server = peer(folder, SLEEP, ASTRA_SERVICES)
    if isinstance(server, peers.Pm2):
        return by_program(server)
    if isinstance(server, peers.Supervisord):
        wait_until_it_answers(server.port, "/")
        script = folder / "ask.lua"
        script.write_text(
            'wrk.method="POST"\nwrk.headers["Content-Type"]="text/xml"\n'
            f"wrk.body='{ALL_PROCESSES}'\n"
        )
        return wrk(server, "/RPC2", seconds, "-s", script)
    server.answers()
    return wrk(server, "/supervisor/status", seconds)


def wrk(server, path: str, seconds: int, *more) -> dict:
    time.sleep(1)
    seen = processes.run(
        [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--latency",
            *more,
            f"http://127.0.0.1:{server.port}{path}",
        ]
    )
    if "Non-2xx" in seen or "Socket errors" in seen:
        raise SystemExit(f"{type(server).__name__} {path}: {seen}")
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", seen).groups()
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", seen)[1])
    return {"rate": rate, "p99_ms": float(number) * UNITS[unit]}


def by_program(server) -> dict:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        server.order("jlist")
        times.append(time.perf_counter() - began)
    return {"rate": len(times) / sum(times), "p99_ms": max(times) * 1000}
