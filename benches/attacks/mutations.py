#!/usr/bin/env python3
"""Sends mutated requests to our server, each on a connection of its own.

    make mutations
    python3 benches/attacks/mutations.py --ours target/release/llm-shell [--count 2000000]

Two thirds of the clients read until the server closes, the others leave with a reset. Prints how
many there were and what came of them; ends with 1 where the server died or panicked, where a
descriptor or a thread is left, or where its memory grew by more than 16 MiB over the first tenth.
Two million take some ten minutes. Python's standard library only.
"""

import argparse
import collections
import multiprocessing
import random
import socket
import struct
import sys
import time

from attacks import left_over, settle
from target import Target

TOKEN = "Authorization: Bearer secret-of-16-chars\r\n"
SEEDS = [
    f"GET /logs?lines=5&seconds=1.5 HTTP/1.1\r\nHost: localhost\r\n{TOKEN}\r\n",
    f"GET /status HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n{TOKEN}Accept: */*\r\n\r\n"
    "HEAD /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST /start HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 16\r\n"
    'Expect: 100-continue\r\n\r\n{"command":"ls"}',
    "POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    '5;a="b"\r\n{"tok\r\n00B\r\nen":"secret\r\n2\r\n"}\r\n0\r\nX-Trailer: a\r\n\r\n',
    'POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 15\r\n\r\n{"token":"left"}',
    "OPTIONS /start HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:1\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    f"GET http://localhost/health?a=%D0%B6+x HTTP/1.1\r\nHost: localhost\r\n{TOKEN}\r\n",
]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b"%",
    b"%00",
    b"/",
    b"chunked",
    b"\xff",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"18446744073709551616",
    b"{",
    b'"',
]
RESET = struct.pack("ii", 1, 0)
GROWTH_MIB_MAX = 16


def mutated(numbers):
    data = bytearray(numbers.choice(SEEDS).encode())
    for _ in range(numbers.randrange(1, 5)):
        at = numbers.randrange(len(data) + 1)
        until = min(len(data), at + numbers.randrange(6))
        data[at:until] = numbers.choice(
            [
                b"",
                data[at:until] * 2,
                numbers.choice(PIECES),
                bytes([numbers.randrange(256)]),
            ]
        )
    return bytes(data)


def exchange(address, data, stays):
    """Sends `data`; the first status that comes, or a word for none."""
    with socket.create_connection(address, timeout=20) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.sendall(data)
        if not stays:
            return "left"
        client.shutdown(socket.SHUT_WR)
        first = client.recv(65536)
        while client.recv(65536):
            pass
        return first[9:12].decode("ascii", "replace") if first else "nothing"


def send_many(address, seed, count, results):
    numbers, seen = random.Random(seed), collections.Counter()
    for number in range(count):
        try:
            seen[exchange(address, mutated(numbers), number % 3 > 0)] += 1
        except TimeoutError:
            seen["no end in 20 s"] += 1
        except OSError:
            seen["reset"] += 1
    results.put(seen)


def send_all(target, seed, count):
    """The same from two processes; what was answered."""
    results = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=send_many, args=(target.address, s, count // 2, results))
        for s in (seed, seed + 1)
    ]
    for process in processes:
        process.start()
    seen = sum((results.get() for _ in processes), collections.Counter())
    for process in processes:
        process.join()
    return seen


def arguments():
    parser = argparse.ArgumentParser(description="Sends mutated requests to our server.")
    parser.add_argument("--ours", required=True)
    parser.add_argument("--count", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main():
    multiprocessing.set_start_method("fork")
    options = arguments()
    settings = {
        "LLM_SHELL_TOKEN": "secret-of-16-chars",
        "RUST_LOG": "warn",
        "LLM_SHELL_SHELL": "/bin/true",
    }
    with Target("ours", options.ours, settings=settings) as target:
        settle(target)
        before, began = (target.descriptors(), target.threads()), time.monotonic()
        seen = send_all(target, options.seed, options.count // 10)
        early = target.peak_mib()
        seen += send_all(target, options.seed + 2, options.count - options.count // 10)
        seconds = time.monotonic() - began
        left = left_over(target, before) if target.alive() else None
        panics, peak = target.stderr().count("panicked"), target.peak_mib()
        print(f"{sum(seen.values()):,} connections in {seconds:.0f} s: {dict(seen.most_common())}")
        print(
            f"panics: {panics}; left (descriptors, threads): {left}; "
            f"peak {early:.1f} MiB after a tenth, {peak:.1f} MiB at the end"
        )
        sound = left and max(left) <= 0 and not panics and not seen["no end in 20 s"]
        return 0 if sound and peak - early <= GROWTH_MIB_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
