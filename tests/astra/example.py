#!/usr/bin/env python3
"""Runs examples/astra under the built binary and checks its external behaviour.

`example.py BINARY PYTHON`, where PYTHON has what services/requirements.txt names, and the packages
of examples/astra/web are installed and its page built. It works in a copy, on free ports; nothing
is left running.
Prints each check; exit code 1 when one fails. With --write-readme it checks nothing, and writes the
answers of this binary into the example's README.
"""

import argparse
import sys
from pathlib import Path

from actions import ACTIONS
from checks import Checks
from life import LIFE, start_up
from readme import readme, write_readme
from system import EXAMPLE, System, system
from views import VIEWS


def page(running: System, checks: Checks) -> None:
    """The page's own test, against this supervisor."""
    done = running.run("npm", "--prefix", str(EXAMPLE / "web"), "test")
    checks.check("npm test against the supervisor", done.returncode == 0, done.stdout + done.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("binary", type=lambda path: Path(path).absolute())
    parser.add_argument("python", type=lambda path: Path(path).absolute())
    parser.add_argument("--write-readme", action="store_true")
    options = parser.parse_args()
    if options.write_readme:
        with system(options.binary, options.python) as running:
            write_readme(running)
        return 0
    return check(options.binary, options.python)


def check(binary: Path, python: Path) -> int:
    """Runs every check; returns the exit code."""
    checks = Checks()
    for parts in ([readme], [start_up, *VIEWS, *ACTIONS, page, *LIFE]):
        with system(binary, python) as running:
            for part in parts:
                print(part.__name__.replace("_", " "))
                try:
                    part(running, checks)
                except Exception as error:
                    checks.check(f"{part.__name__} ends", False, f"{type(error).__name__}: {error}")
            if checks.failed:
                print("\n".join(running.log.read_text().splitlines()[-40:]), file=sys.stderr)
    print(f"{checks.passed} passed, {len(checks.failed)} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
