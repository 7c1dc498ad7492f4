"""Ingest: a command prints as fast as it can, until all of it is in a file."""

import os
import re
import subprocess

import peers
import places
import processes
from harness import wait_for
from rounds import Bench, Contender, alternate, now
from tables import Against, Table

SECONDS_MAX = 120
END = re.compile(rb"END@\d+@")
# A kind of line, how the emitter writes it, its bytes, and lines in full and in a quick run.
SCENES = {
    "plain": ("plain", "blocks", 100, 5_000_000, 2_000_000),
    "a write a line": ("plain", "lines", 100, 2_000_000, 500_000),
    "20 quotes a line": ("quotes", "blocks", 100, 5_000_000, 2_000_000),
    "Cyrillic": ("cyrillic", "blocks", 100, 5_000_000, 2_000_000),
    "lines of 20 bytes": ("plain", "blocks", 20, 10_000_000, 4_000_000),
    "ANSI colours": ("colours", "blocks", 100, 5_000_000, 2_000_000),
}

_COLUMNS = {"MB/s": "mb_per_s", "CPU s per GB": "cpu_s_per_gb"}
_BESIDE_CAT = [
    Against("time, `cat` = 1", "s_per_gb", "`cat > file`"),
    Against("CPU, `cat` = 1", "cpu_s_per_gb", "`cat > file`"),
]
TABLES = [
    Table(
        "Ingest",
        "`emit --lines 5000000 --bytes 100`, in writes of 64 KiB, from the emitter's first byte "
        "until everything is in the file: for ours until `GET /status?wait` reports that the "
        "command has ended, for filters (`emit | …`) until they have ended, for other daemons "
        "until the last line can be read. Slow programs got fewer lines. CPU is that of the "
        "process that writes the log, with its supervisors.",
        "plain",
        {**_COLUMNS, "entries for 1,000 lines": "entries", "the first begins with": "line"},
        _BESIDE_CAT,
    ),
    *(
        Table(
            f"Ingest: {scene}",
            f"`emit --kind {kind} --writes {writes} --lines {lines} --bytes {bytes_}`.",
            scene,
            _COLUMNS,
            _BESIDE_CAT,
        )
        for scene, (kind, writes, bytes_, lines, _) in SCENES.items()
        if scene != "plain"
    ),
]


def measure(bench: Bench) -> dict:
    series = {}
    for scene, (kind, writes, bytes_, full, quick) in SCENES.items():
        load = Load(kind, writes, bytes_, bench.size(full, quick))
        contenders = [Contender("`cat > file`", cat(load)), Contender("ours", ours(load))]
        if scene == "plain":
            contenders += others(load, bench)
        series[scene] = alternate(bench.size(7, 3), contenders, lambda what, folder: what(folder))
    return series


