"""Finds the passages of the documents that fit a question best, by their rare words."""

import logging
import math
import re
import signal
from collections import Counter
from dataclasses import dataclass
from typing import Any

from services.http_service import Refusal, Request, serve
from services.settings import DOCUMENTS, log_to_stdout

WORD = re.compile(r"\w{3,}")
PASSAGES_MAX = 20


@dataclass
class Passage:
    """A paragraph of a document."""

    document: str
    text: str
    words: frozenset[str]


class Index:
    """The passages of all documents. A load replaces the whole, so readers need no lock."""

    def __init__(self) -> None:
        self.passages: list[Passage] = []
        self.load()

    def load(self) -> None:
        self.passages = [
            Passage(path.stem, text.strip(), words_of(text))
            for path in sorted(DOCUMENTS.glob("*.md"))
            for text in path.read_text(encoding="utf-8").split("\n\n")
            if text.strip()
        ]
        logging.info("indexed %d passages", len(self.passages))

    def search(self, question: str, limit: int) -> list[dict[str, Any]]:
        passages = self.passages
        frequency = Counter(word for passage in passages for word in passage.words)
        asked = words_of(question)
        found = []
        for passage in passages:
            common = asked & passage.words
            weight = sum(math.log(len(passages) / frequency[word]) for word in common)
            found.append((weight / math.sqrt(len(passage.words) or 1), passage))
        found.sort(key=lambda scored: -scored[0])
        return [
            {"document": passage.document, "text": passage.text, "score": round(score, 3)}
            for score, passage in found[:limit]
            if score > 0
        ]


def words_of(text: str) -> frozenset[str]:
    return frozenset(WORD.findall(text.lower()))


def main() -> None:
    log_to_stdout()
    index = Index()
    signal.signal(signal.SIGHUP, lambda *_: index.load())

    def health(_: Request) -> dict[str, Any]:
        return {"status": "healthy", "passages": len(index.passages)}

    def search(request: Request) -> dict[str, Any]:
        question, limit = request.query.get("q", ""), request.query.get("limit", "3")
        if not question or not limit.isdigit():
            raise Refusal(400, "Ask with /search?q=words&limit=3.")
        passages = index.search(question, min(int(limit), PASSAGES_MAX))
        return {"query": question, "passages": passages}

    def reload(_: Request) -> dict[str, Any]:
        index.load()
        return {"passages": len(index.passages)}

    serve(
        "rag",
        {"GET /health": health, "GET /search": search, "POST /reload": reload},
        default_port=7060,
    )


if __name__ == "__main__":
    main()
