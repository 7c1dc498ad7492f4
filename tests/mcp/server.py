"""The program under test, as clients of the Model Context Protocol find it."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator

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
    """Its URL, while it runs in a folder of its own; nothing that it ran is left then."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "astra_services.json").write_text(json.dumps(SERVICES))
        server = subprocess.Popen(
            [binary, *arguments, "--port", "0", "--log-dir", "logs"],
            cwd=folder, stderr=subprocess.PIPE, text=True,
        )
        try:
            for line in server.stderr:
                if found := re.search(r"listening on (\S+)", line):
                    break
            else:
                raise RuntimeError("the server does not listen")
            yield found[1]
        finally:
            server.send_signal(signal.SIGTERM)
            server.stderr.read()
            assert server.wait(20) == 0
            left = subprocess.run(["pgrep", "-f", folder], capture_output=True, text=True).stdout
            assert not left, left