class Load:
    """What the emitter prints."""

    def __init__(self, kind: str, writes: str, bytes_: int, lines: int):
        self.kind, self.writes, self.bytes, self.lines = kind, writes, bytes_, lines

    def part(self, divisor: int) -> "Load":
        return Load(self.kind, self.writes, self.bytes, self.lines // divisor)

    def command(self, folder, *more) -> list:
        return [
            places.LIMITS / "emit",
            "--lines",
            self.lines,
            "--bytes",
            self.bytes,
            "--kind",
            self.kind,
            "--writes",
            self.writes,
            "--stamp",
            folder / "stamp",
            *more,
        ]

    def figures(self, folder, log, ended: int, cpu_seconds: float) -> dict:
        seconds = (ended - int((folder / "stamp").read_text())) / 1e9
        gigabytes = self.lines * self.bytes / 1e9
        return {
            "mb_per_s": gigabytes * 1000 / seconds,
            "s_per_gb": seconds / gigabytes,
            "cpu_s_per_gb": cpu_seconds / gigabytes,
            "line": beginning(log),
            "entries": round(lines_of(log) / self.lines * 1000),
        }


def beginning(log) -> str:
    """What the first line of a log begins with, as a cell of a table."""
    with open(log, "rb") as file:
        text = file.readline(1 << 20).rstrip().decode(errors="replace")
    return f"`{text[:56]}`".replace("|", "\\|")


def lines_of(log) -> int:
    """In all files of a log, where it went on in others."""
    folder = log.parent
    rotated = [file for file in folder.iterdir() if file.name.startswith(("@", "current"))]
    logs = rotated if log.name == "current" else [log]
    counted = subprocess.run(["wc", "-l", *logs], stdout=subprocess.PIPE, check=True).stdout
    return int(counted.splitlines()[-1].split()[0])


def filtered(load: Load, command, output=None):
    """`emit | command`, which ends when its input does."""

    def measured(folder):
        words = command(folder)
        read, write = os.pipe()
        with open(folder / output if output else os.devnull, "wb") as file:
            filter_ = subprocess.Popen(words, stdin=read, stdout=file, stderr=subprocess.DEVNULL)
        os.close(read)
        processes.start(load.command(folder), folder, write)
        os.close(write)
        _, status, usage = os.wait4(filter_.pid, 0)
        ended = now()
        filter_.returncode = os.waitstatus_to_exitcode(status)
        log = folder / (output or "log/current")
        return load.figures(folder, log, ended, usage.ru_utime + usage.ru_stime)

    return measured


def cat(load: Load):
    return filtered(load, lambda folder: ["cat"], "out.log")


def svlogd(folder) -> list:
    (folder / "log").mkdir()
    (folder / "log/config").write_text("s0\nn0\n")
    return ["svlogd", "-tt", folder / "log"]


def ours(load: Load):
    """The whole server: from the first byte to the answer that the command has ended."""

    def measured(folder):
        server = peers.Shell(folder, [])
        before = processes.cpu_seconds(server.pids())
        server.command = [str(word) for word in load.command(folder)]
        server.begin()
        status = server.client.get(f"/status?wait={SECONDS_MAX}")
        ended = now()
        used = processes.cpu_seconds(server.pids()) - before
        told = server.client.get("/logs?lines=1")["total_lines"]
        if status["status"] != "exited" or told != load.lines + 1:
            raise SystemExit(f"{told} lines of {load.lines + 1}, and {status}")
        server.close()
        return load.figures(folder, server.log(), ended, used)

    return measured


def daemon(load: Load, peer):
    """A supervisor that starts the emitter itself: until the last line can be read in its log."""

    def measured(folder):
        command = load.command(folder, "--delay-ms", 2000, "--then", "hold")
        server = peer(folder, command)
        wait_for((folder / "stamp").exists)
        pids = server.pids()
        before = processes.cpu_seconds(pids)
        ended = wait_for(lambda: ends(server.log()) and now(), SECONDS_MAX, 0.002)
        used = processes.cpu_seconds(pids) - before
        server.close()
        return load.figures(folder, server.log(), ended, used)

    return measured


def ends(log) -> bool:
    """Whether the emitter's last line is there."""
    if not log.exists():
        return False
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 400))
        return bool(END.search(file.read()))


def others(load: Load, bench: Bench) -> list[Contender]:
    few = bench.size(3, 1)
    tai = ["t", "s16777215", "n200"]
    return [
        Contender(
            "`s6-log t`",
            filtered(
                load, lambda folder: ["s6-log", "-b", "n100", "s268435455", "t", folder / "log"]
            ),
            few,
        ),
        Contender(
            "`multilog t`", filtered(load, lambda folder: ["multilog", *tai, folder / "log"]), few
        ),
        Contender("`svlogd -tt`", filtered(load, svlogd), few),
        Contender("s6 with `s6-log t`", daemon(load, peers.S6), few),
        Contender("runit with `svlogd -tt`", daemon(load, peers.Runit), few),
        Contender("supervisord, no stamps", daemon(load, peers.Supervisord), few),
        Contender("circus", daemon(load.part(5), peers.Circus), few),
        Contender("pm2, json", daemon(load.part(5), peers.Pm2Json), few),
        Contender("pm2, time", daemon(load.part(5), peers.Pm2), few),
        Contender(
            "the specification's program", daemon(load.part(5), peers.SpecificationShell), few
        ),
    ]
