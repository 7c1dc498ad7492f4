"""A small HTTP service on the standard library: routes, JSON, a log line a request, a clean end."""

import argparse
import json
import logging
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from services.settings import log_to_stdout

BODY_BYTES_MAX = 1024 * 1024
SILENCE_SECONDS_MAX = 5


class Refusal(Exception):
    """An answer that is not 2xx: its status, and a sentence that says what to do."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass
class Request:
    """What a handler gets: the names out of the path, the query, and the body."""

    names: dict[str, str]
    query: dict[str, str]
    body: bytes

    def field(self, name: str) -> str:
        """A text out of the JSON body. Raises Refusal where there is none."""
        try:
            value = json.loads(self.body)[name]
        except (ValueError, TypeError, KeyError):
            value = None
        if not isinstance(value, str) or not value.strip():
            raise Refusal(400, f'Send a JSON body with a text in it: {{"{name}": "…"}}.')
        return value


@dataclass
class Content:
    """An answer that is not JSON."""

    type: str
    body: bytes


Handler = Callable[[Request], Any]
Routes = dict[str, Handler]


def serve(name: str, routes: Routes, default_port: int) -> None:
    """Serves `"METHOD /path/{name}"` routes on --port until SIGTERM or SIGINT."""
    log_to_stdout()
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=default_port)
    options = parser.parse_args()
    server = ThreadingHTTPServer((options.host, options.port), handler_class(routes))
    server.daemon_threads = False

    def end(*_: object) -> None:
        # shutdown() waits for serve_forever(), which this thread is in: another has to call it.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    logging.info("%s listens on %s:%d", name, options.host, options.port)
    with server:
        server.serve_forever(poll_interval=0.1)
    logging.info("%s has ended", name)


def handler_class(routes: Routes) -> type[BaseHTTPRequestHandler]:
    """The request handler for these routes."""
    table = [
        (method, pattern_of(path), handler)
        for (method, path), handler in ((key.split(" "), routes[key]) for key in routes)
    ]

    class RoutesHandler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS_MAX

        def answer(self) -> None:
            try:
                status, content = 200, as_content(self.dispatch())
            except Refusal as refusal:
                status, content = refusal.status, as_content({"detail": refusal.detail})
            except Exception as error:
                logging.exception("%s failed", self.requestline)
                status, content = 500, as_content({"detail": f"{error}: the log has more."})
            self.send_response(status)
            self.send_header("Content-Type", content.type)
            self.send_header("Content-Length", str(len(content.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

        def dispatch(self) -> Any:
            url = urlsplit(self.path)
            wanted = "GET" if self.command == "HEAD" else self.command
            for method, pattern, handler in table:
                match = pattern.fullmatch(url.path)
                if match and method == wanted:
                    names = {key: unquote(text) for key, text in match.groupdict().items()}
                    query = {key: values[-1] for key, values in parse_qs(url.query).items()}
                    return handler(Request(names, query, self.read_body()))
            raise Refusal(404, f"There is no such route: ask for one of {', '.join(routes)}.")

        def read_body(self) -> bytes:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > BODY_BYTES_MAX:
                raise Refusal(413, f"Send at most {BODY_BYTES_MAX} bytes with their length.")
            return self.rfile.read(int(length))

        def log_message(self, format: str, *parts: object) -> None:
            if self.path != "/health":
                logging.info(format, *parts)

    return RoutesHandler


def pattern_of(path: str) -> re.Pattern[str]:
    """The expression for a path in which `{name}` stands for one segment."""
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def as_content(answer: Any) -> Content:
    """An answer as it goes out: as it is, or as JSON."""
    if isinstance(answer, Content):
        return answer
    return Content("application/json", json.dumps(answer, ensure_ascii=False).encode() + b"\n")
