"""Asks a server on loopback."""

import http.client
import json

from harness import wait_for


class Client:
    """One connection, kept."""

    def __init__(self, port: int):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    def call(self, method: str, path: str, body=None) -> bytes:
        """The whole answer's body."""
        answer = self.open(method, path, body)
        read = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {read[:500]!r}")
        return read

    def open(self, method: str, path: str, body=None) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        self.connection.request(method, path, data, headers)
        return self.connection.getresponse()

    def get(self, path: str) -> dict:
        return json.loads(self.call("GET", path))

    def post(self, path: str, body: dict) -> dict:
        return json.loads(self.call("POST", path, body))


def wait_until_it_answers(port: int, path: str, rest: float = 0.01) -> Client:
    def look():
        client = Client(port)
        try:
            client.open("GET", path).read()
        except OSError:
            return None
        return client

    return wait_for(look, rest=rest)
