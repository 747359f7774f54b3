"""A broker's HTTP on loopback, and what goes wrong on the way: lost answers, outages, limits, garbage."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class Answer(Exception):
    def __init__(self, status: int, content: Any) -> None:
        super().__init__(status)
        self.status, self.content = status, content


class LocalServer:
    """Answers by `respond`; subclasses speak a broker's words."""

    def __init__(self) -> None:
        self.down: int | None = None
        """Status of every answer while it stands."""
        self.lose: set[str] = set()
        """Paths whose requests are carried out and not answered."""
        self.garbage = False
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def respond(self, method: str, path: str, asked: dict[str, str], body: Any, headers: Any) -> Any:
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        return json.loads(text) if text else None

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                text = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
                asked = dict(parse_qsl(parts.query))
                server.requests.append((self.command, parts.path, dict(self.headers)))
                if server.down is not None:
                    self._send(
                        server.down, {"message": "too many requests" if server.down == 429 else "down"}
                    )
                    return
                try:
                    with server._lock:
                        body = server.parse(text)
                        content = server.respond(self.command, parts.path, asked, body, self.headers)
                    status = 200
                except Answer as said:
                    status, content = said.status, said.content
                if parts.path in server.lose and self.command == "POST":
                    self.close_connection = True
                    self.connection.close()
                    return
                self._send(status, content)

            def _send(self, status: int, content: Any) -> None:
                raw = b"" if status == 204 else json.dumps(content).encode()
                if server.garbage:
                    raw = b"<html>a page of a proxy</html>"
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names of http.server

        return Handler
