"""A client of the supervisor's API on the standard library."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

DEFAULT_URL = "http://127.0.0.1:7031"
# Beyond what the request itself asks the supervisor to wait.
ANSWER_SECONDS = 30.0


class Away(Exception):
    """The supervisor cannot be reached."""


class Refused(Exception):
    """The supervisor's answer is not 2xx: the status, and the sentence that says why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Supervisor:
    """The routes under /supervisor of one supervisor."""

    def __init__(self, url: str = DEFAULT_URL, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token

    @classmethod
    def from_environment(cls) -> "Supervisor":
        """The one that ASTRA_URL and ASTRA_TOKEN name."""
        return cls(os.environ.get("ASTRA_URL", DEFAULT_URL), os.environ.get("ASTRA_TOKEN"))

    def get(self, *path: str, **query: Any) -> Any:
        """The JSON answer to a GET. Raises Away or Refused."""
        with self.open("GET", path, query, None) as answer:
            return json.load(answer)

    def post(self, *path: str, body: Any, **query: Any) -> Any:
        """The JSON answer to a POST. Raises Away or Refused."""
        with self.open("POST", path, query, body) as answer:
            return json.load(answer)

    def follow(self, *path: str, **query: Any) -> Iterator[str]:
        """The lines of a stream, as they come. Raises Away or Refused."""
        with self.open("GET", path, query | {"follow": "true"}, None, patience=None) as answer:
            for line in answer:
                yield line.decode(errors="replace").rstrip("\n")

    def open(
        self,
        method: str,
        path: tuple[str, ...],
        query: dict[str, Any],
        body: Any,
        patience: float | None = ANSWER_SECONDS,
    ) -> HTTPResponse:
        url = f"{self.url}/supervisor/" + "/".join(quote(part, safe="") for part in path)
        if query:
            url += "?" + urlencode(query)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if patience is not None:
            patience += float(query.get("wait", 0))
        try:
            answer: HTTPResponse = urllib.request.urlopen(request, timeout=patience)
            return answer
        except urllib.error.HTTPError as error:
            raise Refused(error.code, detail_of(error)) from error
        except OSError as error:
            raise Away(
                f"The supervisor at {self.url} cannot be reached ({error}): start it, "
                "or say where it is with --url or ASTRA_URL."
            ) from error


def detail_of(error: urllib.error.HTTPError) -> str:
    """The sentence of a refusal, or its status where it has none."""
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, TypeError, KeyError):
        return f"HTTP {error.code} {text}".strip()
