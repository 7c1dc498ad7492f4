"""Hooks that make the cases of schemathesis harmless and useful before they are sent.

Whatever would run is one of a few commands, in the server's own folder; what would wait, waits
shortly. What is refused anyway is left as it is, so that it is seen to be refused.
"""

import random
import re

import requests
import schemathesis

COMMANDS = ["true", "echo hello", "printf 'name? '; read name", "sleep 0.2", "exit 3"]
SERVICES = ["web", "once", "talks", "nobody"]
# Operations that need a running command.
NEED_A_COMMAND = ["/kill", "/restart", "/signal", "/stdin", "/resize"]
# A run and a session that the routes of runs are tried on.
RUN, SESSION = "tried", "tried-session"
SECONDS_MAX = 0.2
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
# Mutually exclusive parameters.
EXCLUDING = [
    ("lines", "seconds", "after", "since"),
    ("lines", "before"),
    ("seconds", "before"),
    ("after", "before"),
    ("lines", "limit"),
    ("follow", "limit"),
    ("follow", "max_bytes"),
    ("follow", "wait"),
    ("follow", "before"),
    ("follow", "context"),
]
# Parameters that need another one.
NEEDING = [("context", "grep"), ("until", "wait")]
# Refusals of valid requests, for reasons that a schema cannot express.
REASONS = {
    "POST /kill": "has already ended",
    "POST /logout": "has no session to end",
    "GET /logs": "does not run on a terminal",
    "GET /runs/{run}/logs": ("is gone", "does not run on a terminal"),
    "GET /supervisor/logs/{service}": "does not run on a terminal",
    "POST /runs/{run}/kill": "has already ended",
    "POST /supervisor/reload": "restarts one service: give its name",
    "POST /supervisor/start": "is not in the services file",
}
GUESSES_MAX = 5
choose = random.Random(1)
guesses = []
# Cases whose error may have been corrected by making them harmless.
corrected = set()


def is_number(value, maximum):
    return type(value) in (int, float) and 0 <= value <= maximum


def is_command(value):
    return (
        isinstance(value, str)
        and value.strip()
        and "\0" not in value
        and len(value.encode(errors="replace")) <= 131_071
    )


def shorten(values, name, maximum):
    """Limits a wait to the time that is needed to see it."""
    value = values.get(name)
    try:
        given = float(value) if isinstance(value, str) else value
    except ValueError:
        return
    if is_number(given, maximum):
        values[name] = min(given, SECONDS_MAX)


def tame_start(case, body):
    if is_command(body.get("command")):
        body["command"] = choose.choice(COMMANDS)
    if isinstance(body.get("cwd"), str):
        body["cwd"] = "."
    tame_wait(body)
    if case.operation.path != "/runs" or not is_positive(case):
        return
    if body.get("session") is True:
        body.pop("command", None)
    else:
        body.pop("shell", None)
        body["command"] = body.get("command") or "true"


def tame_wait(values):
    """Makes what ends a wait one that ends it soon, if it is valid."""
    shorten(values, "wait", 600)
    if isinstance(values.get("until"), str) and values["until"].startswith("match:"):
        values["until"] = "match:a|b"
    if values.get("wait") is None:
        values.pop("until", None)


def is_positive(case):
    return bool(case.meta and case.meta.generation.mode.is_positive)


def tame_config(case, config):
    """Removes fields of a service that affect the outside."""
    before = dict(config)
    for field in (
        "health_check",
        "health_checks",
        "env_file",
        "depends_on",
        "port",
        "log",
        "limits",
    ):
        config.pop(field, None)
    cmd = config.get("cmd")
    is_list = isinstance(cmd, list) and cmd and all(isinstance(part, str) for part in cmd)
    if is_command(cmd) or (is_list and cmd[0]):
        config["cmd"] = "exec sleep 60"
    for field, harmless in (("cwd", "."), ("stop_signal", "SIGTERM"), ("reload_signal", "HUP")):
        if isinstance(config.get(field), str):
            config[field] = harmless
    if isinstance(config.get("env"), dict):
        config["env"] = {"A": "b"}
    if isinstance(config.get("restart_policy"), dict):
        config["restart_policy"] = {"mode": "never"}
    for field in ("start_timeout", "stop_timeout", "start_seconds"):
        shorten(config, field, 86_400)
    if config != before:
        corrected.add(case.id)


