"""A development server: serves what `page` of app.py returns, and reloads when that changes."""

import http.server
import importlib
import os
import pathlib
import threading
import time

import app

SOURCE = pathlib.Path(app.__file__)


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with the page, or with the error."""

    def do_GET(self) -> None:
        try:
            status, page = 200, app.page()
        except Exception as error:
            status, page = 500, f"{error!r}\n"
        print(f"GET {self.path}: {status}", flush=True)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        """Said by do_GET."""


def watch() -> None:
    before = SOURCE.stat().st_mtime_ns
    while True:
        time.sleep(0.05)
        if SOURCE.stat().st_mtime_ns != before:
            before = SOURCE.stat().st_mtime_ns
            importlib.reload(app)
            print("reloaded app.py", flush=True)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
pathlib.Path("port").write_text(str(server.server_port))
threading.Thread(target=watch, daemon=True).start()
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
