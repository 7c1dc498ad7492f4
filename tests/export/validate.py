#!/usr/bin/env python3
"""Validates exported manifests against the schemas of Kubernetes: `validate.py BINARY`.

Strictly: a field that the schema does not have is a fault. Exit code 1 when something does not
hold.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

HERE = Path(__file__).parent
ASTRA = HERE.parent.parent / "examples" / "astra"
# The newest, and the oldest that still gets fixes.
VERSIONS = ["1.37.0", "1.34.0"]
EXPORTS = {
    "the services of examples/astra": (ASTRA, ["--image", "astra:1"]),
    "a service of every field": (HERE, ["everything.json", "--image", "app:1", "--namespace", "a"]),
    "shells": (HERE, ["--agents", "3", "--image", "shell:1", "--namespace", "agents"]),
    "shells on volumes": (
        HERE,
        [
            "--agents",
            "1000",
            "--image",
            "shell:1",
            "--storage",
            "2Gi",
            "--token-secret",
            "mine",
            "--name",
            "a" * 52,
        ],
    ),
}
# Texts that YAML of one revision or another takes for something else.
HARD = [
    "yes",
    "Off",
    "n",
    "null",
    "~",
    "",
    "1e3",
    "0x1f",
    "012",
    "0o17",
    "1_000",
    "1:30",
    ".5",
    "1.",
    "+1",
    ".inf",
    ".nan",
    "2001-01-01",
    "a: b",
    "# x",
    "a #b",
    "- x",
    "? x",
    "*a",
    "&a",
    "!t",
    "%d",
    "@x",
    "`x",
    "'q'",
    '"q"',
    "{a}",
    "[x]",
    "|",
    ">",
    "---",
    "...",
    "=",
    "<<",
    "a\nb\n",
    "a\nb",
    "\n",
    "\n  a\n b",
    "  lead",
    "trail ",
    "a\n\n",
    "a\r\nb",
    "tab\t",
    "\\",
    "\\n",
    "\x7f",
    "\u0085",
    "\u2028",
    "\ufeffx",
    "\x01",
    "\u00e9\U0001f600",
    "x " * 200,
    "x" * 500,
]


def export(binary: Path, folder: Path | str, arguments: list[str]) -> list[dict]:
    command = [binary, "export", "kubernetes", *arguments]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, check=True, stderr=subprocess.DEVNULL
    )
    return list(yaml.safe_load_all(done.stdout))


def faults(objects: list[dict]) -> list[str]:
    found = []
    for it in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(it, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                name = f"{it['kind']} {it['metadata']['name']}"
                found.append(f"{version}: {name}: {list(error.path)}: {error.message}")
    names = [(it["kind"], it["metadata"]["name"]) for it in objects]
    return found + [f"{name} stands twice" for name in set(names) if names.count(name) > 1]


def hard_texts(binary: Path) -> list[str]:
    """Returns the texts that differ after a round trip through YAML."""
    given = {f"V{number}": text for number, text in enumerate(HARD)}
    with tempfile.TemporaryDirectory() as folder:
        services = {"a": {"cmd": ["x", *HARD], "env": given}}
        Path(folder, "hard.json").write_text(json.dumps(services))
        *_, deployment = export(binary, folder, ["hard.json", "--image", "x"])
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    there = {variable["name"]: variable["value"] for variable in container["env"]}
    pairs = [(text, there.get(name)) for name, text in given.items()]
    pairs += zip(HARD, container["command"][1:], strict=True)
    return [f"{text!r} becomes {found!r}" for text, found in pairs if text != found]


def main() -> int:
    binary = Path(sys.argv[1]).absolute()
    wrong = hard_texts(binary)
    for what, (folder, arguments) in EXPORTS.items():
        objects = export(binary, folder, arguments)
        wrong += [f"{what}: {fault}" for fault in faults(objects)]
        print(f"{what}: {len(objects)} objects, held to {' and '.join(VERSIONS)}")
    print("\n".join(wrong) or "all of them hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
