"""The targets: what each wants, and what of the results it is held against."""

from collections.abc import Callable
from typing import NamedTuple

from tables import median, number, ratio, ratio_of_medians

CAT = "`cat > file`"
SPECIFICATION = "the specification's program"
PROTOTYPE = "prototype: one thread, pipes and pidfds"
FLOOR = "spawn, wait, and again"


class Target(NamedTuple):
    # Names its note in notes.txt.
    key: str
    what: str
    most: float | None
    least: float | None
    unit: str
    figure: Callable[[dict], float | None]

    def wanted(self) -> str:
        sign, bound = ("≤", self.most) if self.least is None else ("≥", self.least)
        return f"{sign} {bound:g} {self.unit}"

    def seen(self, subjects: dict) -> str:
        found = self.figure(subjects)
        return "not measured" if found is None else f"{number(found)} {self.unit}"

    def is_met(self, subjects: dict) -> bool | None:
        found = self.figure(subjects)
        if found is None:
            return None
        return found <= self.most if self.least is None else found >= self.least


def at_most(key: str, what: str, bound: float, unit: str, figure) -> Target:
    return Target(key, what, bound, None, unit, figure)


def at_least(key: str, what: str, bound: float, unit: str, figure) -> Target:
    return Target(key, what, None, bound, unit, figure)


def of(subject: str, series: str, contender: str, metric: str):
    """A median."""
    return lambda subjects: median(
        subjects.get(subject, {}).get(series, {}).get(contender, []), metric
    )


def times(subject: str, series: str, contender: str, base: str, metric: str):
    """How many times as much a contender has as another."""
    return lambda subjects: ratio(
        subjects.get(subject, {}).get(series, {}), contender, base, metric
    )


def beside_cat(series: str, metric: str):
    return times("ingest", series, "ours", CAT, metric)


TARGETS = [
    at_most(
        "ingest-time",
        f"ingest, block writes: time, {CAT} = 1",
        1.65,
        "×",
        beside_cat("plain", "s_per_gb"),
    ),
    at_least(
        "ingest-s6",
        "… times as fast as `s6-log t`",
        8,
        "×",
        times("ingest", "plain", "`s6-log t`", "ours", "s_per_gb"),
    ),
    at_least(
        "ingest-specification",
        f"… times as fast as {SPECIFICATION}",
        60,
        "×",
        times("ingest", "plain", SPECIFICATION, "ours", "s_per_gb"),
    ),
    at_most("ingest-cpu", f"… CPU, {CAT} = 1", 1.8, "×", beside_cat("plain", "cpu_s_per_gb")),
    at_most(
        "lines-time",
        f"ingest, a write a line: time, {CAT} = 1",
        0.6,
        "×",
        beside_cat("a write a line", "s_per_gb"),
    ),
    at_most(
        "lines-cpu", f"… CPU, {CAT} = 1", 0.4, "×", beside_cat("a write a line", "cpu_s_per_gb")
    ),
    at_most(
        "quotes",
        f"ingest, 20 quotes a line: time, {CAT} = 1",
        2.2,
        "×",
        beside_cat("20 quotes a line", "s_per_gb"),
    ),
    at_most(
        "cyrillic",
        f"ingest, Cyrillic: time, {CAT} = 1",
        1.6,
        "×",
        beside_cat("Cyrillic", "s_per_gb"),
    ),
    at_most(
        "short",
        f"ingest, lines of 20 bytes: time, {CAT} = 1",
        2.0,
        "×",
        beside_cat("lines of 20 bytes", "s_per_gb"),
    ),
    at_most(
        "colours",
        f"ingest, ANSI colours: time, {CAT} = 1",
        3,
        "×",
        beside_cat("ANSI colours", "s_per_gb"),
    ),
    at_most(
        "visible-p50",
        f"printed to visible, 1,000 lines/s: p50, {CAT} = 1",
        1.5,
        "×",
        times("visible", "visible", "ours", CAT, "p50_us"),
    ),
    at_most(
        "visible-s6",
        "… p50, s6 with `s6-log t` = 1",
        1,
        "×",
        times("visible", "visible", "ours", "s6 with `s6-log t`", "p50_us"),
    ),
    at_most(
        "visible-p99",
        f"… p99, {CAT} = 1",
        2,
        "×",
        times("visible", "visible", "ours", CAT, "p99_us"),
    ),
    at_most(
        "tail",
        "`GET /logs?lines=100` of 1 GB, whole call",
        1,
        "ms",
        of("reading", "calls", "the last 100 lines", "ms"),
    ),
    at_most("seconds", "… `seconds=5`", 2, "ms", of("reading", "calls", "`seconds=5`", "ms")),
    at_most(
        "middle",
        "… 100 lines from the middle",
        2,
        "ms",
        of("reading", "calls", "100 lines from the middle", "ms"),
    ),
    at_most(
        "stream",
        "all of 1 GB, streamed: time, a copy through a pipe = 1",
        2.5,
        "×",
        times("reading", "stream", "ours", "copied through a pipe", "ms"),
    ),
    at_most(
        "stream-memory",
        "… resident memory grew by",
        4096,
        "KiB",
        of("reading", "stream", "ours", "grown_kib"),
    ),
    at_least(
        "status",
        "`GET /status`, 16 connections: requests/s, the specification's = 1",
        10,
        "×",
        times("status", "shell", "ours", SPECIFICATION, "rate"),
    ),
    at_most("status-p99", "… p99", 1, "ms", of("status", "shell", "ours", "p99_ms")),
    at_most(
        "thousand-memory",
        "1,000 idle services: PSS",
        10,
        "MiB",
        of("thousand", "services", "ours", "pss_mib"),
    ),
    at_most(
        "thousand-idle", "… idle CPU", 0.02, "%", of("thousand", "services", "ours", "idle_percent")
    ),
    at_most(
        "thousand-up",
        "… all up, the prototype = 1",
        1.5,
        "×",
        times("thousand", "services", "ours", PROTOTYPE, "up_s"),
    ),
    at_most("thousand-ended", "… all ended", 1, "s", of("thousand", "services", "ours", "ended_s")),
    at_most(
        "crash",
        "crash to next start, backoff 0: spawn, wait, and again = 1",
        1.3,
        "×",
        lambda subjects: ratio_of_medians(
            subjects.get("crash", {}).get("crash", {}), "ours", FLOOR, "ms"
        ),
    ),
    at_most(
        "first-act",
        "`POST /start` to the command's first act, the specification's = 1",
        0.6,
        "×",
        times("first_act", "start", "ours", SPECIFICATION, "act_ms"),
    ),
    at_most(
        "sample", "a sample of 1,000 trees", 25, "ms", of("thousand", "asked", "ours", "sample_ms")
    ),
    at_most(
        "binary", "the binary, all features", 12, "MB", of("at_rest", "rest", "ours", "binary_mb")
    ),
    at_most(
        "resident", "resident at rest", 6, "MiB", of("at_rest", "rest", "ours", "resident_mib")
    ),
    at_most(
        "first-answer",
        "first answer after exec",
        20,
        "ms",
        of("at_rest", "rest", "ours", "answer_ms"),
    ),
]
