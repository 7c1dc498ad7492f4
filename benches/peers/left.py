#!/usr/bin/env python3
"""What a supervisor leaves of a service that it has stopped: the first table of docs/PEERS.md.

`left.py --binary llm-shell`. A service starts four processes: one in the background, one in a
session of its own, a daemon (a double fork), and a daemon without an environment. It is stopped by
the supervisor's own command, and 12 s later, which is longer than every grace, what lives is told.
Then it is started again, its supervisor killed with SIGKILL and started again, and the main
processes of the service are counted. Contenders that are not on this machine are left out.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import end, free_port, wait_for

ROLES = {
    3001: "in the background",
    3002: "session of its own",
    3003: "daemon",
    3004: "daemon without environment",
}
MAIN = 3000
SERVICE = """#!/bin/sh
sleep 3001.TAG &
setsid sleep 3002.TAG &
(setsid sh -c 'sleep 3003.TAG &' &)
(setsid env -i /bin/sh -c '/bin/sleep 3004.TAG &' &)
exec sleep 3000.TAG
"""
SETTLE_SECONDS = 12
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Contender:
    """A supervisor with one service; `path` is its folder."""

    name = ""
    needs = ""

    def __init__(self, path: Path, binary: str) -> None:
        self.path, self.binary = path, binary
        self.tag = f"{random.randrange(10**8):08}"
        self.service = path / "service.sh"
        self.service.write_text(SERVICE.replace("TAG", self.tag))
        self.service.chmod(0o755)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.environment = dict(os.environ)

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def start_service(self) -> None:
        raise NotImplementedError

    def supervisor(self) -> int:
        """The process that is killed, as one that crashes."""
        assert self.daemon is not None
        return self.daemon.pid

    def start_again(self) -> None:
        self.start()

    def run(self, *command: str | Path) -> None:
        subprocess.run(command, env=self.environment, cwd=self.path, check=False, **QUIET)

    def spawn(self, *command: str | Path) -> None:
        self.daemon = subprocess.Popen(command, env=self.environment, cwd=self.path, **QUIET)

    def living(self, role: int) -> list[int]:
        """The processes of the service in this role."""
        found, word = [], f"{role}.{self.tag}".encode()
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word in words:
                found.append(int(process))
        return found

    def wait_for(self, role: int) -> None:
        try:
            wait_for(lambda: self.living(role), 20, rest=0.05)
        except TimeoutError:
            raise SystemExit(f"{self.name} does not start its service") from None

    def clean(self) -> None:
        """Ends what was started here, whatever the supervisor leaves."""
        if self.daemon:
            end(self.daemon, seconds=20)
        for role in (MAIN, *ROLES):
            for process in self.living(role):
                os.kill(process, signal.SIGKILL)


class Astra(Contender):
    name, needs = "Astra", ""

    def start(self) -> None:
        services = {
            "x": {
                "cmd": [str(self.service)],
                "start_seconds": 0,
                "restart_policy": {"mode": "never"},
            }
        }
        (self.path / "services.json").write_text(json.dumps(services))
        self.environment["LLM_SHELL_PORT"] = str(free_port())
        self.spawn(self.binary, "astra", "--config", "services.json")

    def stop(self) -> None:
        self.run(self.binary, "ctl", "stop", "--wait", "x")

    def start_service(self) -> None:
        self.run(self.binary, "ctl", "start", "--wait", "x")


class Shell(Contender):
    name, needs = "LLM Shell", ""

    def start(self) -> None:
        self.environment["LLM_SHELL_PORT"] = str(free_port())
        self.spawn(self.binary)
        time.sleep(1)
        self.start_service()

    def stop(self) -> None:
        self.run(self.binary, "ctl", "stop")

    def start_service(self) -> None:
        self.run(self.binary, "ctl", "start", "--", f"exec {self.service}")


class Supervisord(Contender):
    name, needs, options = "supervisord", "supervisord", ""

    def start(self) -> None:
        (self.path / "s.conf").write_text(f"""[supervisord]
