"""Runs the commands of the example's README and compares their output."""

import json
import re
from typing import Any

from checks import Checks
from system import EXAMPLE, System

DEFAULT_PORTS = {
    "astra": 7031,
    "brain": 7030,
    "tts": 7040,
    "memory": 7050,
    "rag": 7060,
    "web": 3000,
}
# Fields that are sometimes null.
PASSING = {"last_restart", "exit_code", "signal", "next_restart_at", "stopped_at", "message"}


def readme(system: System, checks: Checks) -> None:
    for command, shown in examples((system.folder / "README.md").read_text()):
        given = output_of(system, command)
        checks.check(f"$ {command}", alike(shown, given), f"shown: {shown}\ngiven: {given}")

    for line in shell_lines((system.folder / "README.md").read_text()):
        seconds = "2" if "--follow" in line else "100"
        done = system.run("timeout", seconds, "sh", "-c", line)
        # A follower of a log runs until it is ended.
        wanted = 124 if "--follow" in line else 0
        checks.check(line, done.returncode == wanted, done.stdout + done.stderr)


def output_of(system: System, command: str) -> str:
    """Runs a command of the README on this system and returns its output."""
    for name, port in DEFAULT_PORTS.items():
        command = command.replace(f"localhost:{port}", f"127.0.0.1:{system.ports[name]}")
    return system.run("sh", "-c", command).stdout.rstrip("\n")


def write_readme(system: System) -> None:
    """Writes the current output below each command of the README."""

    def block(match: re.Match[str]) -> str:
        commands = [line for line in match[0].splitlines() if line.startswith("$ ")]
        lines = [
            line
            for command in commands
            for line in (
                command,
                as_by_default(system, output_of(system, command.removeprefix("$ "))),
            )
            if line
        ]
        return "\n".join(["```console", *lines, "```"])

    path = EXAMPLE / "README.md"
    path.write_text(re.sub(r"```console\n.*?```", block, path.read_text(), flags=re.DOTALL))


def as_by_default(system: System, output: str) -> str:
    """Replaces the ports in an output with the default ones."""
    for name, port in DEFAULT_PORTS.items():
        output = re.sub(rf"\b{system.ports[name]}\b", str(port), output)
    return output


def examples(text: str) -> list[tuple[str, str]]:
    """Returns the commands of the `console` blocks, each with the output shown below it."""
    found: list[tuple[str, str]] = []
    for block in text.split("```console\n")[1:]:
        for part in re.split(r"^\$ ", block.split("```")[0], flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.rstrip("\n")))
    return found


def shell_lines(text: str) -> list[str]:
    """Returns the lines of the `sh` blocks that are not marked as `not-run`."""
    blocks = [block.split("```")[0] for block in text.split("```sh\n")[1:]]
    return [line for block in blocks for line in block.splitlines()]


def alike(shown: str, given: str) -> bool:
    """Whether both are JSON of the same form, or texts that differ only in numbers and spaces."""
    try:
        return same_form(json.loads(shown), json.loads(given))
    except ValueError:
        return plain(shown) == plain(given)


def same_form(shown: Any, given: Any, field: str = "") -> bool:
    """Whether both have the same fields, with values of the same type and similar texts."""
    if field in PASSING and None in (shown, given):
        return True
    if isinstance(shown, dict) and isinstance(given, dict):
        return shown.keys() == given.keys() and all(
            same_form(shown[name], given[name], name) for name in shown
        )
    if isinstance(shown, list) and isinstance(given, list):
        return len(shown) == len(given) and all(map(same_form, shown, given))
    if isinstance(shown, str) and isinstance(given, str):
        return plain(shown) == plain(given)
    kinds = {type(shown), type(given)}
    return len(kinds) == 1 or kinds == {int, float}


def plain(text: str) -> str:
    """Removes numbers and repeated spaces from a text."""
    return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "N", text))
