"""Printed to visible: how long after its printing a line can be read in the log."""

import json
import shlex

import peers
import places
import processes
from harness import wait_for
from rounds import Bench, Contender, alternate
from tables import Against, Table

RATE = 1000

TABLES = [
    Table(
        "Printed to visible",
        "`emit --rate 1000`, 3,000 lines, each with the time at which it was printed. A program "
        "reads "
        "the log without a pause (which keeps one core busy) and compares. Microseconds.",
        "visible",
        {"p50": "p50_us", "p99": "p99_us"},
        [
            Against("p50, `cat` = 1", "p50_us", "`cat > file`"),
            Against("p99, `cat` = 1", "p99_us", "`cat > file`"),
        ],
    )
]


def measure(bench: Bench) -> dict:
    lines = bench.size(3000, 1500)
    few = bench.size(3, 1)
    contenders = [
        Contender("`cat > file`", Cat),
        Contender("ours", peers.Shell),
        Contender("s6 with `s6-log t`", peers.S6),
        Contender("runit with `svlogd -tt`", peers.Runit, few),
        Contender("supervisord, no stamps", peers.Supervisord, few),
        Contender("circus", peers.Circus, few),
        Contender("pm2, time", peers.Pm2, few),
        Contender("the specification's program", peers.SpecificationShell, few),
    ]
    return {
        "visible": alternate(
            bench.size(5, 3), contenders, lambda peer, folder: observe(peer, folder, lines)
        )
    }


class Cat(peers.Peer):
    """The emitter, and cat."""

    def launch(self):
        line = f"{shlex.join(self.command)} | cat > out0.log"
        return processes.start(["sh", "-c", line], self.folder)


def observe(peer, folder, lines: int) -> dict:
    emit = [places.LIMITS / "emit", "--rate", RATE, "--lines", lines, "--delay-ms", 2000]
    server = peer(folder, [*emit, "--then", "hold"])
    wait_for(lambda: server.log().exists())
    seen = processes.run(
        [
            places.LIMITS / "observe",
            "--file",
            server.log(),
            "--lines",
            lines - 20,
            "--timeout",
            lines // RATE + 20,
        ]
    )
    figures = json.loads(seen)
    if figures.pop("lines") < lines - 20:
        raise SystemExit(f"{peer.__name__} showed too few lines: {seen}")
    return figures
