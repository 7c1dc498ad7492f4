#!/usr/bin/env python3
"""A soak of both modes: `soak.py --binary B [--seconds 600] [--seed S]`.

Eight clients each ask at random, commands, services and the server itself are killed at random,
the disk fills up and has room again, and hostile clients hold connections. In the end everything
must be as at the beginning, and every line of output there once, but for what was told as dropped.
Prints a Markdown table, and ends with 1 where something was not as it must be. Needs the standard
library alone; everything that it starts it ends by its pid.
"""

import argparse
import collections
import contextlib
import multiprocessing
import os
import pathlib
import queue
import random
import sys
import tempfile
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "attacks"))
from astra import Astra
from chaos import Chaos
from served import LOG_BYTES_MAX, Gone, Served
from shell import Shell

CLIENTS = 8
REST_SECONDS = 0.03
# What may be left over what there was before the first request: memory that the allocator keeps,
# and the log and the process of the last run (in Astra of each service), with two old logs.
RSS_KIB_MAX = 12 * 1024
THREADS_MAX = 0
DESCRIPTORS_MAX = {"shell": 4, "astra": 32}
# Part files and the ledger beside the logs of the 100 runs that are kept of each.
FILES_MAX = {"shell": 210, "astra": 8 * 210}
ALLOWED = {200, 201, 202, 204, 400, 404, 405, 409, 422, 429, 503}


class Client(threading.Thread):
    """Asks at random until it is told to stop; counts what it was answered."""

    def __init__(self, mode, seed, stop):
        super().__init__(daemon=True)
        self.mode, self.random, self.stop = mode, random.Random(seed), stop
        self.statuses, self.gone, self.wrong = collections.Counter(), 0, []

    def run(self):
        while not self.stop.is_set():
            self.act()
            self.stop.wait(self.random.uniform(0, 2 * REST_SECONDS))

    def act(self):
        served = self.mode.served
        before = (served.downs, served.fulls)
        was_troubled = served.is_down or served.is_full or served.is_attacked
        try:
            status, body = self.mode.act(self.random)
        except Gone as gone:
            self.gone += 1
            is_troubled = served.is_down or served.is_attacked or before[0] != served.downs
            if not (was_troubled or is_troubled):
                self.wrong.append(str(gone))
            return
        self.statuses[status] += 1
        is_full = was_troubled or served.is_full or before[1] != served.fulls
        is_shortage = status == 500 and is_full
        if status not in ALLOWED and not is_shortage:
            self.wrong.append(f"{status} {body[:300]!r}")


def soak(kind, binary, seconds, seed, results):
    """One mode, from its start to its end."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        served = Served(binary, folder, kind.mode)
        try:
            results.put((kind.mode, measure(kind(served), seconds, random.Random(seed))))
        finally:
            if served.process.poll() is None:
                served.end()
            served.remove()


def measure(mode, seconds, chance):
    served, stop = mode.served, threading.Event()
    mode.prepare()
    served.start()
    mode.settle()
    _, threads_before, descriptors_before = quiet(served)
    clients = [Client(mode, chance.random(), stop) for _ in range(CLIENTS)]
    chaos = Chaos(mode, chance, stop)
    for client in clients:
        client.start()
    # The server is killed in the first half alone, so that the memory of one that has lived
    # through the other can be looked at.
    chaos.run_for(seconds * 0.5, with_kills_of_the_server=True)
    chaos.run_for(seconds * 0.15, with_kills_of_the_server=False)
    rss_warm = served.measure()[0]
    chaos.run_for(seconds * 0.35, with_kills_of_the_server=False)
    stop.set()
    for client in clients:
        client.join(90)
    mode.settle()
    mode.check()
    rss, threads, descriptors = quiet(served)
    exit_code = served.end()
    left = served.living()
    files = [path for path in served.logs.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    statuses = sum((client.statuses for client in clients), collections.Counter())
    rows = [
        ("requests answered", f"{sum(statuses.values()):,}", True),
        ("… of them by 5xx while the disk was full", statuses[500], True),
        (
            "requests without an answer (server killed, or attacked)",
            sum(client.gone for client in clients),
            True,
        ),
        ("unexpected answers", *none_of(sum((c.wrong for c in clients), []))),
        ("processes of commands and services killed", chaos.killed, True),
        ("times the server was killed", served.downs, True),
        ("slowest start of the server", f"{served.slowest_start:.2f} s", True),
        ("times the disk was full", served.fulls if served.has_disk else "not permitted", True),
        ("attacks", chaos.attacks, True),
    ]
    rows += [(what, f"{count:,}", True) for what, count in mode.seen.items()]
    rows += [
        ("lines lost, doubled or garbled", *none_of(mode.wrong + chaos.wrong)),
        ("panics", served.panics(), served.panics() == 0),
        (
            "resident memory after warm-up and at the end",
            f"{rss_warm} KiB, {rss} KiB",
            rss <= rss_warm + RSS_KIB_MAX,
        ),
        (
            "threads before and at the end",
            f"{threads_before}, {threads}",
            threads <= threads_before + THREADS_MAX,
        ),
        (
            "descriptors before and at the end",
            f"{descriptors_before}, {descriptors}",
            descriptors <= descriptors_before + DESCRIPTORS_MAX[mode.mode],
        ),
        (
            "files of logs, and their size",
            f"{len(files)}, {size >> 10} KiB",
            len(files) <= FILES_MAX[mode.mode] and size <= 2 * LOG_BYTES_MAX,
        ),
        ("processes left at the end", *none_of([str(pid) for pid in left])),
        ("exit code", exit_code, exit_code == 0),
    ]
    return rows


def none_of(wrong):
    """How many there are, of which there should be none; the first are shown on stderr."""
    for what in wrong[:5]:
        print(f"WRONG: {what}", file=sys.stderr)
    return len(wrong), not wrong


def quiet(served):
    """What the server holds once connections that are on their way out are gone."""
    least = served.measure()
    for _ in range(40):
        time.sleep(0.1)
        least = tuple(map(min, least, served.measure()))
    return least


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    results, seeds = multiprocessing.Queue(), random.Random(options.seed)
    both = [
        multiprocessing.Process(
            target=soak,
            args=(kind, options.binary.resolve(), options.seconds, seeds.random(), results),
        )
        for kind in (Shell, Astra)
    ]
    for one in both:
        one.start()
    tables = {}
    deadline = time.monotonic() + options.seconds + 240
    while len(tables) < 2 and time.monotonic() < deadline and any(one.is_alive() for one in both):
        with contextlib.suppress(queue.Empty):
            tables.update([results.get(timeout=1)])
    for one in both:
        one.join(30)
    is_well = len(tables) == 2 and all(one.exitcode == 0 for one in both)
    for mode, rows in sorted(tables.items(), reverse=True):
        print(f"\n| {mode} | seen |\n|---|---|")
        for what, seen, is_good in rows:
            print(f"| {what} | {seen}{'' if is_good else ' – TOO MUCH'} |")
            is_well &= is_good
    if not is_well:
        raise SystemExit(f"not as it must be, with the seed {options.seed}")


if __name__ == "__main__":
    main()
