"""Counting of checks, waiting for conditions, and comparison of answers with shapes."""

import time
from collections.abc import Callable
from types import UnionType
from typing import Any

PAUSE_SECONDS = 0.05


class Checks:
    """The checks so far; a failure is reported at once and does not end the run."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed: list[str] = []

    def check(self, what: str, holds: object, shown: object = "") -> None:
        """Counts and prints a check; a failure shows the actual value."""
        if holds:
            self.passed += 1
            print(f"  ok      {what}", flush=True)
        else:
            self.failed.append(what)
            print(f"  FAILED  {what}: {shown!r}", flush=True)

    def same(self, what: str, seen: object, expected: object) -> None:
        self.check(what, seen == expected, f"{seen!r} is not {expected!r}")

    def shape(self, what: str, value: Any, shape: Any) -> None:
        faults = faults_of(value, shape, "answer")
        self.check(what, not faults, f"{'; '.join(faults)} in {value!r}")

    def eventually(self, what: str, given: Callable[[], Any], seconds: float = 20) -> Any:
        """Waits until the value is true and returns it, or the last value if it never is."""
        end = time.monotonic() + seconds
        while not (value := given()) and time.monotonic() < end:
            time.sleep(PAUSE_SECONDS)
        self.check(what, value, f"not within {seconds} s")
        return value


def faults_of(value: Any, shape: Any, where: str) -> list[str]:
    """Returns how a value differs from its shape. A shape is a type, a union, a list of one
    shape, a dict of required fields (others may be present), or a value that it must equal."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is not an object"]
        return [
            fault
            for name, inner in shape.items()
            for fault in (
                faults_of(value[name], inner, f"{where}.{name}")
                if name in value
                else [f"{where}.{name} is missing"]
            )
        ]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is not a list"]
        return [
            fault
            for number, item in enumerate(value)
            for fault in faults_of(item, shape[0], f"{where}[{number}]")
        ]
    if isinstance(shape, (type, UnionType)):
        fits = isinstance(value, shape) and (not isinstance(value, bool) or shape is bool)
        return [] if fits else [f"{where} is {value!r}, no {shape}"]
    return [] if value == shape else [f"{where} is {value!r}, not {shape!r}"]
