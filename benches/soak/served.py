"""One server on loopback in a folder of its own: started, killed, started again, and measured."""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

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
        self.stderr = (self.folder / "stderr").open("ab")
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
        begun = time.monotonic()
        log = self.folder / "stderr"
        before = log.stat().st_size
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LLM_SHELL_")}
        environment |= {"LLM_SHELL_LOG_DIR": str(self.logs), "LLM_SHELL_PORT": "0",
                        "LLM_SHELL_LOG_MAX_BYTES": str(LOG_BYTES_MAX),
                        "LLM_SHELL_KILL_TIMEOUT": "1", "RUST_LOG": "info,access=error"}
        words = [self.binary] if self.mode == "shell" else [self.binary, "astra"]
        self.process = subprocess.Popen(words, cwd=self.work, env=environment, stderr=self.stderr)
        while time.monotonic() < begun + START_SECONDS_MAX:
            with log.open("rb") as text:
                text.seek(before)
                _, found, after = text.read().partition(b"listening on http://")
            if found and b"\n" in after:
                self.address = ("127.0.0.1", int(after.split()[0].rsplit(b":", 1)[1]))
                self.ask("GET", "/health")
                self.slowest_start = max(self.slowest_start, time.monotonic() - begun)
                self.is_down = False
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        raise SystemExit(f"the {self.mode} server did not start:\n{log.read_text()[-3000:]}")

    def kill(self):
        """SIGKILL, and what that leaves is the next start's to find."""
        self.downs += 1
        self.is_down = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Asks it to end; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed after 30 s"

    def remove(self):
        self.stderr.close()
        if self.has_disk:
            subprocess.run(["umount", "-l", str(self.disk)], check=False)

    def ask(self, method, path, body=None, headers=None, timeout=70):
        """One request on a connection of its own: its status and its body."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Gone(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def get(self, path):
        """The JSON of an answer of 200; `None` for any other."""
        status, body = self.ask("GET", path)
        return json.loads(body) if status == 200 else None

    def living(self):
        """The processes that work in its folder, but for itself."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) != self.process.pid and works_in(int(pid), self.work):
                found.append(int(pid))
        return found

    def measure(self):
        """Resident memory in KiB, threads, and descriptors."""
        own = pathlib.Path(f"/proc/{self.process.pid}")
        fields = dict(line.split(":", 1) for line in (own / "status").read_text().splitlines())
        rss, threads = (int(fields[name].split()[0]) for name in ("VmRSS", "Threads"))
        return rss, threads, len(os.listdir(own / "fd"))

    def panics(self):
        return (self.folder / "stderr").read_text(errors="replace").count("panicked")


def works_in(pid, folder):
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder)
    except OSError:
        return False
