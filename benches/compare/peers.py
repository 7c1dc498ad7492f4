"""Programs that run commands and log what they print, each started in a folder of its own.

`Peer(folder, command, count, restart)` runs the command so many times over, and again after a
crash where it shall. `log()` is the file of the first, `pids()` are the processes that cost,
`close()` asks it to end.
"""

import json
import os
import shlex
import signal
from pathlib import Path

import places
import processes
from client import Client, wait_until_it_answers
from harness import end, free_port
from processes import start

MANY = 1_000_000


class Peer:
    """What they have in common."""

    def __init__(self, folder: Path, command: list, count: int = 1, restart: bool = False):
        self.folder, self.command = folder, [str(word) for word in command]
        self.count, self.restart = count, restart
        self.process = self.launch()

    def pids(self) -> list[int]:
        return [self.process.pid]

    def log(self) -> Path:
        return self.folder / "out0.log"

    def close(self):
        end(self.process)

    def script(self, path: Path, command: str):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\nexec 2>&1\nexec {command}\n")
        path.chmod(0o755)


class Shell(Peer):
    """A server of POST /start: ours. With an empty command it is only there."""

    def launch(self):
        self.port = free_port()
        process = start([*self.server(), self.port], self.folder)
        self.client = wait_until_it_answers(self.port, "/health", 0.001)
        if self.command:
            self.begin()
        return process

    def begin(self):
        line = f"exec {shlex.join(self.command)}"
        self.started = self.client.post("/start", {"command": line})

    def server(self) -> list:
        return [places.OURS, "--log-max-bytes", 10**12, "--port"]

    def log(self) -> Path:
        return self.folder / self.started["log_file"]


class SpecificationShell(Shell):
    def server(self) -> list:
        return [places.VENV / "python", places.HERE / "specification/shell.py"]


class Astra(Peer):
    """A server of a services file: ours."""

    def launch(self):
        self.port = free_port()
        attempts = MANY if self.restart else 0
        policy = {"max_restarts": attempts, "backoff_seconds": 0}
        service = {"cmd": self.command, "restart_policy": policy, "start_seconds": 0}
        services = {f"s{number:04}": service for number in range(self.count)}
        (self.folder / "astra_services.json").write_text(json.dumps(services))
        return start([*self.server(), self.port], self.folder)

    def server(self) -> list:
        return [places.OURS, "astra", "--port"]

    def answers(self) -> Client:
        return wait_until_it_answers(self.port, "/supervisor/status", 0.001)


class SpecificationAstra(Astra):
    def server(self) -> list:
        return [places.VENV / "python", places.HERE / "specification/astra.py"]


class Supervisord(Peer):
    """Also answers XML-RPC at `port`."""

    def launch(self):
        self.port = free_port()
        policy = f"autorestart={str(self.restart).lower()}\nstartretries={MANY}\nstartsecs=0\n"
        programs = "".join(
            f"[program:s{number}]\ncommand={shlex.join(self.command)}\n{policy}"
            "redirect_stderr=true\n"
            f"stdout_logfile={self.folder}/out{number}.log\nstdout_logfile_maxbytes=0\n"
            for number in range(self.count)
        )
        (self.folder / "supervisord.conf").write_text(
            f"[supervisord]\nnodaemon=true\nlogfile={self.folder}/own.log\nminfds=20000\n"
            f"pidfile={self.folder}/own.pid\n[inet_http_server]\nport=127.0.0.1:{self.port}\n"
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = "
            f"supervisor.rpcinterface:make_main_rpcinterface\n{programs}"
        )
        return start(["supervisord", "-c", self.folder / "supervisord.conf"], self.folder)


class Circus(Peer):
    """With a stamp on each line, and otherwise at its defaults."""

    check_delay = 5

    def launch(self):
        watchers = "".join(
            f"[watcher:s{number}]\ncmd = {shlex.join(self.command)}\ncopy_env = True\n"
            f"max_retry = -1\nwarmup_delay = 0\nrespawn = {self.restart}\n"
            f"stdout_stream.class = FileStream\nstdout_stream.filename = out{number}.log\n"
            "stdout_stream.time_format = %Y-%m-%d %H:%M:%S\n"
            f"stderr_stream.class = FileStream\nstderr_stream.filename = err{number}.log\n"
            for number in range(self.count)
        )
        ends = [f"tcp://127.0.0.1:{free_port()}" for _ in range(2)]
        (self.folder / "circus.ini").write_text(
            f"[circus]\ncheck_delay = {self.check_delay}\nendpoint = {ends[0]}\n"
            f"pubsub_endpoint = {ends[1]}\nstatsd = False\n{watchers}"
        )
        return start([places.VENV / "circusd", "circus.ini"], self.folder)


class CircusInAHurry(Circus):
    """Looks every tenth of a second whether something has ended."""

    check_delay = 0.1


class Pm2(Peer):
    """Its daemon leaves the one who starts it; `pm2 kill` ends it."""

    options: dict = {"time": True}

    def launch(self):
        self.script(self.folder / "run.sh", shlex.join(self.command))
        apps = [
            {
                "name": f"s{number}",
                "script": "./run.sh",
                "interpreter": "none",
                "merge_logs": True,
                "autorestart": self.restart,
                "max_restarts": MANY,
                "out_file": f"out{number}.log",
                "error_file": f"out{number}.log",
                **self.options,
            }
            for number in range(self.count)
        ]
        (self.folder / "apps.json").write_text(json.dumps({"apps": apps}))
        self.order("start", "apps.json")

    def order(self, *words) -> str:
        home = {**os.environ, "PM2_HOME": str(self.folder / "pm2")}
        return processes.run([places.PM2, *words], self.folder, env=home)

    def pids(self) -> list[int]:
        return [int((self.folder / "pm2/pm2.pid").read_text())]

    def close(self):
        self.order("kill")


class Pm2Json(Pm2):
    options = {"log_type": "json"}


class Runit(Peer):
    """runsvdir, and for each service a runsv and a svlogd -tt."""

    def launch(self):
        for number in range(self.count):
            service = self.folder / f"sv/s{number}"
            self.script(service / "run", shlex.join(self.command))
            self.script(service / "log/run", "svlogd -tt ./main")
            (service / "log/main").mkdir()
            (service / "log/main/config").write_text("s0\nn0\n")
        return start(["runsvdir", self.folder / "sv"], self.folder)

    def pids(self) -> list[int]:
        root = self.process.pid
        return [root, *processes.named(root, "runsv"), *processes.named(root, "svlogd")]

    def log(self) -> Path:
        return self.folder / "sv/s0/log/main/current"

    def close(self):
        end(self.process, signal.SIGHUP)


class S6(Peer):
    """s6-svscan, and for each service two s6-supervise and a s6-log t."""

    def launch(self):
        for number in range(self.count):
            service = self.folder / f"scan/s{number}"
            self.script(service / "run", shlex.join(self.command))
            into = shlex.quote(f"{self.folder}/log{number}")
            self.script(service / "log/run", f"s6-log -b n100 s268435455 t {into}")
        return start(["s6-svscan", "-c", "4000", self.folder / "scan"], self.folder)

    def pids(self) -> list[int]:
        below = processes.descendants(self.process.pid)
        return [self.process.pid, *(pid for pid in below if processes.name(pid).startswith("s6-"))]

    def log(self) -> Path:
        return self.folder / "log0/current"
