"""POST /start: from the request to the command's own first act."""

import time

import peers
import places
from harness import wait_for
from rounds import Bench, in_a_folder, now
from tables import Against, Table

SPECIFICATION = "the specification's program"

TABLES = [
    Table(
        "POST /start to the command's first act",
        "A static program that records when it starts, started in turn by both servers. "
        "Milliseconds, from the sending of the request.",
        "start",
        {"first act": "act_ms", "answer": "answer_ms"},
        [Against("first act, the specification's = 1", "act_ms", SPECIFICATION)],
    )
]


def measure(bench: Bench) -> dict:
    return in_a_folder(lambda folder: alternately(folder, bench.size(100, 30)))


def alternately(folder, starts: int) -> dict:
    servers = {}
    for name, peer in [("ours", peers.Shell), (SPECIFICATION, peers.SpecificationShell)]:
        home = folder / peer.__name__
        home.mkdir()
        servers[name] = peer(home, [])
    series = {name: [] for name in servers}
    for number in range(starts):
        for name, server in servers.items():
            series[name].append(start(server, server.folder / f"acts{number}"))
    for server in servers.values():
        server.close()
    return {"start": series}


def start(server, acts) -> dict:
    server.command = [str(places.ACT), str(acts)]
    began = now()
    server.begin()
    answered = now()
    # "S" and "E": it has ended as well, and so the next one can be started.
    wait_for(lambda: acts.exists() and len(acts.read_text().splitlines()) == 2)
    time.sleep(0.02)
    noted = int(acts.read_text().split()[1])
    return {"act_ms": (noted - began) / 1e6, "answer_ms": (answered - began) / 1e6}
