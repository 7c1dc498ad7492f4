"""The shapes of the supervisor's answers, and common checks."""

from checks import Checks
from system import Answer

ALL = {"migrate", "memory", "rag", "tts", "brain", "indexer", "web"}
UP = ALL - {"migrate"}
NUMBER = int | float
TEXT = str | None
SERVICE = {
    "status": str,
    "pid": int | None,
    "uptime": NUMBER,
    "port": int | None,
    "cpu_percent": NUMBER,
    "memory_mb": NUMBER,
    "last_restart": TEXT,
    "restart_count": int,
    "exit_code": int | None,
    "signal": TEXT,
    "health": str,
    "optional": bool,
    "started_at": TEXT,
    "stopped_at": TEXT,
    "next_restart_at": TEXT,
    "depends_on": object,
    "log_dropped_lines": int,
    "message": TEXT,
}
STATUS = {
    "services": dict.fromkeys(sorted(ALL), SERVICE),
    "system": {
        "total_services": 7,
        "running_services": int,
        "total_memory_mb": NUMBER,
        "total_cpu_percent": NUMBER,
    },
}
METRICS = {
    "cpu_percent": NUMBER,
    "memory_mb": NUMBER,
    "threads": int,
    "connections": int,
    "uptime": NUMBER,
}


def refused(checks: Checks, what: str, answer: Answer, status: int, *words: str) -> None:
    """Checks that an answer is a problem with this status and these words in its detail."""
    checks.same(f"{what}: {status}", answer.status, status)
    kind = answer.headers.get_content_type()
    checks.same(f"{what}: a problem", kind, "application/problem+json")
    detail = answer.json.get("detail", "") if kind.endswith("json") else answer.text
    checks.check(f"{what}: says {' '.join(words)}", all(word in detail for word in words), detail)


def acted(checks: Checks, what: str, answer: Answer, status: str, service: str) -> None:
    """Checks the answer to an action."""
    checks.same(f"{what}: 200", answer.status, 200)
    checks.shape(
        f"{what}: {status}", answer.json, {"status": status, "service": service, "message": str}
    )
