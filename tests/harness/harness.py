"""A server on loopback, for the Python tests and the measurements.

Each script is run by itself, so it puts this folder on its path before it imports this.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

REST_SECONDS = 0.01


def free_ports(count: int) -> list[int]:
    """Returns free ports: all are bound at once, so that they differ, and then released."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def free_port() -> int:
    return free_ports(1)[0]


def wait_for(probe: Callable[[], Any], seconds: float = 60, rest: float = REST_SECONDS) -> Any:
    """Calls `probe` until it returns a true value, and returns that."""
    end_time = time.monotonic() + seconds
    while time.monotonic() < end_time:
        if found := probe():
            return found
        time.sleep(rest)
    raise TimeoutError(f"it took longer than {seconds} s")


def environment(**settings: object) -> dict[str, str]:
    """Returns the environment with these settings of the program and no others."""
    inherited = {name: value for name, value in os.environ.items() if not is_setting(name)}
    return inherited | {name: str(value) for name, value in settings.items()}


def is_setting(name: str) -> bool:
    return name.startswith("LLM_SHELL_")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    timeout: float = 60,
) -> Answer:
    """Sends a request on its own connection, with a body of bytes or JSON."""
    headers = headers or {}
    if not isinstance(body, bytes | None):
        headers = {"Content-Type": "application/json"} | headers
        body = json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def end(process: subprocess.Popen, number: int = signal.SIGTERM, seconds: float = 30) -> int:
    """Ends a process with a signal, and with SIGKILL after a timeout; returns its exit code."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def living(folder: Path | str) -> list[int]:
    """Returns the processes that work in a folder or below it."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if is_in(pid, folder)]


def is_in(pid: int, folder: Path | str) -> bool:
    """Whether a process works in a folder or below it; the folder's path has no links in it."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(folder)
    except OSError:
        return False


class Server:
    """A server process that listens on port 0; its log has the address."""

    def __init__(
        self,
        command: list[Path | str],
        folder: Path | str,
        env: dict[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """Starts it in this folder, with its log there too; call `wait_until_listening` next."""
        self.begun = time.monotonic()
        self.log = log or Path(folder, "server.log")
        self.port = 0
        with self.log.open("ab") as log:
            self.log_begin = log.tell()
            self.process = subprocess.Popen(command, cwd=folder, env=env, stderr=log)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_listening(self, seconds: float = 60, rest: float = REST_SECONDS) -> "Server":
        """Waits until it logs its address; exits the script if it does not."""
        with contextlib.suppress(TimeoutError):
            self.port = wait_for(self.listening_port, seconds, rest)
        if not self.port or self.port < 0:
            raise SystemExit(f"the server did not start:\n{self.log_text()[-3000:]}")
        return self

    def listening_port(self) -> int | None:
        """Returns the port once it listens, -1 once it has ended."""
        _, found, behind = self.log_text().partition("listening on http://")
        if found and "\n" in behind:
            return int(behind.split()[0].rsplit(":", 1)[1])
        return None if self.process.poll() is None else -1

    def log_text(self) -> str:
        """Returns its log since the start."""
        return self.log.read_bytes()[self.log_begin :].decode(errors="replace")

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return ask(self.port, method, path, body, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.json_of("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        return self.json_of("POST", path, body, **more)

    def json_of(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Returns the JSON of a successful answer."""
        answer = self.ask(method, path, body, **more)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.text[:500]}")
        return answer.json

    def kill(self) -> None:
        """Kills it with SIGKILL, as a crash does."""
        self.process.kill()
        self.process.wait()

    def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Ends it; returns its exit code, -9 if it did not end in time."""
        return end(self.process, number, seconds)
