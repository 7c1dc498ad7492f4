#!/usr/bin/env python3
"""Tests the running server against its OpenAPI document: `contract.py BINARY BIN_OF_VENV`.

Both modes, each in a folder and on a port of its own. The document is validated, then schemathesis
asks what it makes up of it. Nothing is left running. Exit code 1 when something does not hold.
"""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import Server

HERE = Path(__file__).parent
SECONDS = 25
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
]
SERVICES = {
    "web": {
        "cmd": "echo up; exec sleep 600",
        "stop_timeout": 0.5,
        "start_seconds": 0,
        "restart_policy": {"max_restarts": 1000, "backoff_seconds": 0.1},
    },
    "once": {"cmd": "true", "restart_policy": {"mode": "never"}},
    "talks": {
        "cmd": "exec cat",
        "pty": True,
        "depends_on": ["web"],
        "start_seconds": 0,
        "restart_policy": {"max_restarts": 1000, "backoff_seconds": 0.1},
        "health_check": {"cmd": ["true"]},
    },
}


@contextmanager
def serving(binary: Path, mode: str):
    """Runs a server until the block ends."""
    command = (
        [binary, "--port", "0"]
        if mode == "shell"
        else [binary, "astra", "--config", "services.json", "--port", "0"]
    )
    environment = {
        **os.environ,
        "LLM_SHELL_TOKEN": "token-of-contract",
        "RUST_LOG": "info,access=off",
    }
    with tempfile.TemporaryDirectory(prefix="llm-shell-contract-") as folder:
        Path(folder, "services.json").write_text(json.dumps(SERVICES))
        server = Server(command, folder, environment)
        try:
            yield server.wait_until_listening(20)
            if server.process.poll() is not None:
                sys.exit(f"the server ended: {server.log_text()[-2000:]}")
        finally:
            server.end()


def hold(server: Server, tools: Path) -> bool:
    """Whether the server conforms to its document."""
    headers = {"Authorization": "Bearer token-of-contract"}
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "openapi.json"
        document.write_bytes(server.ask("GET", "/openapi.json", headers=headers, timeout=10).body)
        if subprocess.run([tools / "openapi-spec-validator", document]).returncode:
            return False
        command = [
            tools / "st",
            "run",
            document,
            "--url",
            server.url,
            "--no-color",
            "--header",
            "Authorization: Bearer token-of-contract",
            "--checks",
            ",".join(CHECKS),
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "25",
            "--max-time",
            str(SECONDS),
            "--request-timeout",
            "10",
            "--no-shrink",
            "--continue-on-failure",
            "--generation-deterministic",
            "--suppress-health-check",
            "all",
            # A stream of events has no end; the other is held to a protocol of its own, elsewhere.
            "--exclude-path-regex",
            "^((/supervisor)?/events|/mcp)$",
        ]
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(command, cwd=folder, env=environment).returncode == 0


def main() -> int:
    binary, tools = (Path(argument).absolute() for argument in sys.argv[1:])
    holds = []
    for mode in ("shell", "astra"):
        with serving(binary, mode) as server:
            holds.append(hold(server, tools))
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
