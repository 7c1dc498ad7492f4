"""Contenders take turns, so that what else happens falls on all alike."""

import functools
import shutil
import sys
import time
from typing import Any, NamedTuple

import places
import processes

LARGE_BYTES = 1_000_000


class Contender(NamedTuple):
    name: str
    what: Any
    # The slow ones take part in the first rounds only.
    rounds: int = 99


class Bench(NamedTuple):
    """How much there is to do."""

    is_quick: bool

    def size(self, full: int, quick: int) -> int:
        return quick if self.is_quick else full


def alternate(rounds: int, contenders: list[Contender], measure) -> dict[str, list]:
    """What `measure(contender.what, folder)` gives of each contender, round by round."""
    figures = {}
    for number in range(rounds):
        for contender in contenders:
            if number < contender.rounds:
                seen = in_a_folder(functools.partial(measure, contender.what))
                say(f"  {contender.name}, round {number + 1}: {brief(seen)}")
                figures.setdefault(contender.name, []).append(seen)
    return figures


def in_a_folder(act):
    """Runs `act` in a fresh folder, ends all that it started, and puts the folder away."""
    shutil.rmtree(places.WORK, ignore_errors=True)
    places.WORK.mkdir(parents=True)
    try:
        return act(places.WORK)
    finally:
        processes.end_all()
        put_away(places.WORK)


def put_away(folder):
    """Removes large files at once and the rest with all of them, at the end: for five minutes ext4
    looks at each inode that was removed before it gives one away, and a server that makes three
    files for each of its thousand services would be told as slow for what the round before left."""
    for path in folder.rglob("*"):
        if path.is_file() and path.stat().st_size >= LARGE_BYTES:
            path.unlink()
    places.SPENT.mkdir(exist_ok=True)
    folder.rename(places.SPENT / str(now()))


def brief(figures: dict) -> str:
    """The figures for who watches."""
    numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def now() -> int:
    """The clock that the emitter stamps with, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def say(text: str):
    print(text, file=sys.stderr, flush=True)
