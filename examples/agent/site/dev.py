"""A development server as one meets them: it asks before it begins, and fails at a request."""

import http.server
import pathlib
import sys

HERE = pathlib.Path(__file__).parent


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with page.html, its fields filled in."""

    def do_GET(self) -> None:
        try:
            status, page = 200, (HERE / "page.html").read_text().format(name="Ann")
            print(f"GET {self.path}: 200")
        except KeyError as field:
            status, page = 500, "It failed: see the log.\n"
            print(f"GET {self.path}: 500, page.html wants {field} and there is only 'name'")
        self.send_response(status)
        self.end_headers()
        self.wfile.write(page.encode())

    def log_message(self, *_: object) -> None:
        """Said by do_GET."""


def main() -> None:
    seeded = HERE / "seeded"
    if not seeded.exists():
        if input("The database is empty. Fill it with examples? [y/N] ") != "y":
            sys.exit("Nothing to serve.")
        seeded.touch()
        print("3 examples were added")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Page)
    try:
        print(f"listening on http://127.0.0.1:{server.server_port}")
        server.serve_forever()
    except KeyboardInterrupt:
        print("interrupted")


main()
