#!/usr/bin/env python3
"""Drives the services of Astra over the supervisor's API: `launcher.py restart tts`.

Exit code 0: done, and the services are as asked. 1: refused, or a service did not come to be as
asked. 2: bad usage, or the supervisor cannot be reached.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from http.client import HTTPException
from typing import Any

from astra_api import Away, Refused, Supervisor

WAIT_SECONDS = 60.0
FAILED = {"crashed", "fatal", "backoff", "error"}
UNSETTLED = {"starting", "stopping", "restarting", "reloading", "processing"}


def status(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """A table of all services, or all that is known of one."""
    if options.name:
        print(json.dumps(supervisor.get("status", options.name), indent=2))
        return True
    answer = supervisor.get("status")
    row = "{:<12} {:<11} {:>8} {:>6} {:>9} {:>6} {:>9} {:>9}"
    print(row.format("SERVICE", "STATUS", "PID", "PORT", "UPTIME", "CPU %", "MEM MiB", "RESTARTS"))
    for name, service in answer["services"].items():
        print(
            row.format(
                name,
                service["status"],
                service["pid"] or "-",
                service["port"] or "-",
                f"{service['uptime']:.0f} s",
                f"{service['cpu_percent']:.1f}",
                f"{service['memory_mb']:.1f}",
                service["restart_count"],
            )
        )
    system = answer["system"]
    print(
        f"{system['running_services']} of {system['total_services']} services run, with "
        f"{system['total_memory_mb']:.1f} MiB and {system['total_cpu_percent']:.1f} % CPU."
    )
    return True


def act(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """Does what the verb says to one service, and waits until it has settled."""
    body = {"name": options.name}
    return report([supervisor.post(options.verb, body=body, **waiting(options))], options)


def reload(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """Applies the services file to one service or to all, or restarts one with its new code."""
    body = {"type": options.type} | ({"name": options.name} if options.name else {})
    return report([supervisor.post("reload", body=body, **waiting(options))], options)


def bulk(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """One action on several services."""
    body = {"action": options.action, "services": options.names, "parallel": not options.one_by_one}
    return report(supervisor.post("bulk", body=body, **waiting(options))["operations"], options)


def logs(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """The last lines of a service, and with --follow those to come."""
    if options.follow:
        for line in supervisor.follow("logs", options.name, lines=options.lines):
            print(line, flush=True)
    else:
        print("\n".join(supervisor.get("logs", options.name, lines=options.lines)["logs"]))
    return True


def health(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """The checks of one service, run now, or the supervisor's own health."""
    if not options.name:
        print(f"supervisor: {supervisor.get('health')['status']}")
        return True
    answer = supervisor.get("health", options.name)
    print(f"{options.name}: {answer['status']}")
    for check, result in answer["checks"].items():
        print(f"  {check}: {result}")
    return bool(answer["status"] != "unhealthy")


def metrics(supervisor: Supervisor, options: argparse.Namespace) -> bool:
    """What each service uses, as JSON."""
    print(json.dumps(supervisor.get("metrics"), indent=2))
    return True


def waiting(options: argparse.Namespace) -> dict[str, float]:
    """The query that has the supervisor wait; empty where nobody waits."""
    return {"wait": options.wait} if options.wait else {}


def report(operations: Iterable[dict[str, Any]], options: argparse.Namespace) -> bool:
    """Prints what became of each operation; False when one is not as asked."""
    fine = True
    for operation in operations:
        state = operation["status"]
        why = operation.get("detail") or operation.get("message")
        print(f"{operation.get('service') or 'all'}: {state}" + (f" ({why})" if why else ""))
        late = bool(options.wait) and state in UNSETTLED
        fine = fine and state not in FAILED and not late
    return fine


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; usage errors end the program with exit code 2."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--url", help="where the supervisor is (ASTRA_URL, or 127.0.0.1:7031)")
    parser.add_argument(
        "--wait",
        type=float,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to wait until services have settled; 0: not at all",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, does: str = "", **names: Any) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=does or str(run.__doc__).splitlines()[0])
        one.set_defaults(run=run, verb=name)
        if names:
            one.add_argument("name", **names)
        return one

    optional, required = {"nargs": "?"}, {"metavar": "NAME"}
    command("status", status, **optional)
    for verb in ("start", "stop", "restart"):
        command(verb, act, does=f"{verb} one service, and wait until it has settled", **required)
    one = command("reload", reload, **optional)
    one.add_argument("--type", choices=["config", "code"], default="config")
    one = command("logs", logs, **required)
    one.add_argument("--lines", type=int, default=100)
    one.add_argument("-f", "--follow", action="store_true")
    command("health", health, **optional)
    one = command("bulk", bulk)
    one.add_argument("action", choices=["start", "stop", "restart", "reload"])
    one.add_argument("names", nargs="+", metavar="NAME")
    one.add_argument("--one-by-one", action="store_true")
    command("metrics", metrics)
    return parser.parse_args(arguments)


def main() -> int:
    options = parse()
    supervisor = Supervisor.from_environment()
    if options.url:
        supervisor.url = options.url.rstrip("/")
    try:
        return 0 if options.run(supervisor, options) else 1
    except Refused as refused:
        print(f"Refused: {refused.detail}", file=sys.stderr)
        return 1
    except Away as away:
        print(away, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, BrokenPipeError):
        return 0
    except (OSError, HTTPException) as error:
        print(f"The supervisor's answer broke off ({error}): ask again.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
