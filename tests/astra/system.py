"""The example under a supervisor of its own: a copy in a fresh folder, on free ports."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Answer, ask, end, free_ports, living, wait_for

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/astra"
LEFT_OUT = shutil.ignore_patterns(".venv", "data", "logs", "node_modules", "build", "__pycache__")
SERVED = ("astra", "brain", "tts", "memory", "rag", "web")
START_SECONDS = 30
END_SECONDS = 30


class System:
    """A copy of the example, and the supervisor that runs on it."""

    def __init__(self, binary: Path, python: Path, folder: str) -> None:
        self.binary = binary
        self.python = python
        self.folder = Path(os.path.realpath(folder), "astra")
        shutil.copytree(EXAMPLE, self.folder, ignore=LEFT_OUT)
        self.ports = dict(zip(SERVED, free_ports(len(SERVED)), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['astra']}"
        names = {f"ASTRA_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        self.environment = (
            os.environ
            | names
            | {
                "ASTRA_URL": self.url,
                "ASTRA_PYTHON": str(python),
                "LLM_SHELL_PORT": str(self.ports["astra"]),
            }
        )
        self.supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the supervisor and waits for its first answer."""
        with open(self.log, "ab") as log:
            self.supervisor = subprocess.Popen(
                [self.binary, "astra", "--config", "astra_services.json"],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        with contextlib.suppress(TimeoutError):
            wait_for(self.answers, START_SECONDS, rest=0.02)
            return
        raise SystemExit(f"the supervisor did not start:\n{self.log.read_text()}")

    def answers(self) -> bool:
        if self.supervisor is None or self.supervisor.poll() is not None:
            raise TimeoutError("it has ended")
        with contextlib.suppress(OSError):
            return self.call("GET", "/health", prefix="").status < 500
        return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends the supervisor with a signal; returns its exit code."""
        assert self.supervisor is not None
        return end(self.supervisor, number, END_SECONDS)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        prefix: str = "/supervisor",
        service: str = "astra",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Requests the supervisor, or a service by its own port (then without prefix)."""
        prefix = prefix if service == "astra" else ""
        return ask(self.ports[service], method, f"{prefix}{path}", body, headers, timeout=90)

    def service(self, name: str) -> dict[str, Any]:
        """Returns the status of a service."""
        status: dict[str, Any] = self.call("GET", "/status").json["services"][name]
        return status

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end in the copy's folder, with its ports in the environment."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def edit(self, change: Any) -> None:
        """Changes the services file with a function that modifies its object."""
        path = self.folder / "astra_services.json"
        services = json.loads(path.read_text())
        change(services)
        path.write_text(json.dumps(services))

    def living(self) -> list[int]:
        """Returns the processes that work in the copy's folder."""
        return living(self.folder)

    @property
    def log(self) -> Path:
        """Returns the log of the supervisor."""
        return self.folder / "supervisor.log"


@contextlib.contextmanager
def system(binary: Path, python: Path) -> Iterator[System]:
    """Runs a system; nothing of it is left afterwards, even on errors."""
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
