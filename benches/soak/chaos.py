"""What befalls a server during the soak: kills, a full disk, hostile clients."""

import contextlib
import multiprocessing
import os
import signal
import time

import attackers
from harness import is_in
from served import Gone

# Those that need no preparation of the server.
ATTACKS = [
    attackers.idle,
    attackers.half_heads,
    attackers.trickled_heads,
    attackers.trickled_bodies,
    attackers.endless_header,
    attackers.pipelining,
    attackers.lengths,
    attackers.chunks,
    attackers.resets,
    attackers.half_closed,
    attackers.gone_in_a_stream,
    attackers.unread_streams,
]
ATTACK_SECONDS = 1.0
FULL_SECONDS = 1.0
SERVER_LIFE_SECONDS = (3.0, 12.0)


class Victim:
    """What an attacker needs to know of a server."""

    def __init__(self, served):
        self.address, self.process = served.address, None
        self.stream_path = "/logs" if served.mode == "shell" else "/supervisor/logs/slow"


class Chaos:
    """Does one thing after the other, on the thread of whoever calls `run_for`."""

    def __init__(self, mode, random, stop):
        self.mode, self.served, self.random, self.stop = mode, mode.served, random, stop
        self.killed = self.attacks = 0
        self.wrong = []

    def run_for(self, seconds, with_kills_of_the_server):
        end = time.monotonic() + seconds
        next_kill = time.monotonic() + self.random.uniform(*SERVER_LIFE_SECONDS)
        next_check = 0.0
        while time.monotonic() < end:
            with contextlib.suppress(Gone):
                self.once()
            if with_kills_of_the_server and time.monotonic() > next_kill:
                self.served.kill()
                self.served.start()
                next_kill = time.monotonic() + self.random.uniform(*SERVER_LIFE_SECONDS)
            if time.monotonic() > next_check:
                with contextlib.suppress(Gone):
                    self.mode.check()
                next_check = time.monotonic() + 2
            time.sleep(self.random.uniform(0, 0.1))

    def once(self):
        choice = self.random.random()
        if choice < 0.04 and self.served.has_disk:
            self.fill_disk()
        elif choice < 0.10:
            self.attack()
        elif choice < 0.4:
            self.kill_process()

    def kill_process(self):
        """Kills something that a command or a service consists of."""
        pids = self.mode.processes() if self.random.random() < 0.5 else self.served.living()
        if pids:
            pid = self.random.choice(pids)
            with contextlib.suppress(OSError):
                # The descriptor means the process that was looked at, whoever has the number then.
                descriptor = os.pidfd_open(pid)
                try:
                    if pid != self.served.process.pid and is_in(pid, self.served.work):
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                        self.killed += 1
                finally:
                    os.close(descriptor)

    def fill_disk(self):
        self.served.fulls += 1
        self.served.is_full = True
        filler = self.served.disk / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * (1 << 20))
            time.sleep(self.random.uniform(0, FULL_SECONDS))
        finally:
            filler.unlink(missing_ok=True)
            self.served.is_full = False

    def attack(self):
        self.attacks += 1
        attack = self.random.choice(ATTACKS)
        self.served.is_attacked = True
        # Not by a fork: this process has threads, whose locks a fork would copy.
        attacker = multiprocessing.get_context("spawn").Process(
            target=attack, args=(Victim(self.served), ATTACK_SECONDS), daemon=True
        )
        attacker.start()
        attacker.join(3 * ATTACK_SECONDS)
        if attacker.is_alive():
            attacker.kill()
            attacker.join()
        # Its connections are being taken down.
        time.sleep(0.2)
        self.served.is_attacked = False
