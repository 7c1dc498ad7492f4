"""What the figures stand on: the machine, and the versions of all that took part."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import places
from processes import run

PACKAGES = ["s6", "runit", "daemontools", "supervisor", "wrk"]
MODULES = ["circus", "fastapi", "uvicorn", "psutil"]


def facts() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else "unnamed"
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    load = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return {
        "machine": f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory",
        "system": f"{system()}, Linux {platform.release()}, file system {file_system()}",
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load before it {load}",
        "ours": ", ".join(
            [run([places.OURS, "--version"]), f"commit {commit()}", run(["rustc", "--version"])]
        ),
        "others": ", ".join(versions()),
    }


def system() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("PRETTY_NAME"))


def file_system() -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    holds = [each for each in mounts if places.COMPARE.is_relative_to(each[1])]
    return max(holds, key=lambda each: len(each[1]))[2]


def commit() -> str:
    return run(["git", "-C", places.ROOT, "rev-parse", "--short", "HEAD"])


def versions() -> list[str]:
    packages = run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES]).splitlines()
    frozen = run([places.VENV / "pip", "freeze"]).splitlines()
    modules = [line.replace("==", " ") for line in frozen if line.split("==")[0] in MODULES]
    python = run([places.VENV / "python", "--version"])
    pm2 = run(["node", "-p", f"require('{places.PM2.parents[1]}/pm2/package.json').version"])
    node = run(["node", "--version"])
    return [*packages, *modules, python, f"pm2 {pm2}", f"Node {node}"]
