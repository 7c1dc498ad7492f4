"""Starts processes, looks at them, and sees that none outlives the comparison.

The harness adopts orphans, so that whatever was started, daemons too, stays among its descendants
and can be found and ended by its number.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
END_SECONDS = 20


def adopt_orphans():
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise SystemExit("the kernel does not let the harness adopt orphans")


def start(command: list, folder, output=subprocess.DEVNULL, **more) -> subprocess.Popen:
    words = [str(word) for word in command]
    return subprocess.Popen(
        words,
        cwd=folder,
        stdin=more.pop("stdin", subprocess.DEVNULL),
        stdout=output,
        stderr=subprocess.DEVNULL,
        **more,
    )


def run(command: list, folder=None, **more) -> str:
    """What a command prints, within a minute; its exit code does not matter."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **more,
    )
    return done.stdout.strip()


def descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def named(pid: int, wanted: str) -> list[int]:
    return [each for each in descendants(pid) if name(each) == wanted]


def end_all():
    """Ends all that the harness has started and that is still there."""
    deadline = time.monotonic() + END_SECONDS
    while left := descendants(os.getpid()):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() > deadline:
            raise SystemExit(f"these could not be ended: {left}")
        time.sleep(0.01)


def cpu_seconds(pids: list[int]) -> float:
    """What processes have used, threads that have ended too, by ticks of 10 ms."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds_fine(pids: list[int]) -> float:
    """What the present threads of processes have used, by nanoseconds."""
    used = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                used += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return used / 1e9


def pss_mib(pids: list[int]) -> float:
    """Their share of physical memory, what they have in common counted once."""
    kibibytes = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kibibytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kibibytes / 1024


def status_kib(pid: int, field: str) -> int:
    """`VmRSS`, or its peak, `VmHWM`."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0])
