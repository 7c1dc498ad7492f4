"""The page of all results, which the same results always give in the same words."""

import importlib

import places
from tables import write
from targets import TARGETS

SUBJECTS = [
    "ingest",
    "visible",
    "reading",
    "status",
    "thousand",
    "crash",
    "first_act",
    "at_rest",
    "leftovers",
]


# More than this runs on no quiet machine.
LOAD_MAX = 0.5
BUSY = (
    "**Other programs kept the cores busy during this run.** What waits for a core, as a wake-up "
    "of one of\nseveral threads does, is told as slower than it is; run it again on a quiet "
    "machine before it is relied on.\n"
)


def subject(name: str):
    return importlib.import_module(f"subjects.{name}")


def page(results: dict) -> str:
    notes, subjects = read_notes(), results["subjects"]
    parts = [
        "# Benchmarks: llm-shell and other programs\n",
        notes["how"],
        "\n".join(f"- {what}: {fact}" for what, fact in results["machine"].items()) + "\n",
        *([BUSY] if is_busy(results["machine"]) else []),
        "## The targets\n",
        targets(subjects, notes),
        "## The tables\n",
    ]
    for name in [name for name in SUBJECTS if name in subjects]:
        shown = [table for table in subject(name).TABLES if table.series in subjects[name]]
        parts += [write(table, subjects[name][table.series]) for table in shown]
    parts += ["## Limits of the other programs\n", notes["peers"]]
    return "\n".join(parts).rstrip() + "\n"


def is_busy(machine: dict) -> bool:
    """Whether something else ran when the run began: its load of the last minute tells."""
    return float(machine["date"].split("load before it ")[1].split()[0]) > LOAD_MAX


def targets(subjects: dict, notes: dict[str, str]) -> str:
    words = {True: "met", False: "**missed**", None: "–"}
    lines = ["| what | wanted | ours | |", "|---|---|---|---|"]
    missed = []
    for target in TARGETS:
        met = target.is_met(subjects)
        lines.append(
            f"| {target.what} | {target.wanted()} | {target.seen(subjects)} | {words[met]} |"
        )
        if met is False:
            why = notes.get(target.key, "No reason is known yet.\n").replace("\n", " ").strip()
            missed.append(f"- **{target.what}**: {why}")
    if missed:
        lines += ["", "Missed targets, and why:\n", *missed]
    return "\n".join(lines) + "\n"


def read_notes() -> dict[str, str]:
    """What is kept by hand: a text for each heading of notes.txt."""
    sections = (places.HERE / "notes.txt").read_text().split("\n## ")[1:]
    split = (section.split("\n", 1) for section in sections)
    return {key.strip(): text.strip() + "\n" for key, text in split}