nodaemon=true
logfile={self.path}/s.log
pidfile={self.path}/s.pid
[unix_http_server]
file={self.path}/s.sock
[supervisorctl]
serverurl=unix://{self.path}/s.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:x]
command={self.service}
{self.options}
""")
        self.spawn("supervisord", "-c", "s.conf")

    def stop(self) -> None:
        self.run("supervisorctl", "-c", "s.conf", "stop", "x")

    def start_service(self) -> None:
        self.run("supervisorctl", "-c", "s.conf", "start", "x")


class SupervisordGroup(Supervisord):
    name, options = "supervisord, stopasgroup and killasgroup", "stopasgroup=true\nkillasgroup=true"


class Pm2(Contender):
    name, needs = "pm2", "pm2"

    def start(self) -> None:
        self.environment["PM2_HOME"] = str(self.path / "pm2")
        self.run("pm2", "start", self.service, "--interpreter", "none", "--name", "x")

    def stop(self) -> None:
        self.run("pm2", "stop", "x")

    def start_service(self) -> None:
        self.run("pm2", "start", "x")
        self.run("pm2", "save")

    def supervisor(self) -> int:
        return int((self.path / "pm2/pm2.pid").read_text())

    def start_again(self) -> None:
        self.run("pm2", "resurrect")

    def clean(self) -> None:
        self.run("pm2", "kill")
        super().clean()


class S6(Contender):
    name, needs = "s6", "s6-svscan"

    def start(self) -> None:
        scan = self.path / "scan/x"
        scan.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.service, scan / "run")
        self.spawn("s6-svscan", "scan")

    def stop(self) -> None:
        self.run("s6-svc", "-wd", "-T5000", "-d", "scan/x")

    def start_service(self) -> None:
        self.run("s6-svc", "-u", "scan/x")

    def supervisor(self) -> int:
        assert self.daemon is not None
        children = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children")
        return int(children.read_text().split()[0])

    def start_again(self) -> None:
        """Nothing: s6-svscan starts another s6-supervise."""


class Runit(Contender):
    name, needs = "runit", "runsv"

    def start(self) -> None:
        (self.path / "x").mkdir(exist_ok=True)
        shutil.copy(self.service, self.path / "x/run")
        self.spawn("runsv", "x")

    def stop(self) -> None:
        self.run("sv", "stop", self.path / "x")

    def start_service(self) -> None:
        self.run("sv", "start", self.path / "x")


CONTENDERS: list[type[Contender]] = [Astra, Shell, Supervisord, SupervisordGroup, Pm2, S6, Runit]


def measure(contender: Contender) -> str:
    contender.start()
    for role in (MAIN, *ROLES):
        contender.wait_for(role)
    contender.stop()
    time.sleep(SETTLE_SECONDS)
    left = [what for role, what in ROLES.items() if contender.living(role)]
    contender.start_service()
    contender.wait_for(MAIN)
    time.sleep(1)
    os.kill(contender.supervisor(), signal.SIGKILL)
    time.sleep(1)
    contender.start_again()
    time.sleep(4)
    count = len(contender.living(MAIN))
    return f"| {contender.name} | {', '.join(left) or 'nothing'} | {count} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--binary", required=True, type=lambda path: str(Path(path).absolute()))
    options = parser.parse_args()
    print(
        "| supervisor | left behind by a stop | of the service, once the supervisor was killed "
        "and started again |\n|---|---|---|"
    )
    for kind in CONTENDERS:
        if kind.needs and not shutil.which(kind.needs):
            print(f"{kind.needs} is not here", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            contender = kind(Path(folder), options.binary)
            try:
                print(measure(contender), flush=True)
            finally:
                contender.clean()
    return 0


if __name__ == "__main__":
    sys.exit(main())
