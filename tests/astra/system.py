"""The example under a supervisor of its own: a copy in a fresh folder, on free ports."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/astra"
LEFT_OUT = shutil.ignore_patterns(".venv", "data", "logs", "node_modules", "build", "__pycache__")
SERVED = ("astra", "brain", "tts", "memory", "rag", "web")
START_SECONDS = 30
END_SECONDS = 30


@dataclass
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Message
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class System:
    """One copy of the example, and the supervisor that runs on it now."""

    def __init__(self, binary: Path, python: Path, folder: str) -> None:
        self.binary = binary
        self.python = python
        self.folder = Path(os.path.realpath(folder), "astra")
        shutil.copytree(EXAMPLE, self.folder, ignore=LEFT_OUT)
        self.ports = dict(zip(SERVED, free_ports(len(SERVED)), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['astra']}"
        names = {f"ASTRA_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = os.environ | names | {
            "ASTRA_URL": self.url, "ASTRA_PYTHON": str(python),
            "LLM_SHELL_PORT": str(self.ports["astra"])}
        self.supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the supervisor, and waits for its first answer."""
        with open(self.log, "ab") as log:
            self.supervisor = subprocess.Popen(
                [self.binary, "astra", "--config", "astra_services.json"],
                cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.supervisor.poll() is None:
            with contextlib.suppress(OSError):
                self.call("GET", "/health", prefix="")
                return
            time.sleep(0.02)
        raise SystemExit(f"the supervisor did not start:\n{self.log.read_text()}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends the supervisor with a signal; gives its exit code."""
        assert self.supervisor is not None
        self.supervisor.send_signal(number)
        try:
            return self.supervisor.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.supervisor.kill()
            return self.supervisor.wait()

    def call(self, method: str, path: str, body: Any = None, prefix: str = "/supervisor",
             service: str = "astra", headers: dict[str, str] | None = None) -> Answer:
        """An answer of the supervisor, or of a service by its own port (then without prefix)."""
        prefix = prefix if service == "astra" else ""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[service]}{prefix}{path}", data, headers or {},
            method=method)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read().decode())

    def service(self, name: str) -> dict[str, Any]:
        """The status of one service."""
        status: dict[str, Any] = self.call("GET", "/status").json["services"][name]
        return status

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end in the copy's folder, with its ports in the environment."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
            timeout=120, check=False)

    def edit(self, change: Any) -> None:
        """Changes the services file: the function gets the object in it, and changes that."""
        path = self.folder / "astra_services.json"
        services = json.loads(path.read_text())
        change(services)
        path.write_text(json.dumps(services))

    def living(self) -> list[int]:
        """The processes that work in the copy's folder."""
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{process}/cwd").startswith(str(self.folder)):
                    found.append(int(process))
        return found

    @property
    def log(self) -> Path:
        """What the supervisor itself says."""
        return self.folder / "supervisor.log"


@contextlib.contextmanager
def system(binary: Path, python: Path) -> Iterator[System]:
    """A started system. When it ends nothing of it is left, whatever happened."""
    with tempfile.TemporaryDirectory() as folder:
        copy = System(binary, python, folder)
        try:
            copy.start()
            yield copy
        finally:
            if copy.supervisor is not None and copy.supervisor.poll() is None:
                copy.end()
            for pid in copy.living():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on: all are taken at once, so they differ, and then let go."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
