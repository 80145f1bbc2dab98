"""A hub on this machine: as much of the protocol as the real client needs to fetch a large file.

`HEAD` and `GET` of /REPOSITORY/resolve/REVISION/FILE answer with the file's SHA-256 and size and lead
to another path, as the hub leads to its content network; that path serves ranges.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY, COMMIT = "madrylab/robust-imagenet-models", "1" * 40


@dataclass
class Hub:
    """files: by name; requests: (method, path, Range) in order.

    drops: bytes after which the next answers break off, one an answer; lies: names whose content is
    another than the hub says.
    """

    files: dict[str, bytes]
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    lies: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    content: str = ""

    def served(self, method: str) -> list[str | None]:
        """The ranges that content was asked for with a method."""
        return [asked for verb, path, asked in self.requests if verb == method and "/cdn/" in path]


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def log_message(self, *_):
            pass

        def answer(self):
            hub.requests.append((self.command, self.path, self.headers.get("Range")))
            *where, name = self.path.strip("/").split("/")
            if where[:1] == ["cdn"]:
                self.content(hub.lies.get(name, hub.files[name]))
            elif "/".join(where[:2]) != REPOSITORY:
                self.refuse(401, "RepoNotFound")
            elif where[3] not in ("main", COMMIT):
                self.refuse(404, "RevisionNotFound")
            elif name not in hub.files:
                self.refuse(404, "EntryNotFound")
            else:
                content = hub.files[name]
                digest = hashlib.sha256(content).hexdigest()
                self.send_response(302)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("X-Linked-Etag", f'"{digest}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("Location", f"{hub.content}/cdn/{name}")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def refuse(self, status: int, code: str):
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def content(self, content: bytes):
            asked = self.headers.get("Range")
            start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
            part = content[start:]
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header(
                    "Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"
                )
            self.send_header("Content-Length", str(len(part)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if self.command == "GET":
                if hub.drops:
                    part = part[: hub.drops.pop(0)]
                    self.close_connection = True
                self.wfile.write(part)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    hub.content = f"http://localhost:{server.server_port}"  # the client follows no other host
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
