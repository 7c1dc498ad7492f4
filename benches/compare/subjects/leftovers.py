"""Leftovers: what is left of a service that made itself a daemon, once its supervisor was ended."""

import os
import time

import peers
import processes
from harness import wait_for
from rounds import Bench, Contender, alternate
from tables import Table

# Forks twice into a session of its own, as daemons do, and goes on; the service goes on as well.
DAEMON = ["sh", "-c", "setsid sh -c 'exec tail -f /dev/null &' & exec sleep 100000"]
GRACE_SECONDS = 3

TABLES = [
    Table(
        "Processes left behind",
        "A service starts a process that forks twice into a session of its own. Then the "
        "supervisor is told to stop, and the processes still running 3 s after it has ended are "
        "counted.",
        "left",
        {"processes left": "left"},
    )
]


def measure(_: Bench) -> dict:
    contenders = [
        Contender("ours: the shell", peers.Shell),
        Contender("ours: Astra", peers.Astra),
        Contender("s6", peers.S6),
        Contender("runit", peers.Runit),
        Contender("supervisord", peers.Supervisord),
        Contender("circus", peers.Circus),
        Contender("pm2", peers.Pm2),
        Contender("the specification's program", peers.SpecificationShell),
    ]
    return {"left": alternate(1, contenders, leave)}


def leave(peer, folder) -> dict:
    server = peer(folder, DAEMON)
    wait_for(living)
    time.sleep(1)
    server.close()
    time.sleep(GRACE_SECONDS)
    return {"left": len(living())}


def living() -> list[int]:
    return processes.named(os.getpid(), "tail")
