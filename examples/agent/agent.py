"""What an agent does with a build that fails: reads what it needs, mends it, builds and tries it.

    python3 examples/agent/agent.py [URL]     (http://127.0.0.1:8000 where none is given)

Prints each answer as a model would read it, then how many calls and bytes of answers it took.
"""

import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import urllib.request

API = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
PROJECT = pathlib.Path(__file__).parent / "project"


class Shell:
    """Calls the API, and counts what that costs."""

    def __init__(self, folder: str) -> None:
        self.folder, self.calls, self.bytes = folder, 0, 0

    def call(self, method: str, path: str, body: bytes | None = None) -> str:
        headers = {"Accept": "text/plain", "Authorization": f"Bearer {os.environ.get('TOKEN', '')}"}
        if path == "/start":
            # Sent again after a lost answer, it would not run twice.
            headers["Idempotency-Key"] = f"{os.getpid()}-{self.calls}"
        request = urllib.request.Request(API + path, body, headers, method=method)
        with urllib.request.urlopen(request) as response:
            answer = response.read()
        self.calls += 1
        self.bytes += len(answer)
        print(f"> {method} {path} {(body or b'').decode()}\n{answer.decode()}")
        return answer.decode()

    def run(self, command: str, **more: object) -> str:
        body = {"command": command, "cwd": self.folder, "wait": 50, "max_bytes": 1500} | more
        return self.call("POST", "/start", json.dumps(body).encode())


def work(shell: Shell) -> None:
    built = shell.run("make")
    assert "exited | exit code 2" in built.splitlines()[0], built
    # 3,000 lines were printed: these are the ones that matter.
    errors = shell.call("GET", "/logs?grep=%5Cberror:&limit=5&strip_ansi=true")
    file, line = re.match(r"(\S+?):(\d+):", errors).groups()
    around = f"{max(int(line) - 2, 1)},{int(line) + 2}"
    source = shell.run(f"sed -n '{around}p' {file}")
    assert "        return 1\n" in source, source
    shell.run(f"sed -i 's/return 1$/return 1;/' {file}")
    built = shell.run("make")
    assert "exited | exit code 0" in built.splitlines()[0], built
    asked = shell.run("./hello", pty=True, wait=1)
    assert "/stdin if that is a question" in asked, asked
    shell.call("POST", "/stdin", b"Ann\n")
    ended = shell.call("GET", "/status?wait=50")
    assert "Hello Ann" in ended, ended


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PROJECT, folder, dirs_exist_ok=True)
        shell = Shell(folder)
        work(shell)
    print(f"{shell.calls} calls, {shell.bytes} bytes of answers")
    assert shell.calls < 10 and shell.bytes < 20 * 1024


if __name__ == "__main__":
    main()
