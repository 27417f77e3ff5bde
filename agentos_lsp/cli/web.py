"""`agentos-lsp demo --web`: serves one page on loopback, whose language server is this very code under WebAssembly.

The page is built by `make web` from editors/web. It is files and nothing else: all that happens is in the browser.
"""

from __future__ import annotations

import functools
import http.server
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    import argparse

LOOPBACK = "127.0.0.1"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".wasm": "application/wasm",
    ".whl": "application/zip",
    ".zip": "application/zip",
}
"""What a site may hold; nothing else is served."""

# WebAssembly is compiled in the page, and Monaco writes styles into it. Nothing may be asked of any other place.
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self' data:;"
    " img-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
)


def built() -> Path:
    """Returns where `make web` leaves the page in a clone."""
    return Path(__file__).resolve().parents[2] / ".cache" / "web" / "site"


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is interrupted; returns the exit code."""
    try:
        server = open_server(Path(arguments.site) if arguments.site else built(), arguments.port)
    except UserError as error:
        print(f"agentos-lsp: {error}", file=sys.stderr)
        return 1
    with server:
        print(f"http://{LOOPBACK}:{server.server_port}/  (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


def open_server(site: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Opens a server of a site on loopback.

    Args:
        site: What `make web` built.
        port: Where to listen; 0 for any free port.

    Raises:
        UserError: The page was not built, or the port is taken.
    """
    if not (site / "index.html").is_file():
        raise UserError(f"There is no page in {site}.", "Build it in a clone of the repository: `make web`.")
    try:
        return http.server.ThreadingHTTPServer((LOOPBACK, port), functools.partial(_Files, site=site))
    except (OSError, OverflowError) as error:
        words = f"Nobody can listen on {LOOPBACK}:{port}: {error}."
        raise UserError(words, "Choose another `--port`, or leave it out for any free one.") from error


class _Files(http.server.BaseHTTPRequestHandler):
    """Gives out the files of a site, and only to a browser that asked this machine for them."""

    def __init__(self, *given: object, site: Path) -> None:
        self._site = site
        super().__init__(*given)  # type: ignore[arg-type] # socketserver's own three

    def do_GET(self) -> None:
        """Answers with a file."""
        # A foreign page can have its name resolved to loopback, but not say another name than its own.
        if self.headers.get("Host", "").partition(":")[0] not in {LOOPBACK, "localhost"}:
            self.send_error(403)
            return
        name = urlsplit(self.path).path.lstrip("/") or "index.html"
        file = (self._site / name).resolve()
        kind = KINDS.get(file.suffix)
        if kind is None or not file.is_relative_to(self._site.resolve()) or not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the one that it replaces
        """Says nothing: a page is some twenty requests."""
