#!/usr/bin/env python3
"""Runs us and our peers on the same work, in turn, and writes docs/BENCHMARKS.md.

    make compare                        all rows, about 20 minutes on two quiet cores
    make compare ROWS=ingest,crash      these rows again, beside the others of the last run
    make compare QUICK=1                smaller and shorter; printed, not written
    make compare-page                   the page from the last run's results, without measuring

A row is a file of subjects/, which says what it measures and how its tables look. rounds.py has the
contenders take turns, peers.py starts those that are daemons, processes.py sees that everything is
ended. specification/ is what the specifications draw, in the simplest form; limits/ has the
emitter, the observer, and the floors. targets.py says what is wanted, notes.txt why something was
missed, page.py writes it all down. Everything listens on loopback and works below target/compare.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))

import machine
import places
import processes
from page import SUBJECTS, page, subject
from rounds import Bench, say


def main():
    options = arguments()
    kept = places.RESULTS.with_suffix(".quick.json") if options.quick else places.RESULTS
    results = json.loads(kept.read_text()) if kept.exists() else {"subjects": {}}
    if not options.page:
        results["machine"] = machine.facts()
        measure(options.rows, Bench(options.quick), results, kept)
    if options.quick:
        print(page(results))
    else:
        places.PAGE.write_text(page(results))


def measure(rows: list[str], bench: Bench, results: dict, kept):
    """Each row is kept as soon as it is there."""
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for row in rows:
            began = time.monotonic()
            say(f"{row}:")
            results["subjects"][row] = subject(row).measure(bench)
            kept.write_text(json.dumps(results, indent=1))
            say(f"{row} took {time.monotonic() - began:.0f} s")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.end_all()
        shutil.rmtree(places.SPENT, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(SUBJECTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    if unknown := set(options.rows) - set(SUBJECTS):
        parser.error(f"no such rows: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    return options


if __name__ == "__main__":
    main()
