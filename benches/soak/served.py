"""One server on loopback in a folder of its own: started, killed, started again, and measured."""

import http.client
import json
import os
import pathlib
import subprocess
import threading
import time

from harness import Server, environment, living

# What a log directory may hold in all, and the disk that it lies on, where it has one of its own.
LOG_BYTES_MAX = 24 << 20
DISK_BYTES = 64 << 20
START_SECONDS_MAX = 30


class Gone(Exception):
    """There was no whole answer: the server is down, or has cut the connection."""


class Served:
    """A server. It is down between `kill` and the end of `start`."""

    def __init__(self, binary, folder, mode):
        self.binary, self.mode = binary, mode
        self.folder = pathlib.Path(os.path.realpath(folder))
        self.work = self.folder / "work"
        self.work.mkdir()
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(self.disk)]
        self.has_disk = subprocess.run(mounted, capture_output=True).returncode == 0
        # How often it was killed or the disk was full: what begins and ends in one such time only
        # is held to the strictest rules.
        self.downs = self.fulls = 0
        self.is_down = self.is_full = self.is_attacked = False
        self.lock = threading.Lock()
        self.slowest_start = 0.0

    @property
    def logs(self):
        return self.disk / "logs"

    def start(self):
        settings = {
            "LLM_SHELL_LOG_DIR": self.logs,
            "LLM_SHELL_PORT": 0,
            "LLM_SHELL_LOG_MAX_BYTES": LOG_BYTES_MAX,
            "LLM_SHELL_KILL_TIMEOUT": 1,
            "RUST_LOG": "info,access=error",
        }
        command = [self.binary] if self.mode == "shell" else [self.binary, "astra"]
        self.server = Server(command, self.work, environment(**settings), self.folder / "stderr")
        self.server.wait_until_listening(START_SECONDS_MAX, rest=0.005)
        self.process, self.address = self.server.process, ("127.0.0.1", self.server.port)
        self.ask("GET", "/health")
        self.slowest_start = max(self.slowest_start, time.monotonic() - self.server.begun)
        self.is_down = False

    def kill(self):
        """SIGKILL, and what that leaves is the next start's to find."""
        self.downs += 1
        self.is_down = True
        self.server.kill()

    def end(self):
        """Asks it to end; gives its exit code."""
        return self.server.end()

    def remove(self):
        if self.has_disk:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)

    def ask(self, method, path, body=None, headers=None, timeout=70):
        """One request on a connection of its own: its status and its body."""
        try:
            answer = self.server.ask(method, path, body, headers=headers, timeout=timeout)
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"{method} {path}: {error!r}") from error
        return answer.status, answer.body

    def get(self, path):
        """The JSON of an answer of 200; `None` for any other."""
        status, body = self.ask("GET", path)
        return json.loads(body) if status == 200 else None

    def living(self):
        """The processes that work in its folder, but for itself."""
        return [pid for pid in living(self.work) if pid != self.process.pid]

    def measure(self):
        """Resident memory in KiB, threads, and descriptors."""
        own = pathlib.Path(f"/proc/{self.process.pid}")
        fields = dict(line.split(":", 1) for line in (own / "status").read_text().splitlines())
        rss, threads = (int(fields[name].split()[0]) for name in ("VmRSS", "Threads"))
        return rss, threads, len(os.listdir(own / "fd"))

    def panics(self):
        return (self.folder / "stderr").read_text(errors="replace").count("panicked")
