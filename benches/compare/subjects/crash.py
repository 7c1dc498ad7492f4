"""Crash to next start: from a service's last act to the first act of the next one."""

import itertools
import time

import peers
import places
import processes
from rounds import Bench, Contender, in_a_folder
from tables import Against, Table, ratio_of_medians

LIFE_MS = 1500
FLOOR = "spawn, wait, and again"

TABLES = [
    Table(
        "Crash to next start",
        "A service that lives for 1.5 s and crashes, with the shortest delay that each supervisor "
        "can be configured to. All of them run at once for 40 s, so that other load affects all "
        "alike; the spread is over the crashes. Milliseconds.",
        "crash",
        {"ms": "ms"},
        [Against("floor = 1", "ms", FLOOR, ratio_of_medians)],
    )
]


class Floor(peers.Peer):
    """Not a supervisor: a loop; see limits/."""

    def launch(self):
        return processes.start([places.LIMITS / "respawn", "--", *self.command], self.folder)


CONTENDERS = [
    Contender(FLOOR, Floor),
    Contender("ours", peers.Astra),
    Contender("runit", peers.Runit),
    Contender("pm2", peers.Pm2),
    Contender("circus, looking each 0.1 s", peers.CircusInAHurry),
    Contender("circus", peers.Circus),
    Contender("the specification's program", peers.SpecificationAstra),
    Contender("s6", peers.S6),
    Contender("supervisord", peers.Supervisord),
]


def measure(bench: Bench) -> dict:
    return in_a_folder(lambda folder: crash(folder, bench.size(40, 12)))


def crash(folder, seconds: int) -> dict:
    started = []
    for number, contender in enumerate(CONTENDERS):
        home = folder / str(number)
        home.mkdir()
        command = [places.ACT, home / "acts", LIFE_MS]
        started.append((contender.name, home / "acts", contender.what(home, command, restart=True)))
        # So that they do not crash at the same instants.
        time.sleep(LIFE_MS / 1000 / len(CONTENDERS))
    time.sleep(seconds)
    series = {name: [{"ms": gap} for gap in gaps(acts)] for name, acts, _ in started}
    for _, _, server in started:
        server.close()
    return {"crash": series}


def gaps(acts) -> list[float]:
    """Between each end and the start behind it. The first two are the supervisor's warming up."""
    noted = [line.split() for line in acts.read_text().splitlines()] if acts.exists() else []
    return [
        (int(then[1]) - int(before[1])) / 1e6
        for before, then in itertools.pairwise(noted)
        if (before[0], then[0]) == ("E", "S")
    ][2:]
