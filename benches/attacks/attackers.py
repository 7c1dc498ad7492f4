"""The attacks: what each does to a server, bounded in count and in time.

Each is given the target and the seconds that it may last, runs in a process of its own, and may
return how many of its own requests it would have expected an answer to and got none.
"""

import contextlib
import os
import select
import signal
import socket
import struct
import time

HOST = "Host: 127.0.0.1\r\n"
POST = f"POST /start HTTP/1.1\r\n{HOST}"
FLOOD_BYTES_MAX = 100_000_000
LENGTHS = [
    "-1",
    "+3",
    "0x10",
    "abc",
    "3, 4",
    "1048577",
    "2147483648",
    "4294967296",
    "64424509440",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "9" * 1000,
]
CHUNKS = [
    "ffffffffffffffff\r\nx",
    "10000000000000000\r\nx",
    "-1\r\nx",
    "zz\r\n",
    "1\nx",
    "1 \r\nx\r\n",
    "5;" + "e" * 10_000,
    "0\r\n" + "T: t\r\n" * 10_000,
    "7fffffffffffffff\r\nx",
    "\r\n\r\n",
    "1\r\nxy\r\n0\r\n\r\n",
    "0" * 100_000,
]


def connect(target):
    return socket.create_connection(target.address, timeout=2)


def crowd(target, count, data=b""):
    """That many connections that have sent `data`. Those that could not be had are left out."""
    clients = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            client = connect(target)
            clients.append(client)
            client.sendall(data)
    return clients


def try_send(client, data):
    with contextlib.suppress(OSError):
        client.sendall(data)
        return True
    return False


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def idle(target, seconds):
    _held = crowd(target, 1000)
    time.sleep(seconds)


def half_heads(target, seconds):
    _held = crowd(target, 1000, b"GET /health HTTP/1.1\r\nHo")
    time.sleep(seconds)


def trickle(target, seconds, head):
    clients = crowd(target, 200, head.encode())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        clients = [client for client in clients if try_send(client, b"x")]
        time.sleep(0.05)


def trickled_heads(target, seconds):
    trickle(target, seconds, f"GET /health HTTP/1.1\r\n{HOST}X: ")


def trickled_bodies(target, seconds):
    trickle(target, seconds, f"{POST}Content-Length: 1000000\r\n\r\n")


def large_bodies(target, seconds):
    head = f"{POST}Content-Length: 1048576\r\n\r\n".encode()
    body = b" " * 1048575
    end = time.monotonic() + 3 * seconds
    held = []
    for _ in range(1000):
        if time.monotonic() < end:
            held += crowd(target, 1, head + body)
    time.sleep(seconds)


def flood(target, seconds, head, piece, connections=4):
    """Sends `head` and then `piece` again and again on each connection, and reads nothing."""
    clients = crowd(target, connections, head)
    sent = dict.fromkeys(clients, 0)
    for client in clients:
        client.setblocking(False)
    end = time.monotonic() + seconds
    while sent and time.monotonic() < end:
        for client in select.select([], list(sent), [], 0.1)[1]:
            try:
                sent[client] += client.send(piece)
            except BlockingIOError:
                continue
            except OSError:
                del sent[client]
                continue
            if sent[client] > FLOOD_BYTES_MAX:
                del sent[client]
    time.sleep(max(0, end - time.monotonic()))


def endless_header(target, seconds):
    flood(target, seconds, f"GET /health HTTP/1.1\r\n{HOST}X: ".encode(), b"x" * 65536)


def header_flood(target, seconds):
    flood(target, seconds, f"GET /health HTTP/1.1\r\n{HOST}".encode(), b"X-A: b\r\n" * 8192)


def endless_target(target, seconds):
    flood(target, seconds, b"GET /", b"x" * 65536)


def pipelining(target, seconds):
    flood(target, seconds, b"", f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode() * 1000)


def send_and_glance(target, head):
    with contextlib.suppress(OSError), connect(target) as client:
        client.sendall(head.encode())
        client.settimeout(0.05)
        client.recv(1000)


def lengths(target, _seconds):
    for length in LENGTHS:
        for path in ["/start", "/health", "/no-such-path"]:
            for method in ["GET", "POST"]:
                start = f"{method} {path} HTTP/1.1\r\n{HOST}"
                send_and_glance(target, f"{start}Content-Length: {length}\r\n\r\nabc")


def chunks(target, _seconds):
    for body in CHUNKS:
        for path in ["/start", "/health", "/no-such-path"]:
            start = f"POST {path} HTTP/1.1\r\n{HOST}"
            send_and_glance(target, f"{start}Transfer-Encoding: chunked\r\n\r\n{body}")


def other_versions(target, seconds):
    _held = crowd(target, 200, f"GET /health HTTP/2.0\r\n{HOST}\r\n".encode())
    time.sleep(seconds)


def resets(target, seconds):
    end = time.monotonic() + 3 * seconds
    for number in range(3000):
        if time.monotonic() < end:
            with contextlib.suppress(OSError):
                client = connect(target)
                if number % 2:
                    try_send(client, f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode())
                reset(client)


def half_closed(target, seconds):
    clients = crowd(target, 500, f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode())
    for client in clients:
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
    time.sleep(seconds)


def gone_in_a_stream(target, seconds):
    data = f"GET {target.stream_path} HTTP/1.1\r\n{HOST}\r\n".encode()
    end = time.monotonic() + 3 * seconds
    for _ in range(200):
        if time.monotonic() < end:
            with contextlib.suppress(OSError), connect(target) as client:
                client.sendall(data)
                client.recv(1000)


def unread_streams(target, seconds):
    data = f"GET {target.stream_path} HTTP/1.1\r\n{HOST}\r\n".encode()
    _held = crowd(target, 60, data)
    time.sleep(seconds)


def keep_alive_bursts(target, _seconds):
    """64 connections that come and ask at once, then ask once more: how many go unanswered."""
    data = f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode()
    missing = 0
    for _ in range(5):
        clients = crowd_at_once(target, 64)
        for _ in range(2):
            for client in select.select([], clients, [], 1)[1]:
                try_send(client, data)
            missing += still_silent(clients, time.monotonic() + 1)
        for client in clients:
            client.close()
    return f"{missing} of 640"


def still_silent(clients, deadline):
    waiting = set(clients)
    while waiting and time.monotonic() < deadline:
        for client in select.select(list(waiting), [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                client.recv(65536)
            waiting.discard(client)
    return len(waiting)


def few_descriptors(target, seconds):
    """The target's limit was lowered: see `attacks.py`."""
    _held = crowd(target, 300)
    time.sleep(seconds)


def few_threads(target, seconds):
    """The target's limit was lowered: see `attacks.py`."""
    _held = crowd(target, 300)
    time.sleep(seconds)


def stopped(target, seconds):
    """Stops the server, has a crowd ask meanwhile, lets it go on, and leaves."""
    os.kill(target.process.pid, signal.SIGSTOP)
    data = f"GET /health HTTP/1.1\r\n{HOST}\r\n".encode()
    try:
        for client in crowd_at_once(target, 2000):
            client.setblocking(False)
            try_send(client, data)
        time.sleep(seconds)
    finally:
        os.kill(target.process.pid, signal.SIGCONT)


def crowd_at_once(target, count):
    """Connections that need not have been accepted yet: none is waited for."""
    clients = [socket.socket() for _ in range(count)]
    for client in clients:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(target.address)
    return clients
