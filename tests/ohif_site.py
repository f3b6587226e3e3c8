"""OHIF's own build as a site serves it: its files, our settings, and Orthanc's DICOMweb behind the same origin."""

from __future__ import annotations

import json
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DICOM_WEB = "/dicom-web"

_SETTINGS = {
    "routerBasename": None, "extensions": [], "modes": [], "customizationService": {}, "showStudyList": True,
    "showErrorDetails": "always", "defaultDataSourceName": "pacs",
    "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 10},
    "dataSources": [{
        "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb", "sourceName": "pacs",
        "configuration": {
            "friendlyName": "PACS", "name": "pacs",
            "wadoUriRoot": DICOM_WEB, "qidoRoot": DICOM_WEB, "wadoRoot": DICOM_WEB,
            "qidoSupportsIncludeField": False, "supportsFuzzyMatching": False, "supportsWildcard": True,
            "imageRendering": "wadors", "thumbnailRendering": "wadors", "enableStudyLazyLoad": True,
            "supportsStow": True, "omitQuotationForMultipartRequest": True, "bulkDataURI": {"enabled": True},
        },
    }],
}  # fmt: skip
_ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""Without them the browser gives no shared memory, which OHIF's volumes need."""
_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class OhifSite(ThreadingHTTPServer):
    """OHIF under one address, so that the browser keeps its files; the PACS behind it may change."""

    daemon_threads = True

    def __init__(self, dist: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.dist = dist.resolve()
        self.pacs_port = 0
        """HTTP port of the Orthanc whose studies are shown."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def served_ohif(dist: Path) -> Iterator[OhifSite]:
    with OhifSite(dist) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OhifSite

    def do_GET(self) -> None:
        if self.path.startswith(DICOM_WEB):
            self._forward(None)
        elif self.path.startswith("/app-config.js"):
            self._answer(200, {"Content-Type": "text/javascript"}, f"window.config = {json.dumps(_SETTINGS)}".encode())
        else:
            self._file(self.path.partition("?")[0].lstrip("/"))

    def do_POST(self) -> None:
        self._forward(self.rfile.read(int(self.headers["Content-Length"])))

    def _file(self, name: str) -> None:
        """What is no file is a page of the application, which finds its own way."""
        path = (self.server.dist / name).resolve()
        if not (path.is_file() and path.is_relative_to(self.server.dist)):
            path = self.server.dist / "index.html"
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._answer(200, {"Content-Type": kind, "Cache-Control": "max-age=3600"}, path.read_bytes())

    def _forward(self, body: bytes | None) -> None:
        """To the PACS, under the name by which the browser knows us: the PACS writes it into its own links."""
        connection = HTTPConnection("127.0.0.1", self.server.pacs_port, timeout=60)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _OF_ONE_HOP}
            self._answer(answer.status, {**headers, "Cache-Control": "no-store"}, answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, **_ISOLATED, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the tests have their own output."""
