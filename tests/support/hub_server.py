"""A hub on this machine: as much of the protocol as the real client needs to fetch a large file.

`HEAD` and `GET` of /REPOSITORY/resolve/REVISION/FILE answer with the file's SHA-256 and size and lead
to another path, as the hub leads to its content network; that path serves ranges.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY, COMMIT = "madrylab/robust-imagenet-models", "1" * 40
FILE = "resnet18_l2_eps3.ckpt"
CONTENT = bytes(range(256)) * 16384  # 4 MB


@dataclass
class Hub:
    """files: by name; requests: (method, path, Range) in order.

    drops: bytes after which the next answers break off, one an answer; lies: names whose content is
    another than the hub says; refusals: what the hub or its content network (`/cdn`) answers to
    everything, a status and headers.
    """

    files: dict[str, bytes]
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    lies: dict[str, bytes] = field(default_factory=dict)
    refusals: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
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
            refusal = hub.refusals.get("cdn" if where[:1] == ["cdn"] else "hub")
            if refusal is not None:
                self.refuse(*refusal)
            elif where[:1] == ["cdn"]:
                self.content(hub.lies.get(name, hub.files[name]))
            elif "/".join(where[:2]) != REPOSITORY:
                self.refuse(401, {"X-Error-Code": "RepoNotFound"})
            elif where[3] not in ("main", COMMIT):
                self.refuse(404, {"X-Error-Code": "RevisionNotFound"})
            elif name not in hub.files:
                self.refuse(404, {"X-Error-Code": "EntryNotFound"})
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

        def refuse(self, status: int, headers: dict[str, str]):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
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


#: The client waits between its tries, half a minute in all.
OBTAIN = """
import json, sys, time
time.sleep = lambda seconds: None
exec(sys.argv[2])
from interference.models.hub import CheckpointError, obtain
try:
    path, digest = obtain(json.loads(sys.argv[1]))
    print(json.dumps({"path": str(path), "digest": digest}))
except CheckpointError as error:
    print(json.dumps({"error": str(error)}))
"""


def obtain(
    hub: Hub,
    home: Path,
    *,
    offline: bool = False,
    first: str = "",
    env: dict | None = None,
    **changes,
) -> dict:
    """What the job's first step gives or complains of, in a process of its own: the client reads its
    environment when it is imported. first: Python that the process runs before it."""
    source = {"format": "madrylab", "file": FILE, "folder": None, "repository": REPOSITORY,
              "revision": "main", "sha256": None}  # fmt: skip
    environment = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("HF_", "HUGGING")) and not k.upper().endswith("_PROXY")
    }
    environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= ({"HF_HUB_OFFLINE": "1"} if offline else {}) | (env or {})
    done = subprocess.run(
        [sys.executable, "-c", OBTAIN, json.dumps(source | changes), first],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
