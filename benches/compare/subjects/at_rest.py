"""At rest: the binary's size, what is resident, and the first answer after exec."""

import time

import peers
import places
import processes
from rounds import Bench, Contender, alternate
from tables import Table

TABLES = [
    Table(
        "At rest",
        "The release binary with all features, stripped. Resident: VmRSS a second after the first "
        "answer. First answer: from exec until `GET /health` was answered, polled every "
        "millisecond.",
        "rest",
        {
            "binary, MB": "binary_mb",
            "resident, MiB": "resident_mib",
            "first answer, ms": "answer_ms",
        },
    )
]


def measure(bench: Bench) -> dict:
    contenders = [
        Contender("ours", peers.Shell),
        Contender("the specification's program", peers.SpecificationShell),
    ]
    return {"rest": alternate(bench.size(11, 3), contenders, begin)}


def begin(peer, folder) -> dict:
    began = time.perf_counter()
    server = peer(folder, [])
    figures = {"answer_ms": (time.perf_counter() - began) * 1000}
    time.sleep(1)
    figures["resident_mib"] = processes.status_kib(server.process.pid, "VmRSS") / 1024
    if peer is peers.Shell:
        figures["binary_mb"] = places.OURS.stat().st_size / 1e6
    server.close()
    return figures
