"""A file that a local server publishes, under addresses that go wrong in every way."""

import gzip
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.data.fetching.data_file import DataFile

CONTENT = b"one line\n" * 20_000
STORED = gzip.compress(CONTENT)


class _Handler(BaseHTTPRequestHandler):
    answers: dict[str, bytes]

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        if name not in self.answers:
            self.send_error(404)
            return
        body = self.answers[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # Half of it, and then the connection is closed.
        self.wfile.write(body[: len(body) // 2] if name == "broken-off" else body)

    def log_message(self, format, *args):  # noqa: A002
        pass


@contextmanager
def server(answers: dict[str, bytes] | None = None) -> Iterator[str]:
    """The address of a server's folder of these files."""
    own = {"good.gz": STORED, "good": CONTENT, "broken-off": STORED, "short.gz": STORED[:-20], "other": CONTENT[1:]}
    handler = type("Handler", (_Handler,), {"answers": own | (answers or {})})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}/folder/"
        finally:
            serving.shutdown()
            thread.join()


def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/"


def published(*addresses: str, content: bytes = CONTENT) -> DataFile:
    return DataFile("words/lines.txt", len(STORED), hashlib.sha256(content).hexdigest(), addresses)
