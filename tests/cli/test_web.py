"""The demo's page is served on loopback, to this machine's own browser, file by file and nothing else."""

import contextlib
import http.client
import subprocess
import sys
import threading

import pytest

from agentos_lsp.cli import web
from agentos_lsp.domain.errors import UserError


def test_a_port_that_is_none_is_said(site):
    with pytest.raises(UserError, match="70000"):
        web.open_server(site, 70_000)


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    (folder / "python").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "a.wasm").write_bytes(b"\0asm")
    (folder / "python" / "archives.json").write_text("[]")
    (folder / "key.pem").write_text("secret")
    (tmp_path / "outside.html").write_text("outside")
    (folder / "link.html").symlink_to(tmp_path / "outside.html")
    return folder


@contextlib.contextmanager
def serving(site):
    with web.open_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def get(port, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html?pace=0", "text/html; charset=utf-8"),
        ("/a.wasm", "application/wasm"),
        ("/python/archives.json", "application/json"),
    ],
)
def test_a_file_of_the_page_is_served_with_its_kind_and_a_policy(site, path, kind):
    with serving(site) as port:
        status, headers, _ = get(port, path)
    assert (status, headers["Content-Type"]) == (200, kind)
    assert "connect-src 'self'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/gone.html", "/key.pem", "/../outside.html", "/%2e%2e/outside.html", "/link.html", "/python", "//etc/hostname"],
)
def test_nothing_else_is_served(site, path):
    with serving(site) as port:
        status, _, body = get(port, path)
    assert status == 404
    assert b"outside" not in body.replace(b"outside.html", b"")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_foreign_name_for_this_machine_gets_nothing(site, host):
    with serving(site) as port:
        assert get(port, "/", host)[0] == 403
        assert get(port, "/", f"localhost:{port}")[0] == 200


def test_what_cannot_be_served_is_said_with_what_to_do(site, tmp_path):
    with pytest.raises(UserError, match="make web"):
        web.open_server(tmp_path, 0)
    with web.open_server(site, 0) as server, pytest.raises(UserError, match="Choose another `--port`"):
        web.open_server(site, server.server_port)
    command = [sys.executable, "-m", "agentos_lsp", "demo", "--web", "--site", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "make web" in done.stderr
