"""A server under attack: started, watched through /proc, and ended by its pid."""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tests/harness"))
from harness import end, environment, free_port, wait_for

OPEN_FILES = 4096
# An account that nobody has, for the attack that uses up its threads. Only root can take it.
LONELY_USER = 54321
LONELY_THREADS = 30
PROBE_SECONDS = 1.0
SETTLE_SECONDS = 5.0


def read_file(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


class Target:
    """One server in a folder of its own, on a port of its own. Use it with `with`."""

    def __init__(self, kind, binary, lonely=False, settings=None):
        self.kind = kind
        self.binary = binary
        self.user = LONELY_USER if lonely and os.getuid() == 0 else None
        self.settings = settings or {}
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.stream_path = "/logs" if kind == "ours" else "/stream"

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="attacks-")
        binary = shutil.copy(self.binary, os.path.join(self.folder, "server"))
        os.chmod(self.folder, 0o755)
        os.makedirs(os.path.join(self.folder, "work"))
        if self.user is not None:
            os.chown(os.path.join(self.folder, "work"), self.user, self.user)
        self.process = self.start(binary)
        self.wait_until_ready()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            end(self.process, seconds=10)
        shutil.rmtree(self.folder)

    def start(self, binary):
        arguments = [] if self.kind == "ours" else [str(self.port)]
        with open(os.path.join(self.folder, "stderr"), "wb") as stderr:
            return subprocess.Popen(
                [binary, *arguments],
                cwd=os.path.join(self.folder, "work"),
                env=environment(LLM_SHELL_PORT=self.port, **self.settings),
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                preexec_fn=self.set_limits,
            )

    def set_limits(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
        if self.user is not None:
            resource.setrlimit(resource.RLIMIT_NPROC, (LONELY_THREADS, LONELY_THREADS))

    def wait_until_ready(self):
        try:
            wait_for(lambda: self.probe()[0] == 200, 10, rest=0.02)
        except TimeoutError:
            raise SystemExit(f"{self.binary} does not answer: {self.stderr()}") from None

    def stderr(self):
        return read_file(os.path.join(self.folder, "stderr"))

    def prepare_stream(self):
        """Has a log of some 64 MB written, which /logs then streams."""
        if self.kind != "ours":
            return
        command = "head -c 64000000 /dev/zero | tr '\\0' x | fold -w 1000"
        body = json.dumps({"command": command}).encode()
        self.ask(request("/start", f"Content-Length: {len(body)}\r\n", "POST") + body)
        while b'"status":"running"' in self.ask(request("/status")):
            time.sleep(0.1)

    def ask(self, data, seconds=PROBE_SECONDS):
        """Everything that the server answers to `data`."""
        with socket.create_connection(self.address, timeout=seconds) as client:
            client.sendall(data)
            received = bytearray()
            while piece := client.recv(65536):
                received += piece
            return bytes(received)

    def probe(self):
        """One short request on a connection of its own: its status (0: none) and its seconds."""
        began = time.monotonic()
        try:
            answer = self.ask(request("/health"))
            status = int(answer.split(b" ", 2)[1])
        except (OSError, IndexError, ValueError):
            status = 0
        return status, time.monotonic() - began

    def alive(self):
        return self.process.poll() is None

    def how_it_died(self):
        code = self.process.poll()
        return signal.Signals(-code).name if code and code < 0 else f"exit {code}"

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def limit(self, which, value):
        resource.prlimit(self.process.pid, which, (value, value))

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def peak_mib(self):
        status = read_file(f"/proc/{self.process.pid}/status")
        return int(status.split("VmHWM:")[1].split()[0]) / 1024


def request(path, headers="", method="GET"):
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    return f"{head}{headers}\r\n".encode()
