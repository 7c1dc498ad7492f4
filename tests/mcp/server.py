"""The program under test, for clients of the Model Context Protocol."""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Server

SERVICES = {
    "web": {"cmd": "echo begun; exec sleep 60", "start_seconds": 0},
    "broken": {
        "cmd": "echo oops; exit 3",
        "start_seconds": 0,
        "restart_policy": {"mode": "never"},
    },
}


@contextlib.contextmanager
def running(binary: str, *arguments: str) -> Iterator[str]:
    """Yields its URL while it runs in its own folder; none of its processes is left afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "astra_services.json").write_text(json.dumps(SERVICES))
        command = [binary, *arguments, "--port", "0", "--log-dir", "logs"]
        server = Server(command, folder)
        try:
            yield server.wait_until_listening().url
        finally:
            assert server.end(seconds=20) == 0
            left = subprocess.run(["pgrep", "-f", folder], capture_output=True, text=True).stdout
            assert not left, left
