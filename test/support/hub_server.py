"""A server that answers `huggingface_hub` as the Hub does, for one model repository in memory.

It knows what the client asks for when it makes a repository, commits small files and downloads one; it was
written from the client's requests. What it cannot show is how the real Hub differs from it.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 39 + "1"


@dataclass
class HubServer:
    """What is stored, and how the server behaves.

    Attributes:
      files: content by name.
      status: answered to every request with its Hub error code, unless 200.
      error: the code of `X-Error-Code`.
      claimed: the size in bytes that files are said to have; None for their own.
      requests: method and path of all so far.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    error: str = ""
    claimed: int | None = None
    requests: list[str] = field(default_factory=list)
    endpoint: str = ""


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve on a free port of this machine."""
    hub = HubServer()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def reply(self, content: bytes = b"", status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, text in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def refused(self) -> bool:
            hub.requests.append(f"{self.command} {self.path}")
            if hub.status == 200:
                return False
            self.reply(b"{}", hub.status, X_Error_Code=hub.error)
            return True

        def do_GET(self) -> None:
            if self.refused():
                return
            _, marker, name = self.path.partition("/resolve/main/")
            if not marker:
                self.reply(json.dumps({"id": "me/getup", "sha": COMMIT, "siblings": []}).encode())
            elif name not in hub.files:
                self.reply(b"", 404, X_Error_Code="EntryNotFound")
            else:
                content = hub.files[name]
                size = str(len(content) if hub.claimed is None else hub.claimed)
                tag = f'"{hashlib.sha256(content).hexdigest()}"'
                self.reply(content, ETag=tag, X_Repo_Commit=COMMIT, X_Linked_Size=size)

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.refused():
                return
            if self.path.endswith("/repos/create"):
                answer: object = {"url": f"{hub.endpoint}/me/getup"}
            elif "/preupload/" in self.path:
                paths = [each["path"] for each in json.loads(body)["files"]]
                answer = {
                    "files": [
                        {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths
                    ]
                }
            elif "/commit/" in self.path:
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                answer = {"commitUrl": f"{hub.endpoint}/me/getup/commit/{COMMIT}", "commitOid": COMMIT}
            else:
                answer = {"errors": [], "warnings": []}
            self.reply(json.dumps(answer).encode(), Content_Type="application/json")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
