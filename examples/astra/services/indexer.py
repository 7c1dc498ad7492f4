"""A worker without a port: takes documents from the inbox to the folder that rag reads."""

import logging
import os
import shutil
import signal
import threading
import urllib.request

from services.settings import DOCUMENTS, INBOX, log_to_stdout

RAG_URL = os.environ.get("RAG_URL", "http://127.0.0.1:7060")
PAUSE_SECONDS = 1


def take_in() -> int:
    """Moves what lies in the inbox; gives how many documents those were."""
    arrived = sorted(INBOX.glob("*.md"))
    for document in arrived:
        shutil.move(document, DOCUMENTS / document.name)
        logging.info("took in %s", document.name)
    return len(arrived)


def tell_rag() -> bool:
    """Has rag read its documents again; False when it is away."""
    request = urllib.request.Request(f"{RAG_URL}/reload", method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except OSError as error:
        logging.warning("rag is away (%s): asking again in %d s", error, PAUSE_SECONDS)
        return False


def main() -> None:
    log_to_stdout()
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    logging.info("watching %s", INBOX)
    is_told = True
    while not ending.wait(PAUSE_SECONDS):
        is_told = take_in() == 0 and is_told
        is_told = is_told or tell_rag()
    logging.info("indexer has ended")


if __name__ == "__main__":
    main()
