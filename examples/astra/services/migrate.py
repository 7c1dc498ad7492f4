"""One-shot: makes the data folder, memory's table and the first documents, and ends."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from services.settings import DATABASE, DOCUMENTS, INBOX, log_to_stdout

SEED = Path("documents")
VERSION = 1


def migrate_database() -> None:
    """Brings the database to VERSION; one that is there already stays as it is."""
    with closing(sqlite3.connect(DATABASE)) as database, database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version >= VERSION:
            logging.info("%s is at version %d: nothing to do", DATABASE, version)
            return
        database.execute("CREATE TABLE memories (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        database.execute(f"PRAGMA user_version = {VERSION}")
        logging.info("%s brought from version %d to %d", DATABASE, version, VERSION)


def seed_documents() -> None:
    """Copies the documents that are not there yet."""
    for document in sorted(SEED.glob("*.md")):
        target = DOCUMENTS / document.name
        if not target.exists():
            shutil.copyfile(document, target)
            logging.info("added %s", target)


def main() -> None:
    log_to_stdout()
    for folder in (DOCUMENTS, INBOX):
        folder.mkdir(parents=True, exist_ok=True)
    migrate_database()
    seed_documents()
    logging.info("the data is ready")


if __name__ == "__main__":
    main()