def tame_body(case, body):
    if case.operation.path in ("/start", "/runs"):
        tame_start(case, body)
    if case.operation.path.endswith("/exec"):
        tame_wait(body)
        if is_command(body.get("command")):
            body["command"] = choose.choice(COMMANDS)
    if "/stdin" in case.operation.path:
        tame_wait(body)
        if is_positive(case):
            body.pop("keys", None)
    if case.operation.path == "/runs":
        if is_positive(case) and isinstance(body.get("name"), str):
            body["name"] = choose.choice([RUN, "other"])
    elif isinstance(body.get("name"), str) and NAME.match(body["name"]):
        body["name"] = choose.choice(SERVICES)
    if isinstance(body.get("config"), dict):
        tame_config(case, body["config"])
    names = body.get("services")
    if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
        body["services"] = choose.sample(SERVICES, k=min(len(names), len(SERVICES)))
    if case.operation.path == "/login":
        tame_login(case, body)


def tame_login(case, body):
    """Limits failed logins, so that the server does not block requests for a minute."""
    is_guess = isinstance(body.get("token"), str) or isinstance(body.get("password"), str)
    if is_guess and len(guesses) < GUESSES_MAX:
        guesses.append(dict(body))
    elif is_guess:
        body.clear()
        body["token"] = "token-of-contract"
        corrected.add(case.id)


def tame_query(case, query):
    shorten(query, "wait", 600)
    if case.operation.path == "/restart":
        shorten(query, "timeout", 86_400)
    if not is_positive(case):
        return
    if query.get("format") in ("screen", "raw"):
        for name in [name for name in query if name not in ("format", "from", "follow")]:
            query.pop(name)
    if query.get("format") == "screen":
        query.pop("follow", None)
    if query.get("format") != "raw":
        query.pop("from", None)
    if str(query.get("until", "")).startswith("match:"):
        query["until"] = "match:a|b"
    if "grep" in query:
        query["grep"] = "a|b"
    for group in EXCLUDING:
        for name in [name for name in group if name in query][1:]:
            query.pop(name)
    if "/logs" in case.operation.path and "after" not in query:
        query.pop("wait", None)
    for name, needed in NEEDING:
        if needed not in query:
            query.pop(name, None)
    if "/logs" not in case.operation.path and "until" not in query:
        query.pop("after", None)
    if query.get("format") == "ndjson":
        query.pop("max_bytes", None)


def ask(method, case, path, **body):
    return requests.request(
        method,
        f"{case.operation.base_url}{path}",
        timeout=10,
        headers={"Authorization": "Bearer token-of-contract"},
        **body,
    )


def tame_path(case, parts):
    if NAME.match(str(parts.get("service", ""))) and choose.random() < 0.7:
        parts["service"] = choose.choice(SERVICES[:3])
    if "file" in parts and choose.random() < 0.5:
        parts["file"] = choose.choice(["page.js", "swagger-ui.css"])
    if "run" in parts and case.operation.path.endswith("/exec") and choose.random() < 0.7:
        parts["run"] = SESSION
        ask("post", case, "/runs", json={"session": True, "name": SESSION})
    elif "run" in parts and choose.random() < 0.7:
        parts["run"] = RUN
        command = {"command": "exec cat", "pty": True, "name": RUN}
        ask("post", case, "/runs", json=command)


def end_following(case):
    """Ends streams: those of a service are endless, those of a command last until its end."""
    if case.operation.path.startswith("/supervisor/"):
        case.query.pop("follow")
    else:
        ask("post", case, "/kill?type=SIGKILL")
        ask("post", case, f"/runs/{RUN}/kill?type=SIGKILL")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.path in NEED_A_COMMAND and choose.random() < 0.5:
        ask("post", case, "/start", json={"command": "exec cat", "pty": True})
    if isinstance(case.body, dict):
        tame_body(case, case.body)
    if case.path_parameters:
        tame_path(case, case.path_parameters)
    if case.query:
        tame_query(case, case.query)
        if case.query.get("follow") in (True, "true"):
            end_following(case)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    kind = type(failure).__name__
    if kind == "ServerError" and case.operation.path.endswith("/health"):
        return "degraded" not in response.text
    if kind == "AcceptedNegativeData":
        # 413 is a refusal too, which schemathesis does not count as one.
        return case.id not in corrected and response.status_code != 413
    reason = REASONS.get(case.operation.label)
    if kind == "RejectedPositiveData" and reason:
        reasons = (reason,) if isinstance(reason, str) else reason
        return not any(reason in response.text for reason in reasons)
    return True
