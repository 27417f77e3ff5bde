"""The network that an approval gave: to the hosts of the grant, as long as its command runs, and told one by one."""

import asyncio
import base64
import contextlib
import functools
import http.server
import ssl
import subprocess
import sys
import threading

import pytest

from agentos_lsp.domain import network
from agentos_lsp.effects.process import proxy

OWN = ("registry.example",)
FETCH = """\
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
except Exception as error:
    print(type(error).__name__, error, getattr(error, "read", lambda: b"")().decode())
"""


@pytest.fixture
def registry(tmp_path):
    """A server of this test's own, which stands for a registry; returns its folder, its port and what it was asked."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "index").write_text("hello")
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append((self.path, self.headers.get("Host"), self.headers.get("Proxy-Authorization")))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, server.server_address[1], asked
        server.shutdown()
        thread.join()


async def looked_up(host, _port):
    """Names lead where the tests want them: nothing of the real network is asked."""
    known = {"registry.example": ["127.0.0.1"], "pypi.org": ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1"]}
    if host not in known:
        raise OSError(f"{host} is not known")
    return known[host]


class Way:
    """A jail with a way out, and what was told of it."""

    def __init__(self, jail, made):
        self.jail = jail
        self.proxy = made
        self.told = []

    def grant(self, own=OWN):
        self.granted, self.variables = self.proxy.grant(network.HOSTS, own, self.told.append)

    async def fetch(self, url):
        """Asks from inside, as a command of the grant."""
        self.jail.environment = {**self.jail.environment, **self.variables}
        program = self.jail.worktree / "fetch.py"
        program.write_text(FETCH)
        return (await self.jail.run(f"{sys.executable} -I fetch.py {url}".replace("-I", "-S")))[1].strip()

    async def say(self, text, word=None):
        """Says something to the proxy itself, as any program inside can; returns what it answers."""
        port = self.proxy.listener.getsockname()[1]
        given = base64.b64encode(f"agentos:{word or self.granted.word}".encode()).decode()
        text = text.replace("{auth}", f"Proxy-Authorization: Basic {given}\r\n")
        code = (
            f"import socket\nwith socket.create_connection(('127.0.0.1', {port})) as s:\n"
            f"    s.sendall({text.encode()!r})\n    s.shutdown(1)\n    print(s.makefile('rb').read(4000).decode())\n"
        )
        return (await self.jail.python(code))[1]


@pytest.fixture
async def way(jail):
    made = proxy.Proxy(await jail.processes.listen(), looked_up)
    await made.open()
    one = Way(jail, made)
    one.grant()
    yield one
    await made.close()


def ended(told):
    return [(one.host, one.outcome) for one in told]


async def test_a_command_of_a_grant_reaches_its_hosts_and_each_connection_is_told(way, registry):
    _, port, asked = registry
    assert await way.fetch(f"http://registry.example:{port}/index") == "hello"
    (one,) = way.told
    assert (one.host, one.port, one.outcome, one.reason) == ("registry.example", port, "connected", "")
    assert one.sent_bytes > 50
    assert one.received_bytes > 50
    assert asked == [("/index", f"registry.example:{port}", None)]


async def test_git_works_through_it(way, registry):
    folder, port, _ = registry
    for words in (["init", "-q"], ["commit", "-qm", "one", "--allow-empty"], ["update-server-info"]):
        subprocess.run(["git", *words], cwd=folder, check=True)  # noqa: ASYNC221 - nothing else waits
    way.jail.environment = {**way.jail.environment, **way.variables}
    assert await way.jail.run(
        f"git clone -q http://registry.example:{port}/.git copy && git -C copy log --format=%s"
    ) == (
        0,
        "one\n",
    )
    assert set(ended(way.told)) == {("registry.example", "connected")}


async def test_a_tunnel_passes_bytes_both_ways(way, registry):
    _, port, _ = registry
    asked = "GET /index HTTP/1.0\r\n\r\n"
    told = await way.say(f"CONNECT registry.example:{port} HTTP/1.1\r\n{{auth}}\r\n{asked}")
    assert told.startswith("HTTP/1.1 200 Connection established")
    assert told.endswith("hello\n")
    assert ended(way.told) == [("registry.example", "connected")]


REFUSED = {
    "evil.example:443": "not among the hosts",
    "registry.example.evil.org:443": "not among the hosts",
    "evilpypi.org:443": "not among the hosts",
    "127.0.0.1:80": "not among the hosts",
    "169.254.169.254:80": "not among the hosts",
    "[::1]:443": "not among the hosts",
    "localhost:443": "not among the hosts",
    "pypi.org:22": "port 22 is not one of the grant",
    ":443": "names no host",
}


async def test_nothing_else_is_reached(way):
    for target, why in REFUSED.items():
        assert why in await way.say(f"CONNECT {target} HTTP/1.1\r\n{{auth}}\r\n"), target
    assert [one.outcome for one in way.told] == ["refused"] * len(REFUSED)


async def test_a_known_name_that_leads_to_this_machine_or_its_network_is_not_followed(way, registry):
    assert "no public address" in await way.say("CONNECT PyPI.org.:443 HTTP/1.1\r\n{auth}\r\n")
    assert ended(way.told) == [("pypi.org", "failed")]


async def test_without_the_word_of_a_grant_and_after_its_end_nothing_is_reached(way, registry):
    _, port, asked = registry
    line = f"GET http://registry.example:{port}/index HTTP/1.1\r\n"
    assert "407" in await way.say(line + "\r\n")
    assert "407" in await way.say(line + "{auth}\r\n", word="guess")
    way.proxy.revoke(way.granted)
    assert "407" in await way.say(line + "{auth}\r\n")
    assert (asked, way.told) == ([], [])
    assert (await way.fetch(f"http://registry.example:{port}/index")).startswith("HTTPError HTTP Error 407")


async def test_the_end_of_a_grant_ends_its_connections(way, registry):
    _, port, _ = registry
    hold = f"CONNECT registry.example:{port} HTTP/1.1\r\n"
    auth = base64.b64encode(f"agentos:{way.granted.word}".encode()).decode()
    at = way.proxy.listener.getsockname()[1]
    code = (
        f"import socket\ns = socket.create_connection(('127.0.0.1', {at}))\n"
        f"s.sendall({f'{hold}Proxy-Authorization: Basic {auth}'.encode()!r} + b'\\r\\n\\r\\n')\n"
        "print(s.recv(100)); open('UP', 'w').close()\n"
        "try:\n    print(s.recv(100))\nexcept OSError as error:\n    print(type(error).__name__)\n"
    )
    async with asyncio.TaskGroup() as group:
        run = group.create_task(way.jail.python(code))
        while not (way.jail.worktree / "UP").exists():  # noqa: ASYNC110 - what another process does
            await asyncio.sleep(0.01)
        way.proxy.revoke(way.granted)
    assert run.result()[1].splitlines()[1] in {"b''", "ConnectionResetError"}
    while not way.told:  # noqa: ASYNC110 - the end of a connection is seen a moment later
        await asyncio.sleep(0.01)


NONSENSE = (
    "",
    "\r\n\r\n",
    "CONNECT\r\n\r\n",
    "CONNECT registry.example:99999999 HTTP/1.1\r\n{auth}\r\n",
    "CONNECT [::1 HTTP/1.1\r\n{auth}\r\n",
    "GET ftp://registry.example/ HTTP/1.1\r\n{auth}\r\n",
    "GET http://registry.example:x/ HTTP/1.1\r\n{auth}\r\n",
    "GET / HTTP/1.1\r\nProxy-Authorization: Basic ====\r\n\r\n",
    "GET / HTTP/1.1\r\nX: " + "a" * 70_000 + "\r\n\r\n",
    "\x00\xff" * 500,
)


async def test_nonsense_ends_its_own_connection_and_nothing_else(way, registry):
    for text in NONSENSE:
        assert "HTTP/1.1 200" not in await way.say(text), text
    assert await way.fetch(f"http://registry.example:{registry[1]}/index") == "hello"


async def test_one_host_cannot_be_reached_under_the_name_of_another(way, registry):
    _, port, asked = registry
    line = f"GET http://registry.example:{port}/index HTTP/1.1\r\nHost: evil.example\r\nConnection: keep-alive\r\n"
    assert "hello" in await way.say(f"{line}{{auth}}\r\n")
    assert asked == [("/index", f"registry.example:{port}", None)]


async def test_what_follows_a_request_is_not_passed_on(way, registry):
    _, port, asked = registry
    line = f"GET http://registry.example:{port}/index HTTP/1.1\r\n"
    told = await way.say(f"{line}{{auth}}\r\nGET /index HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert told.count("hello") == len(asked) == 1
    for smuggled in ("X: a\nHost: evil.example\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 1\r\n" * 2):
        wrong = smuggled.replace("1\r\nContent-Length: 1", "1\r\nContent-Length: 2")
        assert "hello" not in await way.say(f"{line}{{auth}}{wrong}\r\n")


def hello(host):
    """What a client of TLS says first."""
    said, heard = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = ssl.create_default_context().wrap_bio(heard, said, server_hostname=host)
    with contextlib.suppress(ssl.SSLWantReadError):
        one.do_handshake()
    return said.read()


async def test_a_tunnel_is_for_the_host_that_it_names_and_no_other_behind_its_address(jail, monkeypatch):
    got = []
    server = await asyncio.start_server(lambda reader, writer: heard(reader, writer, got), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setattr(network, "PORTS", (1, port))
    monkeypatch.setattr(proxy, "is_public", lambda address: address == "127.0.0.1")
    way = Way(jail, proxy.Proxy(await jail.processes.listen(), looked_up))
    await way.proxy.open()
    way.grant(own=())
    program = jail.worktree / "tunnel.py"
    auth = base64.b64encode(f"agentos:{way.granted.word}".encode()).decode()
    for said in (hello("evil.example"), b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", hello("pypi.org")):
        head = f"CONNECT pypi.org:{port} HTTP/1.1\r\nProxy-Authorization: Basic {auth}\r\n\r\n".encode()
        program.write_text(
            f"import socket\ns = socket.create_connection(('127.0.0.1', {way.proxy.listener.getsockname()[1]}))\n"
            f"s.sendall({head!r}); s.recv(100); s.sendall({said!r}); s.shutdown(1); s.recv(100)\n"
        )
        await jail.run(f"python3 -S {program.name}")
    while len(way.told) < 3:  # noqa: ASYNC110 - the end of a connection is seen a moment later
        await asyncio.sleep(0.01)
    await way.proxy.close()
    server.close()
    assert [one.outcome for one in way.told] == ["refused", "refused", "connected"]
    assert "names another host" in way.told[0].reason
    assert "not TLS" in way.told[1].reason
    assert got == [b"", b"", hello_of(got[2], "pypi.org")]


def hello_of(data, host):
    """Returns what was heard, if it is what a client says to a host."""
    assert host.encode() in data
    return data


async def heard(reader, writer, got):
    got.append(await reader.read())
    writer.close()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "239.1.1.1", "x"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1"),
        *("2002:7f00:1::", "64:ff9b::7f00:1"),
    ],
)
def test_an_address_that_leads_anywhere_else_is_not_public(address):
    assert not proxy.is_public(address)
    assert proxy.is_public("1.1.1.1")
    assert proxy.is_public("2606:4700:4700::1111")


async def test_a_grant_makes_no_more_connections_than_it_may(way, registry, monkeypatch):
    monkeypatch.setattr(proxy, "MOST_CONNECTIONS", 1)
    url = f"http://registry.example:{registry[1]}/index"
    assert await way.fetch(url) == "hello"
    for _ in range(3):
        assert "more than 1 connections" in await way.fetch(url)
    assert [one.outcome for one in way.told] == ["connected", "refused"]


async def test_the_socket_is_the_same_until_the_keeper_is_replaced(jail):
    first = await jail.processes.listen()
    assert await jail.processes.listen() is first
    with first:
        await jail.processes.stop_all()
    with await jail.processes.listen() as second:
        assert second is not first


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("pypi.org", True),
        ("PYPI.org.", True),
        ("a.pypi.org", False),
        ("x.corp.example", True),
        ("corp.example", False),
        ("xcorp.example", False),
        ("", False),
        (".", False),
    ],
)
def test_hosts_are_compared_as_names(host, named):
    assert network.is_named(host, ("pypi.org", "*.corp.example")) is named
