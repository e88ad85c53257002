"""An OpenLineage server on a free port of this machine."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Target:
    """Keeps what it gets as (path, event), answers with `status`, and may be slow."""

    def __init__(self) -> None:
        self.received: list[tuple[str, Any]] = []
        self.status, self.delay_s = 200, 0.0
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(target.delay_s)
                target.received.append((self.path, json.loads(body)))
                self.send_response(target.status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def events(self) -> list[Any]:
        return [event for _, event in self.received]
