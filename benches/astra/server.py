"""A server of services on loopback, in a folder of its own, as the measurements here drive it."""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import urllib.request


def measure(about: str, run) -> None:
    """Has `run` measure the binary that the command line names, in a folder that is removed."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    binary = parser.parse_args().binary.resolve()
    with tempfile.TemporaryDirectory() as folder:
        run(binary, pathlib.Path(folder))


def start(binary: pathlib.Path, folder: pathlib.Path, services: dict) -> subprocess.Popen:
    (folder / "astra_services.json").write_text(json.dumps(services))
    log = (folder / "log").open("w")
    return subprocess.Popen([binary, "astra", "--port", "0"], cwd=folder, stderr=log)


def url_of(folder: pathlib.Path) -> str:
    """Where the server that was started there listens, as soon as it does."""
    return wait_for(lambda: address(folder / "log"))


def address(log: pathlib.Path) -> str | None:
    found = log.read_text().partition("listening on ")[2].split()
    return found[0] if found else None


def status(url: str, service: str = "") -> dict:
    """The status of one service, or of all."""
    with urllib.request.urlopen(f"{url}/supervisor/status/{service}".rstrip("/")) as answer:
        return json.load(answer)


def wait_for(look, rest: float = 0.05):
    """Looks until there is something, a minute at most."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(rest)
    raise SystemExit("it took longer than a minute")
