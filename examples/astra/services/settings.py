"""Where the services keep what they know, and how they log."""

import logging
import os
import sys
from pathlib import Path

DATA = Path("data")
DATABASE = DATA / "memory.db"
DOCUMENTS = DATA / "documents"
INBOX = DATA / "inbox"


def log_to_stdout() -> None:
    """Sends the log to stdout, where the supervisor reads it; it adds the time itself."""
    level = os.environ.get("ASTRA_LOG_LEVEL", "INFO")
    logging.basicConfig(stream=sys.stdout, level=level, format="%(levelname)s: %(message)s")
