"""What clients of Astra do, and what must hold of every service."""

import json
import time

from lines import check_service

ALWAYS = {"mode": "always", "max_restarts": 1_000_000, "backoff_seconds": 0.1}
SLOWLY = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done"
SERVICES = {
    "slow": {"cmd": SLOWLY},
    "burst": {"cmd": "seq -f 'line %.0f' 1 3000; sleep 0.5"},
    "brief": {"cmd": "seq -f 'line %.0f' 1 20; sleep 0.2; exit 1"},
    "family": {"cmd": "(setsid sleep 600 &); sleep 600 & " + SLOWLY},
    "deaf": {"cmd": "trap '' TERM; " + SLOWLY, "stop_timeout": 0.3},
    "checked": {"cmd": SLOWLY, "health_check": {"cmd": "true", "interval": 1}},
    "above": {"cmd": SLOWLY, "depends_on": ["slow"]},
    "asked": {"cmd": SLOWLY, "autostart": False},
}
READS = [
    "/supervisor/status",
    "/supervisor/status/{name}",
    "/supervisor/logs/{name}",
    "/health",
    "/supervisor/logs/{name}?lines=5",
    "/supervisor/logs/{name}?lines=20&grep=7",
    "/supervisor/health/{name}",
    "/supervisor/metrics",
    "/supervisor/status/nothing",
    "/supervisor/logs/{name}?lines=x",
    "/",
]
VERBS = ["start", "stop", "restart", "restart", "reload"]

LAST_LOOK = "lines checked at the last look of many"


class Astra:
    mode = "astra"

    def __init__(self, served):
        self.served = served
        self.last = {}
        self.seen = {LAST_LOOK: 0}
        self.wrong = []

    def prepare(self):
        services = {
            name: {"start_seconds": 0, "restart_policy": ALWAYS} | fields
            for name, fields in SERVICES.items()
        }
        path = self.served.work / "astra_services.json"
        path.write_text(json.dumps(services))

    def act(self, random):
        """One random request."""
        name = random.choice(list(SERVICES))
        choice = random.random()
        if choice < 0.2:
            verb = random.choice(VERBS)
            query = random.choice(["", "?wait=0.3"])
            return self.served.ask("POST", f"/supervisor/{verb}{query}", {"name": name})
        if choice < 0.25:
            return self.served.ask("POST", "/supervisor/reload", {})
        if choice < 0.3:
            return self.served.ask("POST", "/supervisor/start", b"{")
        return self.served.ask("GET", random.choice(READS).format(name=name))

    def processes(self):
        status = self.served.get("/supervisor/status")
        services = status["services"].values() if status else []
        return [each["pid"] for each in services if each["pid"]]

    def check(self):
        """Holds what every service has printed to its numbers."""
        for name in SERVICES:
            status, body = self.served.ask("GET", f"/supervisor/logs/{name}?lines=0&format=text")
            if status == 200:
                lines = body.decode().split("\n")
                lines = lines[:-1] if lines[-1] == "" else lines
                self.last[name] = len(lines)
                self.wrong += [f"{name}: {what}" for what in check_service(lines)]
        self.seen[LAST_LOOK] = sum(self.last.values())

    def settle(self):
        """Stops every service, and waits until all are down."""
        for _ in range(40):
            for name in SERVICES:
                self.served.ask("POST", "/supervisor/stop?wait=5", {"name": name})
            if not self.served.living():
                return
            time.sleep(0.2)
