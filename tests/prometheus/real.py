#!/usr/bin/env python3
"""Tests a real Prometheus with our rules, scraping both modes, with the dashboard's queries.

`real.py PROMETHEUS PROMTOOL BINARY`. Prints each check; exit code 1 when one fails. All of it is on
loopback, on free ports, in a folder of its own; nothing is left running.
"""

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/harness"))
from harness import ask, end, free_ports, wait_for

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "prometheus"
TOKEN = "s3cret-token-0123"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_SECONDS = 60
SERVICES = {
    "web": {"cmd": "while :; do echo line; sleep 0.1; done", "start_seconds": 0},
    "sick": {"cmd": "exec sleep 600", "health_check": {"cmd": ["false"], "interval": 1}},
    "fails": {"cmd": "exit 1", "restart_policy": {"max_restarts": 0}},
}
# Without a `for`, it fires at the first evaluation.
FIRES = ["AstraServiceFailed"]


def get(port: int, path: str) -> bytes:
    answer = ask(port, "GET", path, headers=HEADERS, timeout=10)
    if answer.status >= 400:
        raise OSError(f"GET {path}: {answer.status} {answer.text}")
    return answer.body


class Checks:
    def __init__(self) -> None:
        self.failed = 0

    def check(self, what: str, is_so: bool, why: str = "") -> None:
        print(("ok   " if is_so else "FAIL ") + what + ("" if is_so else f"\n{why}"), flush=True)
        self.failed += not is_so

    def run(self, what: str, *words: object) -> None:
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, cwd=EXAMPLES, check=False
        )
        self.check(what, done.returncode == 0, done.stdout + done.stderr)


def eventually(probe):
    """Waits until `probe` returns a true value; returns an empty list if it never does."""
    try:
        return wait_for(probe, PATIENCE_SECONDS, rest=0.2)
    except TimeoutError:
        return []


def lint(checks: Checks, promtool: str, text: bytes, mode: str) -> None:
    """promtool reads the older text: it misses the help of a counter without its `_total`."""
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    said = done.stderr.decode().splitlines()
    real = [line for line in said if not line.endswith("_total no help text")]
    checks.check(
        f"promtool check metrics: {mode}", not real and text.count(b"\n") > 8, "\n".join(real)
    )


def expressions():
    """Returns each panel's title and expression, with Grafana's variables expanded."""
    dashboard = json.loads((EXAMPLES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "1m")
            yield panel["title"], re.sub(r"\$\w+", ".*", text)


def query(prometheus: int, expression: str):
    asked = urllib.parse.urlencode({"query": expression})
    return json.loads(get(prometheus, f"/api/v1/query?{asked}"))


def configuration(folder: Path, shell: int, astra: int) -> Path:
    """Returns the example configuration for these ports, with a short interval."""
    text = (EXAMPLES / "prometheus.yml").read_text()
    text = text.replace(":8000", f":{shell}").replace(":7031", f":{astra}").replace("15s", "1s")
    (folder / "alerts.yml").write_text((EXAMPLES / "alerts.yml").read_text())
    for name in ("llm-shell", "astra"):
        (folder / f"{name}.token").write_text(TOKEN)
    (folder / "prometheus.yml").write_text(text)
    return folder / "prometheus.yml"


def examine(checks: Checks, prometheus: int, promtool: str, shell: int, astra: int) -> None:
    for mode, port in (("shell", shell), ("astra", astra)):
        text = eventually(lambda port=port: attempt(lambda: get(port, "/metrics")))
        lint(checks, promtool, text, mode)
    start = {"command": "while :; do echo line; sleep 0.1; done"}
    ask(shell, "POST", "/start", start, headers=HEADERS, timeout=10)
    up = eventually(lambda: len(attempt(lambda: result(prometheus, "up == 1")) or []) == 2)
    checks.check("both are scraped, with their tokens", bool(up))
    for title, expression in expressions():
        answer = eventually(functools.partial(attempt, lambda e=expression: result(prometheus, e)))
        checks.check(f"{title}: {expression}", bool(answer), "nothing")
    for name in FIRES:
        found = eventually(functools.partial(firing, prometheus, name))
        checks.check(
            f"{name} fires", [one["labels"]["service"] for one in found] == ["fails"], str(found)
        )


def result(prometheus: int, expression: str) -> list:
    return query(prometheus, expression)["data"]["result"]


def firing(prometheus: int, name: str) -> list:
    """Returns the firing alerts of this name."""
    alerts = json.loads(get(prometheus, "/api/v1/alerts"))["data"]["alerts"]
    return [
        one for one in alerts if one["labels"]["alertname"] == name and one["state"] == "firing"
    ]


def attempt(probe):
    """Returns its result, or None while the server does not answer."""
    try:
        return probe()
    except OSError:
        return None


def main() -> int:
    prometheus, promtool, binary = (str(Path(word).absolute()) for word in sys.argv[1:])
    checks = Checks()
    checks.run("promtool check rules", promtool, "check", "rules", "alerts.yml")
    checks.run(
        "promtool test rules",
        promtool,
        "test",
        "rules",
        ROOT / "tests" / "prometheus" / "alerts_test.yml",
    )
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        folder = Path(name)
        (folder / "services.json").write_text(json.dumps(SERVICES))
        shell, astra, port = free_ports(3)
        config = configuration(folder, shell, astra)
        checks.run("promtool check config", promtool, "check", "config", config)
        environment = {**os.environ, "LLM_SHELL_TOKEN": TOKEN}
        commands = [
            [binary, "--port", shell, "--log-dir", folder / "shell"],
            [
                binary,
                "astra",
                "--config",
                "services.json",
                "--port",
                astra,
                "--log-dir",
                folder / "astra",
            ],
            [
                prometheus,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
        ]
        log = stack.enter_context((folder / "log").open("w+", encoding="utf-8"))
        running = [
            subprocess.Popen(
                [str(word) for word in words], cwd=folder, env=environment, stdout=log, stderr=log
            )
            for words in commands
        ]
        try:
            examine(checks, port, promtool, shell, astra)
        finally:
            for process in running:
                process.terminate()
            for process in running:
                end(process, seconds=PATIENCE_SECONDS)
            if checks.failed:
                log.seek(0)
                print(log.read())
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
