"""The way out of a cage: a proxy that listens on the session's own loopback and connects to the hosts of a grant.

Its listening socket is made by the session's keeper, in the network namespace of the cage, and handed out; what it
accepts is served here, outside. So nothing of the cage gets a socket that leads anywhere else. Who has no grant's word
is turned away; a grant ends with its command, and all its connections with it. What is said inside of a connection is
not looked at: TLS stays between the command and the host.

Source: RFC 9110 section 9.3.6 (CONNECT), RFC 9112 section 3.2.2 (absolute-form), RFC 7617 (Basic).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ipaddress
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentos_lsp.domain import network

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MOST_CONNECTIONS = 2000
"""How many connections one grant may make, one after another."""

MOST_AT_ONCE = 100
"""How many may be open on one proxy at once."""

_HEAD_BYTES = 32 << 10
_HEAD_S = 20.0
_DIAL_S = 20.0
_IDLE_S = 300.0
_PIECE = 1 << 16
_NAME = "agentos"
_HOP_BY_HOP = {"connection", "proxy-connection", "proxy-authorization", "keep-alive", "te", "upgrade", "host"}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Connection:
    """How one attempt to reach a host ended."""

    host: str
    port: int
    outcome: network.Outcome
    reason: str
    sent_bytes: int
    received_bytes: int
    duration_s: float


@dataclass(eq=False, slots=True)
class Grant:
    """What one command may reach.

    Args:
        hosts: Names that everybody knows; they may be reached at public addresses and on the usual ports.
        own: Names from the person's own policy: any address, any port.
        tell: Is told of every connection when it has ended; must not block.
    """

    hosts: tuple[str, ...]
    own: tuple[str, ...]
    tell: Callable[[Connection], None]
    word: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    made: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def objection(self, host: str, port: int) -> str:
        """Returns why a host cannot be reached, empty if it can."""
        if network.is_named(host, self.own):
            return ""
        if not network.is_named(host, self.hosts):
            return "it is not among the hosts of the grant; a person can add it under [confinement] network"
        return "" if port in network.PORTS else f"port {port} is not one of the grant"


async def resolved(host: str, port: int) -> list[str]:
    """Returns the addresses of a host.

    Raises:
        OSError: It is not known.
    """
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


class Proxy:
    """Serves one listening socket; used from one event loop.

    Args:
        listener: The socket; closed with the proxy.
        resolve: Finds the addresses of a host.
    """

    def __init__(self, listener: socket.socket, resolve: Callable[[str, int], Awaitable[list[str]]] = resolved) -> None:
        self.listener = listener
        self._resolve = resolve
        self._grants: dict[str, Grant] = {}
        self._server: asyncio.Server | None = None
        self._serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """Begins to serve."""
        self.listener.setblocking(False)
        self._server = await asyncio.start_server(self._serve, sock=self.listener, limit=_HEAD_BYTES)

    def grant(
        self, hosts: tuple[str, ...], own: tuple[str, ...], tell: Callable[[Connection], None]
    ) -> tuple[Grant, dict[str, str]]:
        """Lets a command reach hosts; returns the grant, and the variables by which its programs find the proxy."""
        made = Grant(hosts, own, tell)
        self._grants[made.word] = made
        url = f"http://{_NAME}:{made.word}@127.0.0.1:{self.listener.getsockname()[1]}"
        variables = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), url)
        return made, {**variables, **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")}

    def revoke(self, grant: Grant) -> None:
        """Ends a grant with all its connections; idempotent."""
        self._grants.pop(grant.word, None)
        for writer in list(grant.open):
            writer.transport.abort()

    async def close(self) -> None:
        """Ends serving, and all connections."""
        for grant in list(self._grants.values()):
            self.revoke(grant)
        if self._server is not None:
            self._server.close()
        for writer in self._serving.values():
            writer.transport.abort()
        if self._serving:
            await asyncio.wait(self._serving)
        self.listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection from inside; whatever is sent there, nothing but this connection ends."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server makes one for each connection
        self._serving[task] = writer
        try:
            if len(self._serving) > MOST_AT_ONCE:
                _answer(writer, "503 Service Unavailable")
                return
            async with asyncio.timeout(_HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
            await self._follow(head, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            _answer(writer, "400 Bad Request")
        finally:
            await _closed(writer)
            del self._serving[task]

    async def _follow(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *rows = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name.strip(), value.strip()) for name, _, value in (row.partition(":") for row in rows) if name]
        grant = self._grants.get(_word(headers))
        if grant is None:
            _answer(writer, "407 Proxy Authentication Required", f'Proxy-Authenticate: Basic realm="{_NAME}"\r\n')
            return
        host, port, path = _aim(method, target)
        began = time.monotonic()
        objection = grant.objection(host, port) if host else "it names no host"
        grant.made += 1
        if grant.made > MOST_CONNECTIONS:
            objection = f"more than {MOST_CONNECTIONS} connections"
        if objection:
            _answer(writer, "403 Forbidden", body=f"agentos-lsp: {host}:{port}: {objection}.\n")
            grant.tell(Connection(host, port, "refused", objection, 0, 0, 0.0))
            return
        grant.open.add(writer)
        sent = received = 0
        outcome: network.Outcome = "connected"
        reason = ""
        try:
            upstream = await self._dialled(grant, host, port)
            try:
                if path is None:
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                else:
                    sent += _forward(upstream[1], method, path, host, port, headers)
                more, received = await _joined((reader, writer), upstream)
                sent += more
            finally:
                await _closed(upstream[1])
        except (OSError, TimeoutError) as error:
            outcome, reason = "failed", str(error) or "it took too long"
            _answer(writer, "502 Bad Gateway", body=f"agentos-lsp: {host}:{port}: {reason}.\n")
        finally:
            grant.open.discard(writer)
            grant.tell(Connection(host, port, outcome, reason, sent, received, time.monotonic() - began))

    async def _dialled(self, grant: Grant, host: str, port: int) -> Streams:
        """Connects to a host, at an address that a name which everybody knows may have."""
        async with asyncio.timeout(_DIAL_S):
            addresses = await self._resolve(host, port)
            if not network.is_named(host, grant.own):
                # A name that leads to this machine, its network or a cloud's metadata is an attack, or a mistake.
                addresses = [one for one in addresses if ipaddress.ip_address(one.partition("%")[0]).is_global]
            failure: OSError = OSError("it has no public address")
            for address in addresses:
                try:
                    reader, writer = await asyncio.open_connection(address, port)
                except OSError as error:
                    failure = error
                else:
                    grant.open.add(writer)
                    return reader, writer
            raise failure


def _word(headers: list[tuple[str, str]]) -> str:
    """Returns the word that a request names, empty if none."""
    for name, value in headers:
        kind, _, given = value.partition(" ")
        if name.lower() == "proxy-authorization" and kind.lower() == "basic":
            with contextlib.suppress(ValueError):
                return base64.b64decode(given.strip()).decode("latin-1").partition(":")[2]
    return ""


def _aim(method: str, target: str) -> tuple[str, int, str | None]:
    """Returns the host and port that a request is for, and the path there; None for a tunnel."""
    if method == "CONNECT":
        parts = urlsplit(f"//{target}")
        return network.normal(parts.hostname or ""), parts.port or 443, None
    parts = urlsplit(target)
    if parts.scheme != "http":
        return "", 0, None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return network.normal(parts.hostname or ""), parts.port or 80, path


def _forward(
    upstream: asyncio.StreamWriter, method: str, path: str, host: str, port: int, headers: list[tuple[str, str]]
) -> int:
    """Sends a request on, one for each connection, with the host that was looked at; returns its size."""
    rows = [f"{method} {path} HTTP/1.1", f"Host: {host}" + ("" if port == network.PORTS[0] else f":{port}")]
    rows += [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP_BY_HOP]
    data = ("\r\n".join([*rows, "Connection: close"]) + "\r\n\r\n").encode("latin-1")
    upstream.write(data)
    return len(data)


async def _joined(inner: Streams, outer: Streams) -> tuple[int, int]:
    """Passes bytes on in both directions until both have ended; returns how many went out and came in."""
    async with asyncio.TaskGroup() as group:
        out = group.create_task(_passed(inner[0], outer[1]))
        back = group.create_task(_passed(outer[0], inner[1]))
    return out.result(), back.result()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    count = 0
    with contextlib.suppress(OSError, TimeoutError):
        while True:
            async with asyncio.timeout(_IDLE_S):
                piece = await reader.read(_PIECE)
            if not piece:
                break
            count += len(piece)
            writer.write(piece)
            async with asyncio.timeout(_IDLE_S):
                await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
        return count
    # One direction that broke takes the other with it.
    writer.transport.abort()
    return count


def _answer(writer: asyncio.StreamWriter, status: str, headers: str = "", body: str = "") -> None:
    if writer.is_closing():
        return
    data = body.encode("utf-8", "replace")
    head = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    with contextlib.suppress(OSError):
        writer.write(head.encode("latin-1") + data)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        writer.close()
        async with asyncio.timeout(_HEAD_S):
            await writer.wait_closed()
