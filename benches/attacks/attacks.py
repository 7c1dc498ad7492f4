#!/usr/bin/env python3
"""Attacks our server and the one of examples/tiny_http_reference.rs, and tells how each fared.

    make attacks
    python3 benches/attacks/attacks.py --ours target/release/llm-shell \
        --reference target/release/examples/tiny_http_reference [--only half_heads] [--seconds 3]

Each attack gets a fresh server. While it lasts, a short request (GET /health on a connection of
its own) is sent again and again from another process. Prints a Markdown table, for each server:

- the slowest of those short requests, and how many got no answer within 1 s;
- the peak of its resident memory;
- descriptors and threads that are left 5 s after the attackers are gone;
- how long after that moment a short request is first answered.

Python's standard library only. Takes some four minutes. Ends with 1 where ours died, leaked, or
is not back within a second.
"""

import argparse
import multiprocessing
import resource
import sys
import time

import attackers
from target import OPEN_FILES, SETTLE_SECONDS, Target

# A function of `attackers`, and what the table calls it.
ATTACKS = {
    "idle": "1,000 idle connections",
    "half_heads": "1,000 half-sent heads",
    "trickled_heads": "200 heads, one byte every 50 ms",
    "trickled_bodies": "200 bodies, one byte every 50 ms",
    "large_bodies": "1,000 bodies of 1 MiB, each without its last byte",
    "endless_target": "endless request line, 4 times",
    "endless_header": "endless header line, 4 times",
    "header_flood": "endless number of header lines, 4 times",
    "lengths": "false lengths, up to and over 2^64",
    "chunks": "malformed chunks",
    "other_versions": "200 heads of HTTP/2.0",
    "pipelining": "endless pipelined requests, no answer read, 4 times",
    "keep_alive_bursts": "64 kept-alive connections sending at once",
    "resets": "3,000 connection resets in a burst",
    "half_closed": "500 half-closed clients",
    "gone_in_a_stream": "200 clients that disconnect during a stream",
    "unread_streams": "60 streams that nobody reads",
    "few_descriptors": "300 connections, 20 descriptors available",
    "few_threads": "300 connections, at most 30 threads",
    "stopped": "SIGSTOP, 2,000 requests, SIGCONT",
}
SPARE = 20
LONGEST_RETURN_SECONDS = 10.0


def attack_in_process(target, attack, seconds):
    """Starts the attack; the process, and where its result will come."""
    ours, theirs = multiprocessing.Pipe()

    def run():
        theirs.send(getattr(attackers, attack)(target, seconds))

    process = multiprocessing.Process(target=run)
    process.start()
    theirs.close()
    return process, ours


def probe_beside(target, process):
    """Short requests until the attack is over: their statuses and seconds."""
    probes = []
    while process.is_alive() and target.alive():
        probes.append(target.probe())
        time.sleep(0.02)
    return probes


def seconds_until_served(target):
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_RETURN_SECONDS and target.alive():
        if target.probe()[0] == 200:
            return time.monotonic() - began
        time.sleep(0.005)
    return None


def left_over(target, before):
    """Descriptors and threads over those of before, once they have settled."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        left = (target.descriptors() - before[0], target.threads() - before[1])
        if max(left) <= 0 or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def fight(kind, binary, attack, seconds):
    """One attack on one server; what is to be told of it."""
    with Target(kind, binary, lonely=attack == "few_threads") as target:
        if "stream" in attack:
            target.prepare_stream()
        settle(target)
        before = (target.descriptors(), target.threads())
        target.forget_peak()
        if attack == "few_descriptors":
            target.limit(resource.RLIMIT_NOFILE, target.descriptors() + SPARE)
        process, result = attack_in_process(target, attack, seconds)
        probes = [] if attack == "stopped" else probe_beside(target, process)
        process.join()
        noted = result.recv() if result.poll() else None
        if not target.alive():
            return {"dead": target.how_it_died()}
        back = seconds_until_served(target)
        if not target.alive():
            return {"dead": target.how_it_died()}
        left = left_over(target, before)
        return {
            "probes": probes,
            "noted": noted,
            "back": back,
            "left": left,
            "peak": target.peak_mib(),
            "panics": target.stderr().count("panicked"),
        }


def settle(target):
    """Waits until the connections of the preparations are gone."""
    deadline = time.monotonic() + 1
    while target.threads() > 8 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)


def told(outcome):
    """A cell of the table."""
    if "dead" in outcome:
        return f"**dead** ({outcome['dead']})"
    words = [spoken(outcome["probes"])] if outcome["probes"] else []
    if outcome["noted"]:
        words.append(f"unanswered: {outcome['noted']}")
    words.append(f"{outcome['peak']:.0f} MiB")
    descriptors, threads = (max(0, left) for left in outcome["left"])
    if descriptors or threads:
        words.append(f"**left: {descriptors} descriptors, {threads} threads**")
    if outcome["panics"]:
        words.append(f"**{outcome['panics']} panics**")
    back = outcome["back"]
    words.append("**never back**" if back is None else f"back in {back * 1000:.0f} ms")
    return " · ".join(words)


def spoken(probes):
    served = [seconds for status, seconds in probes if status == 200]
    silent = sum(status == 0 for status, _ in probes)
    refused = len(probes) - len(served) - silent
    words = [f"{max(served) * 1000:.1f} ms"] if served else []
    if refused:
        words.append(f"503: {refused} of {len(probes)}")
    if silent:
        words.append(f"**no answer: {silent} of {len(probes)}**")
    return ", ".join(words)


def is_sound(outcome):
    """What ours promises whatever comes."""
    if "dead" in outcome or outcome["back"] is None:
        return False
    return outcome["back"] <= 1 and max(outcome["left"]) <= 0 and not outcome["panics"]


def arguments():
    parser = argparse.ArgumentParser(description="Attacks both servers.")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--reference", required=True)
    parser.add_argument("--only", choices=ATTACKS, action="append")
    parser.add_argument("--seconds", type=float, default=3, help="that most attacks last")
    return parser.parse_args()


def main():
    multiprocessing.set_start_method("fork")
    options = arguments()
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    print("| attack | ours | tiny_http 0.12 |\n|---|---|---|")
    sound = True
    for attack in options.only or ATTACKS:
        ours = fight("ours", options.ours, attack, options.seconds)
        reference = fight("reference", options.reference, attack, options.seconds)
        print(f"| {ATTACKS[attack]} | {told(ours)} | {told(reference)} |", flush=True)
        sound = sound and is_sound(ours)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
